"""Figures in README and the documentation come from the result files of the benchmarks."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BENCHMARKS = DOCS / "benchmarks.rst"
CASES = sorted(path.stem for path in (ROOT / "benchmarks" / "cases").glob("*.py"))
MOST_ROWS = 10
# A number, bold or not, or a dash.
FIGURE = r"\*\*\d+(\.\d+)?\*\*|\d+(\.\d+)?|-"
# The commit that has the final defaults of training.
FINAL = "523d996"


@pytest.fixture
def figures(monkeypatch):
    """The module of the checkout, on the path for one test."""
    monkeypatch.syspath_prepend(ROOT)
    import benchmarks.figures

    return benchmarks.figures


@pytest.fixture
def readme_row(figures):
    """The function that makes a row of README's table."""
    from benchmarks.harness import readme_row

    return readme_row


def table_rows(readme, figures):
    """Cells of README's table, without its head."""
    table = readme.split(figures.BEGIN)[1].split(figures.END)[0]
    lines = [line for line in table.split("\n") if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def git(*arguments):
    """Whether git says yes; None where it cannot say."""
    try:
        code = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True).returncode
    except FileNotFoundError:
        return None
    return {0: True, 1: False}.get(code)


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_beside_the_figures_holds(case, figures):
    found = figures.figures_of(case)
    rows = found.pop("README", [])
    assert all(isinstance(text, str) for text in found.values())
    assert all(len(row) == 3 for row in rows)


def test_readme_is_current(figures):
    readme, found = figures.README.read_text(), figures.readme_figures()
    another = {case: [["another"] * 3] * len(rows) for case, rows in found.items()}
    stale = figures.with_figures(readme, another)
    assert stale.count("another |") == 3 * sum(map(len, found.values()))
    assert figures.with_figures(stale, found) == readme, "make readme"


def test_readme_table_is_short_and_has_a_figure_per_cell(figures):
    rows = table_rows(figures.README.read_text(), figures)
    assert 0 < len(rows) <= MOST_ROWS
    for what, ours, pca, peer, _ in rows:
        assert what[-1] in "↑↓"
        assert re.fullmatch(FIGURE, ours) and re.fullmatch(FIGURE, pca)
        assert re.fullmatch(rf"({FIGURE})( \([^()\d][^()]*\))?", peer)
        assert (peer == "-") is ("(" not in peer)
        assert any("**" in cell for cell in (ours, pca, peer))


def test_readme_table_links_to_entries_of_the_benchmark_page(figures):
    readme = figures.README.read_text()
    rows = table_rows(readme, figures)
    for case in {row[-1].strip("[]") for row in rows}:
        assert re.search(
            rf"^\[{case}\]: https://\S+/benchmarks\.html#{case.replace('_', '-')}$", readme, re.M
        )
        assert re.search(rf"^{case}\n~+$", BENCHMARKS.read_text(), re.M)


@pytest.mark.parametrize(
    "values, best, cells",
    [
        ((0.5, 0.25, {"a": 0.125, "b": 0.375}), max, ["**0.50**", "0.25", "0.38 (b)"]),
        ((0.5, 0.25, {"a": 0.125, "b": 0.375}), min, ["0.50", "0.25", "**0.12** (a)"]),
        ((0.5, 0.75), max, ["0.50", "**0.75**", "-"]),
        ((0.5, None, {"a": 0.501}), max, ["**0.50**", "-", "**0.50** (a)"]),
    ],
)
def test_row_of_the_table_has_the_best_peer_and_the_best_in_bold(values, best, cells, readme_row):
    assert readme_row(".2f", *values, best=best) == cells


def test_figures_of_the_documentation_are_those_that_there_are(figures):
    pages = [BENCHMARKS, *(DOCS / "user_guide").glob("*.rst")]
    named = {name for page in pages for name in re.findall(r"\|(\w+\.[\w.-]+)\|", page.read_text())}
    assert named == set(figures.guide_figures())


@pytest.mark.parametrize("case", CASES)
def test_benchmark_page_has_an_entry(case, figures):
    (entry,) = re.findall(
        rf"^{case}\n~+\n(.*?)(?=^\S+\n~+\n|\Z)", BENCHMARKS.read_text(), re.M | re.S
    )
    results = f":Results: |{case}.lines|." if figures.figures_of(case) else ""
    assert ":Data: " in entry and ":Settings: " in entry and results in entry


@pytest.mark.parametrize("case", CASES)
def test_commits_are_older_than_the_final_defaults_where_it_is_said(case, figures):
    lines = figures.read_lines(figures.result_file(case, "cpu", figures.RESULTS))
    for commit in {line["commit"].split("-")[0][:7] for line in lines}:
        has_defaults = git("merge-base", "--is-ancestor", FINAL, commit)
        if has_defaults is None:
            pytest.skip("git does not know the commit")
        assert (commit in figures.OLDER) is not has_defaults
