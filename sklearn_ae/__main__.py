"""The command line: ``sklearn-ae`` and ``python -m sklearn_ae``."""

import argparse
import sys

INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        """One line, where argparse writes the usage too."""
        self.exit(2, f"sklearn-ae: error: {message}\n")


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    status : int
        0, 1 where results could not be written or every reducer failed, 2 for bad input,
        130 after Ctrl-C.
    """
    try:
        arguments = _parser().parse_args(argv)
        return arguments.run(arguments)
    except KeyboardInterrupt:
        print("sklearn-ae: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, TypeError, OSError, ImportError, MemoryError) as error:
        from sklearn_ae.comparison._data import first_line

        print(f"sklearn-ae: error: {first_line(error)}", file=sys.stderr)
        return 2


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
