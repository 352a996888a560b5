"""The command ``sklearn-ae compare``."""

import argparse
import os
import shlex
import sys
import tempfile
from pathlib import Path

import numpy as np

from sklearn_ae.comparison._data import NAMED_SETS, load_data
from sklearn_ae.comparison._files import KINDS, OptionError, first_line
from sklearn_ae.comparison._reducers import DEFAULT_REDUCERS

DESCRIPTION = f"""\
Is an autoencoder worth it on these data? Fits several reducers of dimension on the same
splits, prints a table and writes a report, one HTML file that opens without a network.

DATA is the path of a file, {KINDS}
(text packed by gz, bz2, xz or zip too), or one of
{", ".join(NAMED_SETS)},
or the name of a table of ADBench, such as Pima.
"""
# What the drawing and writing of results has been seen or is documented to raise: none of it
# may cost the results.
WRITE_ERRORS = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
# Rows of a first look.
FAST_ROWS = 1000
EXAMPLES = """\
examples:
  sklearn-ae compare digits
  sklearn-ae compare table.csv --target label --n-components 8 --output report.html
  sklearn-ae compare export.xlsx --target -1 --drop "customer id" --na-values=-999,unknown
  sklearn-ae compare mnist --max-rows 10000 --reducers pca,autoencoder --csv results.csv
"""


def add_parser(commands, formatter):
    """Declare the command and its options."""
    parser = commands.add_parser(
        "compare",
        help="fit PCA, UMAP, t-SNE and autoencoders on the same data and compare them",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=formatter,
    )
    parser.add_argument("data", metavar="DATA", help="a file or the name of a data set")
    parser.add_argument(
        "--target",
        help="column of labels or numbers, by name or place (-1: the last), or NPZ array",
    )
    parser.add_argument(
        "--n-components",
        type=_widths,
        default=[2],
        metavar="K",
        help="width of the codes (default: 2); of several, 2,4,8, the first is compared and the "
        "variance kept is told for all",
    )
    parser.add_argument(
        "--reducers",
        metavar="NAMES",
        help=f"some of {','.join(DEFAULT_REDUCERS.values())} (default: all)",
    )
    parser.add_argument(
        "--repeats", type=int, metavar="N", help="number of splits (default: 5, fast: 1)"
    )
    parser.add_argument(
        "--fast", action="store_true", help=f"a first look: one split of at most {FAST_ROWS} rows"
    )
    parser.add_argument(
        "--test-size", type=float, default=0.25, metavar="SHARE", help="(default: 0.25)"
    )
    parser.add_argument("--max-rows", type=int, metavar="N", help="use a random subset of N rows")
    parser.add_argument(
        "--scale",
        choices=["auto", "standard", "none"],
        default="auto",
        help="standardise numeric columns; auto: in tables only (default)",
    )
    parser.add_argument("--seed", type=int, default=0, help="(default: 0)")
    parser.add_argument(
        "--output", default="report.html", metavar="FILE", help="(default: report.html)"
    )
    parser.add_argument("--no-report", action="store_true", help="write no report")
    parser.add_argument("--csv", metavar="FILE", help="write a row per reducer and repeat too")
    parser.add_argument("--json", metavar="FILE", help="write results and settings too")
    parser.add_argument(
        "--codes", metavar="FILE", help="write the codes of all rows by what is recommended (CSV)"
    )
    parser.add_argument(
        "--save-model", metavar="FILE", help="write the fitted pipeline that makes them (joblib)"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    _add_reading(parser.add_argument_group("how the file is read"))
    parser.set_defaults(run=run)


def _add_reading(group):
    """Declare the options of reading; without them the file says what it is."""
    names = {"type": _names, "metavar": "NAMES"}
    group.add_argument("--features", **names, help="columns that are used, by name or place")
    group.add_argument("--drop", **names, default=(), help="columns that are left out")
    group.add_argument(
        "--categorical-features", **names, default=(), help="columns of numbers that are categories"
    )
    group.add_argument(
        "--no-header", action="store_true", help="the first line is a row, not the names"
    )
    group.add_argument("--sep", metavar="CHARACTER", help="between cells; or tab, spaces")
    group.add_argument("--encoding", metavar="NAME", help="such as utf-8, cp1252, utf-16")
    group.add_argument(
        "--na-values", type=_names, default=(), metavar="VALUES", help="cells that are missing"
    )
    group.add_argument(
        "--skip-rows", type=int, default=0, metavar="N", help="lines at the top to leave out"
    )


def _widths(text):
    """Numbers that commas part."""
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"invalid int value: {text!r}") from error


def _names(text):
    """Names that commas part."""
    return [name.strip() for name in text.split(",") if name.strip()]


def run(arguments):
    """Compare, write what was asked for, print the table; the exit status."""
    outputs = {
        "to_html": None if arguments.no_report else arguments.output,
        "to_csv": arguments.csv,
        "to_json": arguments.json,
        "codes": arguments.codes,
        "model": arguments.save_model,
    }
    outputs = {method: Path(path) for method, path in outputs.items() if path is not None}
    _check_distinct(arguments.data, list(outputs.values()))
    for path in outputs.values():
        _check_writable(path)
    if "to_html" in outputs:
        _check_report_packages()
    from sklearn_ae.comparison._compare import compare

    names, data = arguments.reducers, _load(arguments)
    result = compare(
        data,
        None,
        None if names is None else [name for name in names.split(",") if name.strip()],
        arguments.n_components,
        test_size=arguments.test_size,
        n_repeats=_first(arguments.repeats, 1 if arguments.fast else 5),
        max_rows=_first(arguments.max_rows, FAST_ROWS if arguments.fast else None),
        scale=arguments.scale,
        random_state=arguments.seed,
        verbose=0 if arguments.quiet else 2,
    )
    from sklearn_ae.comparison._text import print_table

    result.settings_["command"] = _command(arguments)
    # The table first: whatever happens to the files, the results are seen.
    problems = _show(lambda: print_table(result))
    if result.code_:
        text = f"\nTo fit {result.recommended_} to all rows:\n\n{result.code_}\n\n"
        problems |= _show(lambda: print(text, end=""))
    own = {name: outputs.pop(name) for name in ("codes", "model") if name in outputs}
    problems |= _write(result, outputs)
    if own:
        problems |= _write_fitted(own, result, data, arguments)
        outputs |= own
    wrote = "".join(f"wrote {path}\n" for path in outputs.values() if path not in problems)
    problems |= _show(lambda: print(wrote, end=""))
    for path, reason in problems.items():
        print(f"sklearn-ae: error: cannot write {path}: {reason}", file=sys.stderr)
    if problems and outputs.get("to_json", next(iter(problems))) in problems:
        _save_elsewhere(result)
    return 1 if problems or len(result.errors()) == len(result.summary_) else 0


def _first(value, default):
    return default if value is None else value


def _command(arguments):
    """The command that makes the report again."""
    return shlex.join(["sklearn-ae", *arguments.words])


def _write_fitted(paths, result, data, arguments):
    """Fit what is recommended to all rows, and write it and its codes; reasons where that fails."""
    import joblib
    import pandas as pd

    from sklearn_ae.comparison._code import CLASSES, recommended_pipeline
    from sklearn_ae.comparison._reducers import resolve

    names = arguments.reducers
    reducers = resolve(None if names is None else [n for n in names.split(",") if n.strip()])
    key = reducers.get(result.recommended_)
    if key not in CLASSES:
        return dict.fromkeys(paths.values(), "there is no verdict, so nothing is recommended")
    try:
        model = recommended_pipeline(data, arguments.scale, key, arguments.n_components[0])
        codes = model.fit_transform(data.X)
    except WRITE_ERRORS as error:
        return dict.fromkeys(paths.values(), first_line(error))
    problems = {}
    for kind, path in paths.items():
        try:
            if kind == "model":
                joblib.dump(model, path)
            else:
                index = data.X.index if isinstance(data.X, pd.DataFrame) else range(len(codes))
                columns = [f"component {place}" for place in range(codes.shape[1])]
                frame = pd.DataFrame(np.asarray(codes), index=index, columns=columns)
                frame.to_csv(path, index_label="row")
        except WRITE_ERRORS as error:
            problems[path] = first_line(error)
    return problems


def _load(arguments):
    """The data, by the options of reading; a message about one of these calls it by its name."""
    try:
        return load_data(
            arguments.data,
            arguments.target,
            features=arguments.features,
            drop=arguments.drop,
            categorical_features=arguments.categorical_features,
            header=False if arguments.no_header else "infer",
            sep=arguments.sep,
            encoding=arguments.encoding,
            na_values=arguments.na_values,
            skip_rows=arguments.skip_rows,
        )
    except OptionError as error:
        name = "no-header" if error.option == "header" else error.option.replace("_", "-")
        raise ValueError(f"--{name}: {error.message}") from error


def _show(write):
    """Write on standard output; the reason where that fails, unless the reader has gone."""
    try:
        write()
        print(end="", flush=True)
    except OSError as error:
        # What is still in the buffer goes nowhere, so that Python does not complain at exit.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        if not isinstance(error, BrokenPipeError):
            return {"standard output": first_line(error)}
    return {}


def _check_distinct(data, outputs):
    """Refuse an output that is the input or another output."""
    source = Path(os.path.expanduser(data))
    for number, path in enumerate(outputs):
        if source.is_file() and _is_same(path, source):
            raise ValueError(f"cannot write {path}: it is the input")
        if any(_is_same(path, other) for other in outputs[:number]):
            raise ValueError(f"cannot write {path}: another output has the same path")


def _is_same(path, other):
    """Whether both are one file, under whatever names, or would be once they are written."""
    if path.exists() and other.exists():
        return path.samefile(other)
    return path.resolve() == other.resolve()


def _check_writable(path):
    folder = path.parent
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a folder")
    if not folder.is_dir():
        raise FileNotFoundError(f"cannot write {path}: no folder {folder}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise PermissionError(f"cannot write {path}: permission denied")


def _check_report_packages():
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "the report needs: pip install 'sklearn-ae[compare]' (or pass --no-report)"
        ) from error


def _write(result, outputs):
    """Write every output that can be written; reasons of those that cannot."""
    problems = {}
    for method, path in outputs.items():
        try:
            getattr(result, method)(path)
        except WRITE_ERRORS as error:
            problems[path] = first_line(error)
    return problems


def _save_elsewhere(result):
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="sklearn-ae-results-", suffix=".json", delete=False, encoding="utf-8"
        ) as file:
            file.write(result.to_json())
    except WRITE_ERRORS as error:
        reason = first_line(error)
        print(f"sklearn-ae: error: cannot save the results elsewhere: {reason}", file=sys.stderr)
        return
    print(f"sklearn-ae: the results are in {file.name}", file=sys.stderr)
