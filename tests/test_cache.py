"""The cache of compiled kernels: never stale after a change in the package, never in the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import regpath
from regpath._numba import cache_directory
from regpath.kernels.primitives import dot

PACKAGE = Path(regpath.__file__).parent

pytestmark = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled"
)

DESCEND = """
import numpy as np
from regpath.designs import Dense
from regpath.kernels.descent import descend
from regpath.penalties import {penalty}
columns = np.eye(2)
columns.flags.writeable = False
free = np.full(2, np.inf)
penalty = {penalty}(np.full(2, .5), np.zeros(2), -free, free, np.ones(2))
b, r = np.zeros(2), np.array([2.0, -3.0, 0.0])
descend(Dense(columns), penalty, b, r, np.arange(2), 1)
print(b.tolist(), sum(descend.stats.cache_hits.values()))
"""

FOREIGN = """
from typing import NamedTuple
import numpy as np
from regpath._numba import kernel, register_methods

register_methods(inline=False, price=1)

class Tariff(NamedTuple):
    rate: float
    def price(self, x):
        return {rule}
"""

USE_FOREIGN = """
from typing import Any
from regpath._numba import kernel
from tariff import Tariff
from bill import bill
print(bill(Tariff(2.0), 10.0), sum(bill.stats.cache_hits.values()))
"""

BILL = """
from typing import Any
from regpath._numba import kernel

@kernel()
def bill(tariff: Any, x: float) -> float:
    return tariff.price(x)
"""

SHARE = """
from typing import Any
from regpath._numba import kernel

@kernel()
def share(x: Any) -> float:
    return x[0] / 2
"""

USE_SHARE = """
import numpy as np
from share import share
x = np.array([1, 2, 3], np.int8), np.array([5.0, 6.0])
print(*map(share, x), sum(share.stats.cache_hits.values()))
"""

OWN_LOSS = """
from typing import NamedTuple

class Parabola(NamedTuple):
    width: float
    def terms(self, y, eta):
        r, steep = eta - y, {factor} / self.width
        return 0.5 * steep * r * r, steep * r, steep
    def minimum(self, y):
        return 0.0
"""

USE_OWN_LOSS = """
import numpy as np
import regpath
from regpath.kernels.rows import centre
from parabola import Parabola
X, y = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0.0, 2.0, 4.0, 6.0])
path = regpath.ridge_path(X, y, family=Parabola(2.0), lambdas=[0.0])
print(round(path.null_deviance, 9), sum(centre.stats.cache_hits.values()))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package that keeps its compiled kernels to itself."""
    shutil.copytree(PACKAGE, tmp_path / "regpath", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run(folder: Path, code: str) -> str:
    """Run code in a new process that imports the package from a folder."""
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    environment |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text that must occur."""
    source = file.read_text()
    assert old in source
    file.write_text(source.replace(old, new))


def test_second_process_loads_and_an_edit_elsewhere_changes_the_answer(copy: Path) -> None:
    code = DESCEND.format(penalty="ElasticNet")
    assert run(copy, code) == "[1.5, -2.5] 0"
    assert run(copy, code) == "[1.5, -2.5] 1"
    edit(
        copy / "regpath/penalties.py",
        "size = abs(z) - self.strength[0] * self.l1[k]",
        "size = abs(z)",
    )
    assert run(copy, code) == "[2.0, -3.0] 0"


def test_a_renamed_class_does_not_crash(copy: Path) -> None:
    assert run(copy, DESCEND.format(penalty="ElasticNet")) == "[1.5, -2.5] 0"
    for file in (copy / "regpath").rglob("*.py"):
        if "ElasticNet" in file.read_text():
            edit(file, "ElasticNet", "NetElastic")
    assert run(copy, DESCEND.format(penalty="NetElastic")) == "[1.5, -2.5] 0"


def test_truncated_files_are_compiled_again(copy: Path) -> None:
    code = DESCEND.format(penalty="ElasticNet")
    run(copy, code)
    files = [f for f in copy.rglob("*.nb?") if "descend" in f.name]
    assert {f.suffix for f in files} == {".nbi", ".nbc"}
    for suffix in (".nbc", ".nbi"):
        for file in files:
            if file.suffix == suffix:
                file.write_bytes(file.read_bytes()[:20])
        assert run(copy, code) == "[1.5, -2.5] 0"


def test_entries_under_the_name_of_another_are_compiled_again(copy: Path) -> None:
    """As two processes leave them that compile a kernel for different types at the same time."""
    (copy / "share.py").write_text(SHARE)
    assert run(copy, USE_SHARE) == "0.5 2.5 0"
    (file,) = copy.glob("__pycache__/share.share*.1.nbc")
    other = file.with_name(file.name.replace(".1.nbc", ".2.nbc"))
    other.write_bytes(file.read_bytes())
    assert run(copy, USE_SHARE) == "0.5 2.5 1"
    assert run(copy, USE_SHARE) == "0.5 2.5 2"


def test_a_class_of_the_user_is_cached_and_followed(copy: Path) -> None:
    (copy / "bill.py").write_text(BILL)
    (copy / "tariff.py").write_text(FOREIGN.format(rule="self.rate * x"))
    assert run(copy, USE_FOREIGN) == "20.0 0"
    assert run(copy, USE_FOREIGN) == "20.0 1"
    (copy / "tariff.py").write_text(FOREIGN.format(rule="self.rate + x"))
    assert run(copy, USE_FOREIGN) == "12.0 0"


def test_a_loss_of_the_user_is_cached_and_followed(copy: Path) -> None:
    """Squares 9 + 1 + 1 + 9 around the mean, over the width: a deviance of 10."""
    (copy / "parabola.py").write_text(OWN_LOSS.format(factor="1.0"))
    assert run(copy, USE_OWN_LOSS) == "10.0 0"
    assert run(copy, USE_OWN_LOSS) == "10.0 1"
    # The loss alone changes.
    (copy / "parabola.py").write_text(OWN_LOSS.format(factor="1.4"))
    assert run(copy, USE_OWN_LOSS) == "14.0 0"


def test_without_a_place_to_write_kernels_are_compiled_only(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import numba.core.caching as caching\n"
        "caching.FunctionCache._impl_class._locator_classes = []\n"
        + DESCEND.format(penalty="ElasticNet").replace(
            "sum(descend.stats.cache_hits.values())",
            "__import__('regpath._numba')._numba.cache_directory(descend)",
        )
    )
    assert run(copy, code) == "[1.5, -2.5] None"
    assert not list(copy.rglob("*.nbi"))


def test_the_place_of_the_cache_is_known() -> None:
    place = cache_directory(dot)
    assert place is not None
    assert Path(place).is_dir() or not dot.signatures
