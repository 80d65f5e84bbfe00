"""Scores against scikit-learn and against slow twins over pairs and risk sets; names, functions."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats
from score_cases import FAMILIES, K, L, M, held_out, score, scorer
from sklearn import metrics

from regpath.families import Cox, Multinomial, Poisson
from regpath.scoring import available, make_scorer, resolve

# ---------------------------------------------------------------------------- against scikit-learn

MEANS = {
    "poisson": np.exp,
    "gamma": np.exp,
    "tweedie": np.exp,
    "logit": special.expit,
    "proportions": special.expit,
    "probit": stats.norm.cdf,
    "multinomial": lambda eta: special.softmax(eta, axis=-1),
    "shares": lambda eta: special.softmax(eta, axis=-1),
}


def by_sklearn(function, case, held, of=lambda y: y, **options):
    """A function of scikit-learn, model by model."""
    mean = MEANS.get(case, lambda eta: eta)
    return [
        function(of(held.y), mean(held.eta[..., k]), sample_weight=held.weights, **options)
        for k in range(L)
    ]


NUMBERS = ["gaussian", "huber", "poisson", "gamma", "tweedie", "multigaussian"]


@pytest.mark.parametrize("case", NUMBERS)
def test_errors_of_numbers_are_those_of_sklearn(case):
    held = held_out(case)
    outputs = K if case == "multigaussian" else 1  # summed, not averaged
    for name, function in (
        ("mse", metrics.mean_squared_error),
        ("mae", metrics.mean_absolute_error),
    ):
        expected = outputs * np.array(by_sklearn(function, case, held))
        assert_allclose(score(case, name, held), expected, rtol=1e-12)
    assert_allclose(score(case, "r2", held), by_sklearn(metrics.r2_score, case, held), rtol=1e-12)


@pytest.mark.parametrize(
    ("case", "function", "options"),
    [
        ("gaussian", metrics.mean_squared_error, {}),
        ("poisson", metrics.mean_poisson_deviance, {}),
        ("gamma", metrics.mean_gamma_deviance, {}),
        ("tweedie", metrics.mean_tweedie_deviance, {"power": 1.3}),
        ("logit", lambda y, p, **w: 2 * metrics.log_loss(y, p, **w), {}),
    ],
)
def test_deviances_are_those_of_sklearn(case, function, options):
    held = held_out(case)
    expected = by_sklearn(function, case, held, **options)
    assert_allclose(score(case, "deviance", held), expected, rtol=1e-12)


@pytest.mark.parametrize("case", ["logit", "probit"])
def test_scores_of_two_classes_are_those_of_sklearn(case):
    held = held_out(case)
    for name, function in (
        ("log_loss", metrics.log_loss),
        ("brier", metrics.brier_score_loss),
        ("mse", metrics.brier_score_loss),
        ("auc", metrics.roc_auc_score),
        ("mae", metrics.mean_absolute_error),
        ("class", lambda y, p, **w: metrics.zero_one_loss(y, p > 0.5, **w)),
    ):
        assert_allclose(score(case, name, held), by_sklearn(function, case, held), rtol=1e-12)
    assert_array_equal(score(case, "mse", held), score(case, "brier", held))


def test_scores_of_several_classes_are_those_of_sklearn():
    case, held = "multinomial", held_out("multinomial")

    def labels(y):
        return y.argmax(axis=1)

    for name, function in (
        ("log_loss", metrics.log_loss),
        ("brier", lambda y, p, **w: metrics.brier_score_loss(y, p, scale_by_half=False, **w)),
        ("class", lambda y, p, **w: metrics.zero_one_loss(y, labels(p), **w)),
    ):
        expected = by_sklearn(function, case, held, labels)
        assert_allclose(score(case, name, held), expected, rtol=1e-12)
    assert_array_equal(score(case, "mse", held), score(case, "brier", held))
    expected = 2 * np.array(by_sklearn(metrics.log_loss, case, held, labels))
    assert_allclose(score(case, "deviance", held), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["class", "log_loss", "auc"])
def test_a_proportion_counts_as_both_outcomes(name):
    held = held_out("proportions")
    both = replace(
        held,
        y=np.repeat([1.0, 0.0], M),
        weights=np.concatenate([held.weights * held.y, held.weights * (1 - held.y)]),
        eta=np.concatenate([held.eta, held.eta]),
    )
    assert_allclose(score("proportions", name, held), score("proportions", name, both), rtol=1e-12)


def test_several_classes_of_which_two_are_the_binomial_scores():
    two = held_out("logit")
    eta = np.stack([np.zeros_like(two.eta), two.eta], axis=1)
    several = replace(two, family=Multinomial(), y=np.column_stack([1 - two.y, two.y]), eta=eta)
    for name, factor in (("deviance", 1), ("log_loss", 1), ("class", 1), ("mse", 2), ("mae", 2)):
        expected = factor * score("logit", name, two)
        assert_allclose(score("multinomial", name, several), expected, rtol=1e-12)


# ------------------------------------------------------------------------------------- slow twins


def slow_auc(y, eta, w):
    above = total = 0.0
    for i, j in itertools.product(range(len(y)), repeat=2):
        pair = w[i] * y[i] * w[j] * (1 - y[j])
        above += pair * (1.0 if eta[i] > eta[j] else 0.5 if eta[i] == eta[j] else 0.0)
        total += pair
    return above / total


def slow_c_index(y, eta, w, strata):
    start, stop, event = y.T
    right = total = 0.0
    for i, j in itertools.permutations(range(len(y)), 2):
        outlives = stop[j] > stop[i] or (stop[j] == stop[i] and event[j] == 0)
        if event[i] == 1 and strata[i] == strata[j] and start[j] < stop[i] and outlives:
            total += w[i] * w[j]
            right += w[i] * w[j] * (1.0 if eta[i] > eta[j] else 0.5 if eta[i] == eta[j] else 0.0)
    return right / total if total else np.nan


def slow_cox_deviance(y, eta, w, strata, ties):
    """Twice the loss of the saturated model minus the log partial likelihood."""
    start, stop, event = y.T
    deviance = 0.0
    for s, t in set(zip(strata[event == 1], stop[event == 1], strict=True)):
        dead = (strata == s) & (stop == t) & (event == 1)
        at_risk = (strata == s) & (start < t) & (t <= stop)
        d, count = w[dead].sum(), int(dead.sum())
        risk, own = (w * np.exp(eta))[at_risk].sum(), (w * np.exp(eta))[dead].sum()
        shares = np.arange(count) / count if ties == "efron" else np.zeros(1)
        for share in shares:
            term = np.log(risk - share * own) - np.log(d * (1 - share))
            deviance += 2 * d / shares.size * term
        deviance -= 2 * w[dead] @ eta[dead]
    return deviance


@pytest.mark.kernels
@pytest.mark.parametrize("case", ["logit", "proportions"])
def test_auc_against_all_pairs(case):
    held = held_out(case)
    expected = [slow_auc(held.y, held.eta[:, k], held.weights) for k in range(L)]
    assert_allclose(score(case, "auc", held), expected, rtol=1e-12)


@pytest.mark.kernels
@pytest.mark.parametrize("strata", [None, np.arange(M) % 3, np.arange(M) // 2])
@pytest.mark.parametrize("late", [False, True])
def test_c_index_against_all_pairs(strata, late):
    held = held_out("cox", strata=strata)
    if not late:
        held.y[:, 0] = -np.inf
    codes = np.zeros(M) if strata is None else strata
    expected = [slow_c_index(held.y, held.eta[:, k], held.weights, codes) for k in range(L)]
    assert_allclose(score("cox", "c_index", held), expected, rtol=1e-12)


def test_c_index_by_hand():
    # Events at 1, 2, 2, 4 and a row censored at 2, which outlives the events there. Comparable:
    # the first with the others (4), both events at 2 with the censored row and the last (2 + 2).
    y = np.array([[1, 1], [2, 1], [2, 1], [2, 0], [4, 1.0]])
    held = held_out("cox", m=5, y=np.insert(y, 0, -np.inf, axis=1), strata=None)
    held = replace(
        held, weights=np.ones(5), eta=np.array([[5.0, 0], [4, 0], [3, 0], [3, 0], [9, 0]])
    )
    # Wrong: the last row against the three before it; one tie.
    assert_allclose(score("cox", "c_index", held), [(8 - 3 - 0.5) / 8, 0.5], rtol=1e-15)


@pytest.mark.parametrize("case", ["cox", "efron"])
@pytest.mark.parametrize("strata", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_the_deviance_of_cox_is_what_the_fold_adds(case, strata, late):
    held, training = held_out(case), held_out(case, seed=1)
    for part in (held, training):
        part.y[:, 0] = part.y[:, 0] if late else -np.inf
    if not strata:
        held, training = replace(held, strata=None), replace(training, strata=None)

    def deviance(*parts, k):
        y, w, eta = (
            np.concatenate([getattr(p, n) for p in parts]) for n in ("y", "weights", "eta")
        )
        codes = np.concatenate([p.strata if strata else np.zeros(M) for p in parts])
        return slow_cox_deviance(y, eta[:, k], w, codes, FAMILIES[case].ties)

    judge = scorer(case, None)
    assert judge.needs_training
    assert judge.weight(held) == held.weights[held.y[:, 2] == 1].sum()
    expected = [
        (deviance(held, training, k=k) - deviance(training, k=k)) / judge.weight(held)
        for k in range(L)
    ]
    assert_allclose(judge.score(held, training), expected, rtol=1e-10)


def slow_deviance(case, y, eta):
    """Twice the log-likelihood that is missing, from scipy's distributions."""
    if case in ("huber", "custom"):
        return 2 * special.huber(0.7, y - eta)
    mean = MEANS[case](eta)
    if case == "poisson":
        return 2 * (stats.poisson.logpmf(y, y) - stats.poisson.logpmf(y, mean))
    return 2 * (special.rel_entr(y, mean) + special.rel_entr(1 - y, 1 - mean))


@pytest.mark.kernels
@pytest.mark.parametrize("case", ["huber", "custom", "poisson", "logit", "probit", "proportions"])
def test_deviances_of_rows(case):
    held = held_out(case)
    found = scorer(case, "deviance").by_row(held)
    expected = slow_deviance(case, held.y[:, None], held.eta)
    assert_allclose(found, expected, rtol=1e-10, atol=1e-13)


def test_the_deviance_of_shares_is_a_divergence():
    held = held_out("shares")
    p = special.softmax(held.eta, axis=1)
    expected = 2 * special.rel_entr(held.y[:, :, None], p).sum(axis=1)
    assert_allclose(scorer("shares", "deviance").by_row(held), expected, rtol=1e-10, atol=1e-13)


# ------------------------------------------------------------------------------ names, functions

DEFAULTS = {"gaussian": "mse", "huber": "mse", "multigaussian": "mse"}


@pytest.mark.parametrize("case", FAMILIES)
def test_defaults(case):
    judge = scorer(case, None)
    assert judge.name == available(FAMILIES[case])[0] == DEFAULTS.get(case, "deviance")
    assert not judge.greater_is_better
    assert judge.needs_training == (case in ("cox", "efron"))


def test_names():
    assert scorer("cox", "C").name == scorer("cox", "c-index").name == "c_index"
    assert scorer("cox", "C").greater_is_better
    assert not scorer("cox", "C").needs_training
    assert scorer("logit", "misclassification").name == "class"
    assert scorer("logit", "auc").greater_is_better
    assert scorer("gaussian", "r2").greater_is_better
    assert scorer("gaussian", "MSE").label == "mean squared error"
    assert scorer("poisson", None).label == "poisson deviance"
    assert scorer("cox", None).label == "partial likelihood deviance"


ALL = "available: 'mse', 'mae', 'r2', 'deviance', or a function"


@pytest.mark.parametrize(
    ("case", "scoring", "error", "message"),
    [
        ("gaussian", "auc", ValueError, f"the gaussian family has no such score; {ALL}"),
        ("gaussian", "nonsense", ValueError, f"the gaussian family has no such score; {ALL}"),
        (
            "cox",
            "mse",
            ValueError,
            "cox family has no such score; available: 'deviance', 'c_index'",
        ),
        ("custom", "mse", ValueError, "custom family has no such score; available: 'deviance', or"),
        ("multinomial", "auc", ValueError, "multinomial family has no such score"),
        ("gaussian", "neg_mean_squared_error", ValueError, f"'mse' here, the smaller .*{ALL}"),
        ("poisson", "neg_mean_poisson_deviance", ValueError, "'deviance' here"),
        ("logit", "neg_brier_score", ValueError, "it is called 'brier' here, the smaller"),
        ("logit", "neg_log_loss", ValueError, "it is called 'log_loss' here, the smaller"),
        ("logit", "roc_auc", ValueError, "it is called 'auc' here; available"),
        ("logit", "accuracy", ValueError, "it is called 'class' here, the smaller"),
        ("gaussian", 3.0, TypeError, r"^cv_path\(scoring=3.0\): pass a name \('mse'"),
        (
            "gaussian",
            metrics.r2_score,
            ValueError,
            r"make_scorer\(r2_score, greater_is_better=True",
        ),
        ("gaussian", lambda y, p: 0.0, TypeError, "must take \\(y_true, y_pred, sample_weight"),
        ("gaussian", metrics.get_scorer("r2"), TypeError, "must take"),
        ("gaussian", replace(scorer("logit", "auc")), ValueError, "no such score"),
        ("poisson", scorer("logit", "deviance", clip=0.1), ValueError, "clip=0.1 is for probab"),
    ],
)
def test_refusals(case, scoring, error, message):
    with pytest.raises(error, match=message):
        resolve("cv_path", scoring, FAMILIES[case])


def test_refusals_of_clip_and_of_missing_rows():
    with pytest.raises(ValueError, match=r"clip must lie in \[0, 0.5\)"):
        scorer("logit", "log_loss", clip=0.5)
    with pytest.raises(ValueError, match="'mse' takes no logarithm"):
        scorer("logit", "mse", clip=1e-5)
    with pytest.raises(ValueError, match="needs the training rows"):
        scorer("cox", None).score(held_out("cox"))


def test_a_scorer_of_another_family_is_that_of_this_one():
    given = resolve("cv_path", scorer("gaussian", "deviance"), Cox())
    assert given == scorer("cox", "deviance")
    clipped = scorer("logit", "log_loss", clip=1e-5)
    assert resolve("cv_path", clipped, Multinomial()).clip == 1e-5


def test_functions_are_called_for_every_model():
    held = held_out("poisson")
    judge = resolve("cv_path", metrics.mean_poisson_deviance, Poisson())
    assert (judge.name, judge.label) == ("mean_poisson_deviance", "mean poisson deviance")
    assert not judge.greater_is_better
    assert_allclose(judge.score(held), score("poisson", "deviance", held), rtol=1e-12)
    assert judge.by_row(held) is None
    assert judge.weight(held) == held.weights.sum()
    assert resolve("cv_path", judge, Poisson()) is judge


def test_functions_see_rows_of_positive_weight_in_the_words_of_the_user():
    seen = []

    def spy(y_true, y_pred, sample_weight):
        seen.append((y_true, y_pred, sample_weight))
        return 0

    held = held_out("logit", m=4, classes=np.array(["no", "yes"]))
    held = replace(held, weights=np.array([1.0, 0.0, 2.0, 3.0]))
    make_scorer(spy).score(held)
    assert len(seen) == L
    y_true, y_pred, weights = seen[0]
    assert_array_equal(y_true, ["no", "no", "yes"])
    assert_allclose(y_pred, special.expit(held.eta[[0, 2, 3], 0]))
    assert_array_equal(weights, [1.0, 2.0, 3.0])
    make_scorer(spy, type="link").score(held)
    assert_array_equal(seen[L][1], held.eta[[0, 2, 3], 0])
    make_scorer(spy, type="class").score(held)
    assert_array_equal(seen[2 * L + 1][1], np.where(held.eta[[0, 2, 3], 1] > 0, "yes", "no"))
    make_scorer(spy).score(replace(held, given=["n", "y", "n", "y"]))
    assert_array_equal(seen[-1][0], ["n", "n", "y"])
    pandas = pytest.importorskip("pandas")
    make_scorer(spy).score(replace(held, given=pandas.Series(["n", "y", "n", "y"])))
    assert seen[-1][0].tolist() == ["n", "n", "y"]
    several = held_out("multinomial", m=6, classes=np.array(["a", "b", "c"]))
    make_scorer(spy, type="class").score(several)
    assert_array_equal(seen[-1][0], ["a", "b", "c", "a", "b", "c"])
    assert_array_equal(seen[-1][1], several.classes[several.eta[..., -1].argmax(axis=1)])
    make_scorer(spy).score(held_out("shares"))
    assert seen[-1][0].shape == seen[-1][1].shape == (M, K)


def test_functions_of_auc_and_accuracy():
    held = held_out("logit", classes=np.array(["no", "yes"]))
    judge = make_scorer(metrics.roc_auc_score, name="area", greater_is_better=True, type="link")
    assert (judge.name, judge.greater_is_better) == ("area", True)
    assert_allclose(judge.score(held), score("logit", "auc", held), rtol=1e-12)
    judge = make_scorer(metrics.accuracy_score, greater_is_better=True, type="class")
    assert_allclose(judge.score(held), 1 - score("logit", "class", held), rtol=1e-12)


def test_refusals_of_functions():
    with pytest.raises(ValueError, match=r"make_scorer\(type='mean'\)"):
        make_scorer(metrics.mean_squared_error, type="mean")
    with pytest.raises(TypeError, match="no function"):
        make_scorer("mse")
    with pytest.raises(TypeError, match=r"scoring=<lambda>: the function returned array"):
        make_scorer(lambda y_true, y_pred, sample_weight: y_pred).score(held_out("gaussian"))
    with pytest.raises(ValueError, match="the binomial family does not have for this y"):
        make_scorer(metrics.accuracy_score, type="class").score(held_out("proportions"))
