"""What the report's script shows: points, rows and decoders of the maps as JSON."""

import base64
import io
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex
from PIL import Image

from sklearn_ae.comparison._decoder import MAX_CHARACTERS, as_text
from sklearn_ae.comparison._rows import LONGEST
from sklearn_ae.display._latent_space import label_palette

# Places along an axis of a map, and steps of the colours of a numeric target.
PLACES = 2**16 - 1
N_STOPS = 12
# The picture of all rows: its pixels, its bytes, and images beside each other.
MAX_PIXELS, MAX_BYTES, MAX_WIDTH = 16_000_000, 3_000_000, 4096
# Of all decoders, as text.
SMALLEST_SIDE = 2
LARGEST_SINGLE = 2**24
MAX_ALL_DECODERS = 4 * MAX_CHARACTERS


def live(result):
    """The data of the script as JSON that may stand in a page; None where there is no map."""
    drawn = {name: content for name, content in result._codes.items() if "codes" in content}
    rows = result._rows
    if not drawn or rows is None or not len(rows.names):
        return None
    in_sample = result.results_.groupby("reducer")["in_sample"].any()
    room, maps = MAX_ALL_DECODERS, []
    for name, content in drawn.items():
        if content["codes"].shape[1] < 2:
            continue
        decoder = str(content.get("decoder", ""))
        decoder = decoder if len(decoder) <= room else ""  # the file stays small
        room -= len(decoder)
        known = content["rows"] < len(rows.names)
        if not known.any():
            continue
        maps.append(
            {
                "name": name,
                "in_sample": bool(in_sample[name]),
                "rows": as_text(content["rows"][known].astype("<i4")),
                **_places(content["codes"][known, :2].astype(np.float64)),
                "decoder": json.loads(decoder) if decoder else None,
            }
        )
    if not maps:
        return None
    found = {
        "names": rows.names,
        "target": _target(result._colours, len(rows.names), rows.has_dates),
        "columns": [_column(*pair) for pair in zip(rows.units, rows.values, strict=False)],
        "images": None if rows.images is None else _images(rows, result._image_shape),
        "maps": maps,
    }
    # a name may hold what would end the element that holds the text
    return json.dumps(found, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def script():
    """The script of the report."""
    return Path(__file__).with_name("_report.js").read_text("utf-8")


def _places(codes):
    """Codes as places between the least and the greatest of each component."""
    low, high = codes.min(axis=0), codes.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    places = np.round((codes - low) / span * PLACES).astype("<u2")
    return {"low": low.tolist(), "span": span.tolist(), "places": as_text(places)}


def _target(colours, n_rows, has_dates):
    """Classes of the rows with their colours, or their numbers."""
    if colours is None:
        return None
    if colours.dtype.kind in "fi":
        stops = colormaps["viridis"](np.linspace(0, 1, N_STOPS))
        values = colours[:n_rows].astype(np.float64)
        stops = [to_hex(stop) for stop in stops]
        return {"numbers": as_text(values), "stops": stops, "has_dates": has_dates}
    palette = label_palette(colours)
    places = {label: place for place, label in enumerate(palette)}
    codes = np.array([places[label] for label in colours[:n_rows].tolist()], dtype="<i4")
    return {
        "classes": [str(label)[:LONGEST] for label in palette],
        "colours": [to_hex(colour) for colour in palette.values()],
        "codes": as_text(codes),
    }


def _column(unit, values):
    """A column with its values, and how it is read off decoded features."""
    shown = {"name": unit.name, "kind": unit.kind, "features": unit.features}
    if unit.kind == "category":
        codes, words = pd.factorize(values)
        words = [str(word)[:LONGEST] for word in words]
        return shown | {
            "categories": unit.categories,
            "words": words,
            "codes": as_text(codes.astype("<i4")),
        }
    values = np.asarray(values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    ends = [float(finite.min()), float(finite.max())] if len(finite) else [0.0, 1.0]
    # half of the digits will do, but for numbers that stand for something
    large = np.abs(finite).max(initial=0.0) > LARGEST_SINGLE
    return shown | {
        "shift": unit.shift,
        "scale": unit.scale,
        "ends": ends,
        "values": as_text(values if large else values.astype(np.float32)),
    }


def _images(rows, image_shape):
    """One picture of all rows, smaller where there are many."""
    images, factor = rows.images, 1
    if images.ndim == 3:  # dark where they are large
        images = 255 - images
    while True:
        shrunk = _shrunk(images, factor)
        height, width = shrunk.shape[1:3]
        content = _montage(shrunk) if math.prod(shrunk.shape[:3]) <= MAX_PIXELS else None
        if content is not None and len(content) <= MAX_BYTES:
            break
        if min(height, width) <= SMALLEST_SIDE:
            return None
        factor += 1
    text = base64.b64encode(content).decode("ascii")
    shape = image_shape if len(image_shape) == 3 else (1, *image_shape)
    return {
        "png": f"data:image/png;base64,{text}",
        "size": [width, height],
        "columns": _columns(len(images), width),
        "shape": list(map(int, shape)),
        "limits": list(rows.limits),
    }


def _columns(n_images, width):
    return max(1, min(n_images, MAX_WIDTH // width))


def _shrunk(images, factor):
    """Images whose pixels are means of squares of pixels."""
    if factor == 1:
        return images
    n, height, width = images.shape[:3]
    height, width = max(height // factor, 1), max(width // factor, 1)
    cut = images[:, : height * factor, : width * factor]
    blocks = cut.reshape(n, height, cut.shape[1] // height, width, cut.shape[2] // width, -1)
    means = np.concatenate(
        [
            blocks[start : start + 1000].mean(axis=(2, 4)).round().astype(np.uint8)
            for start in range(0, n, 1000)
        ]
    )
    return means.reshape(n, height, width, *images.shape[3:])


def _montage(images):
    """All images in one PNG, row by row, as bytes."""
    n, height, width = images.shape[:3]
    columns = _columns(n, width)
    lines = math.ceil(n / columns)
    page = np.zeros((lines * columns, *images.shape[1:]), dtype=np.uint8)
    page[:n] = images
    page = page.reshape(lines, columns, *images.shape[1:]).swapaxes(1, 2)
    page = page.reshape(lines * height, columns * width, *images.shape[3:])
    return png(page)


def png(pixels):
    """Bytes of shape (height, width) or (height, width, 3) as a PNG."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG", optimize=True)
    return content.getvalue()
