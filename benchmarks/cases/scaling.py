"""Fit time and peak memory over 10^4 to 10^6 rows of 32 features, at fixed `max_iter`.

Rows of the donors table of ADBench (619326 x 10, standardised), repeated in order up to the
wanted number, with 22 products of random pairs of columns beside the 10 columns and Gaussian
noise of 0.1 on all (so that repeated rows differ); float32. Memory is the high-water mark of the
resident set during `fit` less the resident set before it: the array, read from a file made by
another process, was there before and does not count.
"""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

from benchmarks.harness import ROOT, figures_with, fit_time, seconds
from sklearn_ae import Autoencoder, VariationalAutoencoder
from sklearn_ae.datasets import fetch_adbench

N_ROWS = (10_000, 100_000, 1_000_000)
N_FEATURES = 32
MAX_ITER = 3
METHODS = {"Autoencoder": Autoencoder, "VariationalAutoencoder": VariationalAutoencoder}


def cells():
    """Cells of the case."""
    return [
        {"data": f"donors, {n} x {N_FEATURES}", "seed": 0, "method": method, "n_rows": n}
        for method in ("PCA", *METHODS)
        for n in N_ROWS
    ]


def write_table(n_rows, path):
    """Write the matrix to a file."""
    donors = fetch_adbench("donors").data
    donors = (donors - donors.mean(axis=0)) / donors.std(axis=0)
    rng = np.random.default_rng(0)
    pairs = rng.integers(donors.shape[1], size=(2, N_FEATURES - donors.shape[1]))
    X = np.hstack([donors, donors[:, pairs[0]] * donors[:, pairs[1]]]).astype(np.float32)
    X = np.resize(X, (n_rows, N_FEATURES))
    X += 0.1 * rng.standard_normal(X.shape, dtype=np.float32)
    np.save(path, X)


class PeakMemory:
    """Bytes of resident memory at most during a block, above those before it."""

    def __enter__(self):
        import psutil

        self.process = psutil.Process()
        self.before = self.peak = self.process.memory_info().rss
        self.resets = reset_high_water()
        self.done = threading.Event()
        self.watcher = threading.Thread(target=self.watch)
        self.watcher.start()
        return self

    def watch(self):
        """Look every five milliseconds, where the system does not keep a resettable mark."""
        while not self.resets and not self.done.wait(0.005):
            self.peak = max(self.peak, self.process.memory_info().rss)

    def __exit__(self, *error):
        self.done.set()
        self.watcher.join()
        self.peak = high_water() if self.resets else self.peak
        self.above = max(0, self.peak - self.before)


def reset_high_water():
    """Set Linux's high-water mark of this process to its present size; False elsewhere."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def high_water():
    """Linux's high-water mark of the resident set, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def run(cell, options):
    """Fit once, after a fit on a few rows that loads what is loaded late."""
    n_rows = options.rows(cell["n_rows"])
    path = options.cache / f"scaling-{n_rows}.npy"
    if not path.is_file():
        options.cache.mkdir(parents=True, exist_ok=True)
        code = "import sys; from benchmarks.cases.scaling import write_table;"
        code += "write_table(int(sys.argv[1]), sys.argv[2])"
        command = [sys.executable, "-c", code, str(n_rows), str(path)]
        subprocess.run(command, cwd=ROOT, check=True)
    X = np.load(path)
    make = METHODS.get(cell["method"])
    parameters = {"n_components": 2, "random_state": cell["seed"]}
    estimator = options.ours(make, max_iter=MAX_ITER, **parameters) if make else PCA(**parameters)
    estimator.fit(X[:50])
    time.sleep(0.5)  # memory freed by the small fit goes back
    with PeakMemory() as memory:
        fit_s, _ = seconds(estimator.fit, X)
    return {
        "fit_s": fit_s,
        "peak_bytes": memory.above,
        "data_bytes": X.nbytes,
        "peak_over_data": memory.above / X.nbytes,
        "max_iter": MAX_ITER,
    }


def tables(lines):
    """Seconds and memory per number of rows."""
    first, rows = {}, []
    for line in lines:
        figures, n_rows = line["figures"], line["settings"]["n_rows"]
        per_row = figures["fit_s"] / n_rows
        first.setdefault(line["method"], per_row)
        rows.append(
            {
                "method": line["method"],
                "rows": n_rows,
                "fit (s)": fit_time(figures),
                "per row, over that of the first": per_row / first[line["method"]],
                "peak memory (MB)": figures["peak_bytes"] / 1e6,
                "over the data": figures["peak_over_data"],
            }
        )
    return {f"{N_FEATURES} float32 features, max_iter={MAX_ITER}": rows}


def figures(lines):
    """Memory of a million rows beyond the data."""
    largest = figures_with(lines, method="Autoencoder", n_rows=10**6)
    return {"memory": f"{largest['peak_over_data']:.2f}"}
