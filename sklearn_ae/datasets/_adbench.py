"""Tables of the anomaly detection benchmark ADBench."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import Bunch

from sklearn_ae.datasets._cache import fetch_file, make_bunch
from sklearn_ae.utils._typing import StrPath

ADBENCH_URL = (
    "https://raw.githubusercontent.com/Minqi824/ADBench/"
    "3dac8221081e190f157d78e93bfa8867f90d0965/adbench/datasets/Classical"
)
ADBENCH_SHA256 = {
    "1_ALOI.npz": "792d0b5bd1147bfc9574a1974f157b39fbd4cbed8ecd04cf983fd554498ed477",
    "5_campaign.npz": "74dd4d0072d6c6f1aabab63bc102f9633454f32bb936fa9bcfbd38f9f2386bcd",
    "7_Cardiotocography.npz": "5ae84910430f05923e11b6f537243263977c9136949dabd891e3570aeec51e29",
    "11_donors.npz": "5824ec854465f2763b4bfe3da1ae9f25ed5433b5c6e265d42e37da4f82a58679",
    "15_Hepatitis.npz": "4a87a2f7d8013e5bfde63294fae61ec7a612322de72f338a7f9491749025ad98",
    "17_InternetAds.npz": "bdd8ad5cf5bf2cb96cba53dde30d522d0f6a279083a8e2bc7efbac5981b04385",
    "19_landsat.npz": "ba17e2158c07469597b89db49d3982c874c6b713ff6670721ddc88969da77987",
    "21_Lymphography.npz": "dad977b04f4ea65b78ccd0e9f76b45175bad605165b37e63f3cc177845e67037",
    "23_mammography.npz": "a0308ac9712d78321073b1c2dc98dc37665c0f35c1cc33019416fe8f8d7de7ea",
    "25_musk.npz": "2ed3f4392197b76a1e59116ff880c7720a4b026cf4842073a53b56fdea265017",
    "27_PageBlocks.npz": "10a9b4d5bb5d3b9083caab4c4062f665610eada703c3d927bf7c34b1f2d0d223",
    "29_Pima.npz": "215454bb263a2f040945c9ea7bd7f06f1e89a61a3143bdb6f196e3887e801a7d",
    "31_satimage-2.npz": "1b056e357f801b8b20c3f380a30224a3c4088d7ed764ec5a24828dc9b1918d6f",
    "33_skin.npz": "d02aa01ffc1b6bf2b8b1ac250c90e8a8eacd0cefc962940ed5cc4bf5deac9c95",
    "35_SpamBase.npz": "d0c46c7928e43f6496bcd06e09de0b70f6bc8143792dfa0a43f450263d254e9b",
    "37_Stamps.npz": "99fe739447284f613fa54bf2dccdb51c5120175ce6260adec6dad77576c42509",
    "39_vertebral.npz": "0816286f92b96fe6867664a41a031ac7228dcfbf1a5feefe50ca3883b2e9073d",
    "41_Waveform.npz": "6c9d867337ad1a2f8372c1d27f4c032f0401237e2041b7c45f00de8d319ff30f",
    "43_WDBC.npz": "78d4606a1ab516f5b60b00c196497f3bbd6bd5e4548fd04cf5f2475209b34b85",
    "45_wine.npz": "d5ad8965d92cc57122fe1e6572bb301adbaf795b3e166d187ae00a704d8f6e20",
    "47_yeast.npz": "bbb15c873d78a4f6a589f46d0f75814595e2282d2ae7ce7779c750f276c3770d",
}


def _table_name(file_name):
    return file_name.removesuffix(".npz").split("_", 1)[1]


ADBENCH_NAMES: tuple[str, ...] = tuple(_table_name(file_name) for file_name in ADBENCH_SHA256)


@overload
def fetch_adbench(
    name: str,
    *,
    data_home: StrPath | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[False] = False,
    as_frame: bool = False,
) -> Bunch: ...
@overload
def fetch_adbench(
    name: str,
    *,
    data_home: StrPath | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[True],
    as_frame: Literal[False] = False,
) -> tuple[NDArray[Any], NDArray[Any]]: ...
@overload
def fetch_adbench(
    name: str,
    *,
    data_home: StrPath | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[True],
    as_frame: Literal[True],
) -> tuple[pd.DataFrame, pd.Series]: ...
def fetch_adbench(
    name: str,
    *,
    data_home: StrPath | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Bunch | tuple[Any, Any]:
    """Load one table of the anomaly detection benchmark ADBench.

    The file is downloaded once, checked by its sha256 and kept in the cache.

    Parameters
    ----------
    name : str
        A name of ``sklearn_ae.datasets.ADBENCH_NAMES``, such as ``"Pima"``; with the number
        in front, ``"29_Pima"``, as the benchmark itself writes it, it is accepted too.

    data_home : str or path-like, default=None
        Folder of the cache, with the files in its subfolder ``adbench``. None means the
        environment variable ``SKLEARN_AE_DATA``, or the user's cache folder where it is
        not set.

    download_if_missing : bool, default=True
        Whether a missing file is downloaded. Otherwise it raises ``OSError``.

    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    as_frame : bool, default=False
        Whether ``data`` is a pandas DataFrame and ``target`` a pandas Series.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch` or tuple (data, target)
        A dictionary with attributes ``data`` of shape (n_samples, n_features), ``target`` of
        shape (n_samples,), 1 for an anomaly, ``frame``, ``feature_names``, ``target_names``
        and ``DESCR``; or the first two only if `return_X_y`.

    References
    ----------
    .. [1] S. Han, X. Hu, H. Huang, M. Jiang and Y. Zhao, "ADBench: anomaly detection
       benchmark", NeurIPS 2022, :arxiv:`2206.09426`.

    Examples
    --------
    >>> from sklearn_ae.datasets import fetch_adbench
    >>> pima = fetch_adbench("Pima")  # doctest: +SKIP
    >>> pima.data.shape, pima.target.sum()  # doctest: +SKIP
    ((768, 8), np.int64(268))
    """
    files = {_table_name(file_name): file_name for file_name in ADBENCH_SHA256}
    files |= {file_name.removesuffix(".npz"): file_name for file_name in ADBENCH_SHA256}
    if name not in files:
        raise ValueError(f"`name` must be one of {list(ADBENCH_NAMES)}. Got {name!r} instead.")
    path = fetch_file(
        "adbench",
        files[name],
        base_url=ADBENCH_URL,
        sha256=ADBENCH_SHA256[files[name]],
        data_home=data_home,
        download_if_missing=download_if_missing,
    )
    with np.load(path, allow_pickle=False) as table:
        data, target = table["X"], table["y"].astype(np.int64)
    return make_bunch(
        data,
        target,
        target_column="anomaly",
        return_X_y=return_X_y,
        as_frame=as_frame,
        feature_names=[f"x{i}" for i in range(data.shape[1])],
        target_names=["normal", "anomaly"],
        DESCR=f"Table {path.stem} of ADBench (Han et al. 2022), BSD-2-Clause.",
    )
