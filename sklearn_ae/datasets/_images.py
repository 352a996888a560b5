"""MNIST and Fashion-MNIST, read from their four idx files."""

from __future__ import annotations

import gzip
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import Bunch

from sklearn_ae.datasets._cache import fetch_file, make_bunch
from sklearn_ae.utils._typing import StrPath

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist"
MNIST_SHA256 = {
    "train-images-idx3-ubyte.gz": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": (
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
    ),
}
FASHION_MNIST_URL = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
    "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion"
)
FASHION_MNIST_SHA256 = {
    "train-images-idx3-ubyte.gz": (
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
    ),
    "train-labels-idx1-ubyte.gz": (
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
    ),
}
Subset: TypeAlias = Literal["train", "test", "all"]
PARTS = {"train": ("train",), "test": ("t10k",), "all": ("train", "t10k")}
DIGITS = [str(digit) for digit in range(10)]
GARMENTS = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]


@overload
def fetch_mnist(
    *,
    subset: Subset = "train",
    normalize: bool = True,
    data_home: StrPath | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[False] = False,
    as_frame: bool = False,
) -> Bunch: ...
@overload
def fetch_mnist(
    *,
    subset: Subset = "train",
    normalize: bool = True,
    data_home: StrPath | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[True],
    as_frame: Literal[False] = False,
) -> tuple[NDArray[Any], NDArray[Any]]: ...
@overload
def fetch_mnist(
    *,
    subset: Subset = "train",
    normalize: bool = True,
    data_home: StrPath | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[True],
    as_frame: Literal[True],
) -> tuple[pd.DataFrame, pd.Series]: ...
def fetch_mnist(
    *,
    subset: Subset = "train",
    normalize: bool = True,
    data_home: StrPath | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Bunch | tuple[Any, Any]:
    """Load MNIST, 70000 grey images of handwritten digits, 28 x 28 pixels.

    Files are downloaded once (about 11 MB), checked by their sha256 and kept in the cache.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 60000 training images, the 10000 test images, or both in this order.

    normalize : bool, default=True
        Whether pixels are float32 in [0, 1]. Otherwise they are the uint8 of the files.

    data_home : str or path-like, default=None
        Folder of the cache, with the files in its subfolder ``mnist``. None means the
        environment variable ``SKLEARN_AE_DATA``, or the user's cache folder where it is
        not set.

    download_if_missing : bool, default=True
        Whether missing files are downloaded. Otherwise they raise ``OSError``.

    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    as_frame : bool, default=False
        Whether ``data`` is a pandas DataFrame and ``target`` a pandas Series.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch` or tuple (data, target)
        A dictionary with attributes ``data`` of shape (n_samples, 784), ``target`` of shape
        (n_samples,), ``images`` of shape (n_samples, 28, 28), ``frame``, ``feature_names``,
        ``target_names`` and ``DESCR``; or the first two only if `return_X_y`.

    See Also
    --------
    fetch_fashion_mnist : Pieces of clothing in the same format.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to
       document recognition", Proceedings of the IEEE 86 (11), 1998, :doi:`10.1109/5.726791`.

    Examples
    --------
    >>> from sklearn_ae.datasets import fetch_mnist
    >>> X, y = fetch_mnist(return_X_y=True)  # doctest: +SKIP
    >>> X.shape, X.dtype, X.max()  # doctest: +SKIP
    ((60000, 784), dtype('float32'), np.float32(1.0))
    """
    return _fetch_images(
        "mnist",
        MNIST_URL,
        MNIST_SHA256,
        subset=subset,
        normalize=normalize,
        data_home=data_home,
        download_if_missing=download_if_missing,
        return_X_y=return_X_y,
        as_frame=as_frame,
        target_names=DIGITS,
        DESCR="MNIST: handwritten digits (LeCun, Cortes, Burges), 28 x 28 pixels, ten classes.",
    )


@overload
def fetch_fashion_mnist(
    *,
    subset: Subset = "train",
    normalize: bool = True,
    data_home: StrPath | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[False] = False,
    as_frame: bool = False,
) -> Bunch: ...
@overload
def fetch_fashion_mnist(
    *,
    subset: Subset = "train",
    normalize: bool = True,
    data_home: StrPath | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[True],
    as_frame: Literal[False] = False,
) -> tuple[NDArray[Any], NDArray[Any]]: ...
@overload
def fetch_fashion_mnist(
    *,
    subset: Subset = "train",
    normalize: bool = True,
    data_home: StrPath | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[True],
    as_frame: Literal[True],
) -> tuple[pd.DataFrame, pd.Series]: ...
def fetch_fashion_mnist(
    *,
    subset: Subset = "train",
    normalize: bool = True,
    data_home: StrPath | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Bunch | tuple[Any, Any]:
    """Load Fashion-MNIST, 70000 grey images of clothing, 28 x 28 pixels.

    Files are downloaded once (about 30 MB), checked by their sha256 and kept in the cache.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 60000 training images, the 10000 test images, or both in this order.

    normalize : bool, default=True
        Whether pixels are float32 in [0, 1]. Otherwise they are the uint8 of the files.

    data_home : str or path-like, default=None
        Folder of the cache, with the files in its subfolder ``fashion_mnist``. None means
        the environment variable ``SKLEARN_AE_DATA``, or the user's cache folder where it is
        not set.

    download_if_missing : bool, default=True
        Whether missing files are downloaded. Otherwise they raise ``OSError``.

    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    as_frame : bool, default=False
        Whether ``data`` is a pandas DataFrame and ``target`` a pandas Series.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch` or tuple (data, target)
        A dictionary with attributes ``data`` of shape (n_samples, 784), ``target`` of shape
        (n_samples,), ``images`` of shape (n_samples, 28, 28), ``frame``, ``feature_names``,
        ``target_names`` and ``DESCR``; or the first two only if `return_X_y`.

    See Also
    --------
    fetch_mnist : Handwritten digits in the same format.

    References
    ----------
    .. [1] H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a novel image dataset for
       benchmarking machine learning algorithms", 2017, :arxiv:`1708.07747`.

    Examples
    --------
    >>> from sklearn_ae.datasets import fetch_fashion_mnist
    >>> fashion = fetch_fashion_mnist(subset="test")  # doctest: +SKIP
    >>> fashion.data.shape, fashion.target_names[0]  # doctest: +SKIP
    ((10000, 784), 'T-shirt/top')
    """
    return _fetch_images(
        "fashion_mnist",
        FASHION_MNIST_URL,
        FASHION_MNIST_SHA256,
        subset=subset,
        normalize=normalize,
        data_home=data_home,
        download_if_missing=download_if_missing,
        return_X_y=return_X_y,
        as_frame=as_frame,
        target_names=GARMENTS,
        DESCR="Fashion-MNIST: pieces of clothing (Zalando), 28 x 28 pixels, ten classes.",
    )


def _fetch_images(
    folder,
    base_url,
    sha256,
    *,
    subset,
    normalize,
    data_home,
    download_if_missing,
    **how,
):
    if subset not in PARTS:
        raise ValueError(f"`subset` must be one of {sorted(PARTS)}. Got {subset!r} instead.")

    def read(name):
        return read_idx(
            fetch_file(
                folder,
                name,
                base_url=base_url,
                sha256=sha256[name],
                data_home=data_home,
                download_if_missing=download_if_missing,
            )
        )

    images = np.concatenate([read(f"{part}-images-idx3-ubyte.gz") for part in PARTS[subset]])
    labels = np.concatenate([read(f"{part}-labels-idx1-ubyte.gz") for part in PARTS[subset]])
    if normalize:
        images = np.divide(images, 255, dtype=np.float32)
    n_samples, height, width = images.shape
    names = [f"pixel_{row}_{column}" for row in range(height) for column in range(width)]
    return make_bunch(
        images.reshape(n_samples, -1),
        labels.astype(np.int64),
        feature_names=names,
        images=images,
        **how,
    )


def read_idx(path):
    """Array of unsigned bytes in a gzipped idx file: 00 00 08 rank, sizes, values."""
    with gzip.open(path) as file:
        content = file.read()
    if content[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path} is not an idx file of unsigned bytes.")
    rank = content[3]
    shape = np.frombuffer(content, dtype=">u4", count=rank, offset=4).astype(np.int64)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape)
