"""The table on a terminal, by rich where it is installed, and as plain text."""

import sys

IN_SAMPLE_MARK = "†"
BEST_MARK = "*"
ABOUT_MARKS = (
    "best of its column among rows judged on held-out data, with what none is surely better than; "
    "of time and memory the least"
)


def table_rows(result):
    """Rows of the table as text."""
    in_sample = result.results_.groupby("reducer", sort=False)["in_sample"].any()
    failures = result.results_.groupby("reducer", sort=False)["error"].apply(
        lambda column: column.notna().all()
    )
    errors = result.errors()
    rows = []
    for name, line in result.summary_.iterrows():
        cells = [
            (
                measure.format(line[measure.key, "mean"], line[measure.key, "std"]),
                name in result._best.get(measure.key, ()),
            )
            for measure in result.measures()
        ]
        error = errors[name] if failures[name] else None
        rows.append({"name": name, "in_sample": in_sample[name], "error": error, "cells": cells})
    return rows


def footnotes(result, mark=IN_SAMPLE_MARK):
    """Explanations below the table: what `mark` means, failures, notes of single reducers."""
    table = result.results_
    lines = []
    if table["in_sample"].any():
        lines.append(
            f"{mark} fitted on the test rows themselves (no transform): not comparable "
            "with the others, nor marked as best"
        )
    majority = result.settings_.get("majority share")
    if majority is not None and table["knn_accuracy"].notna().any():
        lines.append(f"5-NN accuracy: the most frequent label alone is right in {majority:.3f}")
    whole = {row["name"] for row in table_rows(result) if row["error"] is not None}
    lines += [
        f"{name} failed in some repeats: {reason}"
        for name, reason in result.errors().items()
        if name not in whole
    ]
    for name, notes in table.groupby("reducer", sort=False)["notes"]:
        counts = {}
        for text in notes:
            for note in filter(None, text.split("; ")):
                counts[note] = counts.get(note, 0) + 1
        for note, count in counts.items():
            times = f" ({count} of {len(notes)} repeats)" if count < len(notes) else ""
            lines.append(f"{name}: {note}{times}")
    return lines


def title(result):
    """One line on what was compared."""
    settings = result.settings_
    spread = "mean ± standard deviation of" if settings["repeats"] > 1 else "from"
    splits = f"{settings['repeats']} split" + ("s" if settings["repeats"] > 1 else "")
    return (
        f"{settings['data']}: {settings['rows']} rows, {settings['features']} "
        f"feature{'s' * (settings['features'] != 1)}, {settings['components']} "
        f"component{'s' * (settings['components'] != 1)}; {spread} {splits}"
    )


def text_table(result):
    """The table as plain text, with the verdict below."""
    headings = ["", *(measure.label for measure in result.measures())]
    lines, failed = [headings], {}
    for row in table_rows(result):
        name = row["name"] + (f" {IN_SAMPLE_MARK}" if row["in_sample"] else "")
        if row["error"] is not None:
            failed[len(lines)] = f"failed: {row['error']}"
            lines.append([name])
        else:
            cells = [text + (f" {BEST_MARK}" if best else "  ") for text, best in row["cells"]]
            lines.append([name, *cells])
    widths = [
        max(len(line[column]) for line in lines if column < len(line))
        for column in range(len(headings))
    ]
    text = []
    for number, line in enumerate(lines):
        first = line[0].ljust(widths[0])
        if number in failed:
            text.append(f"{first}  {failed[number]}")
            continue
        rest = (
            (cell + "  " if number == 0 else cell).rjust(width + 2)
            for cell, width in zip(line[1:], widths[1:], strict=True)
        )
        text.append("  ".join([first, *rest]).rstrip())
    marks = f"{BEST_MARK} {ABOUT_MARKS}"
    below = [marks, *footnotes(result), *result.notes_]
    return "\n".join([title(result), "", *text, "", *below, "", *result.verdict_])


def print_table(result):
    """Print table, notes and verdict on standard output."""
    try:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
    except ImportError:
        print(text_table(result))
        return
    if sys.stdout is None or not sys.stdout.isatty():
        print(text_table(result))
        return
    heading = escape(title(result))
    table = Table(title=heading, title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for measure in result.measures():
        table.add_column(measure.label, justify="right", overflow="fold")
    rows = table_rows(result)
    for row in rows:
        name = row["name"] + (f" {IN_SAMPLE_MARK}" if row["in_sample"] else "")
        cells = [f"[bold green]{text}[/]" if best else text for text, best in row["cells"]]
        table.add_row(escape(name), *(cells if row["error"] is None else ["failed"]))
    console = Console(highlight=False)
    console.print(table)
    for row in rows:
        if row["error"] is not None:
            console.print(f"{row['name']} failed: {row['error']}", style="red", markup=False)
    for line in [*footnotes(result), *result.notes_]:
        console.print(line, style="dim", markup=False)
    console.print()
    for sentence in result.verdict_:
        console.print(sentence, markup=False)
