"""Runs the job of one reducer in a process of its own and collects what it found."""

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np

from sklearn_ae.comparison._files import first_line
from sklearn_ae.comparison._reducers import is_from

POLL_SECONDS = 0.1


class Job:
    """One reducer on all splits.

    Parameters
    ----------
    folder : Path
        Empty folder of this job.

    data : Path
        Folder with the rows, labels and splits.

    reducer : str, estimator instance or None
        A key of the default reducers, ``"raw data"``, or an estimator.

    n_components : int
        Width of the codes of a default reducer.

    seeds : list of int
        One for each repeat.

    is_image : bool, default=False
        Whether rows are images.

    downstream : estimator or None
        What is fitted to codes and targets.

    widths : list of int
        Further widths that the explained variance of a default reducer is asked for.

    n_train : int
        Training rows of a split.

    has_one_thread : bool, default=False
        Whether it computes in one thread, unless the caller has set another number.
    """

    def __init__(
        self,
        folder,
        data,
        reducer,
        n_components,
        seeds,
        is_image=False,
        downstream=None,
        widths=(),
        n_train=0,
        has_one_thread=False,
    ):
        folder.mkdir()
        self._has_one_thread, self._process, self._is_stopped = has_one_thread, None, False
        self.folder, self.seeds, self.content = folder, seeds, (reducer, downstream)
        content = {
            "data": str(data),
            "n_components": n_components,
            "seeds": seeds,
            "is_image": is_image,
            "key": reducer if isinstance(reducer, str) else None,
            "is_umap": reducer == "umap" if isinstance(reducer, str) else is_from(reducer, "umap"),
            "widths": list(widths),
            "n_train": n_train,
        }
        (folder / "job.json").write_text(json.dumps(content))

    def run(self, on_repeat):
        """Run to the end; `on_repeat` is called after each repeat that is done."""
        try:
            # By value where it has to be: a class of a script or a notebook has no module that
            # the other process could import.
            message = pickle.dumps(
                tuple(
                    joblib.wrap_non_picklable_objects(part, keep_wrapper=False)
                    for part in self.content
                )
            )
        except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
            problem = f"cannot be sent to its process: {first_line(error)}"
        else:
            problem = self._run_process(message, on_repeat)
        rows = []
        for repeat in range(len(self.seeds)):
            path = self.folder / f"result_{repeat}.json"
            if path.exists():
                rows.append(json.loads(path.read_text()) | {"error": None})
            else:
                rows.append({"notes": [], "error": problem})
        arrays = {}
        if (self.folder / "arrays.npz").exists():
            with np.load(self.folder / "arrays.npz") as content:
                arrays = dict(content.items())
        return rows, arrays

    def stop(self):
        """End the process, from another thread, and start none any more."""
        self._is_stopped = True
        if self._process is not None:
            _kill(self._process)

    def _run_process(self, message, on_repeat):
        # -P and the caller's own search path: what it can import, its process can, no more.
        command = [sys.executable, "-P", "-m", "sklearn_ae.comparison._worker", str(self.folder)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(_search_path())}
        if self._has_one_thread:
            environment.setdefault("OMP_NUM_THREADS", "1")
        with open(self.folder / "log.txt", "wb") as log:
            process = self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                # A group of its own can be killed with what it started, and does not get the
                # Ctrl-C of the terminal, which is handled here.
                start_new_session=True,
            )
        try:
            _send(process, message)
            done = 0
            while process.poll() is None and not self._is_stopped:
                done = self._report(done, on_repeat)
                _wait(process)
            self._report(done, on_repeat)
        finally:
            _kill(process)
        return self._problem(process.returncode)

    def _report(self, done, on_repeat):
        while (self.folder / f"result_{done}.json").exists():
            done += 1
            on_repeat()
        return done

    def _problem(self, status):
        path = self.folder / "error.json"
        if path.exists():
            return json.loads(path.read_text())["error"]
        if status < 0:
            name = signal.Signals(-status).name
            why = " (out of memory?)" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{why}"
        lines = (self.folder / "log.txt").read_text(errors="replace").strip().splitlines()
        return f"its process ended with status {status}" + (f": {lines[-1]}" if lines else "")


def _search_path():
    return [str(Path(entry or ".").resolve()) for entry in sys.path]


def _send(process, message):
    try:
        process.stdin.write(message)
        process.stdin.flush()
    except BrokenPipeError:
        # It is gone already; its log says why.
        process.wait()


def _wait(process):
    try:
        process.wait(POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return


def _kill(process):
    """End the process and what it started, and wait until it is gone."""
    if process.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.stdin.close()
    process.wait()
