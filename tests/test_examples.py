"""The README does what it says. The scripts in examples/ are run by .ci/run."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.fixture(autouse=True)
def in_a_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)


def test_the_ten_lines_of_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(code, {})
    assert Path("path.png").stat().st_size > 10_000
    assert "lcavol" in capsys.readouterr().out
    assert len(code.strip().splitlines()) <= 10


def test_the_readme_holds_one_command_for_the_main_job_and_one_for_the_tests() -> None:
    commands = re.findall(
        r"^python -m pip install '\.\[(.*)\]' && (.*)$", README, flags=re.MULTILINE
    )
    assert [extra for extra, _ in commands] == ["all", "test"]
    assert [command.split()[0] for _, command in commands] == ["regpath", "python"]


def test_every_file_the_readme_names_exists() -> None:
    named = re.findall(r"`([\w./-]+\.(?:py|md|csv))`|\]\(([\w/.-]+)\)", README)
    assert len(named) >= 5
    assert [name for pair in named for name in pair if name and not (ROOT / name).exists()] == []


def test_the_weight_vectors_of_the_second_example() -> None:
    example = runpy.run_path(str(ROOT / "examples" / "02_l1_l2_elastic_net.py"), run_name="example")
    w1, w2, penalty = example["W1"], example["W2"], example["penalty"]
    np.testing.assert_allclose([w1.sum(), w2.sum()], [1.0, 1.01])
    np.testing.assert_allclose([penalty(w1, 1.0), penalty(w2, 1.0)], [1.0, 1.01])
    np.testing.assert_allclose([penalty(w1, 0.0), penalty(w2, 0.0)], [0.5, 0.12755])
    np.testing.assert_allclose([penalty(w1, 0.5), penalty(w2, 0.5)], [0.75, 0.568775])
