"""Figures of README and user guide, from the committed results on the CPU.

``python -m benchmarks.figures`` writes those of README. `docs/conf.py` makes the others
substitutions, ``|case.name|``.
"""

from benchmarks.harness import CASES, RESULTS, ROOT, finished_lines, load_case, result_file

README = ROOT / "README.md"
BEGIN = "<!-- figures: `make readme` writes the last column -->"
END = "<!-- end of the figures -->"


def figures_of(case):
    """Figures of a case as text, by name; none without results."""
    lines = finished_lines(result_file(case, "cpu", RESULTS))
    compute = getattr(load_case(case), "figures", None)
    return compute(lines) if compute and lines else {}


def guide_figures():
    """Figures of the user guide, by case and name."""
    return {
        f"{case}.{name}": text
        for case in CASES
        for name, text in figures_of(case).items()
        if name != "README"
    }


def readme_figures():
    """Figures of README's table, by case."""
    return {case: found["README"] for case in CASES if "README" in (found := figures_of(case))}


def with_figures(readme, figures):
    """README with these figures in its table, as the last column."""
    before, rest = readme.split(BEGIN)
    table, after = rest.split(END)
    rows = "\n".join(with_figure(row, figures) for row in table.split("\n"))
    return f"{before}{BEGIN}{rows}{END}{after}"


def with_figure(row, figures):
    """Row of the table with the figure of its case; other lines as they are."""
    if not row.startswith("| `"):
        return row
    case, what, _ = row.strip("| ").split(" | ")
    return f"| {case} | {what} | {figures[case.strip('`')]} |"


if __name__ == "__main__":
    README.write_text(with_figures(README.read_text(), readme_figures()))
