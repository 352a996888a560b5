"""Devices: where tensors live."""

import torch

from sklearn_ae._compute.warn import warn_user

# Instructions of a CPU that multiply in bfloat16, of x86 and of Arm.
NATIVE_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
# Features from which these pay.
WIDE = 128


def resolve_device(device):
    """The torch device that a parameter names; "auto" is CUDA, else Apple's, else the CPU.

    ValueError where torch does not know the name, or cannot compute there on this machine.
    """
    if device != "auto":
        return _named_device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def _named_device(device):
    try:
        resolved = torch.device(device)
    except RuntimeError:
        resolved = torch.device("meta")
    if resolved.type == "meta":  # its tensors hold no numbers
        raise ValueError(
            f"device={device!r} is not a device of torch that computes; use 'auto', 'cpu', "
            "'cuda', 'cuda:1' or 'mps'."
        )
    if resolved.type != "cpu":
        try:
            torch.empty(1, dtype=torch.float32, device=resolved)
        # torch has an error of its own for each kind of device that is not there
        except (RuntimeError, AssertionError, NotImplementedError, ImportError):
            raise ValueError(
                f"device={device!r} was asked for, but torch {torch.__version__} finds no such "
                "device on this machine; use device='auto' or 'cpu'."
            ) from None
    return resolved


def inference_device(device):
    """Where a fitted model computes: the CPU, with a warning, where its device is not there."""
    try:
        return resolve_device(device)
    except ValueError as error:
        warn_user(f"{error} Inference runs on the CPU.")
        return torch.device("cpu")


def supports_float64(device):
    """Whether a device computes in double precision."""
    return device.type != "mps"


def resolve_precision(precision, device, n_features):
    """The precision that a parameter names; "auto" is bfloat16 where that is known to be faster."""
    if precision != "auto":
        return precision
    if device.type != "cpu" or n_features < WIDE:
        return "float32"
    # older versions of torch do not tell
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    has_bfloat16 = any(capabilities.get(name, False) for name in NATIVE_BFLOAT16)
    return "bfloat16" if has_bfloat16 else "float32"
