"""Run a benchmark: `python benchmarks/run.py CASE [--device cpu] [--only key=value ...]`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # The checkout is measured, whichever version of the package is installed.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from benchmarks.harness import main

    sys.exit(main())
