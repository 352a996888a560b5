"""Likelihoods: the distribution of the data given the code, for variational autoencoders.

A likelihood is a part with

- ``link``: how outputs relate to data, "identity", "logit", "log" or a link;
- ``check(X)``, which raises where it does not suit the data;
- ``module(variance)``, which makes a torch module with ``log_density(output, x)`` of shape (n,),
  ``mean(output)`` and ``sample(output, generator)``. ``variance`` is a tensor of shape
  (n_features,), where the variance of each feature starts in units of ``scale_ ** 2``: the noise
  variance of probabilistic PCA, where training starts there.

With the identity link ``x`` and outputs are centred and divided by ``scale_``, densities are
reported in the units of the data, and training starts at probabilistic PCA. With another link
``x`` is in the units of the data, and training starts from random weights. `Likelihood` is a base
class with what most have in common.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import nn

from sklearn_ae._compute import warn_user
from sklearn_ae.objectives.likelihoods import (
    BernoulliLikelihood,
    CategoricalLikelihood,
    GaussianLikelihood,
    LaplaceLikelihood,
    PoissonLikelihood,
)
from sklearn_ae.objectives.links import LINKS, Link, SoftmaxLink, make_link
from sklearn_ae.utils._parts import (
    check_groups,
    check_instance,
    check_parameters,
    check_range,
    in_one_line,
)
from sklearn_ae.utils._sklearn import Interval, StrOptions
from sklearn_ae.utils._sparse import dense_blocks

__all__ = ["Bernoulli", "Categorical", "Gaussian", "Laplace", "Likelihood", "Poisson"]


class Likelihood(BaseEstimator):
    """Base class of likelihoods: any data will do, and the link is the identity.

    A subclass has ``module(variance)``, which makes a torch module with
    ``log_density(output, x)`` of shape (n,), ``mean(output)`` and ``sample(output, generator)``.

    See Also
    --------
    Gaussian : Normal distribution about the output.

    Examples
    --------
    >>> from sklearn_ae.likelihoods import Gaussian, Likelihood
    >>> isinstance(Gaussian(), Likelihood)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    link = "identity"

    def check(self, X: NDArray[Any]) -> None:
        """Raise ValueError where the data do not suit it.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            The data, within the range of the link.
        """

    def check_density(self, X: NDArray[Any]) -> None:
        """Warn where rows have no density.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Data to be scored.
        """

    def fixed_variance(self) -> float | None:
        """The variance in the units of the data, where it is not learnt.

        Returns
        -------
        float or None
            None where there is none that is fixed.
        """
        return None


class Gaussian(Likelihood):
    r"""Normal distribution about the output, for data that take any value.

    Parameters
    ----------
    noise_variance : {"scalar", "per_feature"} or float, default="scalar"
        Whether all features share one variance or have one each. Either is learnt, and is at
        least 1e-6 of the mean feature variance. A number fixes the variance of every feature, in
        the units of the data: minus the bound is then
        :math:`\lambda \lVert x - \hat x \rVert^2 + \mathrm{KL}` with
        :math:`\lambda = 1 / (2 s^2)`, up to a constant.

    See Also
    --------
    Laplace : Heavier tails.
    sklearn_ae.losses.SquaredError : The same without a density.

    Examples
    --------
    >>> from sklearn_ae import VariationalAutoencoder
    >>> from sklearn_ae.likelihoods import Gaussian
    >>> VariationalAutoencoder(likelihood=Gaussian("per_feature")).likelihood
    Gaussian(noise_variance='per_feature')
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "noise_variance": [
            StrOptions({"scalar", "per_feature"}),
            Interval(Real, 0, None, closed="neither"),
        ]
    }

    def __init__(self, noise_variance: float | Literal["scalar", "per_feature"] = "scalar") -> None:
        self.noise_variance = noise_variance

    def fixed_variance(self) -> float | None:
        """The variance in the units of the data, where it is not learnt.

        Returns
        -------
        float or None
            None where it is learnt.
        """
        return _fixed(self.noise_variance)

    def module(self, variance: torch.Tensor) -> nn.Module:
        """The torch module.

        Parameters
        ----------
        variance : tensor of shape (n_features,)
            Where the variance starts.

        Returns
        -------
        torch.nn.Module
            The likelihood.
        """
        return GaussianLikelihood(variance, **_noise(self.noise_variance))


class Laplace(Likelihood):
    r"""Laplace distribution about the output, for data with some large errors.

    The density of a feature is :math:`\exp(-|x - \hat x| / b) / (2 b)`.

    Parameters
    ----------
    scale : {"scalar", "per_feature"} or float, default="scalar"
        Whether all features share one scale :math:`b` or have one each, learnt. A number fixes
        the scale of every feature, in the units of the data.

    See Also
    --------
    Gaussian : Lighter tails.
    sklearn_ae.losses.AbsoluteError : The same without a density.

    Examples
    --------
    >>> from sklearn_ae import VariationalAutoencoder
    >>> from sklearn_ae.likelihoods import Laplace
    >>> VariationalAutoencoder(likelihood=Laplace(scale=0.5)).get_params()["likelihood__scale"]
    0.5
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "scale": [
            StrOptions({"scalar", "per_feature"}),
            Interval(Real, 0, None, closed="neither"),
        ]
    }

    def __init__(self, scale: float | Literal["scalar", "per_feature"] = "scalar") -> None:
        self.scale = scale

    def fixed_variance(self) -> float | None:
        """The variance in the units of the data, where it is not learnt.

        Returns
        -------
        float or None
            Twice the square of the scale; None where it is learnt.
        """
        scale = _fixed(self.scale)
        return None if scale is None else 2.0 * scale**2

    def module(self, variance: torch.Tensor) -> nn.Module:
        """The torch module.

        Parameters
        ----------
        variance : tensor of shape (n_features,)
            Where the variance starts.

        Returns
        -------
        torch.nn.Module
            The likelihood.
        """
        return LaplaceLikelihood(variance, **_noise(self.scale))


def _fixed(noise):
    """A parameter of noise where it is a number, else None."""
    return None if isinstance(noise, str) else float(noise)


def _noise(noise):
    """Options of a module for a parameter of noise."""
    return {"per_feature": noise == "per_feature", "learned": isinstance(noise, str)}


class Poisson(Likelihood):
    r"""Independent counts, the logarithms of whose rates are the output.

    The probability of a count is :math:`e^{-\hat x} \hat x^x / x!`. Values are not negative; those
    that are no whole numbers are scored by the same formula with the gamma function.

    See Also
    --------
    Gaussian : For data that take any value.

    Examples
    --------
    >>> from sklearn_ae import VariationalAutoencoder
    >>> from sklearn_ae.likelihoods import Poisson
    >>> VariationalAutoencoder(likelihood=Poisson()).likelihood
    Poisson()
    """

    link = "log"

    def module(self, variance: torch.Tensor) -> nn.Module:
        """The torch module.

        Parameters
        ----------
        variance : tensor of shape (n_features,)
            Not used: the variance of a count is its rate.

        Returns
        -------
        torch.nn.Module
            The likelihood.
        """
        return PoissonLikelihood()


class Bernoulli(Likelihood):
    """Independent binary features, whose logits are the output.

    Parameters
    ----------
    binarize : None or "dynamic", default=None
        With "dynamic", values in [0, 1] are taken as probabilities, and each visit of a row
        draws a new binary row from them, as input and as target.

    See Also
    --------
    Categorical : For groups of which one is set.
    sklearn_ae.losses.LogLoss : The same without a density.

    Examples
    --------
    >>> from sklearn_ae import VariationalAutoencoder
    >>> from sklearn_ae.likelihoods import Bernoulli
    >>> VariationalAutoencoder(likelihood=Bernoulli(binarize="dynamic")).likelihood
    Bernoulli(binarize='dynamic')
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {"binarize": [None, StrOptions({"dynamic"})]}

    link = "logit"

    def __init__(self, binarize: Literal["dynamic"] | None = None) -> None:
        self.binarize = binarize

    def check_density(self, X: NDArray[Any]) -> None:
        """Warn of values strictly between 0 and 1, which have no probability.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Data to be scored.
        """
        if np.any((X > 0) & (X < 1)):
            warn_user(
                "X has values strictly between 0 and 1 under likelihood='bernoulli', so score is "
                "not a log-likelihood. Binarise X; Bernoulli(binarize='dynamic') trains on "
                "binary draws."
            )

    def module(self, variance: torch.Tensor) -> nn.Module:
        """The torch module.

        Parameters
        ----------
        variance : tensor of shape (n_features,)
            Not used: a binary feature's variance follows from its probability.

        Returns
        -------
        torch.nn.Module
            The likelihood.
        """
        return BernoulliLikelihood(self.binarize)


class Categorical(Likelihood):
    """One-hot groups of features, whose logits are the output.

    Parameters
    ----------
    group_sizes : int, sequence of int or None, default=None
        Widths of the groups, in the order of the columns; an int for equal widths, None for
        one group of all columns.

    See Also
    --------
    Bernoulli : For binary features each by itself.
    sklearn_ae.losses.CrossEntropy : The same without a density.

    Examples
    --------
    >>> from sklearn_ae import VariationalAutoencoder
    >>> from sklearn_ae.likelihoods import Categorical
    >>> VariationalAutoencoder(likelihood=Categorical(group_sizes=[3, 2])).likelihood
    Categorical(group_sizes=[3, 2])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "group_sizes": [Interval(Integral, 1, None, closed="left"), "array-like", None]
    }

    def __init__(self, group_sizes: Sequence[int] | int | None = None) -> None:
        self.group_sizes = group_sizes

    @property
    def link(self) -> SoftmaxLink:
        """Softmax within each group."""
        return SoftmaxLink(self.group_sizes)

    def check(self, X: NDArray[Any]) -> None:
        """Raise ValueError where the groups do not cover the columns or add up to one.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            The data, in [0, 1].
        """
        check_groups(X, self.group_sizes, "likelihood='categorical'")

    def module(self, variance: torch.Tensor) -> nn.Module:
        """The torch module.

        Parameters
        ----------
        variance : tensor of shape (n_features,)
            Not used: it follows from the probabilities.

        Returns
        -------
        torch.nn.Module
            The likelihood.
        """
        return CategoricalLikelihood(self.group_sizes)


LIKELIHOODS = {
    "gaussian": Gaussian,
    "laplace": Laplace,
    "poisson": Poisson,
    "bernoulli": Bernoulli,
    "categorical": Categorical,
}


def make_likelihood(likelihood: Any) -> Any:
    """The parameter of an estimator as a checked part."""
    if isinstance(likelihood, str):
        return LIKELIHOODS[likelihood]()
    check_instance("likelihood", likelihood)
    missing = [name for name in ("link", "check", "module") if not hasattr(likelihood, name)]
    if missing:
        raise TypeError(
            f"likelihood must be one of {sorted(LIKELIHOODS)} or a part with link, check(X) and "
            f"module(variance); {in_one_line(likelihood)} has no {missing[0]}."
        )
    if hasattr(likelihood, "_parameter_constraints"):
        check_parameters(likelihood)
    return likelihood


def make_users_module(likelihood: Any, variance: torch.Tensor) -> Any:
    """The torch module of a user's likelihood, which may hand out the same one each time."""
    module = likelihood.module(variance)
    for name in ("log_density", "mean", "sample"):
        if not hasattr(module, name):
            raise TypeError(
                f"The module of likelihood={in_one_line(likelihood)} must have "
                f"log_density(output, x), mean(output) and sample(output, generator); it has no "
                f"{name}."
            )
    return copy.deepcopy(module)


def resolve_likelihood(likelihood: Any, X: NDArray[Any]) -> tuple[Any, Link]:
    """The likelihood of an estimator as a part, and its link; ValueError where data do not suit."""
    part = make_likelihood(likelihood)
    link = part.link
    link = LINKS[link] if isinstance(link, str) and link in LINKS else make_link(link)
    if not link.scales_rows:
        check_range(X, link, f"likelihood={in_one_line(likelihood)}")
    for rows in dense_blocks(X):
        part.check(rows)
    return part, link
