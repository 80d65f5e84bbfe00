"""Families by name and by instance."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import regpath
from regpath import families, losses
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


# Name, default instance, and the loss of families that are sums over rows.
FAMILIES = {
    "binomial": (families.Binomial(), losses.Logistic()),
    "poisson": (families.Poisson(), losses.Poisson()),
    "gamma": (families.Gamma(), losses.GammaLog()),
    "tweedie": (families.Tweedie(), losses.Tweedie(1.5)),
    "huber": (families.Huber(), losses.Huber(1.345)),
    "multinomial": (families.Multinomial(), None),
    "multigaussian": (families.MultiGaussian(), None),
    "cox": (families.Cox(), None),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_name_is_the_default_instance(name):
    instance, loss = FAMILIES[name]
    found = resolve("fit_path", name)
    assert type(found) is type(instance)
    assert found == instance
    assert resolve("fit_path", name.upper()) == instance
    assert resolve("fit_path", instance) is instance
    assert found.name == name
    if loss is not None:
        assert found.loss() == loss
        assert type(found.loss()) is type(loss)


@pytest.mark.parametrize(
    ("alias", "name"), [("mgaussian", "multigaussian"), ("logistic", "binomial")]
)
def test_aliases(alias, name):
    assert resolve("fit_path", alias) == FAMILIES[name][0]


def test_options_reach_the_loss():
    assert families.Binomial(link="probit").loss() == losses.Probit()
    assert families.Tweedie(1.2).loss() == losses.Tweedie(1.2)
    assert families.Huber(2).loss() == losses.Huber(2.0)
    assert isinstance(families.Huber(2).loss().delta, float)  # an int would be compiled anew
    assert resolve("fit_path", "tweedie", power=1.7) == families.Tweedie(1.7)


def test_a_loss_is_a_family():
    found = resolve("fit_path", losses.Huber(0.5))
    assert isinstance(found, families.Custom)
    assert found.name == "custom"
    assert found.loss() == losses.Huber(0.5)
    assert resolve("fit_path", found) is found


@pytest.mark.parametrize(
    ("family", "says"),
    [
        (families.Binomial(link="log"), "link must be 'logit' or 'probit'"),
        (families.Tweedie(1.0), "between 1 and 2.*at 1 use 'poisson', at 2 'gamma'"),
        (families.Tweedie(2.0), "between 1 and 2"),
        (families.Tweedie(0.0), "between 1 and 2"),
        (families.Huber(-1.0), "delta must be a finite number > 0"),
        (families.Huber(np.nan), "delta must be a finite number > 0"),
        (families.Cox(ties="exact"), "ties must be 'breslow' or 'efron'"),
    ],
    ids=repr,
)
def test_options_out_of_range(family, says):
    with pytest.raises(ValueError, match=rf"^enet_path\(family=.*{says}"):
        resolve("enet_path", family)


@pytest.mark.parametrize(
    ("family", "says"),
    [
        (families.Huber("a"), "delta must be a number"),
        (families.Huber(True), "delta must be a number"),
        (families.Tweedie(None), "power must be a number"),
        (families.Multinomial(grouped="no"), "grouped must be True or False"),
        (families.Multinomial(grouped=0), "grouped must be True or False"),
    ],
    ids=repr,
)
def test_options_of_the_wrong_type(family, says):
    with pytest.raises(TypeError, match=rf"^enet_path\(family=.*{says}"):
        resolve("enet_path", family)
