"""Several l1_ratios at once, and grids that are extended."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from handmade import make_cv, make_path, make_relaxed_cv
from numpy.testing import assert_allclose, assert_array_equal

import regpath
from regpath.grid import default_ratio

# Short grids: the best lambda may well be the last one.
pytestmark = pytest.mark.filterwarnings("ignore:.*smallest lambda:regpath.SelectionWarning")
LABELS = np.arange(60) % 4
RATIOS = [0.3, 1.0, 0.7]


@pytest.fixture(params=["tall", "wide", "sparse"])
def data(request, rng):
    p = 8 if request.param == "tall" else 300
    X = rng.standard_normal((60, p))
    y = X[:, :4] @ [2.0, -1.0, 1.0, 0.5] + rng.standard_normal(60)
    if request.param == "sparse":
        from scipy.sparse import csc_array

        X = csc_array(np.where(np.abs(X) > 1.0, X, 0.0))
    return X, y


@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_every_path_is_that_of_its_own_ratio(data, family):
    X, y = data
    y = y if family == "gaussian" else y > 0.0
    options = {"cv": LABELS, "family": family, "n_lambdas": 20, "lambda_min_ratio": 0.1}
    surface = regpath.cv_path(X, y, l1_ratio=RATIOS, tol=1e-14, **options)
    assert_array_equal(surface.l1_ratios, RATIOS)
    for cv, ratio in zip(surface.paths, RATIOS, strict=True):
        alone = regpath.cv_path(X, y, l1_ratio=ratio, tol=1e-14, **options)
        assert_allclose(cv.lambdas, alone.lambdas, rtol=1e-12)
        assert_allclose(cv.fold_scores, alone.fold_scores, rtol=1e-6)
        assert_allclose(cv.path.coefs, alone.path.coefs, atol=2e-5)
        for path in (cv.path, *cv.fold_paths):
            assert path.dual_gaps.max() <= 1e-14
            assert path.l1_ratio == ratio
    best = min(cv.mean_scores.min() for cv in surface.paths)
    assert surface.best.mean_scores.min() == best
    assert surface.mean_scores.shape == surface.lambdas.shape == (3, 20)
    assert surface.l1_ratio_min == surface.best.path.l1_ratio
    assert surface.lambda_min == surface.best.lambda_min
    assert_array_equal(surface.coef_at("min"), surface.best.coef_at("min"))
    assert_array_equal(surface.predict(X, "min"), surface.best.predict(X, "min"))
    assert surface.at("min").lambda_ == surface.lambda_min
    assert "best" in repr(surface)


def ratio_of(l1_ratio, means, errors):
    """A cross-validation by hand at some l1_ratio; five lambdas."""
    path = make_path(l1_ratio=l1_ratio)
    return make_cv(path, mean_scores=np.array(means, float), std_errors=np.full(5, errors))


def test_the_best_score_of_all_decides_on_the_ratio_and_then_the_rule_on_lambda():
    lasso = ratio_of(1.0, [9, 8, 7, 3.0, 4], 0.5)
    ridge = ratio_of(0.1, [4, 3.2, 3.1, 4, 5], 5.0)  # within its errors everywhere
    for surface in (regpath.CVSurface((lasso, ridge)), regpath.CVSurface((ridge, lasso))):
        assert surface.l1_ratio_min == 1.0
        for rule, index in {"min": 3, "1se": 3, "50%": 3, "100%": 3, "140%": 2}.items():
            assert surface.at(rule).index == index
            assert_array_equal(surface.coef_at(rule), lasso.path.coefs[:, index])
        assert surface.at(lambda cv: 4 if cv is lasso else 0).index == 4
        assert surface.relaxed is None


def test_of_ratios_that_are_equal_but_for_rounding_the_first():
    best = {0.2: 0.3, 0.5: 0.1 + 0.2}
    paths = tuple(ratio_of(r, [3.0, 1.0, best[r], 2.0, 4.0], 0.1) for r in best)
    for order in (paths, paths[::-1]):
        assert regpath.CVSurface(order).l1_ratio_min == order[0].path.l1_ratio


def test_blends_have_a_ratio_of_their_own():
    lasso = ratio_of(1.0, [9, 8, 7, 3.0, 4], 0.5)
    mixed = ratio_of(0.5, [4, 3.2, 3.1, 4, 5], 0.5)
    lasso, mixed = make_relaxed_cv(lasso), make_relaxed_cv(mixed)
    better = mixed.relaxed.mean_scores.copy()
    better[0, 2] = lasso.relaxed.mean_scores.min() - 1.0
    mixed = replace(mixed, relaxed=replace(mixed.relaxed, mean_scores=better))
    surface = regpath.CVSurface((lasso, mixed))
    assert surface.best is lasso
    assert surface.relaxed is mixed.relaxed
    assert surface.relaxed.l1_ratio == 0.5
    assert surface.relaxed.at("min").index == 2
    nothing = replace(mixed.relaxed, mean_scores=np.full_like(better, np.nan))
    surface = regpath.CVSurface((replace(mixed, relaxed=nothing), lasso))
    assert surface.relaxed is lasso.relaxed


def test_a_list_of_one_is_a_surface(data):
    surface = regpath.cv_path(*data, cv=LABELS, l1_ratio=[0.5], n_lambdas=5, lambda_min_ratio=0.2)
    assert isinstance(surface, regpath.CVSurface)
    assert surface.l1_ratio_min == 0.5


def test_ratios_may_come_twice_and_include_ridge(data):
    surface = regpath.cv_path(
        *data, cv=LABELS, l1_ratio=[0.0, 0.5, 0.0], lambdas=np.array([2.0, 1.0, 0.5])
    )
    assert_array_equal(surface.mean_scores[0], surface.mean_scores[2])


@pytest.mark.parametrize("ratio", [[], [[0.5]], "all", [0.5, 1.5], [0.5, "x"]])
def test_bad_ratios(data, ratio):
    with pytest.raises((TypeError, ValueError), match=r"cv_path\(l1_ratio="):
        regpath.cv_path(*data, cv=LABELS, l1_ratio=ratio)


def test_picture(data):
    pytest.importorskip("matplotlib")
    surface = regpath.cv_path(*data, cv=LABELS, l1_ratio=RATIOS, n_lambdas=10, lambda_min_ratio=0.1)
    assert surface.plot().figure is not None


class TestExtend:
    OPTIONS = {"cv": LABELS, "n_lambdas": 20, "lambda_min_ratio": 0.5}  # noqa: RUF012

    def test_until_the_best_is_not_the_last(self, data):
        cv = regpath.cv_path(*data, extend=True, **self.OPTIONS)
        assert cv.lambdas.size > 20
        assert not cv.is_open
        steps = np.diff(np.log(cv.lambdas))  # first its own, then those of the default grid
        assert_allclose(steps[:19], np.log(0.5) / 19, rtol=1e-6)
        assert_allclose(steps[19:], np.log(default_ratio(*data[0].shape)) / 99, rtol=1e-6)
        assert cv.path.lambdas.size == cv.fold_scores.shape[1]
        again = regpath.cv_path(*data, cv=LABELS, lambdas=cv.lambdas)
        assert_allclose(cv.fold_scores, again.fold_scores, rtol=1e-4)
        for path in (cv.path, *cv.fold_paths):
            assert_array_equal(path.lambdas, cv.lambdas)
            assert path.dual_gaps.max() <= 1e-6

    def test_ridge_whose_grid_begins_far_above(self):
        X, y, _, _ = regpath.datasets.load_diabetes()
        options = {"l1_ratio": 0.0, "cv": np.arange(len(y)) % 10}
        short = regpath.cv_path(X, y, **options)
        cv = regpath.cv_path(X, y, extend=True, **options)
        lasso = regpath.lasso_path(X, y)
        assert_allclose(short.lambdas, 1000.0 * lasso.lambdas, rtol=1e-9)  # as glmnet has it
        assert_allclose(cv.lambdas[:100], short.lambdas, rtol=1e-12)
        assert short.is_open
        assert not cv.is_open
        assert cv.mean_scores.min() < 0.75 * short.mean_scores.min()
        path = regpath.ridge_path(X, y, lambdas=cv.lambdas)
        assert_allclose(path.leave_one_out(X, y).mse.min(), cv.mean_scores.min(), rtol=0.02)

    def test_otherwise_a_warning(self, data):
        with pytest.warns(regpath.SelectionWarning, match=r"smallest lambda .* extend=True"):
            cv = regpath.cv_path(*data, **self.OPTIONS)
        assert cv.is_open

    def test_every_ratio_on_its_own(self, data):
        surface = regpath.cv_path(*data, l1_ratio=[1.0, 0.5], extend=True, **self.OPTIONS)
        assert not any(cv.is_open for cv in surface.paths)
        sizes = [cv.lambdas.size for cv in surface.paths]
        assert surface.lambdas.shape == (2, max(sizes))
        assert np.isnan(surface.mean_scores).sum() == sum(max(sizes) - size for size in sizes)

    def test_a_grid_that_is_long_enough_stays(self, data):
        cv = regpath.cv_path(*data, cv=LABELS, n_lambdas=30, lambda_min_ratio=1e-3, extend=True)
        assert cv.lambdas.size == 30

    def test_refusals(self, data):
        with pytest.raises(TypeError, match=r"extend='yes'"):
            regpath.cv_path(*data, cv=LABELS, extend="yes")
        with pytest.raises(ValueError, match=r"no common grid"):
            regpath.cv_path(*data, cv=LABELS, extend=True, fold_lambdas="glmnet")
