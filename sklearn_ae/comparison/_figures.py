"""Figures of a comparison, drawn without pyplot so that no global state is touched."""

import math

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from sklearn_ae.comparison._curve import SHARES
from sklearn_ae.comparison._reducers import RAW_DATA
from sklearn_ae.display import LatentSpaceDisplay, LossCurveDisplay
from sklearn_ae.display._images import draw_montage
from sklearn_ae.display._latent_space import MAX_CLASSES, in_order, label_palette, legend_handles

MAX_IMAGES = 10
# Points of a map in a picture; rows are in random order, so that the first will do.
MAX_DOTS = 3000
MAX_FEATURES = 30
PANEL_INCHES = 2.9
TILE_INCHES = 0.42


def _grid(n_panels, columns, height=PANEL_INCHES, width=PANEL_INCHES, extra=0.0):
    columns = min(columns, n_panels)
    rows = math.ceil(n_panels / columns)
    figure = Figure(figsize=(columns * width, rows * height + extra), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[n_panels:]:
        ax.set_visible(False)
    return figure, axes[:n_panels]


def maps(result):
    """A map per reducer, coloured by label."""
    drawn = {name: content for name, content in result._codes.items() if "codes" in content}
    if not drawn:
        raise ValueError("there is no map to draw: every reducer failed")
    labels = result._colours
    is_class = labels is not None and labels.dtype.kind not in "fi"
    # one for all: a panel may lack a class
    palette = label_palette(labels) if is_class else None
    in_sample = result.results_.groupby("reducer")["in_sample"].any()
    has_legend = is_class and len(palette) <= MAX_CLASSES
    columns = _legend_columns(palette, min(len(drawn), 3)) if has_legend else 0
    extra = 0.25 + 0.25 * math.ceil(len(palette) / columns) if has_legend else 0.0
    figure, axes = _grid(len(drawn), 3, extra=extra)
    for ax, (name, content) in zip(axes, drawn.items(), strict=True):
        Z, rows = content["codes"][:MAX_DOTS], content["rows"][:MAX_DOTS]
        display = LatentSpaceDisplay(Z, None if labels is None else labels[rows]).plot(
            ax,
            max_points=None,
            palette=palette,
            legend=False,
            scatter_kwargs={"s": np.clip(6000 / len(Z), 3, 18)},
        )
        title = name + (" (in-sample)" if in_sample[name] else "")
        ax.set(xlabel="", ylabel="", xticks=[], yticks=[])
        ax.set_title(title, fontsize=11)
    if has_legend:
        handles = legend_handles(palette)
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
    elif labels is not None and not is_class:
        figure.colorbar(display.scatter_, ax=list(axes), shrink=0.6, label="target")
    return figure


def _legend_columns(palette, n_panels):
    """Columns of a legend that fit below some panels beside each other."""
    longest = max(map(len, palette))
    fitting = int(n_panels * PANEL_INCHES / (0.66 + 0.075 * longest))
    return max(1, min(len(palette), 10 if longest < 4 else 5, fitting))


def reconstructions(result):
    """Images and what is made of them, or the explained variance of each feature."""
    made = {
        name: content["reconstruction"]
        for name, content in result._codes.items()
        if "reconstruction" in content
    }
    if not made:
        return None
    if result._image_shape is not None:
        return _images(result, made)
    return _features(result, made)


def _images(result, made):
    X, shape = result._example[0], result._image_shape
    chosen = _one_per_class(result._colours, min(map(len, [X, *made.values()])))
    lines = {"data": X, **made}
    figure = Figure(figsize=(0.8 * len(chosen) + 1.7, 0.84 * len(lines)), layout="compressed")
    draw_montage(
        figure.subplots(),
        np.stack([images[chosen] for images in lines.values()]),
        shape,
        row_labels=list(lines),
        cmap="gray_r",
        vmin=X.min(),
        vmax=X.max(),
    )
    return figure


def _one_per_class(labels, n_rows):
    """Rows to show: the first of each class in turn."""
    if labels is None or labels.dtype.kind in "fi":
        return list(range(min(MAX_IMAGES, n_rows)))
    labels = labels[:n_rows]
    first = [int(np.flatnonzero(labels == label)[0]) for label in in_order(labels)]
    rest = [row for row in range(n_rows) if row not in set(first)]
    return (first + rest)[:MAX_IMAGES] if len(first) < MAX_IMAGES else first[:MAX_IMAGES]


def _features(result, made):
    X, names = result._example
    names = names or [f"feature {i}" for i in range(X.shape[1])]
    variance = X.var(axis=0)
    shares = {}
    for name, R in made.items():
        spread = X[: len(R)].var(axis=0)
        lost = np.mean((X[: len(R)] - R) ** 2, axis=0)
        shares[name] = 1 - lost / np.where(spread > 0, spread, np.nan)
    order = np.argsort(-variance, kind="stable")[:MAX_FEATURES]
    order = order[variance[order] > 0]
    table = np.array([share[order] for share in shares.values()])  # (reducers, features)
    longest = max(len(names[i][:24]) for i in order)
    size = (max(0.34 * len(order), 2.5) + 2.2, 0.42 * len(shares) + 0.9 + 0.075 * longest)
    figure = Figure(figsize=size, layout="constrained")
    ax = figure.subplots()
    image = ax.imshow(np.clip(table, 0, 1), cmap="viridis", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(len(order)), [names[i][:24] for i in order], rotation=60, ha="right")
    ax.set_yticks(range(len(shares)), list(shares))
    ax.tick_params(length=0, labelsize=9)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_title("explained variance of each feature", fontsize=10.5, loc="left")
    figure.colorbar(image, ax=ax, aspect=8, fraction=0.08)
    return figure


def decoded_codes(result):
    """What codes on a grid of two components, or along each component, decode to."""
    drawn = {
        name: content["decoded"] for name, content in result._codes.items() if "decoded" in content
    }
    if not drawn:
        return None
    n_lines, n_steps = max(tiles.shape[:2] for tiles in drawn.values())
    width, height = (TILE_INCHES * number for number in (n_steps, n_lines))
    figure, axes = _grid(len(drawn), 3, height=height + 0.35, width=width)
    figure.get_layout_engine().set(wspace=0.05)
    X = result._example[0]
    for ax, (name, tiles) in zip(axes, drawn.items(), strict=True):
        limits = {"vmin": X.min(), "vmax": X.max()}
        draw_montage(ax, tiles, result._image_shape, cmap="gray_r", **limits)
        ax.set_title(name, fontsize=11)
    return figure


def loss_curves(result):
    """The course of each fit that has one."""
    drawn = {name: content for name, content in result._codes.items() if "loss_curve" in content}
    if not drawn:
        return None
    figure, axes = _grid(len(drawn), 3, width=3.9)
    for ax, (name, content) in zip(axes, drawn.items(), strict=True):
        LossCurveDisplay(
            content["loss_curve"],
            content["validation_scores"] if len(content["validation_scores"]) else None,
            start_loss=content.get("start_loss"),
        ).plot(ax)
        ax.set_title(name, fontsize=11)
        if ax.get_legend() is not None:
            ax.get_legend().remove()
        ax.tick_params(labelsize=9)
        ax.xaxis.label.set_size(9)
        ax.yaxis.label.set_size(9)
        ax.spines[["top", "right"]].set_visible(False)
    _legend_below(figure, axes)
    return figure


def _legend_below(figure, axes):
    """One legend for all panels, where it covers no line."""
    entries = {}
    for ax in axes:
        handles, labels = ax.get_legend_handles_labels()
        # the best epoch is another one in each panel, and can be read off there
        shared = [label.partition(": ")[0] for label in labels]
        entries |= dict(zip(shared, handles, strict=True))
    longest = max(map(len, entries))
    fitting = int(figure.get_figwidth() / (0.7 + 0.075 * longest))
    figure.legend(
        entries.values(),
        entries.keys(),
        loc="outside lower center",
        ncols=max(1, min(len(entries), fitting)),
        frameon=False,
        fontsize=9,
    )


def curve(result):
    """Explained variance by the number of components, with the shares that are asked for."""
    if result.curve_.empty:
        return None
    figure = Figure(figsize=(6.4, 3.9), layout="constrained")
    ax = figure.subplots()
    for share in SHARES:
        ax.axhline(share, color="0.6", linewidth=0.8, linestyle=":")
    for name, lines in result.curve_.groupby("reducer", sort=False):
        kept = lines.groupby("n_components")["explained_variance"].agg(["mean", "std"])
        spread = np.nan_to_num(kept["std"])
        ax.errorbar(kept.index, kept["mean"], yerr=spread, marker="o", capsize=2, label=name)
    widths = sorted(result.curve_["n_components"].unique())
    ax.set_xscale("log", base=2)
    ax.set_xticks(widths, [str(width) for width in widths])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set(xlabel="components", ylabel="held-out explained variance", ylim=(None, 1.02))
    _legend_below(figure, [ax])
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def measures(result):
    """A bar chart of each measure, with the spread over repeats."""
    shown = result.measures()
    if not shown:
        raise ValueError("there is no measure to draw: every reducer failed")
    names = [
        name
        for name in result.summary_.index
        if any(not math.isnan(result.summary_.loc[name, (m.key, "mean")]) for m in shown)
    ]
    height = 0.3 * len(names) + 0.9
    figure, axes = _grid(len(shown), 3, height=height, width=3.5)
    figure.get_layout_engine().set(hspace=0.08, wspace=0.04)
    colours = {
        name: colormaps["tab10"](i % 10) for i, name in enumerate(n for n in names if n != RAW_DATA)
    }
    for number, (ax, measure) in enumerate(zip(axes, shown, strict=True)):
        means = [result.summary_.loc[name, (measure.key, "mean")] for name in names]
        spread = np.nan_to_num([result.summary_.loc[name, (measure.key, "std")] for name in names])
        ax.barh(
            range(len(names)),
            np.nan_to_num(means),
            xerr=spread,
            color=[colours.get(name, "0.6") for name in names],
            height=0.68,
            error_kw={"elinewidth": 1, "ecolor": "0.45"},
        )
        ax.set_title(measure.label, fontsize=10.5, loc="left")
        ax.set_yticks(range(len(names)), names if number % 3 == 0 else [""] * len(names))
        ax.invert_yaxis()
        ax.tick_params(labelsize=9, length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        finite = [value for value in means if value > 0]
        if measure.cost and finite and max(finite) > 50 * min(finite):
            ax.set_xscale("log")
            # the usual labels are formulas, which are shown as they are written here
            ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            ax.xaxis.set_minor_formatter(NullFormatter())
        elif measure.cost:
            ax.xaxis.set_major_locator(MaxNLocator(4))
        else:
            ax.set_xlim(min(0.0, *np.nan_to_num(means)), max(1.0, *np.nan_to_num(means)))
    return figure
