"""Rate against distortion: error by code size, beside JPEG at equal bytes.

Squared error per test image (pixels in [0, 1], summed) with 2, 5, 10, 30 and 100
components, for PCA and for `Autoencoder` with dense and with convolutional layers. Each component
of a code is rounded to 8 bits, 256 equal steps between its least and greatest value on the training
images (test codes beyond are put at the end), so a code of k components takes k bytes; nothing is
gained by coding frequent values in fewer bits. Outputs are clipped to [0, 1]. The error with
unrounded codes and unclipped outputs stands beside it.

JPEG is Pillow's, grey, qualities 1 to 95. Its bytes are those of the scan (the coded pixels) and,
where its Huffman tables are made for the file (``optimize``), of these; all other headers,
some 330 bytes a file, are left out, in favour of JPEG, and so are, on the other side, the weights
of the networks. It has three rows: one image a file with the standard tables, 100 images side by
side in one file with these, where 28 x 28 pixels need not be filled up to 32 x 32 and neighbours
share a byte, and the same with tables of its own. Bytes of a file are divided by its images. At a
number of bytes the error is interpolated between the qualities whose mean sizes lie around it; at
the lowest quality JPEG has a least size.

MNIST: 60000 training images. Olivetti: 300 images, judged on other people. Networks are in
bfloat16, and convolutional ones make 20 epochs on MNIST for the sake of time; dense ones make the
default number. All else at defaults.
"""

import io

import numpy as np
from sklearn.decomposition import PCA

from benchmarks.data import IMAGE_SHAPES, split_images, squared_error
from benchmarks.harness import figures_with, lines_with, seconds
from sklearn_ae import Autoencoder
from sklearn_ae.architectures import Convolutional

LIMIT_S = 3600
N_COMPONENTS = (2, 5, 10, 30, 100)
N_LEVELS = 256
REDUCERS = ("PCA", "dense", "Convolutional")
# name -> (images along each side of a file, whether it has tables of its own)
JPEG = {
    "JPEG": (1, False),
    "JPEG, 100 images a file": (10, False),
    "JPEG, 100 images a file, own tables": (10, True),
}
DATA = ("mnist", "olivetti")
MNIST_PASSES = 20
QUALITIES = (*range(1, 30), *range(30, 96, 5))


def cells():
    """Cells of the case."""
    found = []
    for data in DATA:
        limited = {"max_iter": MNIST_PASSES} if data == "mnist" else {}
        shared = {"data": data, "seed": 0}
        found += [{**shared, "method": method} for method in JPEG]
        found += [
            {**shared, "method": method, "n_components": k}
            | (limited if method == "Convolutional" else {})
            for method in REDUCERS
            for k in N_COMPONENTS
        ]
    return found


def make(cell, options):
    """Reducer of a cell."""
    if cell["method"] == "PCA":
        return PCA(cell["n_components"], random_state=cell["seed"])
    parameters = {name: cell[name] for name in ("n_components", "max_iter") if name in cell}
    if cell["method"] == "Convolutional":
        parameters["architecture"] = Convolutional(IMAGE_SHAPES[cell["data"]])
    parameters |= {"random_state": cell["seed"], "precision": "bfloat16"}
    return options.ours(Autoencoder, **parameters)


def to_bytes(codes, low, high):
    """Codes rounded to 8 bits."""
    steps = (codes - low) / np.where(high > low, high - low, 1) * (N_LEVELS - 1)
    return np.clip(np.rint(steps), 0, N_LEVELS - 1).astype(np.uint8)


def from_bytes(rounded, low, high):
    """Codes of 8 bits in their units."""
    return (low + rounded / (N_LEVELS - 1) * (high - low)).astype(low.dtype)


def run(cell, options):
    """Errors of a reducer, or the curve of JPEG."""
    train, test = split_images(cell["data"], cell["seed"], options.rows(60000))
    if cell["method"] in JPEG:
        qualities = QUALITIES[::10] if options.smoke else QUALITIES
        shape, how = IMAGE_SHAPES[cell["data"]], JPEG[cell["method"]]
        curve = [jpeg(test, shape, *how, quality) for quality in qualities]
        return {"curve": curve, "n_images": len(test)}
    fit_s, fitted = seconds(make(cell, options).fit, train)
    on_train = fitted.transform(train)
    low, high = on_train.min(axis=0), on_train.max(axis=0)
    codes = fitted.transform(test)
    rounded = to_bytes(codes, low, high)
    output = fitted.inverse_transform(from_bytes(rounded, low, high))
    return {
        "fit_s": fit_s,
        "bytes": rounded.nbytes / len(test),
        "squared_error": squared_error(test, np.clip(output, 0, 1)),
        "squared_error_unrounded": squared_error(test, fitted.inverse_transform(codes)),
        "n_iter": int(getattr(fitted, "n_iter_", 0)),
        "start_kept": bool(getattr(fitted, "start_kept_", False)),
    }


def jpeg(X, shape, side, optimize, quality):
    """Quality, bytes per image and squared error per image of JPEG, side x side images a file."""
    from PIL import Image

    n_files = len(X) // side**2
    pixels = np.rint(X[: n_files * side**2] * 255).astype(np.uint8)
    # (files, rows of images, height, columns of images, width)
    sheets = pixels.reshape(n_files, side, side, *shape).swapaxes(2, 3)
    sheets = sheets.reshape(n_files, side * shape[0], side * shape[1])
    n_bytes, error = 0, 0.0
    for sheet in sheets:
        file = io.BytesIO()
        Image.fromarray(sheet).save(file, "JPEG", quality=quality, optimize=optimize)
        n_bytes += coded_bytes(file.getvalue(), with_tables=optimize)
        decoded = np.asarray(Image.open(file), dtype=np.float64)
        error += np.sum((decoded - sheet) ** 2) / 255**2
    return [quality, n_bytes / len(pixels), error / len(pixels)]


def coded_bytes(content, with_tables):
    """Bytes of a JPEG file between the header of its scan and its end, perhaps with its tables."""
    place, tables = 2, 0  # behind the start marker
    while True:
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        place += 2 + length
        if marker == 0xC4:  # Huffman tables
            tables += 2 + length
        if marker == 0xDA:  # the scan follows
            return len(content) - place - 2 + (tables if with_tables else 0)


def jpeg_at(curve, n_bytes):
    """Error of JPEG at that many bytes an image, None below its least size."""
    _, sizes, errors = np.array(curve).T
    if not sizes.min() <= n_bytes <= sizes.max():
        return None
    return float(np.interp(n_bytes, sizes, errors))


def jpeg_for(curve, error):
    """Bytes an image that JPEG needs for that error."""
    _, sizes, errors = np.array(curve).T
    if error >= errors.max():
        return f"less than {sizes.min():.1f}"
    if error <= errors.min():
        return f"more than {sizes.max():.1f}"
    return float(np.interp(-error, -errors, sizes))


def tables(lines):
    """Per data set: errors at equal bytes with the winner, JPEG's bytes at equal errors, curves."""
    found = {}
    for data in dict.fromkeys(line["data"] for line in lines):
        of_data = [line for line in lines if line["data"] == data]
        errors, exact, curves = gathered(of_data)
        rows = [at_bytes(k, errors, curves) for k in N_COMPONENTS]
        title = f"{data}, squared error per test image"
        found[f"{title} at equal bytes (8 bits a component)"] = [row for row in rows if row]
        found[f"{title}, codes not rounded"] = [
            {"components": k} | {m: exact[m, k] for m in REDUCERS if (m, k) in exact}
            for k in N_COMPONENTS
            if any((m, k) in exact for m in REDUCERS)
        ]
        found[f"{data}, bytes that JPEG needs for the same error"] = [
            {"method": method, "bytes": k, "its error": errors[method, k]}
            | {name: jpeg_for(curve, errors[method, k]) for name, curve in curves.items()}
            for method in REDUCERS
            for k in N_COMPONENTS
            if (method, k) in errors and curves
        ]
        found[f"{data}, JPEG"] = [
            {"JPEG": name, "quality": int(quality), "bytes an image": size, "squared error": error}
            for name, curve in curves.items()
            for quality, size, error in curve
            if quality in (1, 5, 10, 20, 30, 50, 75, 95)
        ]
    return {title: rows for title, rows in found.items() if rows}


def gathered(lines):
    """Means over the seeds: errors by method and size, rounded and not, and JPEG's curves."""
    errors, exact, curves = {}, {}, {}
    for line in lines:
        figures, method = line["figures"], line["method"]
        if method in JPEG:
            curves.setdefault(method, []).append(figures["curve"])
        else:
            at = method, line["settings"]["n_components"]
            errors.setdefault(at, []).append(figures["squared_error"])
            exact.setdefault(at, []).append(figures["squared_error_unrounded"])
    errors, exact = (
        {at: float(np.mean(values)) for at, values in group.items()} for group in (errors, exact)
    )
    return errors, exact, {name: np.mean(curve, axis=0).tolist() for name, curve in curves.items()}


def at_bytes(k, errors, curves):
    """Errors of all at k bytes, and which is the least."""
    row = {method: errors[method, k] for method in REDUCERS if (method, k) in errors}
    if not row:
        return None
    row |= {name: jpeg_at(curve, k) for name, curve in curves.items()}
    known = {name: error for name, error in row.items() if error is not None}
    least = [f"{name}: at least {min(c[1] for c in curve):.1f}" for name, curve in curves.items()]
    note = "; ".join(part for part, name in zip(least, curves, strict=True) if row[name] is None)
    return {"bytes": k, **row, "least error": min(known, key=known.get), "note": note or None}


def figures(lines):
    """Errors at equal bytes beside JPEG's, and with five components of other people."""
    groups = [gathered(lines_with(lines, data=data)) for data in DATA]
    (mnist, _, curves), (faces, exact, _) = groups
    for errors, _, of_jpeg in groups:
        errors["JPEG", 100] = min(e for c in of_jpeg.values() if (e := jpeg_at(c, 100)) is not None)
    # JPEG wins on the faces, and with fewer than 30 bytes it cannot store an image of MNIST
    assert mnist["dense", 100] < mnist["JPEG", 100] and faces["JPEG", 100] < faces["dense", 100]
    assert 29 < min(size for curve in curves.values() for _, size, _ in curve) < 30
    # with 30 components the gate kept PCA
    assert figures_with(lines, data="olivetti", method="dense", n_components=30)["start_kept"]
    return {
        "mnist.dense_30": f"{mnist['dense', 30]:.2f}",
        "mnist.dense_100": f"{mnist['dense', 100]:.2f}",
        "mnist.pca_100": f"{mnist['PCA', 100]:.2f}",
        "mnist.jpeg_100": f"{mnist['JPEG', 100]:.2f}",
        "olivetti.dense_100": f"{faces['dense', 100]:.1f}",
        "olivetti.pca_100": f"{faces['PCA', 100]:.1f}",
        "olivetti.jpeg_100": f"{faces['JPEG', 100]:.1f}",
        "olivetti.dense_5_components": f"{exact['dense', 5]:.1f}",
        "olivetti.pca_5_components": f"{exact['PCA', 5]:.1f}",
    }
