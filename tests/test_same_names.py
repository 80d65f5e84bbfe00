"""Classes of one name and with the same fields: each runs its own code."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose

import regpath
from regpath import losses
from regpath._numba import distinct
from regpath.losses import conjugate_by_search

MODULE = """
from typing import NamedTuple

class Pull(NamedTuple):
    pad: float = 0.0
    def terms(self, y, eta):
        r = eta - y
        return {pull} * r * r / 2, {pull} * r, {pull}
    def minimum(self, y):
        return 0.0
"""


class Huber(NamedTuple):
    """Least squares, under the name and with the field of a loss of the package."""

    delta: float

    def terms(self, y, eta):
        return 0.5 * (y - eta) ** 2, eta - y, 1.0

    def minimum(self, y):
        return 0.0

    def conjugate(self, y, v):
        return v * y + 0.5 * v * v


def expectile(weight):
    """A loss that closes over its option."""

    class Expectile(NamedTuple):
        pad: float = 0.0

        def terms(self, y, eta):
            w = weight if y > eta else 1.0
            return w * (y - eta) ** 2, 2.0 * w * (eta - y), 2.0 * w

        def minimum(self, y):
            return 0.0

        def conjugate(self, y, v):
            return conjugate_by_search(self, y, v)

    return Expectile()


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    return X, X[:, 0] + rng.standard_t(2, 60)


def fitted(data, family):
    return regpath.lasso_path(*data, family=family, lambdas=[0.01], tol=1e-10)


@pytest.mark.kernels
def test_a_loss_with_the_name_of_one_of_the_package(data):
    own, gaussian = fitted(data, Huber(0.1)), fitted(data, "gaussian")
    built_in = fitted(data, regpath.families.Huber(0.1))
    assert_allclose(own.coefs, gaussian.coefs, atol=1e-5)
    assert built_in.certify(*data).dual_gaps.max() < 1e-9
    assert own.certify(*data).dual_gaps.max() < 1e-9
    assert_allclose(fitted(data, Huber(0.1)).coefs, own.coefs, atol=1e-12)


@pytest.mark.kernels
def test_a_class_that_a_function_makes_again(data):
    weights = [1.0, 20.0]
    made = [expectile(weight) for weight in weights]
    above = [float(np.mean(fitted(data, loss).predict(data[0], 0.01) > data[1])) for loss in made]
    assert above[1] > 0.75 > 0.6 > above[0]
    # w r^2 for r > 0 has the conjugate v y + v^2 / (4 w) at v < 0.
    found = [loss.conjugate(2.0, -0.5) for loss in made]
    assert_allclose(found, [-1.0 + 0.25 / (4.0 * weight) for weight in weights], atol=1e-14)


@pytest.mark.kernels
def test_a_module_that_is_edited_and_loaded_again(data, tmp_path: Path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file, found = tmp_path / "pulling_losses.py", []
    for pull in (1.0, 4.0):
        file.write_text(MODULE.format(pull=pull))
        importlib.invalidate_caches()
        if "pulling_losses" in sys.modules:
            module = importlib.reload(sys.modules["pulling_losses"])
        else:
            module = importlib.import_module("pulling_losses")
        found.append(fitted(data, module.Pull()))
    assert_allclose(found[1].null_deviance, 4.0 * found[0].null_deviance)


def test_distinct_classes():
    """Of the package: the same. Others: a name of their own, and the same name every time."""
    assert type(distinct(losses.Huber(1.0))) is losses.Huber
    one, other = distinct(Huber(1.0)), distinct(Huber(2.0))
    assert type(one) is type(other)
    assert type(distinct(one)) is type(one)
    assert one == Huber(1.0)
    first, second = distinct(expectile(1.0)), distinct(expectile(1.0))
    assert len({type(value).__name__ for value in (one, first, second, Huber(1.0))}) == 4


def test_tuples_in_tuples_are_distinct_too():
    class Half(NamedTuple):
        whole: Huber

    inner = distinct(Half(Huber(1.0))).whole
    assert type(inner) is type(distinct(Huber(1.0)))
