"""Families by name and by instance."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import regpath
from regpath.families import Gaussian, resolve


@pytest.mark.parametrize("family", ["gaussian", "Gaussian", "GAUSSIAN", Gaussian()])
def test_names_and_instances(family):
    found = resolve("fit_path", family)
    assert isinstance(found, Gaussian)
    assert found.name == "gaussian"


@pytest.mark.parametrize("family", ["", "gauss", "gaussian "])
def test_an_unknown_name_lists_the_known_ones(family):
    with pytest.raises(ValueError, match=r"^fit_path\(family=.*available: 'gaussian'") as caught:
        resolve("fit_path", family)
    assert repr(family) in str(caught.value)


@pytest.mark.parametrize("family", [None, 1, Gaussian, ("gaussian",), ()], ids=repr)
def test_other_types_are_refused(family):
    with pytest.raises(TypeError, match=r"^lasso_path\(family=.*'gaussian'"):
        resolve("lasso_path", family)


def test_the_family_of_a_path(rng):
    X, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    by_name = regpath.fit_path(X, y, family="Gaussian", n_lambdas=3)
    by_instance = regpath.fit_path(X, y, family=regpath.families.Gaussian(), n_lambdas=3)
    assert by_name.family == by_instance.family == "gaussian"
    assert_array_equal(by_name.coefs, by_instance.coefs)
    assert np.isfinite(by_name.coefs).all()
