"""Where tensors live and how long tables pass through a module."""

import torch

# Rows per chunk are chosen so that a chunk of the widest tensor stays near this many numbers.
CHUNK_NUMBERS = 2**22


def resolve_device(device):
    """Turn a device parameter into a torch device.

    Parameters
    ----------
    device : str
        "auto" takes the first CUDA device, else Apple's, else the CPU.

    Returns
    -------
    torch.device
        The device.
    """
    if device != "auto":
        try:
            resolved = torch.device(device)
        except RuntimeError:
            raise ValueError(
                f"device={device!r} is not a device of torch; use 'auto', 'cpu', 'cuda', "
                "'cuda:1' or 'mps'."
            ) from None
        if resolved.type == "cuda" and not torch.cuda.is_available():
            raise ValueError(
                f"device={device!r} was asked for, but torch {torch.__version__} finds no CUDA "
                "device; use device='auto' or 'cpu'."
            )
        return resolved
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def supports_float64(device):
    """Whether a device computes in double precision."""
    return device.type != "mps"


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
