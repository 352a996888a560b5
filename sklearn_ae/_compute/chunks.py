"""Rows in chunks of bounded memory."""

import torch

# Rows per chunk are chosen so that a chunk of the widest tensor stays near this many numbers.
CHUNK_NUMBERS = 2**22
# More rows than these gain nothing in any layer.
MOST_ROWS = 4096


def rows_at_once(width):
    """Rows of a tensor that go through a network together in bounded memory.

    Parameters
    ----------
    width : int
        Numbers that one row takes in the widest layer.

    Returns
    -------
    int
        The number of rows.
    """
    return max(1, min(MOST_ROWS, CHUNK_NUMBERS // max(width, 1)))


def in_chunks(function, n_rows, width):
    """Call ``function(start, stop)`` over chunks of rows of bounded memory.

    Parameters
    ----------
    function : callable
        Called for each chunk; its results are collected.
    n_rows : int
        Number of rows.
    width : int
        Numbers that one row takes in the widest tensor of the call.

    Returns
    -------
    list
        The results, in order.
    """
    step = max(1, CHUNK_NUMBERS // max(width, 1))
    return [function(i, min(i + step, n_rows)) for i in range(0, n_rows, step)]


class WeightedRows:
    """The training rows in parts of bounded memory, each with its rows' shares of the weight.

    Parameters
    ----------
    data : tensor of shape (n_rows, n_features)
        The rows.
    weight : tensor of shape (n_rows,) or None
        Their weights.
    at_once : int
        Rows of a part.
    dtype : torch.dtype
        Of what is handed out.
    """

    def __init__(self, data, weight, at_once, dtype):
        share = torch.ones(len(data)) if weight is None else weight
        self.share = (share / share.sum()).to(device=data.device, dtype=dtype)
        self.data, self.at_once, self.dtype = data, at_once, dtype

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        parts = self.data.split(self.at_once), self.share.split(self.at_once)
        for x, share in zip(*parts, strict=True):
            yield x.to(self.dtype), share
