"""Scores of rows that a detector's autoencoder has not learnt from, each left out in one fold."""

import numpy as np
from sklearn.model_selection import KFold
from sklearn.utils.parallel import Parallel, delayed

from sklearn_ae._anomaly import calibration_rank
from sklearn_ae.utils._rows import sets_of_equal_rows

FOLDS = 5
# Rows that an autoencoder does not learn from, so that they tell how new ones score: a share, or
# this many if that is more. With fewer rows, of which these were more than a fifth, each is left
# out once, in so many folds.
THRESHOLD_FRACTION, THRESHOLD_ROWS = 0.1, 50
FEWEST_ROWS_TO_HOLD_OUT = FOLDS * THRESHOLD_ROWS
# With fewer rows the scale of a column with heavy tails is that of its few large values, and those
# who have them must not be judged by it: to calibrate, each row is left out of a fit of its own.
FEWEST_ROWS = 100


def parts_of_rows(n_rows, seed, calibration_fraction, false_positive_rate, holds_out):
    """Which rows the network learns from, which are left out of that, and which calibrate.

    The result has shape (3, n_rows), bool.
    """
    order = np.random.default_rng(seed).permutation(n_rows)
    parts = np.zeros((3, n_rows), dtype=bool)
    n_calibration = n_held_out = 0
    if isinstance(calibration_fraction, str):  # all rows, in folds
        calibration_rank(false_positive_rate, n_rows)
    elif calibration_fraction:
        n_calibration = round(calibration_fraction * n_rows)
        calibration_rank(false_positive_rate, n_calibration)
    elif holds_out and n_rows >= FEWEST_ROWS_TO_HOLD_OUT:
        n_held_out = round(max(THRESHOLD_FRACTION * n_rows, THRESHOLD_ROWS))
    n_left = n_rows - n_calibration
    if n_left < 2:
        raise ValueError(
            f"calibration_fraction={calibration_fraction} leaves {n_left} of {n_rows} "
            "rows to learn from; at least 2 are needed."
        )
    parts[2, order[:n_calibration]] = True
    parts[1, order[n_calibration : n_calibration + n_held_out]] = True
    parts[0] = ~(parts[1] | parts[2])
    return parts


def left_out_in_folds(score_fold, rows, seed, n_jobs, n_folds=FOLDS):
    """Score of each row by what has learnt from other rows.

    Parameters
    ----------
    score_fold : callable
        ``score_fold(which)``, of shape (n_rows,), gives the scores of these rows by what has learnt
        from the others.
    rows : ndarray of shape (n_rows, n_features)
        The rows.
    seed : int
        Of the folds.
    n_jobs : int or None
        Folds at a time.
    n_folds : int, default=5
        Folds; no more than there are rows.

    Returns
    -------
    scores : ndarray of shape (n_rows,)
        Of equal rows the mean of their scores, as they are at one place.
    """
    folds = KFold(min(n_folds, len(rows)), shuffle=True, random_state=seed % 2**32)
    left_out = [np.isin(np.arange(len(rows)), places) for _, places in folds.split(rows)]
    scores = np.empty(len(rows))
    found = Parallel(n_jobs=n_jobs)(delayed(score_fold)(which) for which in left_out)
    for which, of_fold in zip(left_out, found, strict=True):
        scores[which] = of_fold
    _, of_row = sets_of_equal_rows(rows)
    means = np.bincount(of_row, weights=scores) / np.bincount(of_row)
    return means[of_row]
