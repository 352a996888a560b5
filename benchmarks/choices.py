"""What a case reads back from its own finished cells, to choose by their figures."""

from benchmarks.harness import RESULTS, lines_with, read_lines, result_file


def earlier_lines(case, options, **wanted):
    """Result lines of the finished cells of a case that have these settings.

    Parameters
    ----------
    case : str
        Name of the case.
    options : Options
        Options of the run. A smoke run has result lines of its own, beside its cache.
    **wanted
        Values of settings, or of "data", "seed" and "method".

    Returns
    -------
    list of dict
        The lines, those of cells that were stopped at their limit too.
    """
    folder = options.cache.parent if options.smoke else RESULTS
    return lines_with(read_lines(result_file(case, options.device, folder)), **wanted)


def check_finished(lines, number, options):
    """Raise where fewer cells are finished than the choice is to be made from."""
    finished = {str((line["data"], line["seed"], line["settings"])) for line in lines}
    if not finished or (len(finished) < number and not options.smoke):
        raise RuntimeError(f"{len(finished)} of the {number} cells to choose from are finished.")
