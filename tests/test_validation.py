"""Vectors and options: what is made of them, and a table of refusals."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from regpath.validation import Options, check_options, check_problem

CALL = "lasso_path"
N, P = 6, 4


def matrix(dtype=np.float64, order="F"):
    values = np.random.default_rng(0).integers(0, 2, (N, P))
    return np.array(values, dtype=dtype, order=order)


def response():
    return np.linspace(-1.0, 1.0, N)


def read_only(array):
    array.flags.writeable = False
    return array


# ------------------------------------------------------------------------------------ good vectors


@pytest.mark.parametrize(
    "y",
    [
        response(),
        response()[:, None],
        list(response()),
        tuple(response()),
        pd.Series(response()),
        pl.Series(response()),
        pd.DataFrame({"y": response()}),
        np.repeat(response(), 2)[::2],
        response().astype(np.longdouble),
        response().astype(">f8"),
        read_only(response()),
    ],
)
def test_response_is_float64(y):
    problem = check_problem(CALL, matrix(), y)
    assert problem.response.y.dtype == np.float64
    assert problem.response.y.dtype.isnative
    assert problem.response.y.flags.c_contiguous
    assert not problem.response.y.flags.writeable
    np.testing.assert_array_equal(problem.response.y, response())


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float32])
def test_response_of_other_dtypes(dtype):
    y = np.array([0, 1, 1, 0, 1, 0], dtype)
    np.testing.assert_array_equal(check_problem(CALL, matrix(), y).response.y, [0, 1, 1, 0, 1, 0])


def test_defaults():
    problem = check_problem(CALL, matrix(), response())
    assert (problem.n, problem.p, problem.weight_sum) == (N, P, float(N))
    np.testing.assert_array_equal(problem.weights, np.full(N, 1 / N))
    np.testing.assert_array_equal(problem.offset, np.zeros(N))
    np.testing.assert_array_equal(problem.penalty_factor, np.ones(P))
    np.testing.assert_array_equal(problem.lower, np.full(P, -np.inf))
    np.testing.assert_array_equal(problem.upper, np.full(P, np.inf))
    assert set(problem.given.values()) == {None}


@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e300, 5e-324, 1e308])
def test_weights_of_any_scale(scale):
    weights = np.array([1.0, 1.0, 0.0, 1.0, 1.0, 0.0]) * scale
    with warnings.catch_warnings(action="error"):
        problem = check_problem(CALL, matrix(), response(), sample_weight=weights)
    np.testing.assert_array_equal(problem.weights, [0.25, 0.25, 0, 0.25, 0.25, 0])
    assert problem.weight_sum == scale * 4.0
    np.testing.assert_array_equal(problem.given["sample_weight"], weights)


def test_scalars_are_broadcast():
    problem = check_problem(
        CALL, matrix(), response(), lower=0, upper=np.float32(2), penalty_factor=3
    )
    for name, value in (("lower", 0.0), ("upper", 2.0), ("penalty_factor", 3.0)):
        np.testing.assert_array_equal(getattr(problem, name), np.full(P, value))
        np.testing.assert_array_equal(problem.given[name], np.full(P, value))


def test_extreme_values_are_fine():
    problem = check_problem(
        CALL,
        matrix(),
        response() * 1e150,
        penalty_factor=np.full(P, np.inf),
        lower=[-np.inf, 0, -1, -0.0],
        upper=[np.inf, 0, 1, np.inf],
    )
    assert np.isinf(problem.penalty_factor).all()


def test_nothing_of_the_user_can_be_written_or_has_changed():
    vectors = {
        "sample_weight": np.ones(N),
        "offset": np.ones(N),
        "penalty_factor": np.ones(P),
        "lower": -np.ones(P),
        "upper": np.ones(P),
    }
    X, y = matrix(), response()
    copies = {name: vector.copy() for name, vector in vectors.items()}
    problem = check_problem(CALL, X, y, **vectors)
    assert not problem.response.y.flags.writeable
    for name in ("weights", "offset", "penalty_factor", "lower", "upper"):
        assert not getattr(problem, name).flags.writeable
    assert not problem.design.columns.flags.writeable
    for name, vector in vectors.items():
        assert vector.flags.writeable
        np.testing.assert_array_equal(vector, copies[name])
    assert X.flags.writeable
    assert y.flags.writeable
    np.testing.assert_array_equal(X, matrix())


# --------------------------------------------------------------------------------------- refusals


def with_value(size, index, value):
    vector = np.zeros(size)
    vector[index] = value
    return vector


BAD_VECTORS = [
    ("y", None, TypeError, "NoneType was given"),
    ("y", np.ones(5), ValueError, "5 values for the 6 rows of X", "exactly one per row"),
    ("y", [], ValueError, "0 values for the 6 rows"),
    ("y", 1.0, ValueError, "shape is ()", "(6,)"),
    ("y", np.ones((6, 2)), ValueError, "shape is (6, 2)", "one dimension, (6,)"),
    ("y", np.ones((1, 6)), ValueError, "shape is (1, 6)", "one dimension, (6,)"),
    ("y", with_value(6, 2, np.nan), ValueError, "1 of 6 values is NaN", "at index 2", "impute"),
    ("y", with_value(6, [2, 4], np.inf), ValueError, "2 of 6 values are NaN or infinite"),
    ("y", np.full(6, np.finfo(np.longdouble).max), ValueError, "6 of 6 values are"),
    ("y", list("abcdef"), TypeError, "dtype is <U1", "encode"),
    ("y", np.array([1, None] * 3), TypeError, "dtype is object", "y.astype(float)"),
    ("y", np.ones(6, complex), TypeError, "dtype is complex128", "y.real"),
    ("y", pl.Series([1, None] * 3), ValueError, "3 of 6 values are NaN", "at index 1"),
    ("y", np.ma.masked_equal(np.ones(6), 1), ValueError, "entries are masked"),
    ("sample_weight", np.ones(5), ValueError, "5 weights for the 6 rows of X"),
    ("sample_weight", 1.0, ValueError, "shape is ()"),
    ("sample_weight", -np.ones(6), ValueError, "6 of 6 weights are negative", "must be >= 0"),
    ("sample_weight", with_value(6, 5, -1), ValueError, "1 of 6 weights is negative", "index 5"),
    ("sample_weight", with_value(6, 1, np.nan), ValueError, "1 of 6 weights is NaN"),
    ("sample_weight", with_value(6, 1, np.inf), ValueError, "1 of 6 weights is NaN or infinite"),
    ("sample_weight", np.zeros(6), ValueError, "all 6 weights are 0", "must be positive"),
    ("sample_weight", "balanced", TypeError, "str was given"),
    ("offset", np.ones(7), ValueError, "7 values for the 6 rows of X"),
    ("offset", with_value(6, 0, -np.inf), ValueError, "1 of 6 values is NaN or infinite"),
    ("penalty_factor", np.ones(6), ValueError, "6 factors for the 4 columns of X"),
    ("penalty_factor", -1, ValueError, "4 of 4 factors are negative", "must be >= 0"),
    ("penalty_factor", with_value(4, 3, np.nan), ValueError, "1 of 4 factors is NaN", "index 3"),
    ("lower", 1, ValueError, "4 of 4 limits are positive", "must be <= 0"),
    ("lower", with_value(4, 1, np.inf), ValueError, "1 of 4 limits is positive"),
    ("lower", [0, 0, 0], ValueError, "3 limits for the 4 columns of X"),
    ("lower", np.nan, ValueError, "4 of 4 limits are NaN"),
    ("lower", True, ValueError, "4 of 4 limits are positive"),
    ("upper", -1, ValueError, "4 of 4 limits are negative", "must be >= 0"),
    ("upper", with_value(4, 1, -np.inf), ValueError, "1 of 4 limits is negative"),
    ("upper", "none", TypeError, "str was given"),
]


@pytest.mark.parametrize(
    ("name", "value", "error", "pieces"), [(*r[:3], r[3:]) for r in BAD_VECTORS]
)
def test_bad_vector(name, value, error, pieces):
    with pytest.raises(error) as caught:
        check_problem(CALL, matrix(), **{"y": response(), name: value})
    assert type(caught.value) is error
    assert str(caught.value).startswith(f"lasso_path({name}=...): ")
    for piece in pieces:
        assert piece in str(caught.value)


def test_the_tone():
    weights = np.ones(442)
    weights[[7, 8, 9]] = -1
    with pytest.raises(ValueError, match="negative") as caught:
        check_problem(CALL, np.ones((442, 2)), np.ones(442), sample_weight=weights)
    assert str(caught.value) == (
        "lasso_path(sample_weight=...): 3 of 442 weights are negative (the first at index 7); "
        "weights must be >= 0."
    )


# ---------------------------------------------------------------------------------------- options


def stop(k, progress):
    return False


GOOD_OPTIONS = [
    ("l1_ratio", 0, 0.0),
    ("l1_ratio", np.float32(0.5), 0.5),
    ("n_lambdas", np.int64(7), 7),
    ("lambda_min_ratio", None, None),
    ("lambda_min_ratio", 1e-3, 1e-3),
    ("fit_intercept", np.False_, False),
    ("tol", 1, 1.0),
    ("max_iter", 1, 1),
    ("max_features", None, None),
    ("stop_at_dev_ratio", 1, 1.0),
    ("n_threads", 2, 2),
    ("progress", True, True),
    ("callback", stop, stop),
    ("time_budget", np.inf, np.inf),
]


@pytest.mark.parametrize(("name", "value", "expected"), GOOD_OPTIONS)
def test_good_option(name, value, expected):
    result = getattr(check_options(CALL, **{name: value}), name)
    assert result == expected
    assert type(result) is type(expected)


def test_option_defaults():
    assert vars(check_options(CALL)) == vars(Options())
    assert vars(check_options(CALL, lambdas=None)) == vars(Options())


@pytest.mark.parametrize(
    ("lambdas", "expected"),
    [
        (0.5, [0.5]),
        ([0.1, 2, 0.5], [2, 0.5, 0.1]),
        ([1, 1, 0], [1, 1, 0]),
        ([0.0, np.inf], [np.inf, 0]),
        (np.array([1, 2, 3], np.int8), [3, 2, 1]),
        (np.arange(6.0)[::-2], [5, 3, 1]),
        (pd.Series([1.0, 2.0]), [2, 1]),
    ],
)
def test_good_lambdas(lambdas, expected):
    grid = check_options(CALL, lambdas=lambdas).lambdas
    np.testing.assert_array_equal(grid, expected)
    assert grid.dtype == np.float64
    assert grid.flags.c_contiguous
    assert not grid.flags.writeable


def test_lambdas_lose_negative_zero_and_keep_the_users_array():
    lambdas = np.array([-0.0, 1.0])
    assert not np.signbit(check_options(CALL, lambdas=lambdas).lambdas).any()
    np.testing.assert_array_equal(lambdas, [0, 1])
    assert lambdas.flags.writeable


BAD_OPTIONS = [
    ("l1_ratio", 1.5, ValueError, "l1_ratio must be a number from 0 (ridge) to 1 (lasso)"),
    ("l1_ratio", np.nan, ValueError, "l1_ratio must be"),
    ("l1_ratio", "lasso", TypeError, "str was given"),
    ("l1_ratio", None, TypeError, "NoneType was given"),
    ("l1_ratio", [0.5], TypeError, "list was given"),
    ("lambdas", [], ValueError, "shape is (0,)", "one or more values"),
    ("lambdas", [[1, 2]], ValueError, "shape is (1, 2)"),
    ("lambdas", [1, np.nan], ValueError, "1 of 2 values is NaN", "index 1"),
    ("lambdas", [1, -2], ValueError, "1 of 2 values is negative", "must be >= 0"),
    ("lambdas", "auto", TypeError, "str was given"),
    ("lambdas", [1j], TypeError, "dtype is complex128"),
    ("n_lambdas", 0, ValueError, "n_lambdas must be an integer >= 1"),
    ("n_lambdas", 10.0, TypeError, "float was given", "an integer >= 1"),
    ("n_lambdas", True, TypeError, "bool was given"),
    ("lambda_min_ratio", 0, ValueError, "both excluded", "pass lambdas=..."),
    ("lambda_min_ratio", 1, ValueError, "both excluded"),
    ("fit_intercept", 1, TypeError, "int was given", "True or False"),
    ("standardize", "yes", TypeError, "str was given", "True or False"),
    ("tol", 0, ValueError, "tol must be a finite number > 0"),
    ("tol", np.inf, ValueError, "tol must be a finite number > 0"),
    ("tol", True, TypeError, "bool was given"),
    ("tol", 1j, TypeError, "complex was given"),
    ("max_iter", 0, ValueError, "max_iter must be an integer >= 1"),
    ("max_features", 0, ValueError, "max_features must be an integer >= 1"),
    ("stop_at_dev_ratio", 0, ValueError, "a number > 0 and <= 1"),
    ("stop_at_dev_ratio", 99, ValueError, "a number > 0 and <= 1"),
    ("n_threads", -1, ValueError, "n_threads must be an integer >= 1"),
    ("progress", None, TypeError, "NoneType was given"),
    ("callback", 3, TypeError, "callback must be callable"),
    ("callback", lambda point: True, ValueError, "callable as callback(k, progress)"),
    ("time_budget", 0, ValueError, "a number of seconds > 0"),
    ("time_budget", np.nan, ValueError, "a number of seconds > 0"),
    ("lambda_", 3, TypeError, "no such option", "did you mean 'lambdas'?"),
    ("zzz", 3, TypeError, "no such option", "known: l1_ratio"),
]


@pytest.mark.parametrize(
    ("name", "value", "error", "pieces"), [(*r[:3], r[3:]) for r in BAD_OPTIONS]
)
def test_bad_option(name, value, error, pieces):
    with pytest.raises(error) as caught:
        check_options(CALL, **{name: value})
    assert type(caught.value) is error
    assert str(caught.value).startswith(f"lasso_path({name}=")
    for piece in pieces:
        assert piece in str(caught.value)
