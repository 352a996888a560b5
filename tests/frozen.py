"""Hashes of what every kind of estimator computes, to show that a change of structure changes none.

Run ``python tests/frozen.py write before.json`` before and ``python tests/frozen.py compare
before.json`` after, in the same environment: the hashes belong to one machine and to the versions
of its packages.
"""

import hashlib
import json
import os
import pickle
import sys
import warnings
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator

from sklearn_ae import Autoencoder, AutoencoderDetector, Denoiser, VariationalAutoencoder
from sklearn_ae.architectures import Convolutional
from sklearn_ae.corruptions import GaussianNoise, Occlusion
from tests.instances import INSTANCES, small, small_denoiser, small_vae

METHODS = (
    "transform",
    "reconstruct",
    "reconstruction_error",
    "score_samples",
    "decision_function",
    "predict",
    "score_features",
    "p_values",
    "elbo",
    "encode_distribution",
)
ATTRIBUTES = (
    "loss_curve_",
    "validation_scores_",
    "best_loss_",
    "start_kept_",
    "n_iter_",
    "n_components_",
    "mean_",
    "scale_",
    "explained_variance_",
    "noise_variance_",
    "sparsity_",
    "active_units_",
    "kl_per_component_",
    "mode_",
    "offset_",
    "calibration_scores_",
    "n_samples_seen_",
)


def hash_of(value):
    """A short hash of arrays, numbers, and containers of such."""
    digest = hashlib.sha256()

    def add(item):
        if isinstance(item, dict):
            for key in sorted(item):
                add(key)
                add(item[key])
        elif isinstance(item, (list, tuple)):
            for part in item:
                add(part)
        elif isinstance(item, np.ndarray):
            digest.update(str((item.dtype, item.shape)).encode() + item.tobytes())
        else:
            digest.update(repr(item).encode())

    add(value)
    return digest.hexdigest()[:16]


def hashes_of(estimator, X, **clean):
    """Hashes of what a fitted estimator makes of rows, and of its attributes."""
    found = {}
    for name in METHODS:
        is_calibrated = name != "p_values" or hasattr(estimator, "calibration_scores_")
        if not (hasattr(estimator, name) and is_calibrated):
            continue
        try:
            found[name] = hash_of(getattr(estimator, name)(X))
        except ValueError as error:  # a refusal is a result too
            found[name] = type(error).__name__
    for name in ATTRIBUTES:
        if hasattr(estimator, name):
            found[name] = hash_of(getattr(estimator, name))
    if hasattr(estimator, "score"):
        found["score"] = hash_of(estimator.score(X, **clean))
    if hasattr(estimator, "inverse_transform"):
        found["inverse_transform"] = hash_of(estimator.inverse_transform(estimator.transform(X)))
    if hasattr(estimator, "sample"):
        found["sample"] = hash_of(estimator.sample(5, random_state=0))
        found["sample_posterior"] = hash_of(estimator.sample_posterior(X[:4], 2, random_state=0))
    return found


def tables():
    """Tables of rows: a small curve, digits, and one that is too large for one decomposition."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 60)
    curve = np.column_stack([np.cos(angle), np.sin(angle), np.sin(2 * angle), angle / 3])
    large = rng.normal(size=(8000, 8)) @ rng.normal(size=(8, 40)) + rng.normal(size=(8000, 40))
    return {
        "curve": curve @ rng.normal(size=(4, 6)) + 0.1 * rng.normal(size=(60, 6)),
        "digits": load_digits().data[:300] / 16,
        "large": large,
    }


def cases():
    """Name -> function that gives hashes."""
    data = tables()
    curve, digits, large = data["curve"], data["digits"], data["large"]
    weight = np.linspace(0, 2, len(curve))
    images = digits.reshape(-1, 8, 8)
    noisy = digits + 0.2 * np.random.default_rng(1).normal(size=digits.shape)

    def fit(estimator, X, **kwargs):
        def case():
            fitted = clone(estimator).set_params(random_state=0).fit(X, **kwargs)
            clean = {"X_clean": kwargs["X_clean"]} if "X_clean" in kwargs else {}
            found = hashes_of(fitted, X, **clean)
            reloaded = hashes_of(pickle.loads(pickle.dumps(fitted)), X, **clean)
            different = {k for k in found if found[k] != reloaded[k]}
            return {**found, "reloaded": sorted(different)}

        return case

    def chunks(estimator, X, **kwargs):
        def case():
            fitted = clone(estimator).set_params(random_state=0)
            half = len(X) // 2
            for rows in (slice(half), slice(half, None), slice(half)):
                of_rows = {name: value[rows] for name, value in kwargs.items()}
                fitted.partial_fit(X[rows], **of_rows)
            clean = {"X_clean": kwargs["X_clean"]} if "X_clean" in kwargs else {}
            return hashes_of(fitted, X, **clean)

        return case

    def twice(estimator, X, **kwargs):
        def case():
            fitted = clone(estimator).set_params(random_state=0, warm_start=True)
            fitted.fit(X, **kwargs).fit(X, **kwargs)
            return hashes_of(fitted, X, **kwargs)

        return case

    found = {}
    for instance in INSTANCES:
        name = " ".join(repr(instance).split())
        found[f"curve | {name}"] = fit(instance, curve)
        found[f"weights | {name}"] = fit(instance, curve, sample_weight=weight)
        found[f"partial_fit | {name}"] = chunks(instance, curve)
        found[f"warm_start | {name}"] = twice(instance, curve)
        found[f"digits float32 | {name}"] = fit(instance, digits.astype(np.float32))
    for instance in (small(n_components=5), small_vae(), small_denoiser(), Autoencoder(max_iter=1)):
        found[f"large | {instance!r}"] = fit(instance, large)
    bfloat16 = small(precision="bfloat16")
    found["digits bfloat16"] = fit(bfloat16, digits)
    layers = {"channels": (4, 8)}
    for upsampling in ("transpose", "nearest", "max_unpool"):
        pool = {"downsampling": "max_pool", "upsampling": upsampling}
        convolutional = Convolutional((8, 8), **layers, **pool)
        found[f"images | {upsampling}"] = fit(
            Autoencoder(architecture=convolutional, max_iter=3), images
        )
        denoiser = Denoiser(
            architecture=convolutional, corruption=Occlusion((8, 8), 3), max_iter=20
        )
        found[f"images | Denoiser | {upsampling}"] = fit(denoiser, images)
    found["images | VAE"] = fit(
        VariationalAutoencoder(architecture=Convolutional((8, 8), **layers), max_iter=3), images
    )
    for mode in ("auto", "direct", "residual"):
        for weights in ({}, {"sample_weight": np.linspace(0, 2, len(digits))}):
            paired = small_denoiser(mode=mode, max_iter=20)
            found[f"pairs | {mode} {len(weights)}"] = fit(paired, noisy, X_clean=digits, **weights)
        found[f"pairs | {mode} partial_fit"] = chunks(paired, noisy, X_clean=digits)
        found[f"pairs | {mode} warm_start"] = twice(paired, noisy, X_clean=digits)
    found["digits | Denoiser auto"] = fit(small_denoiser(max_iter=20), digits)
    found["digits | Denoiser noise"] = fit(
        small_denoiser(corruption=GaussianNoise(0.3), max_iter=20, n_components=5), digits
    )
    fitted = small(n_components=4, random_state=0).fit(digits)
    for name, detector in {
        "default": AutoencoderDetector(),
        "contamination": AutoencoderDetector(contamination=0.1),
        "calibrated": AutoencoderDetector(calibration_fraction=0.2),
        "robust": AutoencoderDetector(robust=True),
        "not robust": AutoencoderDetector(robust=False, anomaly_score="mahalanobis"),
        "likelihood": AutoencoderDetector(small_vae(n_components=4), anomaly_score="likelihood"),
        "reconstruction": AutoencoderDetector(anomaly_score="reconstruction"),
        "frozen": AutoencoderDetector(FrozenEstimator(fitted), anomaly_score="latent"),
        "given": AutoencoderDetector(small(n_components=4), standardize=True),
    }.items():
        found[f"detector | digits | {name}"] = fit(detector, digits)
        if name not in ("frozen", "likelihood"):
            found[f"detector | curve | {name}"] = fit(detector, curve)
    return found


def main(command, path):
    """Write the hashes, or say which differ from those that were written."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    known = json.loads(Path(path).read_text()) if command == "compare" else {}
    hashes, n_different = {}, 0
    for name, case in cases().items():
        try:
            hashes[name] = case()
        except Exception as error:  # an error is a result too
            hashes[name] = {"error": f"{type(error).__name__}: {error}"}
        if command == "compare":
            before = known.get(name, {})
            keys = sorted(
                key
                for key in before.keys() | hashes[name].keys()
                if before.get(key) != hashes[name].get(key)
            )
            if keys:
                n_different += 1
                print(f"{name}: {', '.join(keys)}")
    if command == "write":
        Path(path).write_text(json.dumps(hashes, indent=1))
    print(f"{len(hashes)} cases, {n_different} different")
    return min(n_different, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
