"""Corruptions: how rows are corrupted in training, in the units of the data.

A corruption is a part with a method ``make()`` that gives a function ``(x, generator) -> x`` of
tensors of shape (n, n_features), or is such a function itself. The functions stand first. They
never change ``x``, and draw from ``generator`` only, on the device of ``x``.
"""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from torch import nn

from sklearn_ae._compute import global_state_guard, make_generator, own_state, supports_float64
from sklearn_ae.utils._images import IMAGE_SHAPE, flatten_images, full_shape
from sklearn_ae.utils._parts import (
    check_instance,
    check_integers,
    check_parameters,
    in_one_line,
    is_foreign,
    is_ours,
)
from sklearn_ae.utils._seeds import draw_seed, seed_for
from sklearn_ae.utils._sklearn import Interval, StrOptions
from sklearn_ae.utils._typing import RandomState

__all__ = [
    "Compose",
    "Corruption",
    "GaussianNoise",
    "Masking",
    "Occlusion",
    "SaltAndPepper",
    "SwapNoise",
]

# ``(x, generator) -> x``.
Corrupt: TypeAlias = Callable[[torch.Tensor, torch.Generator], torch.Tensor]

# Centre in units of the scale from which rows are corrupted in float64.
FAR_FROM_ZERO = 100
# Least scale, and inverse of the largest, at which they are corrupted in float32.
SMALLEST_SCALE = 1e-30


def gaussian_noise(x: torch.Tensor, generator: torch.Generator, scale: float) -> torch.Tensor:
    """Add independent normal noise of standard deviation ``scale`` to every value."""
    return x + scale * torch.empty_like(x).normal_(generator=generator)


def masking(x: torch.Tensor, generator: torch.Generator, fraction: float) -> torch.Tensor:
    """Set each value to zero with probability ``fraction``."""
    return x.masked_fill(_uniform(x, generator) < fraction, 0.0)


def salt_and_pepper(
    x: torch.Tensor, generator: torch.Generator, fraction: float, low: float, high: float
) -> torch.Tensor:
    """Set each value with probability ``fraction`` to ``low`` or ``high``, half each."""
    draw = _uniform(x, generator)
    return x.masked_fill(draw < fraction, high).masked_fill(draw < fraction / 2, low)


def swap_noise(x: torch.Tensor, generator: torch.Generator, fraction: float) -> torch.Tensor:
    """Replace each value with probability ``fraction`` by its column's value in another row."""
    n_rows = len(x)
    if n_rows < 2:  # there is no other row
        return x.clone()
    rows = torch.arange(n_rows, device=x.device)[:, None]
    # a shift of 1 to n - 1 rows reaches every row but its own with the same probability
    shift = torch.randint(1, n_rows, x.shape, generator=generator, device=x.device)
    other = x.gather(0, (rows + shift) % n_rows)
    return torch.where(_uniform(x, generator) < fraction, other, x)


def occlusion(
    x: torch.Tensor,
    generator: torch.Generator,
    image_shape: tuple[int, ...],
    size: int,
    value: float,
    shape: Literal["square", "rows", "columns"],
) -> torch.Tensor:
    """Set a patch of each image, at a place of its own, to ``value`` in all channels."""
    n_channels, height, width = full_shape(image_shape)
    n_features = n_channels * height * width
    if x.shape[1] != n_features:
        raise ValueError(
            f"X has {x.shape[1]} features, but image_shape={tuple(image_shape)} of Occlusion "
            f"needs {n_features}."
        )
    patch = torch.ones((), dtype=torch.bool, device=x.device)
    if shape != "columns":
        patch = patch & _stretch(x, generator, height, size)[:, None, :, None]
    if shape != "rows":
        patch = patch & _stretch(x, generator, width, size)[:, None, None, :]
    images = x.reshape(-1, n_channels, height, width)
    return images.masked_fill(patch, value).reshape(x.shape)


def compose(
    x: torch.Tensor, generator: torch.Generator, functions: Sequence[Corrupt]
) -> torch.Tensor:
    """Apply corruptions one after another."""
    for function in functions:
        x = function(x, generator)
    return x


def _uniform(x, generator):
    """Uniform draws in [0, 1), one for each value."""
    return torch.empty_like(x).uniform_(generator=generator)


def _stretch(x, generator, length, size):
    """Which of ``length`` places lie in a stretch of ``size`` of them: (n, length)."""
    starts = torch.randint(length - size + 1, (len(x), 1), generator=generator, device=x.device)
    places = torch.arange(length, device=x.device)
    return (places >= starts) & (places < starts + size)


class Corruption(BaseEstimator):
    """Base class of corruptions.

    A subclass sets ``_function`` to a static function ``(x, generator, **parameters) -> x`` that
    takes the parameters by their names, and ``_parameter_constraints``; or it has its own `make`.

    See Also
    --------
    Compose : Several corruptions, one after another.
    GaussianNoise : Noise on every value.

    Examples
    --------
    >>> from sklearn_ae.corruptions import Corruption
    >>> class Sign(Corruption):
    ...     def make(self):
    ...         return lambda x, generator: x.sign()
    >>> Sign().corrupt([[-2.0, 3.0]], random_state=0)
    array([[-1.,  1.]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    # what images look like, where the corruption knows
    _image_shape = None

    def make(self) -> Corrupt:
        """Check the parameters and give the function ``(x, generator) -> x``.

        Returns
        -------
        callable
            The corruption of tensors of shape (n, n_features). It returns a new tensor and draws
            from ``generator`` only.

        Raises
        ------
        InvalidParameterError
            If a parameter is not valid.
        """
        check_parameters(self)
        return self._bound()

    def _bound(self):
        """The function with the parameters as they are."""
        return functools.partial(self._function, **self.get_params(deep=False))

    def corrupt(self, X: ArrayLike, random_state: RandomState = None) -> NDArray[Any]:
        """Corrupt test data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, channels, height, width)
            Data.

        random_state : int, RandomState instance or None, default=None
            Source of the draws. None takes fresh entropy and leaves numpy's global state alone.

        Returns
        -------
        X_corrupted : ndarray
            A new array of the shape of ``X``, float32 where ``X`` is, else float64.

        Raises
        ------
        ValueError
            If ``X`` holds NaN or infinity, or has one dimension or more than four; where the
            corruption has an ``image_shape``, if it is not that of ``X``.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_ae.corruptions import Masking
        >>> Masking(1.0).corrupt(np.ones((2, 3)), random_state=0)
        array([[0., 0., 0.],
               [0., 0., 0.]])
        """
        # not the stream of an estimator with the same random_state
        corrupt = corrupting(self, seed_for("corrupt", draw_seed(random_state)))
        X, row_shape = flatten_images(X, self._image_shape)
        X = check_array(X, dtype=[np.float64, np.float32], order="C", allow_nd=True, input_name="X")
        if X.ndim > 4:
            raise ValueError(
                f"Found array with dim {X.ndim}, while dim <= 4 is required: X must be a table or "
                "a stack of images."
            )
        corrupted = corrupt(X.reshape(len(X), -1))
        return corrupted.reshape(len(X), *(row_shape or X.shape[1:]))


class GaussianNoise(Corruption):
    r"""Independent normal noise on every value, :math:`\tilde x = x + s\,\epsilon`.

    Parameters
    ----------
    scale : float, default=0.1
        Standard deviation :math:`s` of the noise, in the units of the data.

    See Also
    --------
    Masking : Sets values to zero.
    SwapNoise : Replaces values by those of other rows.

    Examples
    --------
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.corruptions import GaussianNoise
    >>> Autoencoder(corruption=GaussianNoise(0.3)).get_params()["corruption__scale"]
    0.3
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "scale": [Interval(Real, 0, None, closed="left")]
    }

    _function = staticmethod(gaussian_noise)

    def __init__(self, scale: float = 0.1) -> None:
        self.scale = scale


class Masking(Corruption):
    """Values set to zero at random [1]_.

    Parameters
    ----------
    fraction : float, default=0.25
        Probability with which a value is set to zero, in [0, 1].

    See Also
    --------
    GaussianNoise : Adds noise to every value.
    Occlusion : Covers a patch of an image.
    SwapNoise : Replaces values by those of other rows.

    Notes
    -----
    Each value is drawn by itself, so that rows lose more or fewer of them; the paper takes the
    same number from every row.

    References
    ----------
    .. [1] P. Vincent, H. Larochelle, Y. Bengio and P.-A. Manzagol, "Extracting and composing
       robust features with denoising autoencoders", ICML 2008, :doi:`10.1145/1390156.1390294`.

    Examples
    --------
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.corruptions import Masking
    >>> Autoencoder(corruption=Masking(0.5)).get_params()["corruption__fraction"]
    0.5
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "fraction": [Interval(Real, 0, 1, closed="both")]
    }

    _function = staticmethod(masking)

    def __init__(self, fraction: float = 0.25) -> None:
        self.fraction = fraction


class SaltAndPepper(Corruption):
    """Values set to the least or the greatest at random.

    Parameters
    ----------
    fraction : float, default=0.1
        Probability with which a value is replaced, in [0, 1]: by ``low`` and by ``high`` with
        half of it each.

    low : float, default=0.0
        Pepper, in the units of the data.

    high : float, default=1.0
        Salt, in the units of the data.

    See Also
    --------
    Masking : Sets values to zero.
    GaussianNoise : Adds noise to every value.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ae.corruptions import SaltAndPepper
    >>> X = SaltAndPepper(1.0).corrupt(np.full((100, 8), 0.5), random_state=0)
    >>> np.unique(X)
    array([0., 1.])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "fraction": [Interval(Real, 0, 1, closed="both")],
        "low": [Interval(Real, None, None, closed="neither")],
        "high": [Interval(Real, None, None, closed="neither")],
    }

    _function = staticmethod(salt_and_pepper)

    def __init__(self, fraction: float = 0.1, low: float = 0.0, high: float = 1.0) -> None:
        self.fraction = fraction
        self.low = low
        self.high = high


class SwapNoise(Corruption):
    """Values replaced by those of other rows at random.

    A value that is replaced is one that its column really takes, so that columns of any scale,
    counts and indicators keep their distributions. The other row is drawn for each value anew
    from the rest of the batch; a batch of one row stays as it is.

    Parameters
    ----------
    fraction : float, default=0.15
        Probability with which a value is replaced, in [0, 1].

    See Also
    --------
    Masking : Sets values to zero.
    GaussianNoise : Adds noise to every value.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ae.corruptions import SwapNoise
    >>> SwapNoise(1.0).corrupt(np.array([[1.0, 10.0], [2.0, 20.0]]), random_state=0)
    array([[ 2., 20.],
           [ 1., 10.]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "fraction": [Interval(Real, 0, 1, closed="both")]
    }

    _function = staticmethod(swap_noise)

    def __init__(self, fraction: float = 0.15) -> None:
        self.fraction = fraction


class Occlusion(Corruption):
    """A patch of each image is covered, at a random place.

    The patch lies inside the image as a whole, and every such place is as likely as another.

    Parameters
    ----------
    image_shape : tuple of int
        (channels, height, width) or (height, width); rows of the table are images flattened in
        this order.

    size : int, default=2
        Side of the square, or number of rows or columns, in pixels.

    value : float, default=0.0
        What the patch is set to in all channels, in the units of the data.

    shape : {"square", "rows", "columns"}, default="square"
        A square of ``size`` by ``size`` pixels, ``size`` whole rows or ``size`` whole columns.

    See Also
    --------
    Masking : Sets single values to zero.
    sklearn_ae.architectures.Convolutional : Layers for images.

    Examples
    --------
    A bar of two rows of ones:

    >>> import numpy as np
    >>> from sklearn_ae.corruptions import Occlusion
    >>> bar = Occlusion((4, 3), size=2, value=1.0, shape="rows")
    >>> bar.corrupt(np.zeros((1, 4, 3)), random_state=0).sum(axis=(1, 2))
    array([6.])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "image_shape": ["array-like"],
        "size": [Interval(Integral, 1, None, closed="left")],
        "value": [Interval(Real, None, None, closed="neither")],
        "shape": [StrOptions({"square", "rows", "columns"})],
    }

    _function = staticmethod(occlusion)

    def __init__(
        self,
        image_shape: tuple[int, ...],
        size: int = 2,
        value: float = 0.0,
        shape: Literal["square", "rows", "columns"] = "square",
    ) -> None:
        self.image_shape = image_shape
        self.size = size
        self.value = value
        self.shape = shape

    @property
    def _image_shape(self):
        return self.image_shape

    def make(self) -> Corrupt:
        """Check the parameters and give the function ``(x, generator) -> x``.

        Returns
        -------
        callable
            The corruption of tensors of shape (n, channels * height * width).

        Raises
        ------
        InvalidParameterError
            If a parameter is not valid.
        ValueError
            If ``size`` is greater than the image.
        """
        function = super().make()
        check_integers(self, "image_shape", *IMAGE_SHAPE)
        _, height, width = full_shape(self.image_shape)
        room = {"square": min(height, width), "rows": height, "columns": width}[self.shape]
        if self.size > room:
            raise ValueError(
                f"size={self.size} of Occlusion with shape={self.shape!r} is greater than the "
                f"image, image_shape={tuple(self.image_shape)}; use at most {room}."
            )
        return function


class Compose(Corruption):
    """Corruptions one after another.

    Parameters of its members are named by their places, as in ``0__fraction``, so that an
    estimator has ``corruption__0__fraction``.

    Parameters
    ----------
    corruptions : list or tuple
        Corruptions in the order in which they are applied: strings as an estimator takes them,
        parts, or callables ``(x, generator) -> x``.

    See Also
    --------
    Corruption : Base class of its members.

    Examples
    --------
    >>> from sklearn_ae.corruptions import Compose, GaussianNoise, Masking
    >>> both = Compose([GaussianNoise(0.3), Masking(0.5)])
    >>> both.set_params(**{"1__fraction": 0.25})
    Compose(corruptions=[GaussianNoise(scale=0.3), Masking()])
    """

    corruptions: list[Any] | tuple[Any, ...]

    _parameter_constraints: ClassVar[dict[str, Any]] = {"corruptions": [list, tuple]}

    def __init__(self, corruptions: list[Any] | tuple[Any, ...]) -> None:
        self.corruptions = corruptions

    @property
    def _members(self):
        """What `is_foreign` looks into."""
        return self.corruptions

    @property
    def _image_shape(self):
        shapes = [getattr(corruption, "_image_shape", None) for corruption in self.corruptions]
        return next((shape for shape in shapes if shape is not None), None)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether the members and their parameters are among them, by their places.

        Returns
        -------
        params : dict
            Parameters by name.
        """
        params = super().get_params(deep=False)
        if deep and isinstance(self.corruptions, (list, tuple)):
            for place, member in enumerate(self.corruptions):
                params[str(place)] = member
                if hasattr(member, "get_params") and not isinstance(member, type):
                    inner = member.get_params()
                    params |= {f"{place}__{name}": value for name, value in inner.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set the parameters, members by their places, and parameters of members.

        Parameters
        ----------
        **params : dict
            Parameters.

        Returns
        -------
        self : object
            The corruption.

        Raises
        ------
        ValueError
            If a parameter is unknown, or belongs to a member that is a string or a function.
        """
        if "corruptions" in params:
            self.corruptions = params.pop("corruptions")
        known = self.get_params()
        for name in params:
            place, nested, inner = name.partition("__")
            member = params.get(place, known.get(place))
            if nested and place in known and not hasattr(member, "set_params"):
                raise ValueError(
                    f"{name} cannot be set because member {place} of Compose, "
                    f"{in_one_line(member)}, has no parameters; put an instance there to set "
                    f"{inner!r}."
                )
        replaced = {
            name: params.pop(name) for name in list(params) if name in known and name.isdigit()
        }
        if replaced:
            members = enumerate(self.corruptions)
            # a list or a tuple, as it was; another one, as it may be shared
            self.corruptions = type(self.corruptions)(
                replaced.get(str(place), member) for place, member in members
            )
        return super().set_params(**params)

    def make(self) -> Corrupt:
        """Check the members and give the function ``(x, generator) -> x``.

        Returns
        -------
        callable
            The corruption of tensors of shape (n, n_features).

        Raises
        ------
        ValueError
            If a parameter of a member is not valid, or a string is unknown.
        TypeError
            If a member is no corruption.
        """
        check_parameters(self)
        functions = [make_corruption(corruption) for corruption in self.corruptions]
        if None in functions:
            raise TypeError("A member of Compose must be a str, a part or a callable; got None.")
        return functools.partial(compose, functions=functions)


CORRUPTIONS: dict[str, type[Corruption]] = {
    "gaussian": GaussianNoise,
    "masking": Masking,
    "salt_and_pepper": SaltAndPepper,
    "swap_noise": SwapNoise,
}


def make_corruption(corruption: Any) -> Corrupt | None:
    """Turn the parameter of an estimator into a function on tensors.

    Parameters
    ----------
    corruption : None, str, part or callable
        The parameter.

    Returns
    -------
    callable or None
        ``(x, generator) -> x`` in the units of the data.

    Raises
    ------
    ValueError
        If a string is unknown, or a parameter of a part is not valid.
    TypeError
        If it is something else, or a class instead of an instance.
    """
    if corruption is None:
        return None
    if isinstance(corruption, str):
        if corruption not in CORRUPTIONS:
            raise ValueError(
                f"Unknown corruption {corruption!r}; use one of {sorted(CORRUPTIONS)}, a part or a "
                "callable."
            )
        return CORRUPTIONS[corruption]()._bound()
    check_instance("corruption", corruption)
    make = getattr(corruption, "make", None)
    if make is None and not callable(corruption):
        raise TypeError(
            f"A corruption must be one of {sorted(CORRUPTIONS)}, a part with a method make() or a "
            f"callable; got {in_one_line(corruption)}."
        )
    function: Corrupt = cast("Corrupt", corruption) if make is None else make()
    return (
        function if is_ours(corruption) else functools.partial(_call_users, copy.deepcopy(function))
    )


def _call_users(function, x, generator):
    """Call a user's corruption on a copy, and check what it gives."""
    given = x.clone()
    with torch.no_grad():
        if isinstance(function, nn.Module):
            weight = next(function.parameters(), given)
            given = given.to(weight.dtype)
            function.to(x.device)
        corrupted = function(given, generator)
    if not isinstance(corrupted, torch.Tensor):
        raise TypeError(f"A corruption must return a tensor; got {type(corrupted).__name__}.")
    if corrupted.shape != x.shape:
        raise ValueError(
            f"A corruption must return a tensor of the shape that it is given, {tuple(x.shape)}; "
            f"got {tuple(corrupted.shape)}."
        )
    return corrupted.to(x.dtype)


def corrupting(corruption: Any, seed: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """A function that corrupts arrays of rows in the units of the data, with draws of its own."""
    corrupt = make_corruption(corruption)
    generator = make_generator(seed)
    # a user's function may draw from a global state, anew for each part of the rows
    foreign = not isinstance(corruption, str) and is_foreign(corruption)
    seeds = itertools.count(seed)

    def corrupt_rows(rows):
        with global_state_guard(next(seeds)) if foreign else own_state():
            return corrupt(torch.tensor(rows, device="cpu"), generator).numpy()

    return corrupt_rows


class ScaledCorruption:
    """A corruption, which is in the units of the data, as it acts on a batch of a task.

    Parameters
    ----------
    corrupt : callable
        ``(x, generator) -> x`` in the units of the data.
    scaling : Scaling
        Centre and scale of the batches.
    """

    mean: torch.Tensor
    scale: float
    is_far: bool
    centres: dict[torch.device, torch.Tensor]

    def __init__(self, corrupt: Corrupt, scaling: Any) -> None:
        self.corrupt = corrupt
        self.mean, self.scale = torch.from_numpy(scaling.mean), float(scaling.scale)
        # float32 would round small differences of large values away, and ends at 1e38
        self.is_far = bool((self.mean.abs() > FAR_FROM_ZERO * self.scale).any())
        self.is_far |= not SMALLEST_SCALE < self.scale < 1.0 / SMALLEST_SCALE
        self.centres = {}

    def __call__(self, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Corrupt centred and scaled rows."""
        centre = self._centre(x.device)
        rows = x.to(centre.dtype) * self.scale + centre
        return ((self.corrupt(rows, generator) - centre) / self.scale).to(x.dtype)

    def _centre(self, device):
        # moved once: a copy at each step would make the device wait
        if device not in self.centres:
            exact = self.is_far and supports_float64(device)
            self.centres[device] = self.mean.to(device, torch.float64 if exact else torch.float32)
        return self.centres[device]


def corruption_of_batches(corruption: Any, scaling: Any) -> Corrupt | None:
    """The parameter of an estimator as a function on batches of a task; None for None."""
    corrupt = make_corruption(corruption)
    return ScaledCorruption(corrupt, scaling) if corrupt and scaling.applied else corrupt
