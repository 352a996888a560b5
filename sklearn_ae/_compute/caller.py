"""What the caller has set in torch, kept out of what is computed here."""

import contextlib

import torch

# Devices whose autocast a caller may have switched on.
AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")


def own_state():
    """A context in which torch is as when it was imported, as far as that is set per thread.

    It switches gradients on, inference mode and autocast off, and makes the CPU the default
    device, each only where the caller has set it otherwise, and puts everything back at its end.
    The default type, which is that of all threads, is named wherever a tensor is made.
    """
    autocast = [device for device in AUTOCAST_DEVICES if torch.is_autocast_enabled(device)]
    inference = torch.is_inference_mode_enabled()
    elsewhere = torch.get_default_device().type != "cpu"
    if torch.is_grad_enabled() and not (inference or autocast or elsewhere):
        return contextlib.nullcontext()
    contexts = contextlib.ExitStack()
    if inference:
        contexts.enter_context(torch.inference_mode(False))
    contexts.enter_context(torch.enable_grad())
    for device in autocast:
        contexts.enter_context(torch.autocast(device, enabled=False))
    if elsewhere:
        contexts.enter_context(torch.device("cpu"))
    return contexts
