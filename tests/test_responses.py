"""Responses in canonical form: what every family makes of what it is given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from regpath._responses import check_response
from regpath.families import (
    Binomial,
    Cox,
    Gamma,
    Gaussian,
    Huber,
    MultiGaussian,
    Multinomial,
    Poisson,
    Tweedie,
)

W = np.array([0.25, 0.25, 0.25, 0.25])
FIRST_UNUSED = np.array([0.0, 0.5, 0.25, 0.25])


def check(family, y, weights=W, *, fit_intercept=True):
    return check_response("fit_path", family, y, weights, fit_intercept=fit_intercept)


class TestLabels:
    @pytest.mark.parametrize(
        ("y", "classes"),
        [
            ([0, 1, 1, 0], [0, 1]),
            ([2, 5, 5, 2], [2, 5]),
            ([0.0, 1.0, 1.0, 0.0], [0.0, 1.0]),
            ([False, True, True, False], [False, True]),
            (["b", "c", "c", "b"], ["b", "c"]),
            (np.array(["b", "c", "c", "b"], object), ["b", "c"]),
            (np.array([-1, 1, 1, -1], object), [-1, 1]),
            (np.array([np.int64(2), *map(np.int64, [5, 5, 2])], object), [2, 5]),
            (np.array([np.False_, np.True_, np.True_, np.False_], object), [False, True]),
            (np.array(["b", "c", "c", "b"], np.dtypes.StringDType()), ["b", "c"]),
            (np.array([[3], [4], [4], [3]]), [3, 4]),
        ],
    )
    def test_the_larger_label_is_the_second_class(self, y, classes):
        response = check(Binomial(), y)
        assert_array_equal(response.y, [0.0, 1.0, 1.0, 0.0])
        assert response.classes.tolist() == classes
        assert response.n_outputs is None

    @pytest.mark.parametrize("y", [[0.5, 1.0, 0.0, 0.25], [0.5, 0.5, 0.5, 0.5], [0, 0.25, 0, 1]])
    def test_proportions_have_no_classes(self, y):
        response = check(Binomial(), y)
        assert_array_equal(response.y, y)
        assert response.classes is None

    def test_only_rows_of_positive_weight_have_a_say(self):
        response = check(Binomial(), [np.nan, 0, 1, 1], FIRST_UNUSED)
        assert response.classes.tolist() == [0, 1]
        assert_array_equal(response.y[1:], [0, 1, 1])
        assert np.isfinite(response.y).all()
        with pytest.raises(ValueError, match="1 label in 3 rows"):
            check(Binomial(), [0, 1, 1, 1], FIRST_UNUSED)

    @pytest.mark.parametrize("family", [Binomial(), Multinomial()])
    @pytest.mark.parametrize(
        ("y", "classes"),
        [
            ([None, "a", "b", "b"], ["a", "b"]),
            ([None, True, False, True], [False, True]),
            (np.array(["junk", 1, 2, 2], object), [1, 2]),
            (pd.Series([None, True, False, True], dtype="boolean"), [False, True]),
            (pd.Series([None, "a", "b", "b"], dtype="category"), ["a", "b"]),
            (pl.Series([None, "a", "b", "b"]), ["a", "b"]),
            (np.ma.masked_equal([0, 1, 2, 2], 0), [1, 2]),
            ([2**70, 1, 2, 2], [1, 2]),
        ],
    )
    def test_rows_of_weight_zero_may_hold_anything(self, family, y, classes):
        assert check(family, y, FIRST_UNUSED).classes.tolist() == classes

    @pytest.mark.parametrize("chunked", [False, True])
    def test_labels_of_arrow(self, chunked):
        pa = pytest.importorskip("pyarrow")
        for values in (["u", "v", "u", "v"], [True, False, True, True], [3, 5, 5, 3]):
            y = pa.chunked_array([values[:2], values[2:]]) if chunked else pa.array(values)
            response = check(Binomial(), y)
            assert_array_equal(response.classes, np.unique(values))
            assert_array_equal(response.y, np.array(values) == max(values))
        with pytest.raises(ValueError, match=r"1 of 4 values is missing \(the first at index 2\)"):
            check(Binomial(), pa.array(["u", "v", None, "v"]))

    def test_multinomial_indicators(self):
        response = check(Multinomial(), ["c", "a", "b", "a"])
        assert response.classes.tolist() == ["a", "b", "c"]
        assert response.n_outputs == 3
        assert_array_equal(response.y, np.eye(3)[[2, 0, 1, 0]])

    def test_multinomial_rows_of_weight_zero_are_harmless(self):
        response = check(Multinomial(), ["z", "a", "b", "a"], FIRST_UNUSED)
        assert response.classes.tolist() == ["a", "b"]
        assert_array_equal(response.y, [[0.5, 0.5], [1, 0], [0, 1], [1, 0]])

    def test_multinomial_proportions(self):
        y = np.array([[9.0, np.nan], [0.5, 0.5], [1.0, 0.0], [0.25, 0.75]])
        with pytest.raises(ValueError, match="1 of 4 values is NaN"):
            check(Multinomial(), y)
        y[0] = 9.0
        response = check(Multinomial(), y, FIRST_UNUSED)
        assert_array_equal(response.y[0], [0.5, 0.5])
        assert_array_equal(response.y[1:], y[1:])
        assert response.classes.tolist() == [0, 1]


class TestNumbers:
    @pytest.mark.parametrize("family", [Poisson(), Tweedie(), Gamma(), Huber()])
    @pytest.mark.parametrize(
        "y", [[1, 2, 3, 4], np.arange(1, 5, dtype=np.uint8), np.array([[1.0], [2], [3], [4]])]
    )
    def test_become_float64(self, family, y):
        response = check(family, y)
        assert response.y.dtype == np.float64
        assert_array_equal(response.y, [1, 2, 3, 4])
        assert not response.y.flags.writeable
        assert response.classes is None

    @pytest.mark.parametrize("family", [Poisson(), Tweedie(), Gamma()])
    def test_only_rows_of_positive_weight_must_keep_the_rules(self, family):
        response = check(family, [-3, 1, 2, 3], FIRST_UNUSED)
        assert_array_equal(response.y[1:], [1, 2, 3])
        assert response.y[0] > 0  # what stands there is never looked at, but any loss can hold it
        with pytest.raises(ValueError, match=r"1 of 4 values is (negative|not positive)"):
            check(family, [-3, 1, 2, 3])

    @pytest.mark.parametrize("family", [Gaussian(), Poisson(), Gamma(), Huber(), MultiGaussian()])
    @pytest.mark.parametrize(
        "y", [[np.nan, 1, 2, 3], [None, 1, 2, 3], pd.Series([None, 1, 2, 3], dtype="Int64")]
    )
    def test_rows_of_weight_zero_may_hold_anything(self, family, y):
        response = check(family, y, FIRST_UNUSED)
        assert np.isfinite(response.y).all()
        assert_array_equal(response.y.ravel()[1:], [1, 2, 3])

    @pytest.mark.parametrize("family", [Poisson(), Tweedie()])
    def test_zeros_alone_need_a_model_without_intercept(self, family):
        zeros = np.zeros(4)
        assert_array_equal(check(family, zeros, fit_intercept=False).y, zeros)
        with pytest.raises(ValueError, match="all 4 values are 0"):
            check(family, zeros)
        with pytest.raises(ValueError, match="are 0"):
            check(family, [7, 0, 0, 0], FIRST_UNUSED)

    def test_several_responses(self):
        y = np.arange(8).reshape(4, 2)
        response = check(MultiGaussian(), y)
        assert response.n_outputs == 2
        assert_array_equal(response.y, y)
        assert check(MultiGaussian(), y[:, 0]).y.shape == (4, 1)


class TestSurvival:
    TIMES = np.array([[3.0, 1], [2, 0], [5, 1], [1, 0]])

    def test_time_and_event(self):
        response = check(Cox(), self.TIMES)
        assert_array_equal(response.y[:, 0], np.full(4, -np.inf))
        assert_array_equal(response.y[:, 1:], self.TIMES)
        assert response.strata is None

    def test_start_stop_and_event(self):
        y = np.column_stack([[0, 1, -4, 0.5], self.TIMES])
        assert_array_equal(check(Cox(), y).y, y)

    @pytest.mark.parametrize("kinds", [(float, bool), (np.float32, np.int8)])
    def test_fields_in_any_order(self, kinds):
        time, event = kinds
        y = np.zeros(4, dtype=[("event", event), ("time", time)])
        y["time"], y["event"] = self.TIMES.T
        assert_array_equal(check(Cox(), y).y[:, 1:], self.TIMES)
        long = np.zeros(4, dtype=[("start", time), ("stop", time), ("event", event)])
        long["stop"], long["event"] = self.TIMES.T
        assert_array_equal(check(Cox(), long).y[:, 1:], self.TIMES)
        assert_array_equal(check(Cox(), long).y[:, 0], np.zeros(4))

    @pytest.mark.parametrize("library", [pd, pl])
    @pytest.mark.parametrize("names", [("T", "E"), ("event?", "t"), ("time", "event")])
    def test_data_frames_of_mixed_types(self, library, names):
        time, event = self.TIMES.T
        frame = library.DataFrame(dict(zip(names, (time.astype(int), event == 1), strict=True)))
        assert_array_equal(check(Cox(), frame).y[:, 1:], self.TIMES)
        unused = dict(zip(names, ([None, 2, 5, 1], [None, False, True, False]), strict=True))
        response = check(Cox(), library.DataFrame(unused), FIRST_UNUSED)
        assert_array_equal(response.y[1:, 1:], self.TIMES[1:])

    def test_names_are_read_in_any_order(self):
        frame = pd.DataFrame({"event": self.TIMES[:, 1] == 1, "id": "x", "time": self.TIMES[:, 0]})
        assert_array_equal(check(Cox(), frame).y[:, 1:], self.TIMES)

    def test_rows_of_weight_zero_are_never_at_risk(self):
        y = self.TIMES.copy()
        y[0] = [-1, 7]
        response = check(Cox(), y, FIRST_UNUSED)
        assert response.y[0, 2] == 0
        assert (response.y[:, 1] > 0).all()
        with pytest.raises(ValueError, match="none of 3 rows has an event"):
            check(Cox(), [[3, 1], [2, 0], [5, 0], [1, 0]], FIRST_UNUSED)

    def test_strata_are_numbered(self):
        response = check(Cox(strata=["x", "b", "x", "a"]), self.TIMES)
        assert_array_equal(response.strata, [2, 1, 2, 0])

    @pytest.mark.parametrize(
        "strata",
        [
            [None, "b", "x", "b"],
            [np.nan, 1.0, 2.0, 1.0],
            np.array(["NaT", "2020", "2021", "2020"], "datetime64[Y]"),
        ],
    )
    def test_rows_of_weight_zero_make_no_stratum(self, strata):
        response = check(Cox(strata=strata), self.TIMES, FIRST_UNUSED)
        assert_array_equal(response.strata[1:], [0, 1, 0])
        assert np.unique(response.strata).size == 2


def test_what_the_user_gave_stays_theirs():
    y = np.array([1.0, 2.0, 3.0, 4.0])
    response = check(Poisson(), y)
    y[0] = 99.0
    assert response.y[0] == 1.0
