"""How far a row lies from the others, by its error, its output and its code."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from sklearn_ae._anomaly.covariance import ShrunkCovariance
from sklearn_ae._anomaly.groups import groups_of
from sklearn_ae._anomaly.neighbors import Neighbors
from sklearn_ae._anomaly.robust import ROUNDING, core_of, median_and_spread
from sklearn_ae._anomaly.weights import mean_of, median, of_part
from sklearn_ae.utils._columns import DistinctColumns

# Least spread of a feature's error, as a share of the feature's standard deviation.
SMALLEST_SPREAD = 1e-6
# Least spread of the logarithms of squared Mahalanobis distances, as a share of what it is where
# rows are normally distributed.
SMALLEST_SHARE = 0.1
# Share of the rows from which on those that lie apart are a group of their own, by ``robust``;
# strays have less.
SMALLEST_GROUP = {"auto": 0.07, False: 0.07, True: 0.25}
# Rows among which groups are looked for, more of them where there are few columns.
MOST_JOINED, FEW_COLUMNS, MOST_OF_FEW_COLUMNS = 5000, 15, 10_000
# Product of what is at right angles but for the rounding of float32, as a share of the squares.
RIGHT_ANGLE = 1e-4


class LogScale:
    """Logarithm on the scale of its median and spread over some values.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        Distances, not negative.
    least_spread : float, default=0.0
        Spread of the logarithms that is taken at least where there is any.
    weight : ndarray of shape (n_samples,) or None
        Weights of the values.
    """

    def __init__(self, values, least_spread=0.0, weight=None):
        positive = (values > 0) & np.isfinite(values)
        usual = median(values[positive], of_part(weight, positive)) if positive.any() else 1e6
        self.least = 1e-6 * usual
        logarithms = self._log(values)
        apart = np.abs(logarithms - median(logarithms, weight)) > ROUNDING
        if apart.any() and 2 * mean_of(apart, weight) <= 1:
            # half are equal, such as distances of zero: the others tell how far is far
            logarithms, weight = logarithms[apart], of_part(weight, apart)
        self.center, self.spread = median_and_spread(logarithms, weight)
        self.spread = max(self.spread, least_spread) if self.spread > 0 else 1.0

    def _log(self, values):
        return np.log(np.clip(values, self.least, np.finfo(float).max))

    def __call__(self, values):
        """Scale values, of shape (n_samples,)."""
        return (self._log(values) - self.center) / self.spread


class AnomalyScores:
    """All scores that errors, outputs and codes of rows give, learnt from those of training rows.

    Errors and outputs stand side by side: a code may be rescaled or bent at will, its output is
    in the units of the data.

    Parameters
    ----------
    split : SplitErrors
        Of the training rows: ``errors`` that the autoencoder leaves over, of shape (n_rows,
        n_features), ``outputs``, which are the rows less the errors, and ``codes`` of shape
        (n_rows, n_components).
    robust : bool or "auto"
        Which rows spreads and covariances are taken from; see `core_of`.
    n_neighbors : int
        Nearest rows that the distance is taken to.
    seed : int
        Of what is drawn for large tables.
    weight : ndarray of shape (n_rows,) or None
        Weights of the rows; neighbours are taken without.
    is_isometric : bool
        Whether errors and outputs side by side are at the same distances as their sums, but for
        outputs that are held near the range of the data; then those of the sums are taken.

    Attributes
    ----------
    core : ndarray of shape (n_rows,), bool
        The rows that spreads and covariances are taken from.
    """

    def __init__(self, split, robust, n_neighbors, seed, weight=None, is_isometric=False):
        self.is_isometric = is_isometric
        self.columns = DistinctColumns(self._beside(split.errors, split.outputs))
        joined = self.side_by_side(split)
        n_columns = split.errors.shape[1] + split.outputs.shape[1]
        group, is_stray = _groups(joined, SMALLEST_GROUP[robust], seed, weight)
        others = np.flatnonzero(~is_stray) if robust else np.arange(len(joined))
        self.near = Neighbors(joined[others], n_neighbors, seed)
        mean, greatest, place, without_itself = self.near.nearest(joined)
        self.near_left_out = mean.copy()
        drawn = others[self.near.drawn]
        self.near_left_out[drawn] = without_itself[drawn]
        self.group_of_place = group[drawn]
        self.group = self.group_of_place[place]
        self.n_groups = int(group.max()) + 1
        # the greatest: rows of a group with fewer than the neighbours asked for are far from theirs
        self.core = np.full(len(joined), True)
        for of_group in self._rows_by_group(self.group):
            self.core[of_group] = core_of(greatest[of_group], robust, of_part(weight, of_group))
        if robust:
            self.core &= ~is_stray
        core, of_core = self.core, of_part(weight, self.core)
        self.spread = _spread_of_errors(split.errors[core], split.outputs[core], of_core)
        self.code_covariance = ShrunkCovariance(split.codes[core], seed, of_core)
        # of normal rows that of the logarithm of a chi-squared variable: with levels in place of
        # values it can be next to nothing
        least = SMALLEST_SHARE * np.sqrt(2.0 / split.outputs.shape[1])
        self.covariances, self.scales, self.near_scales = [], [], []
        for of_group in self._rows_by_group(self.group):
            kept, weights = of_group & core, of_part(weight, of_group)
            covariance = ShrunkCovariance(joined[kept], seed, of_part(weight, kept), n_columns)
            distances = covariance.squared_distances(joined[of_group])
            self.covariances.append(covariance)
            self.scales.append(LogScale(distances, least, weights))
            self.near_scales.append(LogScale(mean[of_group], weight=weights))

    def left_out_scores(self, name, split, weight=None):
        """Scores of the rows learnt from, each as if it had been none of them.

        The autoencoder stays as it is. The result has shape (n_rows,).
        """
        if name == "mahalanobis":
            return self._left_out_distances(split, weight)
        if name == "latent":
            core, distances = self.core, self.latent(split)
            distances[core] = self.code_covariance.left_out_distances(
                split.codes[core], of_part(weight, core)
            )
            return distances
        if name == "neighbors":
            return self.near_left_out
        if name == "standardized":
            return self._left_out_standardized(split, weight)
        if name == "auto":
            distances = self._left_out_distances(split, weight)
            return self._together(distances, self.near_left_out, self.group)
        return getattr(self, name)(split)

    def _left_out_distances(self, split, weight):
        """Squared distances of the rows, those of the core by what the rest of it alone gives."""
        joined = self.side_by_side(split)
        distances = np.empty(len(joined))
        for number, of_group in enumerate(self._rows_by_group(self.group)):
            core, others = of_group & self.core, of_group & ~self.core
            covariance = self.covariances[number]
            distances[core] = covariance.left_out_distances(joined[core], of_part(weight, core))
            distances[others] = covariance.squared_distances(joined[others])
        return distances

    def _left_out_standardized(self, split, weight):
        """Standardised errors, those of the core by the spread of the rest of it."""
        squares, core = split.errors**2, self.core
        spread = np.broadcast_to(self.spread**2, squares.shape).copy()
        share = np.ones(int(core.sum())) if weight is None else weight[core]
        share = (share / share.sum())[:, None]
        if len(share) > 1:
            rest = (self.spread**2 - share * squares[core]) / np.maximum(1 - share, RIGHT_ANGLE)
            spread[core] = np.maximum(rest, SMALLEST_SPREAD * self.spread**2)
        return (squares / spread).sum(axis=1)

    def reconstruction(self, split):
        """Squared error, the sum over features."""
        return (split.errors**2).sum(axis=1)

    def standardized(self, split):
        """Squared error over the mean squared error of each feature, the sum over features."""
        return ((split.errors / self.spread) ** 2).sum(axis=1)

    def mahalanobis(self, split):
        """Squared Mahalanobis distance of error and output together, by the group of each row."""
        return self._squared_distances(self.side_by_side(split), self.group_of(split))

    def latent(self, split):
        """Squared Mahalanobis distance of the code."""
        return self.code_covariance.squared_distances(split.codes)

    def neighbors(self, split):
        """Mean distance of error and output together to the nearest rows."""
        return self.near.distances(self.side_by_side(split))[0]

    def auto(self, split):
        """Mean of log(1 + exp l) over the scaled logarithms l of both distances."""
        joined = self.side_by_side(split)
        mean, _, place, _ = self.near.nearest(joined)
        group = self.group_of_place[place]
        return self._together(self._squared_distances(joined, group), mean, group)

    def gradient(self, errors, outputs):
        """Half the gradient of "mahalanobis" over errors and outputs of rows."""
        joined = self._beside(errors, outputs)
        found = np.empty_like(joined)
        group = self._group_of(self.columns(joined))
        for number, of_group in enumerate(self._rows_by_group(group)):
            covariance = self.covariances[number].widened(self.columns)
            found[of_group] = covariance.scaled(joined[of_group] - covariance.center, -1)
        return self.over_both(found)

    def over_both(self, gradient):
        """A gradient over what is side by side, as those over errors and over outputs."""
        return (gradient, gradient) if self.is_isometric else np.hsplit(gradient, 2)

    def cores(self):
        """Covariance of each group and the rows that it is taken from."""
        of_groups = self._rows_by_group(self.group)
        return [
            (covariance.widened(self.columns), of_group & self.core)
            for covariance, of_group in zip(self.covariances, of_groups, strict=True)
        ]

    def group_of(self, split):
        """Group of each row, that of the nearest row learnt from, from 0 on."""
        return self._group_of(self.side_by_side(split))

    def side_by_side(self, split):
        """Errors and outputs of rows as what distances are taken of, of shape (n_rows, ...)."""
        return self.columns(self._beside(split.errors, split.outputs))

    def _beside(self, errors, outputs):
        # at right angles, they are at the same distances as their sums, which are half as wide
        return errors + outputs if self.is_isometric else np.hstack([errors, outputs])

    def _group_of(self, joined):
        if self.n_groups == 1:
            return np.zeros(len(joined), dtype=int)
        return self.group_of_place[self.near.nearest(joined)[2]]

    def _rows_by_group(self, group):
        """Which rows are of each group."""
        return [group == number for number in range(self.n_groups)]

    def _squared_distances(self, joined, group):
        """Squared distance of each row by the covariance of its group."""
        distances = np.empty(len(joined))
        for number, of_group in enumerate(self._rows_by_group(group)):
            distances[of_group] = self.covariances[number].squared_distances(joined[of_group])
        return distances

    def _together(self, squared_distances, near, group):
        """The score "auto" from its two parts."""
        scaled = np.empty((2, len(group)))
        for number, of_group in enumerate(self._rows_by_group(group)):
            scaled[0, of_group] = self.scales[number](squared_distances[of_group])
            scaled[1, of_group] = self.near_scales[number](near[of_group])
        # a row near the centre of a ring is not the more normal for that
        return np.logaddexp(0.0, scaled).mean(axis=0)


def _groups(rows, smallest_share, seed, weight):
    """Group of each row and which are strays; where there are many rows, by those drawn."""
    most = MOST_OF_FEW_COLUMNS if rows.shape[1] <= FEW_COLUMNS else MOST_JOINED
    if len(rows) <= most:
        return groups_of(rows, smallest_share, seed, weight)
    places = np.random.default_rng(seed).permutation(len(rows))[:most]
    drawn = rows[places]
    group, is_stray = groups_of(drawn, smallest_share, seed, of_part(weight, places))
    if group.max() == 0 and not is_stray.any():
        return np.zeros(len(rows), dtype=int), np.zeros(len(rows), dtype=bool)
    index = NearestNeighbors(n_neighbors=1).fit(drawn)
    nearest = index.kneighbors(rows, return_distance=False)[:, 0]
    return group[nearest], is_stray[nearest]


def is_isometric(split):
    """Whether errors and outputs of rows are at right angles, as those of PCA are.

    Distances between rows, errors and outputs side by side, are then those of the rows themselves.
    """
    errors, outputs = np.diff(split.errors, axis=0), np.diff(split.outputs, axis=0)
    products, *squares = (
        np.einsum("ij,ij->i", *pair)
        for pair in ((errors, outputs), (errors, errors), (outputs, outputs))
    )
    lengths = (split.errors**2).sum(axis=1) + (split.outputs**2).sum(axis=1)
    # what is left of equal rows is rounding, at any angle
    differs = sum(squares) > ROUNDING**2 * (lengths[1:] + lengths[:-1])
    return bool((np.abs(products) <= RIGHT_ANGLE * sum(squares))[differs].all())


def _spread_of_errors(errors, outputs, weight):
    """Root mean square of each feature's error, which is not taken to be less than rounding."""
    # no errors where outputs are scored alone
    rows = errors + outputs[:, : errors.shape[1]]
    feature_spread = np.sqrt(mean_of((rows - mean_of(rows, weight)) ** 2, weight))
    varying = feature_spread > 0
    typical = np.median(feature_spread[varying]) if varying.any() else 1.0
    # some features are never reconstructed wrongly, such as one that is constant
    least = SMALLEST_SPREAD * np.where(varying, feature_spread, typical)
    return np.maximum(np.sqrt(mean_of(errors**2, weight)), least)
