"""Figures of README and documentation, from the committed results on the CPU.

``python -m benchmarks.figures`` writes those of README. `docs/conf.py` makes the others
substitutions, ``|case.name|``.
"""

import re
from collections import Counter

from benchmarks.harness import (
    CASES,
    RESULTS,
    ROOT,
    cell_of,
    key,
    load_case,
    read_lines,
    result_file,
)

README = ROOT / "README.md"
BEGIN = "<!-- figures: `make readme` writes them -->"
END = "<!-- end of the figures -->"
# A row: what it is, three figures, the case as a link.
ROW = re.compile(r"\| (?P<what>[^|]+) \|(?: [^|]+ \|){3} \[(?P<case>\w+)\] \|")
# Commits of results that are older than the final defaults of training, those of 523d996. Later
# commits need not be named here.
OLDER = frozenset(
    """
    0b1bd95 14df943 1541b24 3579ead 37f0577 3c713f0 3f990ab 426e7f9 4f57bf8 4ffd08d 527fbf8
    55f2bbb 5683b03 62f29d7 65bdd46 6b8a6ad 7504992 8047e41 89f81e6 8b4935e 8f4d25d 964cf9e
    bbf4d49 c5cc5b7 d66f0fa d7fbf77 dfc799f e5caf2e ebad8be f9c8234 fad5262
    """.split()
)
# How names of methods begin that have none of our defaults.
OTHERS = re.compile(
    "PCA|UMAP|t-SNE|JPEG|Keras,|scikit-learn|PyOD|IsolationForest|OneClassSVM|raw pixels|as it is|"
    "median filter|Gaussian filter|non-local means|total variation"
)


def figures_of(case):
    """Figures of a case by name, none without results: texts, and from "README" rows."""
    lines = read_lines(result_file(case, "cpu", RESULTS))
    finished = [line for line in lines if not line["figures"].get("over_limit")]
    compute = getattr(load_case(case), "figures", None)
    found = compute(finished) if compute and finished else {}
    return found | ({"lines": about(case, lines)} if lines else {})


def about(case, lines):
    """Where the lines are and how many, what is still open, the threads, and what is older."""
    cells = {key(cell) for cell in load_case(case).cells()}
    n_open = len(cells - {key(cell_of(line)) for line in lines})
    left = f"{n_open} of {len(cells)} planned cells are open" if n_open else "no cell is open"
    threads = " or ".join(str(n) for n in sorted({line["machine"]["threads"] for line in lines}))
    path = result_file(case, "cpu", RESULTS).relative_to(ROOT).as_posix()
    return f"`{path}`, {len(lines)} lines, {left}; threads: {threads}; {age(lines)}"


def age(lines):
    """Which of our lines are older than the final defaults."""
    ours = [line for line in lines if not OTHERS.match(line["method"])]
    older = [line for line in ours if line["commit"][:7] in OLDER]
    if not older:
        return "with the final defaults"
    if len(older) == len(ours):
        return "older than the final defaults"
    of_all, of_older = (Counter(line["method"] for line in part) for part in (ours, older))
    shares = (f"`{method}` ({n} of {of_all[method]})" for method, n in of_older.items())
    return f"older than the final defaults: {', '.join(shares)}"


def guide_figures():
    """Figures of the documentation, by case and name."""
    return {
        f"{case}.{name}": text
        for case in CASES
        for name, text in figures_of(case).items()
        if name != "README"
    }


def readme_figures():
    """Rows of README's table by case, each three cells: ours, PCA, the best peer."""
    return {case: rows for case in CASES if (rows := figures_of(case).get("README"))}


def with_figures(readme, figures):
    """README with these figures in its table; rows of one case come in the order of its own."""
    before, rest = readme.split(BEGIN)
    table, after = rest.split(END)
    waiting = {case: iter(rows) for case, rows in figures.items()}

    def filled(row):
        cells = next(waiting[row["case"]])
        return f"| {row['what']} | {' | '.join(cells)} | [{row['case']}] |"

    return f"{before}{BEGIN}{ROW.sub(filled, table)}{END}{after}"


if __name__ == "__main__":
    README.write_text(with_figures(README.read_text(), readme_figures()))
