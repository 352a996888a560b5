"""The command line: ``sklearn-ae`` and ``python -m sklearn_ae``."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Sequence

INTERRUPTED = 130
TERMINATED = 143


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        """One line, where argparse writes the usage too."""
        self.exit(2, f"sklearn-ae: error: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    if hasattr(sys.stdout, "reconfigure"):
        # A character that the terminal cannot show must not cost the results.
        sys.stdout.reconfigure(errors="replace")
    try:
        with _terminable():
            arguments = _parser().parse_args(argv)
            arguments.words = sys.argv[1:] if argv is None else list(argv)
            return arguments.run(arguments)
    except KeyboardInterrupt:
        print("sklearn-ae: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, TypeError, OSError, ImportError, MemoryError) as error:
        from sklearn_ae.comparison._files import first_line

        print(f"sklearn-ae: error: {first_line(error)}", file=sys.stderr)
        return 2


@contextlib.contextmanager
def _terminable():
    """SIGTERM ends what runs inside by an exception, so that it cleans up."""
    # Only the main thread may set handlers.
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number, frame):
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        # None stands for a handler that Python did not set: it cannot be put back.
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _parser():
    from sklearn_ae import __version__
    from sklearn_ae.comparison import _command

    parser = _Parser(
        prog="sklearn-ae",
        description="Autoencoders as scikit-learn transformers that start at PCA.",
    )
    parser.add_argument("--version", action="version", version=f"sklearn-ae {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _command.add_parser(commands, argparse.RawDescriptionHelpFormatter)
    return parser


if __name__ == "__main__":
    sys.exit(main())
