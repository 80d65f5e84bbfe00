"""The order of the modules, and what an import must not bring along."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import regpath

ROOT = Path(regpath.__file__).parent
# A module may import from its own line and from the lines above it.
LAYERS = """
_numba _extras _linear _memory _parts _rules _saved
_fields
_predict
result kernels
_drawing _storage _table _tables
designs losses penalties
screening families grid _inputs _labels _responses _vectors
validation
solvers
record
strategy
loop
path
folds _held_out _refits
relaxed
_stated_design _stated_penalty
_stated_losses
_stated_multi _stated_cox
_stated_problem _stated_family
_stated_newton
_certify_families _scores _hat
scoring _freedom
relaxed_cv
cv_result
surface
_cv_table
fold_work
selection stability diagnostics plot plot_selection survival criteria
_nested_storage loo
_warmup
datasets sklearn glmnet regpath
benchmark
_command_input
_commands
_bench_command _cv_command
_stability_command
cli
__main__
"""
RANK = {name: rank for rank, line in enumerate(LAYERS.split("\n")) for name in line.split()}
FILES = sorted(ROOT.rglob("*.py"))
EXTRAS = {"dask", "matplotlib", "narwhals", "pandas", "polars", "rich", "sklearn", "typer"}


def layer(module: str) -> str:
    """``regpath.solvers.gaussian`` -> ``solvers``; the package itself is ``regpath``."""
    return module.split(".")[1] if "." in module else "regpath"


def imports(node: ast.AST, *, deferred: bool) -> Iterator[str]:
    """Layers of the package that a module imports; with deferred also inside its functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (layer(a.name) for a in child.names if a.name.split(".")[0] == "regpath")
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            if child.module == "regpath":  # either a module or a public name
                yield from (a.name if a.name in RANK else "regpath" for a in child.names)
            elif child.module.startswith("regpath."):
                yield layer(child.module)
        elif not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING") and (
            deferred or not isinstance(child, ast.FunctionDef)
        ):
            yield from imports(child, deferred=deferred)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_only_go_down(file: Path) -> None:
    own = layer(".".join(("regpath", *file.relative_to(ROOT).with_suffix("").parts)))
    own = "regpath" if own == "__init__" else own
    assert own in RANK, f"give {own} a place in LAYERS"
    # Results know how to refit, certify and plot themselves, all of which needs results.
    lazy = own in ("_saved", "result", "relaxed_cv", "cv_result", "surface", "stability")
    for imported in imports(ast.parse(file.read_text()), deferred=not lazy):
        assert RANK[imported] <= RANK[own], f"{own} imports {imported}, which is above it"


def brought_along(names: set[str]) -> list[str]:
    """Which of some modules are loaded once the package is."""
    code = f"import sys, regpath; print(*sorted({names!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_importing_the_package_brings_no_extra_along() -> None:
    assert brought_along(EXTRAS) == []


def test_parts_of_scipy_that_few_calls_need_are_loaded_by_these() -> None:
    # Together they took two fifths of the time that the import does.
    assert brought_along({"scipy.special", "scipy.linalg", "scipy.stats"}) == []
