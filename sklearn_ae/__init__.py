"""Autoencoders and variational autoencoders as scikit-learn estimators."""

import importlib

from sklearn_ae._version import __version__ as __version__

# Names are loaded at first use: torch takes seconds to import, and the command line and the
# processes of `compare` often need none of it.
_SUBMODULES = (
    "architectures",
    "code_activations",
    "comparison",
    "corruptions",
    "datasets",
    "display",
    "exceptions",
    "likelihoods",
    "losses",
    "metrics",
    "penalties",
)
_HOMES = {
    "Autoencoder": "sklearn_ae.estimators._autoencoder",
    "AutoencoderDetector": "sklearn_ae.estimators._detector",
    "Denoiser": "sklearn_ae.estimators._denoiser",
    "VariationalAutoencoder": "sklearn_ae.estimators._variational",
    "compare": "sklearn_ae.comparison",
}

__all__ = ["Autoencoder", "AutoencoderDetector", "Denoiser", "VariationalAutoencoder", "compare"]


def __getattr__(name: str) -> object:
    if name in _SUBMODULES:
        return importlib.import_module(f"sklearn_ae.{name}")
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})
