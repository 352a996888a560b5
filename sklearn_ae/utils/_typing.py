"""Names of types that the signatures of several modules share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from scipy.sparse import sparray, spmatrix

# What estimators may take as X where sparse rows are among it.
MatrixLike: TypeAlias = "ArrayLike | sparray | spmatrix"
RandomState: TypeAlias = int | np.random.RandomState | None
StrPath: TypeAlias = str | os.PathLike[str]
