"""The command line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sklearn_ae
from sklearn_ae.__main__ import main
from sklearn_ae.comparison import ComparisonResult

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "sklearn_ae"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with files to read."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "c"])
    frame["label"] = np.where(np.arange(40) % 2, "yes", "no")
    frame.to_csv("good.csv", index=False)
    frame.assign(label="same").to_csv("one_class.csv", index=False)
    frame.assign(b=np.nan).to_csv("empty_column.csv", index=False)
    frame[:1].to_csv("one_row.csv", index=False)
    frame[["label"]].assign(label="same").to_csv("constant.csv", index=False)
    Path("empty.csv").write_text("")
    Path("binary.csv").write_bytes(bytes(range(256)))
    Path("text.pdf").write_text("%PDF")
    Path("broken.npz").write_bytes(b"PK\x03\x04 not a zip file")
    Path("broken.npy").write_bytes(b"")
    Path("broken.parquet").write_bytes(b"PAR1")
    np.save("cube.npy", np.ones((20, 3, 3, 2, 2)))
    np.save("objects.npy", np.array([{"a": 1}] * 20, dtype=object), allow_pickle=True)
    np.savez("odd.npz", first=np.ones((3, 3)), second=np.ones((3, 3)))
    return tmp_path


def run(*arguments, **how):
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        **how,
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["missing.csv"], "no such file"),
        (["."], "it is a folder"),
        (["nonsense"], "neither a file nor a named data set"),
        (["text.pdf"], "unknown kind of file"),
        (["empty.csv"], "cannot read empty.csv"),
        (["binary.csv"], "cannot read binary.csv"),
        (["broken.npz"], "cannot read broken.npz"),
        (["broken.npy"], "cannot read broken.npy"),
        (["broken.parquet"], "cannot read broken.parquet"),
        (["good.csv", "--target", "nothing"], "--target: no column 'nothing'"),
        (["cube.npy"], "Expected 2D array, got 5D"),
        (["objects.npy"], "Python objects"),
        (["odd.npz"], "name it X"),
        (["odd.npz", "--target", "third"], "no array 'third'"),
        (["digits", "--target", "a"], "has its own labels"),
        (["good.csv", "--drop", "nothing"], "--drop: no column 'nothing'"),
        (["good.csv", "--sep", "ab"], "--sep: one character"),
        (["good.csv", "--skip-rows", "-1"], "--skip-rows: a number of lines"),
        (["good.csv", "--encoding", "utf-9"], "--encoding: unknown encoding"),
        (["digits", "--no-header"], "--no-header: the named data set 'digits' is no file"),
        (["one_row.csv"], "1 sample"),
        (["constant.csv"], "sample(s)|no usable column"),
        (["constant.csv", "--target", "label"], "sample(s)|no usable column"),
        (["good.csv", "--n-components", "9"], "n_components=9 must be"),
        (["good.csv", "--n-components", "0"], "'n_components' parameter"),
        (["good.csv", "--n-components", "two"], "invalid int value"),
        (["good.csv", "--repeats", "0"], "'n_repeats' parameter"),
        (["good.csv", "--test-size", "2"], "'test_size' parameter"),
        (["good.csv", "--reducers", "pca,magic"], "unknown reducer 'magic'"),
        (["good.csv", "--reducers", ","], "no reducer"),
        (["good.csv", "--output", "no/such/folder/r.html"], "no folder"),
        (["good.csv", "--csv", "."], "it is a folder"),
        (["good.csv", "--csv", "good.csv"], "cannot write good.csv: it is the input"),
        (["good.csv", "--json", "../{folder}/good.csv"], "it is the input"),
        (["good.csv", "--output", "hard_link.csv"], "it is the input"),
        (["good.csv", "--csv", "r.txt", "--json", "./r.txt"], "another output"),
        (["good.csv", "--json", "report.html"], "another output"),
        (["~nosuchuser/x.csv"], "cannot read ~nosuchuser/x.csv"),
        (["good.csv", "--colour", "red"], "unrecognized arguments"),
        ([], "required: DATA"),
    ],
)
def test_bad_input_ends_in_one_line_and_status_2(folder, capsys, arguments, reason):
    os.link("good.csv", "hard_link.csv")
    arguments = [argument.format(folder=folder.name) for argument in arguments]
    before = Path("good.csv").read_bytes()
    try:
        status = main(["compare", *arguments])
    except SystemExit as error:
        status = error.code
    captured = capsys.readouterr()
    assert status == 2 and captured.out == ""
    assert captured.err.startswith("sklearn-ae: error: ") and captured.err.count("\n") == 1
    assert any(part in captured.err for part in reason.split("|"))
    assert not Path("report.html").exists()
    assert Path("good.csv").read_bytes() == before


def test_whole_command_in_a_process(folder):
    pytest.importorskip("matplotlib")
    done = run(
        "compare", "good.csv", "--target", "label", "--reducers", "pca", "--repeats", "2",
        "--csv", "r.csv", "--json", "r.json",
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "PCA" in done.stdout and "wrote report.html" in done.stdout
    assert "Traceback" not in done.stderr
    assert len(pd.read_csv(folder / "r.csv")) == 4
    assert json.loads((folder / "r.json").read_text())["settings"]["data"] == "good.csv"
    assert (folder / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_bad_input_in_a_process(folder):
    done = run("compare", "missing.csv", cwd=folder)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "sklearn-ae: error: cannot read missing.csv: no such file\n"


def children_of(pid):
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for thread in threads for child in thread.read_text().split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("number", "status", "last_line"),
    [(signal.SIGINT, 130, "sklearn-ae: interrupted"), (signal.SIGTERM, 143, None)],
    ids=["Ctrl-C", "termination"],
)
def test_a_signal_stops_at_once_and_cleans_up(number, status, last_line, folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    process = subprocess.Popen(
        [*COMMAND, "compare", "digits", "--no-report", "--reducers", "tsne,vae"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # a shell starts what it runs in the background with the signal ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not children_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    children = children_of(process.pid)
    assert children
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == status
    assert output == ""
    assert "Traceback" not in errors
    if last_line is not None:
        assert errors.splitlines()[-1] == last_line
    # A signal in the middle of the child's start leaves the child to end by itself, at once too:
    # its input is closed.
    deadline = time.monotonic() + 10
    left = [Path(f"/proc/{child}") for child in children]
    while any(child.exists() for child in left) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(child.exists() for child in left)
    assert list(folder.glob("sklearn_ae_compare_*")) == []


QUICK = ("compare", "good.csv", "--reducers", "pca", "--repeats", "1", "--quiet", "--no-report")


def test_terminal_without_unicode_loses_nothing(folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*COMMAND, *QUICK, "--repeats", "2", "--csv", "r.csv"],
        capture_output=True, text=True, cwd=folder, env=environment, timeout=180,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "") and "wrote r.csv" in done.stdout


def test_closed_pipe_is_quiet_and_loses_nothing(folder):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, *QUICK, "--csv", "r.csv"],
        stdout=writer, stderr=subprocess.PIPE, text=True, cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=180,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(pd.read_csv(folder / "r.csv")) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (RuntimeError("no font"), "no font"),
        (TypeError("bad type"), "bad type"),
        (KeyError("colour"), "'colour'"),
    ],
)
def test_report_that_cannot_be_written_loses_no_results(folder, capsys, monkeypatch, error, reason):
    def full(self, path=None):
        raise error

    monkeypatch.setattr(ComparisonResult, "to_html", full)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    status = main(["compare", "good.csv", "--reducers", "pca", "--repeats", "1", "--quiet"])
    captured = capsys.readouterr()
    assert status == 1 and "PCA" in captured.out
    assert f"cannot write report.html: {reason}" in captured.err
    (saved,) = folder.glob("sklearn-ae-results-*.json")
    assert str(saved) in captured.err
    assert json.loads(saved.read_text())["results"][0]["reducer"] == "PCA"


def test_template_that_fails_loses_no_results(folder, capsys, monkeypatch):
    jinja2 = pytest.importorskip("jinja2")

    def fail(self, name):
        raise jinja2.TemplateNotFound(name)

    monkeypatch.setattr(jinja2.Environment, "get_template", fail)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    arguments = [argument for argument in QUICK if argument != "--no-report"]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert "PCA" in captured.out and "the report cannot be rendered" in captured.err
    assert len(list(folder.glob("sklearn-ae-results-*.json"))) == 1


def test_every_reducer_failing_is_status_1(folder, capsys, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    Path("umap.py").write_text("raise ImportError('not here')\n")
    monkeypatch.syspath_prepend(str(folder))
    status = main(
        ["compare", "good.csv", "--reducers", "umap", "--repeats", "1", "--no-report", "--quiet"]
    )
    assert status == 1
    assert "failed: ImportError: UMAP needs: pip install 'sklearn-ae[compare]'" in (
        capsys.readouterr().out
    )


def test_missing_report_packages_are_named_before_anything_runs(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert main(["compare", "good.csv"]) == 2
    assert "pip install 'sklearn-ae[compare]'" in capsys.readouterr().err


def test_version_and_help(capsys):
    for arguments, text in (
        (["--version"], f"sklearn-ae {sklearn_ae.__version__}"),
        (["--help"], "compare"),
        (["compare", "--help"], "--n-components"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 0 and text in capsys.readouterr().out
