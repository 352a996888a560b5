"""Cells, result files and tables of the benchmarks.

A case is a module of ``benchmarks/cases`` with

- ``cells()``: list of dicts, each with the keys ``data``, ``seed``, ``method`` and whatever
  else the cell needs, all plain values;
- ``run(cell, options)``: dict of figures of one cell;
- ``tables(lines)``: dict from a title to the rows (list of dicts) of a table, of the lines of
  the cells that were not stopped;
- ``pictures(lines)``, where it has some: dict from a name to a figure of matplotlib;
- ``figures(lines)``, where README or the documentation name some: dict from a name to the text of
  a figure, and from "README" to its rows of README's table, a list of `readme_row`; what is said
  beside the figures is asserted;
- ``LIMIT_S``, where a cell may take longer than ten minutes.
"""

import argparse
import importlib
import json
import os
import platform
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
CACHE = ROOT / "benchmarks" / "cache"
CASES = tuple(sorted(path.stem for path in (ROOT / "benchmarks" / "cases").glob("[a-z]*.py")))
LIMIT_S = 600
FIT_LIMIT_S = 300
PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "skorch",
    "umap-learn",
    "scikit-image",
    "pillow",
)


@dataclass(frozen=True)
class Options:
    """What holds for all cells of a run.

    Parameters
    ----------
    device : str
        Device of the estimators, as torch names it.
    smoke : bool
        Whether cells are cut down to a few rows and epochs, to try the code.
    cache : Path
        Folder for what a cell leaves to another one.
    """

    device: str = "cpu"
    smoke: bool = False
    cache: Path = CACHE

    def rows(self, n):
        """Number of rows to use of `n`."""
        return min(n, 300) if self.smoke else n

    def epochs(self, n):
        """Number of epochs to make of `n`."""
        return 2 if self.smoke and n else n

    def ours(self, estimator_class, **parameters):
        """Estimator of the package: defaults, but for the device and the named parameters."""
        if self.smoke:
            parameters["max_iter"] = min(parameters.get("max_iter", 2), 2)
        return estimator_class(device=self.device, **parameters)


def seconds(function, *args, **kwargs):
    """Wall-clock seconds of a call, and what it returns."""
    start = time.perf_counter()
    result = function(*args, **kwargs)
    return time.perf_counter() - start, result


def encoder_sizes(fitted):
    """Widths of the layers of a fitted estimator's encoder, the code last."""
    layers = [layer for layer in fitted.network_.encoder if hasattr(layer, "out_features")]
    return [layer.out_features for layer in layers]


def version_of(package):
    """Installed version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def versions():
    """Versions that a result depends on."""
    found = {package: version_of(package) for package in PACKAGES}
    return {"python": platform.python_version()} | {k: v for k, v in found.items() if v}


def processor():
    """Name of the processor."""
    if Path("/proc/cpuinfo").is_file():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def machine(device):
    """The machine in a few words."""
    import torch

    about = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.system(),
    }
    if device.startswith("cuda"):
        about["gpu"] = torch.cuda.get_device_name()
    return about


def commit():
    """Commit of the checkout, with "-dirty" where the package or the benchmarks differ from it."""

    def git(*arguments):
        run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
        return run.stdout.strip() if run.returncode == 0 else ""

    dirty = git("status", "--porcelain", "--", "sklearn_ae", "benchmarks/*.py")
    return (git("rev-parse", "--short=12", "HEAD") or "none") + ("-dirty" if dirty else "")


def load_case(name):
    """Module of a case."""
    return importlib.import_module(f"benchmarks.cases.{name}")


def result_file(case, device, folder):
    """File of the result lines; results of another device than the CPU have their own."""
    kind = device.split(":")[0]
    return folder / (f"{case}.jsonl" if kind == "cpu" else f"{case}-{kind}.jsonl")


def read_lines(path):
    """Result lines of a file, none where it does not exist."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def finished_lines(path):
    """Result lines of a file but for those of cells that were stopped at their limit."""
    return [line for line in read_lines(path) if not line["figures"].get("over_limit")]


def lines_with(lines, **wanted):
    """Result lines that have these settings, or these values of "data", "seed" and "method"."""
    return [line for line in lines if wanted.items() <= cell_of(line).items()]


def figures_with(lines, **wanted):
    """Figures of the one line that has these settings."""
    (line,) = lines_with(lines, **wanted)
    return line["figures"]


def key(cell):
    """What identifies a cell."""
    return json.dumps(cell, sort_keys=True)


def cell_of(line):
    """Cell of a result line."""
    return {name: line[name] for name in ("data", "seed", "method")} | line["settings"]


def chosen(cell, conditions):
    """Whether a cell meets all conditions ``key=value``."""
    pairs = [condition.partition("=")[::2] for condition in conditions]
    return all(str(cell.get(name)) == value for name, value in pairs)


def command_of(case, cell, device):
    """Command that repeats one cell."""
    conditions = [f"{name}={value}" for name, value in cell.items()]
    return shlex.join(
        ["python", "benchmarks/run.py", case, "--device", device, "--only", *conditions]
    )


def run_in_process(case, cell, options):
    """Figures of one cell from a fresh process, or None if it failed.

    A cell that is stopped at its limit has the figure ``over_limit``.
    """
    limit = getattr(load_case(case), "LIMIT_S", LIMIT_S)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "figures.json"
        command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), case]
        command += ["--device", options.device, "--cell", key(cell), "--output", str(output)]
        command += ["--cache", str(options.cache), *(["--smoke"] if options.smoke else [])]
        # A session of its own, so that peers started by the cell are stopped with it.
        process = subprocess.Popen(command, start_new_session=True)
        try:
            status = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            return {"figures": {"over_limit": True, "limit_s": limit}, "versions": versions()}
        finally:
            stop_session(process)
        return json.loads(output.read_text()) if status == 0 else None


def stop_session(process):
    """End a process and all it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def run_here(case, cell, options, output):
    """Run one cell in this process and write its figures."""
    figures = load_case(case).run(cell, options)
    lines = {"figures": figures, "versions": versions(), "machine": machine(options.device)}
    output.write_text(json.dumps(lines, default=float))


def run_cells(case, cells, options, folder):
    """Run the cells that are not finished; the number of those that failed."""
    path = result_file(case, options.device, folder)
    finished = {key(cell_of(line)) for line in read_lines(path)}
    waiting = [cell for cell in cells if key(cell) not in finished]
    print(f"{case}: {len(cells) - len(waiting)} of {len(cells)} cells are finished", flush=True)
    failed = 0
    for number, cell in enumerate(waiting, 1):
        taken, result = seconds(run_in_process, case, cell, options)
        label = " ".join(f"{name}={value}" for name, value in cell.items())
        if result is None:
            failed += 1
            print(f"[{number}/{len(waiting)}] {label}: failed", flush=True)
            continue
        append_line(path, case, cell, options, result)
        print(f"[{number}/{len(waiting)}] {label}: {taken:.1f} s", flush=True)
    return failed


def append_line(path, case, cell, options, result):
    """Add the line of a finished cell to the result file."""
    settings = {k: v for k, v in cell.items() if k not in ("data", "seed", "method")}
    line = {
        "case": case,
        "data": cell["data"],
        "seed": cell["seed"],
        "method": cell["method"],
        "settings": settings,
        "figures": result["figures"],
        "device": options.device,
        "command": command_of(case, cell, options.device),
        "commit": commit(),
        "versions": result["versions"],
        "machine": result.get("machine") or machine(options.device),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def show(value):
    """Text of one entry of a table."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)


def span(values, form):
    """Least and greatest value as text, each in the given format."""
    return f"{min(values):{form}} to {max(values):{form}}"


def readme_row(form, ours, pca=None, peers=None, best=max):
    """Cells of a row of README's table: ours, PCA's and the best peer's, the best of them in bold.

    ``peers`` are figures by name; what there is no figure of is a dash.
    """
    peer = best(peers, key=peers.get) if peers else None
    values = [ours, pca, peers[peer] if peers else None]
    first = best(value for value in values if value is not None)
    shown = ["-" if value is None else f"{value:{form}}" for value in values]
    cells = [f"**{text}**" if text == f"{first:{form}}" else text for text in shown]
    return [*cells[:2], f"{cells[2]} ({peer})" if peer else cells[2]]


def fit_time(figures, limit=FIT_LIMIT_S):
    """Seconds of a fit, or "over limit"."""
    taken = figures.get("fit_s")
    return "over limit" if taken is None or taken > limit else round(taken, 2)


def print_table(title, rows):
    """Print one table in markdown."""
    print(f"\n**{title}**\n")
    names = list(dict.fromkeys(name for row in rows for name in row))
    print("| " + " | ".join(names) + " |")
    print("|" + "---|" * len(names))
    for row in rows:
        print("| " + " | ".join(show(row.get(name)) for name in names) + " |")


def print_tables(case, device, folder):
    """Print the tables of one case from its result file."""
    lines = read_lines(result_file(case, device, folder))
    print(f"\n## {case} ({len(lines)} cells, {device})")
    stopped = [line for line in lines if line["figures"].get("over_limit")]
    done = [line for line in lines if line not in stopped]
    if done:
        for title, rows in load_case(case).tables(done).items():
            print_table(title, rows)
    for line in stopped:
        print(f"\nOver limit, stopped after {line['figures']['limit_s']} s: {line['command']}")


def draw_pictures(case, device, folder):
    """Write the pictures of one case, where it has some, beside its result file."""
    path = result_file(case, device, folder)
    lines = finished_lines(path)
    draw = getattr(load_case(case), "pictures", None)
    for name, figure in (draw(lines) if draw and lines else {}).items():
        picture = path.with_name(f"{path.stem}-{name}.png")
        figure.savefig(picture, dpi=120)
        print(picture)


def parse(arguments):
    """Command line of the benchmarks."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description="Run a benchmark.")
    parser.add_argument("case", choices=[*CASES, "all"], metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--device", default="cpu", help="device of the estimators")
    parser.add_argument("--only", nargs="*", default=[], metavar="key=value", help="these cells")
    parser.add_argument("--list", action="store_true", help="list the cells, run nothing")
    parser.add_argument("--table", action="store_true", help="print tables, run nothing")
    parser.add_argument("--picture", action="store_true", help="write pictures, run nothing")
    parser.add_argument("--smoke", action="store_true", help="one tiny cell per method, not kept")
    parser.add_argument("--cell", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, default=CACHE, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def first_of_each_method(cells):
    """One cell per method, and per step where a method has steps."""
    first = {}
    for cell in cells:
        first.setdefault((cell["method"], cell.get("step")), cell)
    return list(first.values())


def run_case(case, arguments, folder):
    """List, run or print one case; the number of cells that failed."""
    cells = [cell for cell in load_case(case).cells() if chosen(cell, arguments.only)]
    if arguments.list:
        path = result_file(case, arguments.device, folder)
        finished = {key(cell_of(line)) for line in read_lines(path)}
        for cell in cells:
            label = " ".join(f"{name}={value}" for name, value in cell.items())
            print(f"{case} {'done' if key(cell) in finished else 'open'} {label}")
        return 0
    if arguments.table:
        print_tables(case, arguments.device, folder)
        return 0
    if arguments.picture:
        draw_pictures(case, arguments.device, folder)
        return 0
    if arguments.smoke:
        cells = first_of_each_method(cells)
    cache = folder / "cache" if arguments.smoke else arguments.cache
    options = Options(device=arguments.device, smoke=arguments.smoke, cache=cache)
    failed = run_cells(case, cells, options, folder)
    print_tables(case, arguments.device, folder)
    return failed


def main(arguments=None):
    """Run the command line; the exit status is 1 if a cell failed, 130 after Ctrl-C."""
    arguments = parse(arguments)
    if arguments.cell is not None:
        options = Options(arguments.device, arguments.smoke, arguments.cache)
        run_here(arguments.case, arguments.cell, options, arguments.output)
        return 0
    names = CASES if arguments.case == "all" else [arguments.case]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if arguments.smoke else RESULTS
        try:
            return int(sum(run_case(name, arguments, folder) for name in names) > 0)
        except KeyboardInterrupt:
            return 130
