"""Scores of rows that a detector's autoencoder has not learnt from, each left out in one fold."""

import numpy as np
from sklearn.model_selection import KFold
from sklearn.utils.parallel import Parallel, delayed

from sklearn_ae.utils._rows import sets_of_equal_rows

FOLDS = 5


def left_out_in_folds(score_fold, rows, seed, n_jobs):
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

    Returns
    -------
    scores : ndarray of shape (n_rows,)
        Of equal rows the mean of their scores, as they are at one place.
    """
    folds = KFold(min(FOLDS, len(rows)), shuffle=True, random_state=seed % 2**32)
    left_out = [np.isin(np.arange(len(rows)), places) for _, places in folds.split(rows)]
    scores = np.empty(len(rows))
    found = Parallel(n_jobs=n_jobs)(delayed(score_fold)(which) for which in left_out)
    for which, of_fold in zip(left_out, found, strict=True):
        scores[which] = of_fold
    _, of_row = sets_of_equal_rows(rows)
    means = np.bincount(of_row, weights=scores) / np.bincount(of_row)
    return means[of_row]
