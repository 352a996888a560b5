"""Names of devices, and what is done where one is missing."""

import pytest
import torch

from sklearn_ae._compute import inference_device, resolve_device, supports_float64


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
