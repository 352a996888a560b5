"""How far a row lies from the others, by its error, its output and its code."""

import numpy as np
from sklearn.utils.extmath import randomized_svd

from sklearn_ae._neighbors import Neighbors

# Directions whose variances are kept one by one; the others share one.
MOST_DIRECTIONS = 2000
# Of the mean variance: the least that a direction may have.
SMALLEST_VARIANCE = 1e-10
# Of a feature's standard deviation: the least that its error is taken to be spread.
SMALLEST_SPREAD = 1e-6
# Share of the rows that are closest to their neighbours: what most rows are like.
CORE_FRACTION = 0.75
# Deviations above the median from which a row lies far from its neighbours, and the least weight
# that such a row has in training.
FAR_APART, SMALLEST_WEIGHT = 3.0, 0.05
# Percentile of a feature, and how many times as far from the median its fence lies.
FENCE_PERCENT, FENCE = 5, 5.0
# Draws that the curvature of the distance is estimated with: an error of 4 %.
CURVATURE_DRAWS = 1000
# Median absolute deviation to standard deviation of a normal distribution.
MAD_TO_STD = 1.4826
# Relative difference of numbers that are equal but for the order of a sum.
ROUNDING = 1e-9


class ShrunkCovariance:
    r"""Centre of rows, and Ledoit and Wolf's shrunk covariance about it.

    .. math:: \Sigma = (1 - \delta) S + \delta \bar\lambda I

    with :math:`\bar\lambda` the mean eigenvalue of the covariance :math:`S` and :math:`\delta` by
    [1]_. Of more than 2000 columns, the directions after the first share their mean variance.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_columns)
        The rows.
    seed : int
        Of the randomised decomposition that very wide tables take.

    References
    ----------
    .. [1] O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance
       matrices", Journal of Multivariate Analysis 88, 2004,
       :doi:`10.1016/S0047-259X(03)00096-4`.
    """

    def __init__(self, rows, seed):
        n_columns = rows.shape[1]
        self.center = rows.mean(axis=0)
        centred = rows - self.center
        values, self.directions = _principal_directions(centred, seed)
        total = float(np.mean(centred**2)) * n_columns
        mean = total / n_columns if total > 0 else 1.0
        n_left = n_columns - len(values)
        left = max(total - values.sum(), 0.0) / n_left if n_left else 0.0
        shrinkage = _shrinkage(centred, values, left) if total > 0 else 0.0
        least = SMALLEST_VARIANCE * mean

        def shrunk(variances):
            return np.maximum((1 - shrinkage) * variances + shrinkage * mean, least)

        self.variances, self.other_variance = shrunk(values), float(shrunk(left))

    def scaled(self, vectors, power):
        """Vectors times a power of the covariance.

        Parameters
        ----------
        vectors : ndarray of shape (n, n_columns)
            The vectors, without the centre.
        power : float
            The power, such as -1.

        Returns
        -------
        ndarray of shape (n, n_columns)
            The products.
        """
        along = vectors @ self.directions.T
        other = self.other_variance**power
        return other * vectors + (along * (self.variances**power - other)) @ self.directions

    def squared_distances(self, rows):
        """Squared Mahalanobis distance of rows from the centre.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_columns)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            The distances.
        """
        centred = rows - self.center
        along = centred @ self.directions.T
        # what lies along no direction kept; none does where all are kept
        beside = np.maximum((centred**2).sum(axis=1) - (along**2).sum(axis=1), 0.0)
        if len(self.variances) == rows.shape[1]:
            beside = 0.0
        return (along**2 / self.variances).sum(axis=1) + beside / self.other_variance


def _shrinkage(centred, values, left):
    """Ledoit and Wolf's delta from the eigenvalues; the last ones share the value ``left``."""
    n_rows, n_columns = centred.shape
    n_left = n_columns - len(values)
    mean = (values.sum() + n_left * left) / n_columns
    # scaled to a mean of one: squares of tiny or huge variances leave the range of numbers
    squares = np.sum((values / mean) ** 2) + n_left * (left / mean) ** 2
    dispersion = squares - n_columns
    lengths = (centred**2).sum(axis=1) / mean
    noise = (np.mean(lengths**2) - squares) / n_rows
    return float(np.clip(noise / dispersion, 0.0, 1.0)) if dispersion > 0 else 0.0


def _principal_directions(centred, seed):
    """Variances in falling order and unit directions, 2000 at most."""
    n_rows, n_columns = centred.shape
    if n_columns <= MOST_DIRECTIONS:
        values, vectors = np.linalg.eigh(centred.T @ centred / n_rows)
        return np.maximum(values[::-1], 0.0), vectors.T[::-1]
    if n_rows <= MOST_DIRECTIONS:
        # far faster than a singular value decomposition; directions of tiny variance are inexact
        values, of_rows = np.linalg.eigh(centred @ centred.T / n_rows)
        kept = values > SMALLEST_VARIANCE * max(values[-1], 0.0)
        values, of_rows = values[kept][::-1], of_rows[:, kept].T[::-1]
        return values, of_rows @ centred / np.sqrt(values * n_rows)[:, None]
    _, values, directions = randomized_svd(centred, MOST_DIRECTIONS, random_state=seed % 2**32)
    return values**2 / n_rows, directions


def median_and_spread(values):
    """Median, and the standard deviation by the median absolute deviation from it.

    Where half of the values or more are equal, as in a table with few different rows, it is the
    median of the deviations of the others.

    Parameters
    ----------
    values : ndarray of shape (n,)
        The values.

    Returns
    -------
    median, spread : float
        The two numbers.
    """
    median = float(np.median(values))
    deviations = np.abs(values - median)
    spread = MAD_TO_STD * float(np.median(deviations))
    apart = deviations[deviations > ROUNDING * abs(median)]
    if spread <= ROUNDING * abs(median):
        spread = MAD_TO_STD * float(np.median(apart)) if len(apart) else 0.0
    return median, spread


class LogScale:
    """Logarithm on the scale of its median and spread over some values.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        Distances, not negative.
    """

    def __init__(self, values):
        positive = values[(values > 0) & np.isfinite(values)]
        self.least = 1e-6 * np.median(positive) if len(positive) else 1.0
        logarithms = self._log(values)
        median = np.median(logarithms)
        apart = logarithms[np.abs(logarithms - median) > ROUNDING]
        if len(apart) and 2 * len(apart) <= len(logarithms):
            # half are equal, such as distances of zero: the others tell how far is far
            logarithms = apart
        self.center, self.spread = median_and_spread(logarithms)
        if self.spread == 0:
            self.spread = 1.0

    def _log(self, values):
        return np.log(np.clip(values, self.least, np.finfo(float).max))

    def __call__(self, values):
        """Scale values.

        Parameters
        ----------
        values : ndarray of shape (n_samples,)
            Distances.

        Returns
        -------
        ndarray of shape (n_samples,)
            Their logarithms less the median, over the spread.
        """
        return (self._log(values) - self.center) / self.spread


def within_fences(rows):
    """Rows with what lies far out in one feature moved to a fence.

    The fences lie five times as far from the median as the 5th and the 95th percentile do. There
    is none on a side where that percentile is the median, as of a rare indicator.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
        The rows.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        A copy.
    """
    # values of the data: one between the 0 and the 1 of an indicator would be a fence before the 1
    lower = np.percentile(rows, FENCE_PERCENT, axis=0, method="higher")
    upper = np.percentile(rows, 100 - FENCE_PERCENT, axis=0, method="lower")
    median = np.median(rows, axis=0)
    least = np.where(lower < median, median - FENCE * (median - lower), -np.inf)
    most = np.where(upper > median, median + FENCE * (upper - median), np.inf)
    return np.clip(rows, least, most)


def usual_distance(distances):
    """Distance from which a row lies far from its neighbours.

    Parameters
    ----------
    distances : ndarray of shape (n_samples,)
        Distance of each row to its k-th neighbour.

    Returns
    -------
    float
        Three deviations above the median, by the median absolute deviation.
    """
    median, spread = median_and_spread(distances)
    return median + max(FAR_APART * spread, ROUNDING * median)


def down_weights(distances):
    """Weight of each row in training, one but for rows far from their neighbours.

    Beyond the usual distance it falls with the square of the distance: a loss that grows with it
    is then bounded.

    Parameters
    ----------
    distances : ndarray of shape (n_samples,)
        Distance of each row to its k-th neighbour.

    Returns
    -------
    ndarray of shape (n_samples,) or None
        The weights; None where all are one.
    """
    limit = usual_distance(distances)
    if distances.max() <= limit:
        return None
    return np.maximum((limit / np.maximum(distances, limit)) ** 2, SMALLEST_WEIGHT)


def usual(distances):
    """Which rows are not far from their neighbours.

    Parameters
    ----------
    distances : ndarray of shape (n_samples,)
        Distance of each row to its k-th neighbour: a group with enough rows stays, however far
        from the others it lies.

    Returns
    -------
    ndarray of shape (n_samples,), bool
        Which rows.
    """
    return distances <= usual_distance(distances)


def closest(distances):
    """Which three quarters of the rows have the smallest distances, more where there are ties.

    Parameters
    ----------
    distances : ndarray of shape (n_samples,)
        Distance of each row to its k-th neighbour.

    Returns
    -------
    ndarray of shape (n_samples,), bool
        Which rows.
    """
    last = np.quantile(distances, CORE_FRACTION, method="higher")
    return distances <= last * (1 + ROUNDING)


class AnomalyScores:
    """All scores that errors, outputs and codes of rows give, learnt from those of training rows.

    Errors and outputs stand side by side: a code may be rescaled or bent at will, its output is
    in the units of the data.

    Parameters
    ----------
    decomposed : tuple of ndarray
        Of the training rows: what the autoencoder leaves over, the errors, of shape (n_samples,
        n_features); what it does not leave over, the outputs, which are the rows less the errors;
        the codes, of shape (n_samples, n_components).
    choose_core : callable or None
        Gets the distances to the k-th neighbour and says which rows are the core: `usual` or
        `closest`; None takes all rows.
    n_neighbors : int
        Nearest rows that the distance is taken to.
    seed : int
        Of what is drawn for large tables.
    left_out : ndarray of shape (n_samples,), bool, or None, default=None
        Rows that spreads and covariances are not learnt from, see `learn`.

    Attributes
    ----------
    core : ndarray of shape (n_samples,), bool
        The rows that spreads and covariances are taken from, but for those left out.
    """

    def __init__(self, decomposed, choose_core, n_neighbors, seed, left_out=None):
        joined = np.hstack(decomposed[:2])
        self.seed = seed
        self.near = Neighbors(joined, n_neighbors, seed)
        mean, greatest = self.near.distances(joined)
        # the greatest: rows of a group with fewer than the neighbours asked for are far from theirs
        self.core = choose_core(greatest) if choose_core else np.full(len(joined), True)
        self.near_scale = LogScale(mean)
        self.learn(decomposed, left_out)

    def learn(self, decomposed, left_out=None):
        """Learn spreads, covariances and their scale anew, with or without some of the rows.

        Parameters
        ----------
        decomposed : tuple of ndarray
            The training rows again.
        left_out : ndarray of shape (n_samples,), bool, or None, default=None
            Rows not to learn from. To their nearest rows nothing changes: no row is its own.
        """
        kept = np.full(len(self.core), True) if left_out is None else ~left_out
        decomposed = [part[kept] for part in decomposed]
        errors, outputs, codes = (part[self.core[kept]] for part in decomposed)
        self.spread = _spread_of_errors(errors, outputs)
        self.code_covariance = ShrunkCovariance(codes, self.seed)
        self.covariance = ShrunkCovariance(np.hstack([errors, outputs]), self.seed)
        self.scale = LogScale(self.mahalanobis(*decomposed))

    def reconstruction(self, errors, outputs, codes):
        """Squared error, the sum over features."""
        return (errors**2).sum(axis=1)

    def standardized(self, errors, outputs, codes):
        """Squared error over the mean squared error of each feature, the sum over features."""
        return ((errors / self.spread) ** 2).sum(axis=1)

    def mahalanobis(self, errors, outputs, codes):
        """Squared Mahalanobis distance of error and output together."""
        return self.covariance.squared_distances(np.hstack([errors, outputs]))

    def latent(self, errors, outputs, codes):
        """Squared Mahalanobis distance of the code."""
        return self.code_covariance.squared_distances(codes)

    def neighbors(self, errors, outputs, codes):
        """Mean distance of error and output together to the nearest rows."""
        return self.near.distances(np.hstack([errors, outputs]))[0]

    def auto(self, errors, outputs, codes):
        """Mean of log(1 + exp l) over the scaled logarithms l of both distances."""
        scaled = (
            self.scale(self.mahalanobis(errors, outputs, codes)),
            self.near_scale(self.neighbors(errors, outputs, codes)),
        )
        # a row near the centre of a ring is not the more normal for that
        return np.logaddexp(0.0, scaled).mean(axis=0)


def _spread_of_errors(errors, outputs):
    """Root mean square of each feature's error, which is not taken to be less than rounding."""
    # no errors where outputs are scored alone
    feature_spread = (errors + outputs[:, : errors.shape[1]]).std(axis=0)
    varying = feature_spread > 0
    typical = np.median(feature_spread[varying]) if varying.any() else 1.0
    # some features are never reconstructed wrongly, such as one that is constant
    least = SMALLEST_SPREAD * np.where(varying, feature_spread, typical)
    return np.maximum(np.sqrt(np.mean(errors**2, axis=0)), least)
