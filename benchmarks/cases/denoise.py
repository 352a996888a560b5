"""Cleaning corrupted images: PSNR and SSIM on the 10000 test images.

Pixels are in [0, 1]; images are corrupted, as in training, by one of six corruptions, and not
clipped. What a method gives is clipped to [0, 1], for all methods alike. Three measures:

- "PSNR", the one to go by, is ``10 log10(1 / MSE)`` of the mean error of all images.
- "PSNR, mean over images" is the mean of that of each image, as scikit-image computes it, where an
  image whose error is below that of rounding to 8 bits counts as one of that error (58.9 dB). A
  hole in a black corner leaves an image as it was: where many images are untouched, this
  measure is for who leaves these alone, so the mean over the touched ones stands beside it.
- SSIM is scikit-image's, ``data_range=1``, window of 7 x 7, mean over images; scikit-image leaves
  out a border of 3 pixels.

`Denoiser` is fitted on the 60000 clean training images with the corruption named, all else at its
default, but for what the row names; the convolutional row takes 20 epochs, in bfloat16, for the
sake of time. Its epochs and its mode are chosen by the tenth of the training images that it
holds out. ``max_iter=0`` is its start, a linear filter that anybody could fit: there is a margin
against it too.
Settings of the others are chosen on the last 10000 training images (the first 2000 of these for
total variation, 500 for non-local means, 1000 for SSIM), with the same corruption and another
seed: for each measure those that are best by it. PCA is fitted on the 50000 other clean images
for the choice, then on all 60000; it takes 10, 20, ... 200 components. For non-local means the
noise level of the validation images is among the settings. All methods are judged on all test
images, the same corrupted ones.
"""

import itertools

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter, median_filter
from sklearn.decomposition import PCA

from benchmarks.data import IMAGE_SHAPES, images
from benchmarks.harness import fit_time, lines_with, readme_row, seconds, span
from sklearn_ae import Denoiser
from sklearn_ae.architectures import Convolutional
from sklearn_ae.corruptions import GaussianNoise, Masking, Occlusion, SaltAndPepper

LIMIT_S = 3600
SHAPE = IMAGE_SHAPES["mnist"]
CORRUPTIONS = {
    "Gaussian 0.3": GaussianNoise(0.3),
    "Gaussian 0.5": GaussianNoise(0.5),
    "salt and pepper 30 %": SaltAndPepper(0.3),
    "masking 50 %": Masking(0.5),
    "bar of two rows": Occlusion(SHAPE, size=2, value=1.0, shape="rows"),
    "hole 8 x 8": Occlusion(SHAPE, size=8, value=0.0, shape="square"),
}
OURS = {
    "Denoiser, max_iter=0": {"max_iter": 0},
    "Denoiser": {},
    "Denoiser, Convolutional, max_iter=20, bfloat16": {
        "architecture": Convolutional(SHAPE),
        "max_iter": 20,
        "precision": "bfloat16",
    },
}
START, *TRAINED = OURS
IN_README = "Gaussian 0.3"
# data -> corruptions; of other images than digits some of each kind
DATA = {
    "mnist": tuple(CORRUPTIONS),
    "fashion_mnist": ("Gaussian 0.5", "salt and pepper 30 %", "hole 8 x 8"),
}
N_VALIDATION = 10000
# Images that SSIM is computed of where settings are chosen.
N_SIMILAR = 1000
VALIDATION_NOISE, TEST_NOISE = 1000, 2000
# Squared error of rounding to 8 bits.
LEAST_ERROR = 1 / (12 * 255**2)


def median(corrupted, size, cross):
    """Median of a square of pixels, or of a cross of five."""
    if cross:
        footprint = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], dtype=bool)
        return median_filter(corrupted, footprint=footprint)
    return median_filter(corrupted, size=(1, size, size))


def gaussian(corrupted, sigma):
    """Gaussian blur."""
    return gaussian_filter(corrupted, sigma=(0, sigma, sigma))


def non_local_means(corrupted, **setting):
    """Non-local means of each image."""
    from skimage.restoration import denoise_nl_means

    return np.stack([denoise_nl_means(image, **setting) for image in corrupted])


def total_variation(corrupted, weight):
    """Chambolle's total variation denoising of each image."""
    from skimage.restoration import denoise_tv_chambolle

    return np.stack([denoise_tv_chambolle(image, weight=weight) for image in corrupted])


def grid(**values):
    """All combinations of values, as dicts."""
    return [dict(zip(values, one, strict=True)) for one in itertools.product(*values.values())]


# name -> (function, settings, validation images)
FILTERS = {
    "median filter": (
        median,
        [{"size": 3, "cross": True}, *grid(size=(1, 2, 3, 5, 7), cross=(False,))],
        N_VALIDATION,
    ),
    "Gaussian filter": (
        gaussian,
        grid(sigma=[round(0.1 * step, 1) for step in range(31)]),
        N_VALIDATION,
    ),
    "non-local means": (
        non_local_means,
        grid(
            patch_size=(3, 5, 7),
            patch_distance=(5, 9),
            h=(0.01, 0.03, 0.1, 0.2, 0.3, 0.45, 0.7, 1.0),
        ),
        500,
    ),
    "total variation": (
        total_variation,
        grid(weight=(0.001, 0.005, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5)),
        2000,
    ),
}
METHODS = ("as it is", "PCA", *FILTERS, *OURS)
# title -> name of what settings are chosen by, and of what is shown beside these
MEASURES = {"PSNR": "psnr", "PSNR, mean over images": "psnr_of_images", "SSIM": "ssim"}
SHOWN = MEASURES | {"PSNR, mean over touched images": "psnr_of_touched"}
N_COMPONENTS = tuple(range(10, 201, 10))


def cells():
    """Cells of the case; seeds beside 0 for one cell, to show what they change."""
    return [
        {"data": data, "seed": seed, "method": method, "corruption": corruption}
        for data in DATA
        for corruption in DATA[data]
        for seed in (0, 1, 2)
        for method in METHODS
        if seed == 0
        or (data == "mnist" and corruption == "Gaussian 0.5" and method in ("PCA", TRAINED[0]))
    ]


def corrupted_rows(cell, clean, noise):
    """Spoilt images, the same for all methods."""
    corruption = CORRUPTIONS[cell["corruption"]]
    return corruption.corrupt(clean, random_state=noise + cell["seed"])


def parts(train):
    """Training images without the last sixth, and that sixth, to choose by."""
    n_validation = len(train) * N_VALIDATION // 60000
    return train[:-n_validation], train[-n_validation:]


def quality(clean, corrupted, cleaned, n_similar=None):
    """The measures of rows of images; SSIM of the first ``n_similar``."""
    from skimage.metrics import structural_similarity

    touched = np.any(corrupted != clean, axis=1)
    clean = clean.astype(np.float64)
    cleaned = np.clip(cleaned, 0, 1).astype(np.float64)
    errors = np.mean((cleaned - clean) ** 2, axis=1)
    decibels = -10 * np.log10(np.maximum(errors, LEAST_ERROR))
    pairs = zip(clean[:n_similar], cleaned[:n_similar], strict=True)
    similarities = [
        structural_similarity(*(image.reshape(SHAPE) for image in pair), data_range=1)
        for pair in pairs
    ]
    return {
        "psnr": float(-10 * np.log10(np.maximum(errors.mean(), LEAST_ERROR))),
        "psnr_of_images": float(decibels.mean()),
        "psnr_of_touched": float(decibels[touched].mean()),
        "ssim": float(np.mean(similarities)),
        "touched": float(touched.mean()),
        "n_images": len(clean),
    }


def best_settings(clean_with, settings, clean, corrupted):
    """For each measure the setting that is best by it."""
    found = [quality(clean, corrupted, clean_with(corrupted, **one), N_SIMILAR) for one in settings]
    return {
        measure: settings[int(np.argmax([values[measure] for values in found]))]
        for measure in MEASURES.values()
    }


def with_filter(cell, train, options):
    """Function from corrupted to clean rows, and its settings."""
    function, settings, n_rows = FILTERS[cell["method"]]

    def clean_with(rows, **setting):
        return function(rows.reshape(-1, *SHAPE), **setting).reshape(rows.shape)

    clean = parts(train)[1][: 20 if options.smoke else n_rows]
    corrupted = corrupted_rows(cell, clean, VALIDATION_NOISE)
    if cell["method"] == "non-local means":
        level = float(np.sqrt(np.mean((corrupted - clean) ** 2)))
        settings = [{**setting, "sigma": sigma} for setting in settings for sigma in (0.0, level)]
    return clean_with, best_settings(clean_with, settings, clean, corrupted)


def with_pca(cell, train):
    """Function that projects on principal components, and how many."""
    others, clean = parts(train)
    corrupted = corrupted_rows(cell, clean, VALIDATION_NOISE)
    pca = PCA(max(N_COMPONENTS), random_state=cell["seed"]).fit(others)
    settings = [{"n_components": k} for k in N_COMPONENTS]

    def project(rows, n_components):
        directions = pca.components_[:n_components]
        return (rows - pca.mean_) @ directions.T @ directions + pca.mean_

    chosen = best_settings(project, settings, clean, corrupted)
    pca.fit(train)
    return project, chosen


def with_denoiser(cell, train, options):
    """Function of a fitted `Denoiser`, and how it was fitted."""
    denoiser = options.ours(
        Denoiser,
        corruption=CORRUPTIONS[cell["corruption"]],
        random_state=cell["seed"],
        **OURS[cell["method"]],
    )
    fit_s, _ = seconds(denoiser.fit, train)
    return denoiser.transform, {
        "fit_s": fit_s,
        "n_iter": int(denoiser.n_iter_),
        "mode": denoiser.mode_,
        "start_kept": bool(denoiser.start_kept_),
    }


def run(cell, options):
    """Choose or fit, then clean the test images."""
    train, _ = images(cell["data"], rows=options.rows(60000))
    figures, settings = {}, None
    if cell["method"] == "as it is":
        clean_with = np.copy
    elif cell["method"] == "PCA":
        clean_with, settings = with_pca(cell, train)
    elif cell["method"] in FILTERS:
        clean_with, settings = with_filter(cell, train, options)
    else:
        clean_with, figures = with_denoiser(cell, train, options)
    test, _ = images(cell["data"], "test", rows=options.rows(10000))
    corrupted = corrupted_rows(cell, test, TEST_NOISE)
    if settings is None:
        clean_s, cleaned = seconds(clean_with, corrupted)
        return figures | {"clean_s": clean_s} | quality(test, corrupted, cleaned)
    figures = {"settings": settings}
    for measure, setting in settings.items():
        clean_s, cleaned = seconds(clean_with, corrupted, **setting)
        found = quality(test, corrupted, cleaned)
        # of each measure by its own setting; that of touched images goes with all images
        with_it = {"psnr_of_images": ("psnr_of_touched",), "psnr": ("touched", "n_images")}
        figures |= {name: found[name] for name in (measure, *with_it.get(measure, ()))}
        figures["clean_s"] = clean_s
    return figures


def tables(lines):
    """Per data set: measures by method, ours against the others, what was chosen."""
    groups, found = {}, {}
    for line in sorted(lines, key=lambda line: line["seed"]):
        group = groups.setdefault((line["data"], line["settings"]["corruption"]), {})
        group.setdefault(line["method"], []).append(line["figures"])
    for data in dict.fromkeys(data for data, _ in groups):
        of_data = {
            corruption: group for (name, corruption), group in groups.items() if name == data
        }
        for title, name in SHOWN.items():
            found[f"{data}, {title}"] = [
                {"corruption": corruption} | {m: show(group, m, name) for m in METHODS}
                for corruption, group in of_data.items()
            ]
        found[f"{data}, each trained Denoiser less the best of the others, seed 0"] = [
            {"corruption": corruption} | margins(group) for corruption, group in of_data.items()
        ]
        found[f"{data}, what was chosen, seed 0"] = [
            {"corruption": corruption, "method": method} | chosen(figures)
            for corruption, group in of_data.items()
            for method, (figures, *_) in group.items()
            if method != "as it is"
        ]
    return found


def show(group, method, name):
    """Mean over the seeds, with their range where there are several."""
    values = [figures[name] for figures in group.get(method, [])]
    if not values:
        return None
    digits = 3 if name == "ssim" else 2
    seeds = f" ({min(values):.{digits}f} to {max(values):.{digits}f})" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{seeds}"


def margins(group):
    """Ours less the best of the others, and less our linear start, on the same corrupted images."""
    row = {}
    for title, name in MEASURES.items():
        others = {m: f[0][name] for m, f in group.items() if m not in OURS}
        if not others:
            continue
        best = max(others, key=others.get)
        row[f"best other by {title}"] = best
        for method in TRAINED:
            if method in group:
                row[f"{method}, {title}"] = f"{group[method][0][name] - others[best]:+.3f}"
                if START in group and name == "psnr":
                    gain = group[method][0][name] - group[START][0][name]
                    row[f"{method}, {title}, less {START}"] = f"{gain:+.3f}"
    return row


def chosen(figures):
    """Settings of the others, epochs and mode of ours."""
    settings = {
        f"by {title}": ", ".join(f"{key}={value:g}" for key, value in setting.items())
        for title, name in MEASURES.items()
        for setting in [figures.get("settings", {}).get(name, {})]
    }
    return settings | {
        "mode": figures.get("mode"),
        "epochs": figures.get("n_iter"),
        "start kept": figures.get("start_kept"),
        "fit (s)": fit_time(figures) if "fit_s" in figures else None,
        "cleaning 10000 images (s)": figures["clean_s"],
    }


def figures(lines):
    """Decibels above the best of the others and above the linear start, over the corruptions.

    README's row is the corruption with the least margin of the dense network.
    """
    psnr = pd.DataFrame(
        {
            "corruption": line["settings"]["corruption"],
            "method": line["method"],
            "psnr": line["figures"]["psnr"],
        }
        for line in lines_with(lines, data="mnist", seed=0)
    ).pivot(index="corruption", columns="method", values="psnr")
    assert psnr.shape == (6, len(METHODS)) and psnr.notna().all(axis=None)
    best = psnr[[method for method in METHODS if method not in OURS]].max(axis=1)
    dense, convolutional = (psnr[method] - best for method in TRAINED)
    gains = psnr[TRAINED[0]] - psnr[START]
    assert dense.idxmin() == IN_README
    ours, pca = psnr.loc[IN_README, [TRAINED[0], "PCA"]]
    return {
        "above_others": span(dense, ".1f"),
        "convolutional": span(convolutional, ".1f"),
        "above_start": span(gains, ".1f"),
        "README": [readme_row(".1f", ours, pca, dict(psnr.loc[IN_README, [*FILTERS]]))],
    }
