"""Figures in README and the user guide come from the result files of the benchmarks."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CASES = sorted(path.stem for path in (ROOT / "benchmarks" / "cases").glob("*.py"))


@pytest.fixture
def figures(monkeypatch):
    """The module of the checkout, on the path for one test."""
    monkeypatch.syspath_prepend(ROOT)
    import benchmarks.figures

    return benchmarks.figures


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_beside_the_figures_holds(case, figures):
    assert all(isinstance(text, str) for text in figures.figures_of(case).values())


def test_readme_is_current(figures):
    readme, found = figures.README.read_text(), figures.readme_figures()
    stale = figures.with_figures(readme, dict.fromkeys(found, "another"))
    assert stale.count(" | another |\n") == len(found)
    assert figures.with_figures(stale, found) == readme, "make readme"


def test_figures_of_the_guide_are_those_that_there_are(figures):
    pages = (ROOT / "docs" / "user_guide").glob("*.rst")
    named = {name for page in pages for name in re.findall(r"\|(\w+\.[\w.-]+)\|", page.read_text())}
    assert named == set(figures.guide_figures())
