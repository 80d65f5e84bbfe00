"""Regularization paths (lasso, ridge, elastic net) with a certificate for every point.

Paths: `fit_path`, and `lasso_path`, `enet_path` and `ridge_path` for fixed penalties.
Choosing a model: `cv_path`, `relax`, `stability_path`, `Path.select`, `loo.leave_one_out`.
Data, families, losses, penalties and scores have modules of these names.
"""

from regpath import criteria, datasets, families, loo, losses, penalties, scoring
from regpath._parts import Settings, Status
from regpath._warmup import warmup
from regpath.cv_result import CVPath
from regpath.path import (
    ConvergenceWarning,
    enet_path,
    fit_path,
    lasso_path,
    refit,
    ridge_path,
)
from regpath.relaxed import RelaxedPath, relax
from regpath.relaxed_cv import RelaxedCV
from regpath.result import Path
from regpath.selection import SelectionWarning, cv_path
from regpath.stability import StabilityPath, stability_path
from regpath.surface import CVSurface

__version__ = "0.1.0"

__all__ = [
    "CVPath",
    "CVSurface",
    "ConvergenceWarning",
    "Path",
    "RelaxedCV",
    "RelaxedPath",
    "SelectionWarning",
    "Settings",
    "StabilityPath",
    "Status",
    "criteria",
    "cv_path",
    "datasets",
    "enet_path",
    "families",
    "fit_path",
    "lasso_path",
    "loo",
    "losses",
    "penalties",
    "refit",
    "relax",
    "ridge_path",
    "scoring",
    "stability_path",
    "warmup",
]
