"""Likelihoods: the distribution of the data given the code, for variational autoencoders."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_ae.objectives.likelihoods import (
    BernoulliLikelihood,
    CategoricalLikelihood,
    GaussianLikelihood,
)
from sklearn_ae.utils._parts import check_parameters
from sklearn_ae.utils._sklearn import Interval, StrOptions


class Gaussian(BaseEstimator):
    """Normal distribution with a learnt variance, for data that take any value.

    The estimator's ``noise_variance`` says whether features share one variance.

    Examples
    --------
    >>> from sklearn_ae import VariationalAutoencoder
    >>> from sklearn_ae.likelihoods import Gaussian
    >>> VariationalAutoencoder(likelihood=Gaussian()).likelihood
    Gaussian()
    """

    _parameter_constraints = {}  # noqa: RUF012

    bounded = False

    def check(self, X):
        """Any real data will do.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            The data.

        Returns
        -------
        dict
            What the module needs to know: nothing.
        """
        return {}

    def check_density(self, X):
        """Any real data have a density.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Data to be scored.
        """

    def module(self, variance):
        """The torch module.

        Parameters
        ----------
        variance : tensor of shape () or (n_features,)
            Where the variance starts.

        Returns
        -------
        torch.nn.Module
            The likelihood.
        """
        return GaussianLikelihood(variance)


class Bernoulli(BaseEstimator):
    """Independent binary features.

    Parameters
    ----------
    binarize : None or "dynamic", default=None
        With "dynamic", values in [0, 1] are taken as probabilities, and each visit of a row
        draws a new binary row from them, as input and as target.

    Examples
    --------
    >>> from sklearn_ae import VariationalAutoencoder
    >>> from sklearn_ae.likelihoods import Bernoulli
    >>> VariationalAutoencoder(likelihood=Bernoulli(binarize="dynamic")).likelihood
    Bernoulli(binarize='dynamic')
    """

    _parameter_constraints = {"binarize": [None, StrOptions({"dynamic"})]}  # noqa: RUF012

    bounded = True

    def __init__(self, binarize=None):
        self.binarize = binarize

    def check(self, X):
        """Check that values lie in [0, 1].

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            The data.

        Returns
        -------
        dict
            What the module needs to know.

        Raises
        ------
        ValueError
            If a value lies outside.
        """
        check_parameters(self)
        check_unit_interval(X, "likelihood='bernoulli'")
        return {"binarize": self.binarize}

    def check_density(self, X):
        """Warn of values strictly between 0 and 1, which have no probability.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Data to be scored.
        """
        if np.any((X > 0) & (X < 1)):
            warnings.warn(
                "X has values strictly between 0 and 1 under likelihood='bernoulli', so score is "
                "not a log-likelihood. Binarise X; Bernoulli(binarize='dynamic') trains on "
                "binary draws.",
                UserWarning,
                stacklevel=4,
            )

    def output_offset(self, moments):
        """Where the logits start: those of the column means.

        Parameters
        ----------
        moments : Moments
            Means of the columns, and the weight behind them.

        Returns
        -------
        ndarray of shape (n_features,)
            The logits.
        """
        return smoothed_logit(moments)

    def module(self, variance, binarize=None):
        """The torch module.

        Parameters
        ----------
        variance : tensor
            Not used: a binary feature's variance follows from its probability.
        binarize : None or "dynamic", default=None
            What `check` gave.

        Returns
        -------
        torch.nn.Module
            The likelihood.
        """
        return BernoulliLikelihood(binarize)


class Categorical(BaseEstimator):
    """One-hot groups of features.

    Parameters
    ----------
    group_sizes : int, sequence of int or None, default=None
        Widths of the groups, in the order of the columns; an int for equal widths, None for
        one group of all columns.

    Examples
    --------
    >>> from sklearn_ae import VariationalAutoencoder
    >>> from sklearn_ae.likelihoods import Categorical
    >>> VariationalAutoencoder(likelihood=Categorical(group_sizes=[3, 2])).likelihood
    Categorical(group_sizes=[3, 2])
    """

    _parameter_constraints = {  # noqa: RUF012
        "group_sizes": [Interval(Integral, 1, None, closed="left"), "array-like", None]
    }

    bounded = True

    def __init__(self, group_sizes=None):
        self.group_sizes = group_sizes

    def check(self, X):
        """Check that the groups cover the columns and add up to one.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            The data.

        Returns
        -------
        dict
            What the module needs to know.

        Raises
        ------
        ValueError
            If the widths do not add up, or a group of a row does not.
        """
        check_parameters(self)
        n_features = X.shape[1]
        sizes = self._sizes(n_features)
        if sum(sizes) != n_features or min(sizes) < 1:
            raise ValueError(
                f"group_sizes={self.group_sizes!r} must be positive and add up to the number of "
                f"features, but X has {n_features} features."
            )
        check_unit_interval(X, "likelihood='categorical'")
        sums = np.add.reduceat(X, np.cumsum([0, *sizes[:-1]]), axis=1)
        worst = np.abs(sums - 1).max(initial=0.0)
        if worst > 1e-3:
            raise ValueError(
                "likelihood='categorical' needs one-hot groups that add up to one in every row, "
                f"but a group is off by {worst:.3g}; check group_sizes={self.group_sizes!r}."
            )
        return {"group_sizes": tuple(int(size) for size in sizes)}

    def check_density(self, X):
        """Accept proportions: they are scored by the same formula.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Data to be scored.
        """

    def _sizes(self, n_features):
        if self.group_sizes is None:
            return (n_features,)
        if isinstance(self.group_sizes, Integral):
            return (self.group_sizes,) * (n_features // self.group_sizes)
        return tuple(self.group_sizes)

    def output_offset(self, moments):
        """Where the logits start: those of the shares of each group.

        Parameters
        ----------
        moments : Moments
            Means of the columns, and the weight behind them.

        Returns
        -------
        ndarray of shape (n_features,)
            The logits.
        """
        return np.log(smoothed_mean(moments))

    def module(self, variance, group_sizes=()):
        """The torch module.

        Parameters
        ----------
        variance : tensor
            Not used: it follows from the probabilities.
        group_sizes : sequence of int, default=()
            What `check` gave.

        Returns
        -------
        torch.nn.Module
            The likelihood.
        """
        return CategoricalLikelihood(group_sizes)


LIKELIHOODS = {"gaussian": Gaussian, "bernoulli": Bernoulli, "categorical": Categorical}


def make_likelihood(likelihood):
    """Turn the parameter of an estimator into a part.

    Parameters
    ----------
    likelihood : str or part
        The parameter.

    Returns
    -------
    Gaussian, Bernoulli or Categorical
        The part.
    """
    return LIKELIHOODS[likelihood]() if isinstance(likelihood, str) else likelihood


def check_unit_interval(X, reason, input_name="X"):
    """Raise ValueError where a value of ``X`` lies outside [0, 1].

    Parameters
    ----------
    X : ndarray
        The data.
    reason : str
        The setting that asks for it, for the message.
    input_name : str, default="X"
        What ``X`` is called in the message.

    Raises
    ------
    ValueError
        If a value lies outside.
    """
    low, high = X.min(), X.max()
    if low < 0 or high > 1:
        raise ValueError(
            f"{reason} needs values of {input_name} in [0, 1], but they range from {low:.6g} to "
            f"{high:.6g}; rescale the features, for example with MinMaxScaler(clip=True), or "
            "pixels by dividing by 255."
        )


def smoothed_mean(moments):
    """Column means of data in [0, 1], kept inside by half a row of each kind.

    Parameters
    ----------
    moments : Moments
        Means of the columns, and the weight behind them.

    Returns
    -------
    ndarray of shape (n_features,)
        Means in (0, 1).
    """
    return (moments.mean * moments.n_rows + 0.5) / (moments.n_rows + 1.0)


def smoothed_logit(moments):
    """Logits of `smoothed_mean`.

    Parameters
    ----------
    moments : Moments
        Means of the columns, and the weight behind them.

    Returns
    -------
    ndarray of shape (n_features,)
        The logits.
    """
    mean = smoothed_mean(moments)
    return np.log(mean) - np.log1p(-mean)
