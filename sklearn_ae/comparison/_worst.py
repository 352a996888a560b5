"""Rows that are reconstructed worst, as the report lists them."""

import base64

import numpy as np

from sklearn_ae.comparison._live import png
from sklearn_ae.comparison._rows import LONGEST, day_text

# Columns that are named for each row.
MAX_NAMED = 3
# A mean error of this share of the variance is none.
ROUNDING = 1e-12


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
    spread = result._example[0].astype(np.float64).var(axis=0).sum()
    if not mean > ROUNDING * spread:
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
            line["label"] = _label(result._colours[place], rows.has_dates)
        if rows.images is None:
            columns = _deviations(rows.units, rows.cells[int(place)], x, made)
            lines.append(line | {"columns": columns})
        else:
            pictures = [_picture(values, result._image_shape, rows.limits) for values in (x, made)]
            lines.append(line | {"pictures": pictures})
    return {"reducer": reducer, "rows": lines}


def _label(label, is_date):
    if not isinstance(label, np.floating):
        return str(label)[:LONGEST]
    return day_text(float(label)) if is_date else f"{label:.6g}"


def _deviations(units, cells, x, made):
    """The columns of a row that are off most, with the values that the table has."""
    squares = (x - made) ** 2
    off = np.array([squares[unit.features].sum() for unit in units])
    return [
        {
            "name": units[place].name,
            "value": units[place].shown(cells[place])[:LONGEST],
            "made": units[place].decoded(made)[:LONGEST],
        }
        for place in np.argsort(-off, kind="stable")[:MAX_NAMED]
        if off[place] > 0
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
