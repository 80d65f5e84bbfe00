from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import regpath
from regpath import datasets


def test_prostate_is_the_data_of_the_paper():
    X, y, names, coef = datasets.load_prostate()
    assert names == ("lcavol", "lweight", "age", "lbph", "svi", "lcp", "gleason", "pgg45")
    assert coef is None
    assert X.shape == (97, 8)
    assert X.flags.f_contiguous
    assert X[31, 1] == pytest.approx(3.804, abs=1e-3)  # older copies have 6.1, an error
    solution = np.linalg.lstsq(np.column_stack([np.ones(97), X]), y, rcond=None)[0]
    assert solution[1] == pytest.approx(0.564, abs=1e-3)
    assert solution[5] == pytest.approx(0.762, abs=1e-3)


def test_diabetes_has_centred_columns_of_unit_norm():
    X, y, names, _ = datasets.load_diabetes()
    assert names[2:4] == ("bmi", "map")
    np.testing.assert_allclose(X.mean(axis=0), 0.0, atol=1e-15)
    np.testing.assert_allclose((X**2).sum(axis=0), 1.0)
    assert (y.min(), y.max(), y.size) == (25.0, 346.0, 442)


def test_each_call_gives_fresh_arrays():
    datasets.load_prostate().X[:] = 0.0
    assert datasets.load_prostate().X.any()


def test_the_example_file_is_the_packaged_file():
    example = Path(__file__).parents[1] / "examples" / "data" / "prostate.csv"
    packaged = files("regpath") / "data" / "prostate.csv"
    assert example.read_text() == packaged.read_text()


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.95, -0.7])
def test_neighbouring_columns_have_the_correlation_asked_for(rho):
    X = datasets.make_correlated(20_000, 4, rho=rho, n_nonzero=1).X
    correlations = np.corrcoef(X, rowvar=False)
    expected = float(rho) ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    np.testing.assert_allclose(correlations, expected, atol=0.03)
    np.testing.assert_allclose(X.std(axis=0), 1.0, atol=0.03)


@pytest.mark.parametrize("make", [datasets.make_correlated, datasets.make_sparse])
def test_the_signal_is_as_strong_as_asked_for(make):
    X, y, names, coef = make(5000, 200, n_nonzero=7, snr=4.0)
    assert np.count_nonzero(coef) == 7
    assert len(names) == 200
    signal = X @ coef
    assert signal.var() / (y - signal).var() == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("make", [datasets.make_correlated, datasets.make_sparse])
def test_no_noise_and_no_signal(make):
    X, y, _, coef = make(30, 20, n_nonzero=3, snr=np.inf)
    np.testing.assert_allclose(y, X @ coef)
    pure_noise = make(2000, 20, n_nonzero=0)
    assert pure_noise.y.std() == pytest.approx(1.0, abs=0.1)
    assert not pure_noise.coef.any()


@pytest.mark.parametrize("make", [datasets.make_correlated, datasets.make_sparse])
def test_seeds(make):
    first, again, other = make(20, 30), make(20, 30), make(20, 30, random_state=1)
    np.testing.assert_array_equal(first.y, again.y)
    assert (first.y != other.y).any()
    generator = np.random.default_rng(0)
    np.testing.assert_array_equal(make(20, 30, random_state=generator).y, first.y)
    assert (make(20, 30, random_state=generator).y != first.y).any()


def test_sparse_columns_follow_a_power_law():
    X = datasets.make_sparse(3000, 20_000, density=0.002, exponent=1.0).X
    counts = np.sort(np.diff(X.indptr))[::-1]
    assert X.nnz / (3000 * 20_000) == pytest.approx(0.002, rel=0.15)
    assert counts[-1] >= 1
    assert counts[0] == pytest.approx(1500, rel=0.1)  # at most half of the rows
    assert counts[100] / counts[1000] == pytest.approx(10.0, rel=0.5)
    assert X.has_canonical_format
    assert X.indices.dtype == np.int32
    norms = np.sqrt(np.bincount(X.indices, X.data**2, minlength=3000))
    np.testing.assert_allclose(norms, 1.0)


def test_columns_of_equal_density():
    X = datasets.make_sparse(3000, 500, density=0.1, exponent=0.0).X
    np.testing.assert_allclose(np.diff(X.indptr), 300, rtol=0.3)


@pytest.mark.parametrize("make", [datasets.make_correlated, datasets.make_sparse])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 2)])
def test_the_smallest_problems_exist(make, shape):
    X, y, _, _ = make(*shape, n_nonzero=1)
    assert X.shape == shape
    assert np.isfinite(y).all()


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (datasets.make_correlated, {"n": 0}, "at least 1"),
        (datasets.make_correlated, {"n_nonzero": 31, "p": 30}, "between 0 and p=30"),
        (datasets.make_correlated, {"rho": 1.0}, "between -1 and 1"),
        (datasets.make_correlated, {"snr": 0.0}, "positive"),
        (datasets.make_sparse, {"density": 0.0}, "density"),
        (datasets.make_sparse, {"snr": np.nan}, "positive"),
    ],
)
def test_impossible_requests_are_refused(make, options, message):
    with pytest.raises(ValueError, match=rf"{make.__name__}\(.*{message}"):
        make(**options)


def test_the_lasso_finds_a_strong_signal():
    X, y, _, coef = datasets.make_correlated(300, 1000, rho=0.3, n_nonzero=5, snr=20.0)
    point = regpath.lasso_path(X, y).at_df(5)
    assert set(np.flatnonzero(point.coef)) == set(np.flatnonzero(coef))
