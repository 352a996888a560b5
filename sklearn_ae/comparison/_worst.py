"""Rows that are reconstructed worst, as the report lists them."""

import base64

import numpy as np

from sklearn_ae.comparison._live import png

# Columns that are named for each row.
MAX_NAMED = 3


def worst_rows(result):
    """Name of a reducer and its worst rows, a list of dicts; None where none reconstructs.

    The reducer is the recommended one, where it reconstructs, or the first of this package's.
    """
    wanted = [result.recommended_, *result._autoencoders, *result._codes]
    reducer = next((name for name in wanted if "worst" in result._codes.get(name, {})), None)
    rows = result._rows
    if reducer is None or rows is None:
        return None
    content = result._codes[reducer]
    mean = float(content["mean_error"])
    if not mean > 0:
        return None
    lines = []
    for place, error, x, made in zip(
        content["worst"],
        content["worst_errors"],
        content["worst_rows"],
        content["worst_reconstructions"],
        strict=True,
    ):
        if place >= len(rows.names):
            continue
        line = {"name": rows.names[place], "error": f"{error / mean:.1f}"}
        if result._colours is not None:
            label = result._colours[place]
            line["label"] = f"{label:.4g}" if isinstance(label, np.floating) else str(label)
        if rows.images is None:
            lines.append(line | {"columns": _deviations(rows.units, x, made)})
        else:
            pictures = [_picture(values, result._image_shape, rows.limits) for values in (x, made)]
            lines.append(line | {"pictures": pictures})
    return {"reducer": reducer, "rows": lines}


def _deviations(units, x, made):
    """The columns of a row that are off most."""
    off = {unit.name: np.sum((x - made)[unit.features] ** 2) for unit in units}
    chosen = sorted(units, key=lambda unit: -off[unit.name])[:MAX_NAMED]
    return [
        {"name": unit.name, "value": unit.text(x), "made": unit.text(made)}
        for unit in chosen
        if off[unit.name] > 0
    ]


def _picture(values, image_shape, limits):
    """A row as an image, dark where it is large if it is grey."""
    low, high = limits
    shares = np.clip((values - low) / max(high - low, 1e-300), 0.0, 1.0)
    pixels = np.round(255 * shares).astype(np.uint8)
    if len(image_shape) == 3 and image_shape[0] == 3:
        pixels = pixels.reshape(image_shape).transpose(1, 2, 0)
    else:
        pixels = 255 - pixels.reshape(image_shape[-2:])
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode("ascii")
