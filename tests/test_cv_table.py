from dataclasses import replace

import numpy as np
import pytest
from handmade import FOLD_SCORES, make_cv, make_path

from regpath import Status


def test_the_text_says_what_was_done_and_what_each_rule_chooses():
    lines = repr(make_cv()).splitlines()
    assert lines == [
        "Lasso path, gaussian family: 6 features, 5 lambdas from 1 to 0.0625",
        "3 folds, mean squared error (smaller is better): mean and standard error over folds",
        "every point reached tol=1e-06, 4 paths in all (largest gap 1.0e-08)",
        "",
        "rule  lambda  score  std error  df  position",
        "min     0.25      2          2   3    2 of 5",
        "1se      0.5      4        0.5   1    1 of 5",
    ]


@pytest.mark.parametrize(
    ("means", "lambdas", "note"),
    [
        ([7.0, 4, 3, 2, 1], None, "smallest lambda: a smaller one may be better"),
        ([7.0, 4, 3, 2, 1], [8.0, 4, 2, 1, 0], None),
        ([1.0, 4, 3, 2, 1], None, "largest lambda: less penalty does not help"),
        ([np.nan] * 5, None, "no lambda has a score: no rule can choose"),
    ],
)
def test_a_doubtful_choice_is_noted(means, lambdas, note):
    text = make_cv(make_path(lambdas=lambdas), mean_scores=np.array(means)).summary()
    if note is None:
        assert text.splitlines()[-1].startswith("1se")
    else:
        assert text.splitlines()[-1].endswith(note)


def test_the_notes_follow_the_direction_of_the_score():
    text = make_cv(mean_scores=-np.arange(5.0), greater_is_better=True, grouped=False).summary()
    assert "(greater is better): mean and standard error over single rows" in text
    assert text.endswith("less penalty does not help")


def test_points_that_missed_tol_are_counted_over_all_paths():
    missed = make_path(
        statuses=(Status.CONVERGED,) * 3 + (Status.MAX_ITER, Status.ROUNDING),
        dual_gaps=np.array([0, 0, 0, 0.5, 0.25]),
    )
    cv = make_cv()
    text = replace(cv, fold_paths=(missed, *cv.fold_paths[1:])).summary()
    assert "2 of 20 points missed tol=1e-06, 4 paths in all (largest gap 5.0e-01)" in text


def test_folds_without_a_score_are_counted():
    scores = FOLD_SCORES.copy()
    scores[1, 2:] = np.nan
    text = make_cv(fold_scores=scores).summary()
    assert text.endswith("1 of 3 folds have no score at some lambdas")


def test_a_table_has_one_row_per_lambda():
    cv = make_cv()
    frame = cv.to_frame()
    assert list(frame.columns) == [
        "lambda", "df", "mean_score", "std_error", "fold_0", "fold_1", "fold_2",
    ]  # fmt: skip
    np.testing.assert_array_equal(frame[["fold_0", "fold_1", "fold_2"]].T, FOLD_SCORES)
    np.testing.assert_array_equal(frame["df"], [0, 1, 3, 3, 5])
