"""How far a row lies from the others, by its error and by its code."""

import numpy as np
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.extmath import randomized_svd

# Rows that the others are compared with to find their neighbours.
MOST_NEIGHBORS = 10_000
# Directions whose variances are kept one by one; the others share one.
MOST_DIRECTIONS = 1000
# Of the mean variance: the least that a direction may have.
SMALLEST_VARIANCE = 1e-10
# Of a feature's standard deviation: the least that its error is taken to be spread.
SMALLEST_SPREAD = 1e-6
# Share of the rows that a robust fit learns from, and how often it chooses them anew.
CORE_FRACTION = 0.75
CORE_STEPS = 3
# Draws that the curvature of the distance is estimated with: an error of 4 %.
CURVATURE_DRAWS = 1000
# Median absolute deviation to standard deviation of a normal distribution.
MAD_TO_STD = 1.4826


class ShrunkCovariance:
    r"""Centre of rows, and Ledoit and Wolf's shrunk covariance about it.

    .. math:: \Sigma = (1 - \delta) S + \delta \bar\lambda I

    with :math:`\bar\lambda` the mean eigenvalue of the covariance :math:`S` and :math:`\delta` by
    [1]_. Of more than 1000 columns, the directions after the first share their mean variance.

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
        shrinkage = ledoit_wolf_shrinkage(centred, assume_centered=True) if total > 0 else 0.0
        n_left = n_columns - len(values)
        left = max(total - values.sum(), 0.0) / n_left if n_left else 0.0
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


def _principal_directions(centred, seed):
    """Variances in falling order and unit directions, 1000 at most."""
    n_rows, n_columns = centred.shape
    if n_columns <= MOST_DIRECTIONS:
        values, vectors = np.linalg.eigh(centred.T @ centred / n_rows)
        return np.maximum(values[::-1], 0.0), vectors.T[::-1]
    if n_rows <= MOST_DIRECTIONS:
        _, values, directions = np.linalg.svd(centred, full_matrices=False)
    else:
        _, values, directions = randomized_svd(centred, MOST_DIRECTIONS, random_state=seed)
    return values**2 / n_rows, directions


class Neighbors:
    """Distance to the k-th nearest of some rows.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_columns)
        The rows; of more than 10000, that many are drawn.
    n_neighbors : int
        Which neighbour the distance is taken to, the last one where there are fewer.
    seed : int
        Of the draw.
    """

    def __init__(self, rows, n_neighbors, seed):
        if len(rows) > MOST_NEIGHBORS:
            rows = rows[np.random.default_rng(seed).permutation(len(rows))[:MOST_NEIGHBORS]]
        # one more, as a row that is among the rows is no neighbour of its own
        self.index = NearestNeighbors(n_neighbors=min(n_neighbors + 1, len(rows))).fit(rows)

    def distances(self, rows):
        """Distance of each row; one row at its own place does not count as a neighbour.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_columns)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            The distances.
        """
        found, _ = self.index.kneighbors(rows)
        if found.shape[1] == 1:
            return found[:, 0]
        # distances come from differences of large products: to rounding only
        at_own_place = found[:, 0] <= 1e-7 * np.sqrt((rows**2).sum(axis=1))
        return np.where(at_own_place, found[:, -1], found[:, -2])


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
        self.center = float(np.median(logarithms))
        spread = MAD_TO_STD * float(np.median(np.abs(logarithms - self.center)))
        # half of the values may be equal, as in a table with few different rows
        self.spread = max(spread, 1e-3)

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


def core_of(rows, n_neighbors, seed):
    """The three quarters of the rows that lie closest to each other.

    The covariance of all rows, then, three times, that of the closest three quarters by it; last
    the same share by the sum of the logarithms of this distance and of the distance to a
    neighbour among them, each on the scale of its median and spread.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_columns)
        The rows.
    n_neighbors : int
        Which neighbour.
    seed : int
        Of what is drawn for large tables.

    Returns
    -------
    ndarray of shape (n_samples,), bool
        Which rows.
    """
    core = np.ones(len(rows), dtype=bool)
    for _ in range(CORE_STEPS):
        distances = ShrunkCovariance(rows[core], seed).squared_distances(rows)
        core = _closest(distances)
    spread = ShrunkCovariance(rows[core], seed).squared_distances(rows)
    apart = Neighbors(rows[core], n_neighbors, seed).distances(rows)
    return _closest(LogScale(spread)(spread) + LogScale(apart)(apart))


def _closest(distances):
    """Which rows have the smallest distances, ties by their order."""
    n_core = min(len(distances), max(2, int(np.ceil(CORE_FRACTION * len(distances)))))
    core = np.zeros(len(distances), dtype=bool)
    core[np.argsort(distances, kind="stable")[:n_core]] = True
    return core


class AnomalyScores:
    """All scores that errors and codes of rows give, learnt from those of training rows.

    Parameters
    ----------
    errors : ndarray of shape (n_samples, n_features)
        What the autoencoder leaves over of the training rows.
    codes : ndarray of shape (n_samples, n_components)
        Their codes.
    feature_spread : ndarray of shape (n_features,)
        Standard deviation of each feature.
    core : ndarray of shape (n_samples,), bool
        The rows that spreads, covariances and neighbours are taken from.
    n_neighbors : int
        Which neighbour the distance is taken to.
    seed : int
        Of what is drawn for large tables.
    """

    def __init__(self, errors, codes, feature_spread, core, n_neighbors, seed):
        joined = np.hstack([errors, codes])
        varying = feature_spread > 0
        usual = np.median(feature_spread[varying]) if varying.any() else 1.0
        # some features are never reconstructed wrongly, such as one that is constant
        least = SMALLEST_SPREAD * np.where(varying, feature_spread, usual)
        self.spread = np.maximum(np.sqrt(np.mean(errors[core] ** 2, axis=0)), least)
        self.code_covariance = ShrunkCovariance(codes[core], seed)
        self.covariance = ShrunkCovariance(joined[core], seed)
        self.near = Neighbors(joined[core], n_neighbors, seed)
        self.scales = [LogScale(distances) for distances in self._distances(errors, codes)]

    def _distances(self, errors, codes):
        joined = np.hstack([errors, codes])
        return self.covariance.squared_distances(joined), self.near.distances(joined)

    def reconstruction(self, errors, codes):
        """Squared error, the sum over features."""
        return (errors**2).sum(axis=1)

    def standardized(self, errors, codes):
        """Squared error over the mean squared error of each feature, the sum over features."""
        return ((errors / self.spread) ** 2).sum(axis=1)

    def mahalanobis(self, errors, codes):
        """Squared Mahalanobis distance of error and code together."""
        return self.covariance.squared_distances(np.hstack([errors, codes]))

    def latent(self, errors, codes):
        """Squared Mahalanobis distance of the code."""
        return self.code_covariance.squared_distances(codes)

    def neighbors(self, errors, codes):
        """Distance of error and code together to a neighbour."""
        return self.near.distances(np.hstack([errors, codes]))

    def auto(self, errors, codes):
        """Mean of log(1 + exp l) over the scaled logarithms l of both distances."""
        distances = self._distances(errors, codes)
        scaled = [scale(values) for scale, values in zip(self.scales, distances, strict=True)]
        # a row near the centre of a ring is not the more normal for that
        return np.logaddexp(0.0, scaled).mean(axis=0)
