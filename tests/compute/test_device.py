"""Names of devices, and what is done where one is missing."""

import pytest
import torch

from sklearn_ae._compute import (
    inference_device,
    resolve_device,
    resolve_precision,
    supports_float64,
)


def test_device_names():
    assert resolve_device("cpu") == torch.device("cpu")
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device("auto").type in (expected, "mps")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_cuda_device_is_an_error():
    with pytest.raises(ValueError, match="device='cuda'"):
        resolve_device("cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_inference_without_the_device_of_the_fit_is_on_the_cpu_with_a_warning():
    with pytest.warns(UserWarning, match=r"device='cuda:1'.*Inference runs on the CPU"):
        assert inference_device("cuda:1") == torch.device("cpu")


def test_unknown_device_raises_one_line():
    with pytest.raises(ValueError, match="device='abacus' is not a device") as caught:
        resolve_device("abacus")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name, exact", [("cpu", True), ("cuda", True), ("mps", False)])
def test_which_devices_compute_in_float64(name, exact):
    assert supports_float64(torch.device(name)) is exact


@pytest.mark.parametrize("instructions", [(), ("avx512_bf16",), ("amx_bf16",), ("bf16",)])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("n_features", [127, 128])
def test_precision_is_short_where_a_cpu_has_instructions_and_rows_are_wide(
    instructions, device, n_features, monkeypatch
):
    capabilities = {"avx2": True, "bf16": False, **dict.fromkeys(instructions, True)}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    is_short = bool(instructions) and device == "cpu" and n_features == 128
    found = resolve_precision("auto", torch.device(device), n_features)
    assert found == ("bfloat16" if is_short else "float32")
    for named in ("float32", "bfloat16"):
        assert resolve_precision(named, torch.device(device), n_features) == named


def test_precision_is_full_where_torch_does_not_know_the_instructions(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert resolve_precision("auto", torch.device("cpu"), 1000) == "float32"
