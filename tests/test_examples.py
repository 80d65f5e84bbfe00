"""The README and docs/ do what they say. The scripts in examples/ are run by .ci/run."""

import doctest
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from regpath import Status

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
FAMILIES = (
    "gaussian", "binomial", "poisson", "gamma", "tweedie", "huber", "multinomial",
    "multigaussian", "cox",
)  # fmt: skip
SPECIAL = (Status.KKT_BOUND, Status.SEPARATED)


@pytest.fixture(autouse=True)
def in_a_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)


def test_the_ten_lines_of_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(code, {})
    assert Path("cv.png").stat().st_size > 10_000
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


@pytest.mark.parametrize("page", ["families", "selection"])
def test_the_examples_of_a_page(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    blocks = re.findall(r"```pycon\n(.*?)```", text, flags=re.DOTALL)
    assert blocks
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    for block in blocks:
        test = doctest.DocTestParser().get_doctest(block, {}, page, f"{page}.md", 0)
        assert doctest.DocTestRunner(optionflags=flags).run(test).failed == 0


def test_the_page_on_families_names_every_family() -> None:
    text = (ROOT / "docs" / "families.md").read_text()
    assert [name for name in FAMILIES if not re.search(rf"^\| `{name}`", text, re.MULTILINE)] == []
    assert [status.name for status in SPECIAL if f"`{status.name}`" not in text] == []


def test_the_loss_of_the_last_example_has_right_derivatives_and_conjugate() -> None:
    example = runpy.run_path(
        str(ROOT / "examples" / "08_a_loss_of_your_own.py"), run_name="example"
    )
    loss, eta, h = example["Quantile"](0.7, 0.3), np.linspace(-3.0, 3.0, 25), 1e-5
    value, slope, curvature = np.array([loss.terms(0.4, at) for at in eta]).T
    above, below = (np.array([loss.terms(0.4, at) for at in eta + d]).T for d in (h, -h))
    np.testing.assert_allclose(slope, (above[0] - below[0]) / (2 * h), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(curvature, (above[1] - below[1]) / (2 * h), rtol=1e-6, atol=1e-9)
    conjugates = [loss.conjugate(0.4, v) for v in slope]
    np.testing.assert_allclose(conjugates, slope * eta - value, atol=1e-12)
    assert loss.conjugate(0.4, 0.0) == -loss.minimum(0.4)
    assert loss.conjugate(0.4, 0.31) == np.inf
