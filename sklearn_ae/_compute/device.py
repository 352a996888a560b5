"""Devices: where tensors live."""

import warnings

import torch


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


def inference_device(device):
    """Where a fitted model computes: the CPU, with a warning, where its device is not there."""
    try:
        return resolve_device(device)
    except ValueError as error:
        warnings.warn(f"{error} Inference runs on the CPU.", UserWarning, stacklevel=4)
        return torch.device("cpu")


def supports_float64(device):
    """Whether a device computes in double precision."""
    return device.type != "mps"
