"""A process that keeps an object of `contenders`, `detectors` or `fits` alive, in any environment.

It reads one JSON object a line from standard input, ``{"call": name, "arguments": {...}}``,
and answers each with one line, ``{"value": ...}`` or ``{"error": ...}``. The first call names
the class to make; arguments that end in ".npy" are loaded.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".venv-peers" / "bin" / "python"


class Remote:
    """Object of a class of those modules that lives in the environment of the peers.

    Parameters
    ----------
    class_name : str
        Name of the class.
    n_threads : int
        Threads the process may use.
    **arguments
        Arguments of the class; arrays are handed over as files.
    """

    def __init__(self, class_name, n_threads, **arguments):
        if not PEERS.is_file():
            raise RuntimeError("no .venv-peers: run `make bench-peers`")
        self.folder = tempfile.TemporaryDirectory()
        environment = os.environ | {"OMP_NUM_THREADS": str(n_threads), "PYTHONPATH": str(ROOT)}
        environment |= {"TF_NUM_INTRAOP_THREADS": str(n_threads), "TF_CPP_MIN_LOG_LEVEL": "2"}
        self.process = subprocess.Popen(
            [PEERS, "-m", "benchmarks.worker"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.call(class_name, **{name: self.hand_over(arguments, name) for name in arguments})

    def hand_over(self, arguments, name):
        """The argument, or the path of a file that holds it."""
        if not isinstance(arguments[name], np.ndarray):
            return arguments[name]
        path = Path(self.folder.name) / f"{name}.npy"
        np.save(path, arguments[name])
        return str(path)

    def call(self, method, **arguments):
        """What a method of the object returns."""
        print(json.dumps({"call": method, "arguments": arguments}), file=self.process.stdin)
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "the peer died"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]

    def epochs(self, n):
        """Seconds of `n` successive epochs."""
        return self.call("epochs", n=n)

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()


def peer_versions():
    """Versions of the peers, empty where their environment is missing."""
    if not PEERS.is_file():
        return {}
    code = (
        "from importlib.metadata import version as v; import json;"
        "print(json.dumps({p: v(p) for p in ('keras', 'tensorflow-cpu', 'pyod', 'torch')}))"
    )
    run = subprocess.run([PEERS, "-c", code], capture_output=True, text=True)
    return json.loads(run.stdout) if run.returncode == 0 else {}


def answer(target, request):
    """Do one request; the object to keep and the value to send."""
    arguments = {
        name: np.load(value) if str(value).endswith(".npy") else value
        for name, value in request["arguments"].items()
    }
    if target is None:
        from benchmarks import contenders, detectors, fits

        homes = (contenders, detectors, fits)
        home = next(module for module in homes if hasattr(module, request["call"]))
        return getattr(home, request["call"])(**arguments), None
    return target, getattr(target, request["call"])(**arguments)


def serve():
    """Answer requests until standard input ends."""
    # Libraries print to file descriptor 1: answers get a copy of it, the rest goes to stderr.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    target = None
    for request in sys.stdin:
        try:
            target, value = answer(target, json.loads(request))
        except Exception as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=answers)
        else:
            print(json.dumps({"value": value}), file=answers)


if __name__ == "__main__":
    serve()
