"""Sums up the results and says in words where PCA wins."""

import math

import numpy as np
import pandas as pd

from sklearn_ae.comparison._measures import MEASURES
from sklearn_ae.comparison._reducers import RAW_DATA

# Differences below this are not worth a word, whatever their spread.
SMALLEST_DIFFERENCE = 0.005
QUALITY = [measure for measure in MEASURES if not measure.cost]


def summarise(results):
    """Mean and standard deviation over repeats, a row per reducer in the order of `results`."""
    keys = [measure.key for measure in MEASURES if measure.key in results]
    grouped = results.groupby("reducer", sort=False)
    table = pd.concat({"mean": grouped[keys].mean(), "std": grouped[keys].std()}, axis=1)
    table = table.swaplevel(axis=1)[keys]
    return table.dropna(axis=1, how="all").reindex(columns=table.columns)


def best_reducers(results):
    """For each measure the names of the rows to mark: the best mean among held-out rows."""
    judged = results[~results["in_sample"] & (results["reducer"] != RAW_DATA)]
    means = summarise(judged) if len(judged) else None
    best = {}
    for measure in MEASURES:
        if means is None or measure.key not in results:
            continue
        column = means[measure.key, "mean"].dropna().round(measure.decimals)
        if len(column) > 1:
            top = column.max() if measure.higher_is_better else column.min()
            best[measure.key] = list(column.index[column == top])
    return best


def paired_difference(results, measure, name, reference):
    """Mean over repeats of value(name) - value(reference), and the margin it has to exceed.

    The margin is two standard errors of the paired differences, and at least 0.005.
    """
    table = results.pivot(index="repeat", columns="reducer", values=measure.key)
    if name not in table or reference not in table:
        return math.nan, math.nan
    differences = (table[name] - table[reference]).dropna().to_numpy(dtype=float)
    if not len(differences):
        return math.nan, math.nan
    error = 0.0
    if len(differences) > 1:
        error = np.std(differences, ddof=1) / math.sqrt(len(differences))
    return float(differences.mean()), max(2 * error, SMALLEST_DIFFERENCE)


def verdict(results, pca, autoencoders):
    """Sentences about PCA against the rest, computed from the table."""
    usable = results[results["error"].isna()]
    if pca is None or pca not in set(usable["reducer"]):
        return ["PCA is not among the results, so nothing is said about it."]
    held_out = usable[~usable["in_sample"] & (usable["reducer"] != RAW_DATA)]
    others = [name for name in held_out["reducer"].unique() if name != pca]
    if not others:
        return ["There is no reducer judged on held-out rows to compare PCA with."]
    means = summarise(held_out)
    won, lost, even = [], [], []
    for measure in QUALITY:
        if measure.key not in means or math.isnan(means.loc[pca, (measure.key, "mean")]):
            continue
        column = means[measure.key, "mean"].drop(pca).dropna()
        if column.empty:
            continue
        rival = column.idxmax()
        difference, margin = paired_difference(held_out, measure, rival, pca)
        pair = (
            f"{measure.label} "
            f"({means.loc[pca, (measure.key, 'mean')]:.3f}; {rival} {column[rival]:.3f})"
        )
        (lost if difference > margin else won if difference < -margin else even).append(pair)
    sentences = [_conclusion(won, lost, even)]
    if results["repeat"].nunique() == 1:
        sentences.append("There is one split, so no spread to judge small differences by.")
    if won:
        sentences.append(f"PCA wins on {_join(won)}.")
    if even:
        sentences.append(f"PCA is not beaten by more than the spread on {_join(even)}.")
    if lost:
        sentences.append(f"PCA is beaten on {_join(lost)}.")
    sentences += _about_autoencoders(held_out, means, pca, autoencoders)
    return sentences


def _conclusion(won, lost, even):
    total = len(won) + len(lost) + len(even)
    if not lost:
        return f"PCA is enough here: it is not beaten on any of {total} measures of quality."
    if len(lost) == total:
        return f"PCA is beaten on all {total} measures of quality."
    return f"PCA holds on {total - len(lost)} of {total} measures of quality."


def _about_autoencoders(results, means, pca, autoencoders):
    sentences = []
    measure = QUALITY[0]
    for name in autoencoders:
        if name not in means.index:
            continue
        difference, margin = paired_difference(results, measure, name, pca)
        if math.isnan(difference):
            continue
        cost = _cost(means, name, pca)
        if difference > margin:
            gain = f"keeps {100 * difference:.1f} points more of the variance than PCA"
        elif difference < -margin:
            gain = f"keeps {-100 * difference:.1f} points less of the variance than PCA"
        else:
            gain = "keeps no more of the variance than PCA"
        sentences.append(f"{name} {gain}{cost}.")
    return sentences


def _cost(means, name, pca):
    seconds = means.loc[name, ("fit_seconds", "mean")], means.loc[pca, ("fit_seconds", "mean")]
    if any(math.isnan(value) for value in seconds):
        return ""
    return f" and takes {seconds[0]:.2f} s to fit, PCA {seconds[1]:.3f} s"


def _join(parts):
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
