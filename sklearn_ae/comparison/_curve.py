"""How many components: explained variance by the width of the code."""

import numpy as np
import pandas as pd

# Shares of the variance for which the fewest components are told.
SHARES = (0.9, 0.95, 0.99)
COLUMNS = ("reducer", "n_components", "repeat", "explained_variance", "log_likelihood")


def curve(rows, n_components):
    """A line for each reducer, width and repeat, the width of the comparison among them."""
    lines = []
    for name, repeats in rows.items():
        if not any(row.get("curve") for row in repeats):
            continue
        for repeat, row in enumerate(repeats):
            first = {key: row.get(key, np.nan) for key in COLUMNS[3:]}
            for found in [{"n_components": n_components, **first}, *row.get("curve", ())]:
                lines.append({"reducer": name, "repeat": repeat, **found})
    table = pd.DataFrame(lines, columns=list(COLUMNS))
    return table.dropna(subset=["explained_variance"]).sort_values(
        ["n_components", "repeat"], kind="stable", ignore_index=True
    )


def fewest_components(table):
    """The fewest components by which each reducer keeps a share of the variance on average.

    Of a variational autoencoder also the fewest whose log-likelihood is within one standard error
    of the best. Missing where no width is enough.
    """
    rows = {}
    for name, lines in table.groupby("reducer", sort=False):
        widths = lines.groupby("n_components")
        kept = widths["explained_variance"].mean()
        found = {
            f"{100 * share:.0f} %": next(iter(kept.index[kept >= share]), None) for share in SHARES
        }
        scores = widths["log_likelihood"].agg(["mean", "sem"]).dropna(subset=["mean"])
        if len(scores):
            best = scores.loc[scores["mean"].idxmax()]
            near = scores.index[scores["mean"] >= best["mean"] - np.nan_to_num(best["sem"])]
            found["log-likelihood"] = next(iter(near), None)
        rows[name] = found
    return pd.DataFrame.from_dict(rows, orient="index").astype("Int64")


def sentences(table):
    """How many components, in words, as a list."""
    if table.empty:
        return []
    fewest, widest = fewest_components(table), int(table["n_components"].max())
    parts = []
    for name, row in fewest.iterrows():
        shares = [
            f"{row[column]}" if not pd.isna(row[column]) else f"more than {widest}"
            for column in row.index
            if column.endswith("%")
        ]
        text = f"{name} {', '.join(shares)}"
        if "log-likelihood" in row.index and not pd.isna(row["log-likelihood"]):
            text += f" (by its likelihood {row['log-likelihood']})"
        parts.append(text)
    shares = ", ".join(f"{100 * share:.0f}" for share in SHARES)
    return [f"Components that keep {shares} % of the variance: {'; '.join(parts)}."]
