"""Warnings of thresholds that say little about new rows."""

from sklearn_ae._compute import warn_user
from sklearn_ae.exceptions import ThresholdWarning

# Fewer rows say little about a threshold.
FEWEST_ROWS = 30


def warn_of_few(rows):
    """Warn where rows tell too little about a threshold."""
    if (rows == rows[0]).all():
        what = f"All {len(rows)} rows are equal"
    elif len(rows) < FEWEST_ROWS:
        what = f"{len(rows)} rows are few (fewer than {FEWEST_ROWS})"
    else:
        return
    warn_user(
        f"{what}: they say little about how far normal rows lie from each other, and so about "
        "the threshold. Give more rows, or call calibrate with normal ones.",
        ThresholdWarning,
    )


def warn_of_new_rows(contamination, flagged, n_left_out):
    """Warn where a far larger share than meant is flagged of rows that were left out."""
    if flagged <= 2 * contamination:
        return
    instead = "contamination='auto'"
    if n_left_out + 1 >= 1 / contamination:
        instead += (
            f", or calibration_fraction='folds' with false_positive_rate={contamination} "
            "if that share of new rows is meant"
        )
    warn_user(
        f"contamination={contamination} flags that share of the rows given to fit, but about "
        f"{flagged:.0%} of new rows of the same kind: rows that were learnt from lie nearer. "
        f"Use {instead}.",
        ThresholdWarning,
    )
