"""The cases of the comparison: seeded, one per regime of the solvers; also those of asv.

A case is a row of `CASES`. `problem` builds it at full size, or shrunk by ``scale``, which
multiplies rows and columns, so that tests and quick runs use the same generators.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath import datasets
from regpath.benchmark.generators import (
    Design,
    autoregressive,
    equicorrelated,
    family_response,
    response,
    stored,
    words,
)
from regpath.benchmark.problems import Problem, grid, problem_from

__all__ = ["CASES", "Case", "build", "find", "problem"]

Array = NDArray[np.float64]

SEED = 20260301
FEWEST_ROWS, FEWEST_COLUMNS = 30, 10
CLASSES = 4


class Case(NamedTuple):
    """How a problem is made.

    Attributes
    ----------
    text : str
        What it stands for.
    design : callable or str
        Generator of X, or the name of a data set of `regpath.datasets`.
    n, p, informative, snr
        Size, number of non-zero coefficients and signal-to-noise ratio.
    ratio : float
        Smallest lambda relative to the largest.
    l1_ratio : float
    variant : str
        ``weights``, ``limits``, ``factors`` or ``grouped``; or the storage of X: ``int8``,
        ``float32``.
    family : str
    """

    text: str
    design: Design | str
    n: int = 0
    p: int = 0
    informative: int = 0
    snr: float = 0.0
    ratio: float = 1e-2
    l1_ratio: float = 1.0
    variant: str = ""
    family: str = "gaussian"


def _ridge(case: Case) -> Case:
    return case._replace(
        text=case.text.replace("lasso", "ridge", 1), l1_ratio=0.0, ratio=1e-4, variant=""
    )


def _cases() -> dict[str, Case]:
    near, far = autoregressive(0.5), autoregressive(0.9)
    wide = Case("lasso, neighbouring columns correlated .5", near, 500, 20_000, 50, 3.0)
    big = wide._replace(n=1000, p=100_000, informative=100)
    even = Case("lasso, all columns correlated .8", equicorrelated(0.8), 400, 10_000, 40, 5.0)
    square = Case(
        "lasso, neighbouring columns correlated .9", far, 3000, 3000, 100, 3.0, ratio=1e-3
    )
    tall = wide._replace(n=200_000, p=200, snr=1.0, ratio=1e-3)
    sparse = Case(
        "lasso, sparse columns as frequent as words", words(0.05), 20_000, 200_000, 100, 3.0
    )
    cases = {
        "wide": wide,
        "wide-big": big,
        "wide-corr": even,
        "square": square,
        "tall": tall,
        "tall-wide": tall._replace(n=50_000, p=1000, informative=100),
        "sparse": sparse,
        "enet": wide._replace(text="elastic net with l1_ratio .5", l1_ratio=0.5),
        "enet-.1": wide._replace(text="elastic net with l1_ratio .1", l1_ratio=0.1),
        "ridge-wide": _ridge(wide),
        "ridge-tall": _ridge(tall),
        "ridge-sparse": _ridge(sparse),
        "prostate": Case("lasso, prostate cancer data", "prostate", ratio=1e-4),
        "diabetes": Case("lasso, diabetes data", "diabetes", ratio=1e-4),
    }
    variants = {
        "weights": "lasso with sample weights",
        "limits": "lasso with coefficients >= 0",
        "factors": "lasso with penalty factors",
        "float32": "lasso, float32 columns",
        "int8": "lasso, columns of 0, 1, 2 in int8",
    }
    for variant, text in variants.items():
        cases[f"wide-{variant}"] = wide._replace(text=text, variant=variant)
    return cases | _family_cases(wide, tall, sparse)


def _family_cases(wide: Case, tall: Case, sparse: Case) -> dict[str, Case]:
    """Other families, on the designs of the gaussian one."""

    def of(family: str, text: str, case: Case, **changes: Any) -> Case:
        ratio = 1e-3 if case is tall else 3e-2
        text = case.text.replace("lasso", f"{text} lasso", 1)
        return case._replace(text=text, family=family, snr=0.0, ratio=ratio, **changes)

    small = {"n": 500, "p": 5000, "informative": 30}
    long = {"n": 20_000, "p": 100, "informative": 20}
    cases = {
        "logit-wide": of("binomial", "logistic", wide),
        "logit-tall": of("binomial", "logistic", tall),
        "logit-sparse": of("binomial", "logistic", sparse),
        "pois-tall": of("poisson", "poisson", tall),
    }
    for end, changes in {"": {}, "-grouped": {"variant": "grouped"}}.items():
        text = f"multinomial {end[1:]}".strip()
        cases |= {
            f"multinomial-wide{end}": of("multinomial", text, wide, **small, **changes),
            f"multinomial-tall{end}": of("multinomial", text, tall, **long, **changes),
        }
    cases |= {
        "cox-wide": of("cox", "cox", wide, **small),
        "cox-tall": of("cox", "cox", tall, **long),
    }
    for name, data in {"prostate": "prostate cancer data", "diabetes": "diabetes data"}.items():
        above = Case(f"logistic lasso, {data}, y above its median", name, ratio=1e-3)
        counts = Case(f"poisson lasso, {data}, y rounded to counts", name, ratio=1e-3)
        cases[f"logit:{name}"] = above._replace(family="binomial")
        cases[f"pois:{name}"] = counts._replace(family="poisson")
    return cases


CASES: dict[str, Case] = _cases()
"""The built-in cases by name."""


def find(name: str) -> Case:
    """Return a built-in case.

    Raises
    ------
    ValueError
        If there is no such case; the message lists what there is.
    """
    if name not in CASES:
        raise ValueError(f"there is no case {name!r}; there are: {', '.join(CASES)}.")
    return CASES[name]


def problem(name: str, *, scale: float = 1.0, n_lambdas: int = 100) -> Problem:
    """Build a built-in case.

    Parameters
    ----------
    name : str
        A key of `CASES`.
    scale : float, default 1
        Rows and columns are multiplied by it. Real data sets always come whole.
    n_lambdas : int, default 100

    Returns
    -------
    Problem

    Raises
    ------
    ValueError
        If there is no such case.

    Examples
    --------
    >>> problem("wide", scale=0.1)
    wide: gaussian, 50 x 2,000, float64 dense, l1_ratio 1, 100 lambdas down to 0.01 of the largest
    """
    case = find(name)
    n = max(round(scale * case.n), FEWEST_ROWS)
    p = max(round(scale * case.p), FEWEST_COLUMNS)
    informative = max(min(case.informative, p // 3, n // 3), 1)
    return build(name, case._replace(n=n, p=p, informative=informative), n_lambdas=n_lambdas)


def build(name: str, case: Case, *, n_lambdas: int = 100) -> Problem:
    """Build the problem of a case, which need not be one of `CASES`.

    Parameters
    ----------
    name : str
        Seeds the random numbers; ``ridge-``, ``logit-`` and ``pois-`` before a name and
        ``-grouped`` behind it do not change them.
    case : Case
    n_lambdas : int, default 100

    Returns
    -------
    Problem
    """
    if isinstance(case.design, str):
        X, y, *_ = getattr(datasets, f"load_{case.design}")()
        return problem_from(
            X,
            _recoded(y, case.family),
            name=name,
            family=case.family,
            ratio=case.ratio,
            n_lambdas=n_lambdas,
        )
    rng = np.random.default_rng((SEED, zlib.crc32(_bare(name).encode())))
    X = case.design(rng, case.n, case.p)
    if case.variant == "int8":
        X = np.digitize(X, [-0.5, 0.8])
    if case.variant in ("int8", "float32"):
        X = stored(X, case.variant)
    if case.family == "gaussian":
        y = response(rng, X, case.informative, case.snr)
    else:
        y = family_response(rng, X, case.informative, case.family, CLASSES)
    options: dict[str, Any] = {}
    match case.variant:
        case "weights":
            options["sample_weight"] = rng.uniform(0.1, 2.0, case.n)
        case "limits":
            options["lower"] = np.zeros(case.p)
        case "factors":
            options["penalty_factor"] = rng.uniform(0.5, 2.0, case.p)
        case "grouped":
            options["grouped"] = True
    options |= {"family": case.family, "l1_ratio": case.l1_ratio}
    stated = Problem(name=name, X=X, y=y, lambdas=np.empty(0), **options)
    return replace(stated, lambdas=grid(stated, case.ratio, n_lambdas))


def _bare(name: str) -> str:
    """The name of the case whose design this one has."""
    for prefix in ("ridge-", "logit-", "pois-"):
        name = name.removeprefix(prefix)
    return name.removesuffix("-grouped")


def _recoded(y: Array, family: str) -> Array:
    """The numbers of a data set as the response of a family."""
    if family == "binomial":
        return np.asarray(y > np.median(y) if np.unique(y).size > 2 else y == y.max())
    return np.asarray(np.round(y - min(y.min(), 0.0)) if family == "poisson" else y)
