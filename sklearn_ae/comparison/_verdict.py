"""What the table says: who is best at each aim, what an autoencoder gains, and whether it is so."""

import math
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from sklearn_ae.comparison._measures import MEASURES
from sklearn_ae.comparison._reducers import RAW_DATA

# Differences below this are not worth a word, however sure they are.
SMALLEST_DIFFERENCE = 0.005
# Gains from here on are not passed over where they are not sure.
LARGE_DIFFERENCE = 0.05
LEVEL, ROUNDING = 0.05, 1e-12
# With fewer rows a verdict is that there is none.
FEWEST_ROWS = 50
# Of variance and of neighbours kept, below which there is nothing to reduce.
LEAST_VARIANCE, LEAST_TRUSTWORTHINESS = 0.05, 0.65
# What a user may want, and the measures that tell, the first that there is.
AIMS = (
    ("keep the variance", ("explained_variance",)),
    ("keep the neighbours", ("trustworthiness",)),
    ("tell the target", ("downstream", "knn_accuracy", "knn_r2")),
)
TIME = "fit_seconds"
BY_KEY = {measure.key: measure for measure in MEASURES}


def summarise(results):
    """Mean and standard deviation over repeats, a row per reducer in the order of `results`."""
    keys = [measure.key for measure in MEASURES if measure.key in results]
    grouped = results.groupby("reducer", sort=False)
    table = pd.concat({"mean": grouped[keys].mean(), "std": grouped[keys].std()}, axis=1)
    table = table.swaplevel(axis=1)[keys]
    return table.dropna(axis=1, how="all").reindex(columns=table.columns)


def corrected_p_value(differences, test_over_train):
    """Two-sided p value of the mean of paired differences over splits of the same rows.

    The splits overlap, so that the variance of the mean is taken to be
    :math:`(1/J + n_{test} / n_{train}) s^2` (Nadeau and Bengio, "Inference for the generalization
    error", Machine Learning 52, 2003), with J - 1 degrees of freedom, and s of 0.0025 at least.
    """
    n_splits = len(differences)
    if n_splits < 2:
        return math.nan
    # shares of few rows come in steps, so that equal differences tell little
    deviation = max(np.std(differences, ddof=1), SMALLEST_DIFFERENCE / 2)
    error = deviation * math.sqrt(1 / n_splits + test_over_train)
    mean = abs(float(np.mean(differences)))
    return float(2 * stats.t.sf(mean / error, n_splits - 1))


def holm(p_values):
    """P values of several comparisons by Holm's step-down procedure, in the given order."""
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1.0)
    return adjusted


class Ranking:
    """Reducers by one measure, those judged on held-out rows.

    Parameters
    ----------
    results : DataFrame
        A row per reducer and repeat.
    measure : Measure
        The measure.
    test_over_train : float
        Test rows for each training row.

    Attributes
    ----------
    means : Series
        Mean of each reducer that has the measure.
    """

    def __init__(self, results, measure, test_over_train):
        judged = results[~results["in_sample"] & (results["reducer"] != RAW_DATA)]
        table = judged.pivot(index="repeat", columns="reducer", values=measure.key)
        table = table.reindex(columns=judged["reducer"].unique()).dropna(axis=1, how="all")
        # of repeats that failed for some the others tell nothing that is paired
        table = table.dropna() if table.notna().all(axis=1).any() else table
        self.measure, self.means = measure, table.mean()
        self.is_tested = len(table) > 1
        pairs = list(combinations(table.columns, 2))
        differences = [(table[a] - table[b]).dropna().to_numpy(dtype=float) for a, b in pairs]
        p_values = [corrected_p_value(values, test_over_train) for values in differences]
        known = [place for place, p in enumerate(p_values) if not math.isnan(p)]
        adjusted = dict(zip(known, holm([p_values[place] for place in known]), strict=True))
        self.differences, self.p_values = {}, {}
        for place, (pair, values) in enumerate(zip(pairs, differences, strict=True)):
            mean = float(values.mean()) if len(values) else 0.0
            p_value = adjusted.get(place, math.nan)
            self.differences[pair], self.differences[pair[::-1]] = mean, -mean
            self.p_values[pair] = self.p_values[pair[::-1]] = p_value

    def is_better(self, name, other):
        """Whether one reducer is better than another: by enough, and surely where it is tested."""
        if (name, other) not in self.differences:
            return False
        gain = self.differences[name, other] * (1 if self.measure.higher_is_better else -1)
        p_value = self.p_values[name, other]
        is_sure = p_value < LEVEL if not math.isnan(p_value) else not self.is_tested
        return bool(gain >= SMALLEST_DIFFERENCE - ROUNDING and is_sure)

    def best(self):
        """The reducers that none is better than, by falling mean; by cost those of the least."""
        if self.means.empty:
            return []
        if self.measure.cost:
            rounded = self.means.round(self.measure.decimals)
            return list(rounded.index[rounded == rounded.min()])
        unbeaten = [name for name in self.means.index if self.place(name) == 1]
        return sorted(unbeaten, key=lambda name: -self.means[name])

    def place(self, name):
        """1 and how many reducers are better."""
        return 1 + sum(self.is_better(other, name) for other in self.means.index)


def rankings(results, test_over_train):
    """The `Ranking` of each measure that there is, by its key."""
    usable = results[results["error"].isna()]
    return {
        measure.key: Ranking(usable, measure, test_over_train)
        for measure in MEASURES
        if measure.key in usable and usable[measure.key].notna().any()
    }


def best_reducers(ranked):
    """For each measure the names of the rows to mark, where there are rivals."""
    return {key: ranking.best() for key, ranking in ranked.items() if len(ranking.means) > 1}


def answers(ranked, pca, autoencoders):
    """For each aim the winners, the best autoencoder, its place, and its gain over PCA."""
    rows = []
    for aim, keys in AIMS:
        key = next((key for key in keys if key in ranked and len(ranked[key].means) > 1), None)
        if key is None:
            continue
        ranking = ranked[key]
        ours = ranking.means.reindex(autoencoders).dropna()
        name = ours.idxmax() if len(ours) else None
        gain = ranking.differences.get((name, pca), math.nan)
        rows.append(
            {
                "aim": aim,
                "measure": key,
                "best": ranking.best(),
                "best_value": float(ranking.means.max()),
                "pca_value": float(ranking.means.get(pca, math.nan)),
                "autoencoder": name,
                "autoencoder_value": float(ours.max()) if len(ours) else math.nan,
                "place": ranking.place(name) if name is not None else None,
                "gain": gain,
                "p_value": ranking.p_values.get((name, pca), math.nan),
                "is_gain": ranking.is_better(name, pca),
                "is_loss": ranking.is_better(pca, name),
            }
        )
    return rows


def verdict(ranked, found, settings, pca, autoencoders):
    """Sentences: what to do, then each aim, then time and how sure all this is."""
    if not any(len(ranking.means) > 1 for ranking in ranked.values()):
        return ["There is no second reducer judged on held-out rows to compare with."]
    advice = _nothing_to_tell(ranked, settings)
    if advice is not None:
        return [advice]
    return [
        _recommendation(ranked, found, pca, autoencoders, settings),
        *(_about(row, ranked[row["measure"]], pca) for row in found),
        *_about_time(ranked, pca, autoencoders),
        *_about_tests(found, settings["repeats"]),
    ]


def recommended(ranked, found, settings, pca, autoencoders):
    """Name of the reducer to use; None where there is no verdict.

    The autoencoder that gains over PCA at most aims, less those at which it loses, and that no
    other one beats there; PCA where none gains, and no large gain is unsure.
    """
    if not found or _nothing_to_tell(ranked, settings) is not None:
        return None
    if not _has_pca(found) or not any(row["autoencoder"] for row in found):
        return None
    served = {name: _served(ranked, found, pca, name, autoencoders) for name in autoencoders}

    def worth(name):
        lost = sum(ranked[row["measure"]].is_better(pca, name) for row in found)
        first = sum(row["autoencoder"] == name for row in found)
        return len(served[name]) - lost, first

    name = max((name for name in autoencoders if served[name]), key=worth, default=None)
    if name is None and not _unclear(found, settings):
        return pca
    return name


def _has_pca(found):
    return not all(math.isnan(row["pca_value"]) for row in found)


def _served(ranked, found, pca, name, autoencoders):
    """Aims at which an autoencoder gains over PCA, and no other one is better."""
    return [
        row
        for row in found
        if ranked[row["measure"]].is_better(name, pca)
        and not any(ranked[row["measure"]].is_better(other, name) for other in autoencoders)
    ]


def _unclear(found, settings):
    """The aim of the largest gain where it is large but not sure; None where there is none."""
    row = max(found, key=lambda row: -math.inf if math.isnan(row["gain"]) else row["gain"])
    is_large = row["gain"] >= LARGE_DIFFERENCE and not row["is_gain"]
    return row if is_large and settings["repeats"] > 1 else None


def _nothing_to_tell(ranked, settings):
    """Why there is no verdict; None where there is one."""
    if settings["rows"] < FEWEST_ROWS:
        return (
            f"Too few rows to tell: {settings['rows']} rows leave {settings['test rows']} to judge "
            f"by, and {FEWEST_ROWS} rows or more are needed for a verdict."
        )
    if settings["features"] <= settings["components"]:
        return (
            f"Nothing to reduce: rows have {_count(settings['features'], 'feature')} and codes "
            f"{_count(settings['components'], 'component')}."
        )
    variance, neighbours = (
        ranked[key].means.max() if key in ranked else 1.0
        for key in ("explained_variance", "trustworthiness")
    )
    if variance < LEAST_VARIANCE and neighbours < LEAST_TRUSTWORTHINESS:
        return (
            f"Nothing to reduce to {_count(settings['components'], 'component')}: the best reducer "
            f"keeps {max(100 * variance, 0.0):.1f} % of the variance of held-out rows, "
            "and next to none of their neighbours."
        )
    return None


def _recommendation(ranked, found, pca, autoencoders, settings):
    """What to do, in one sentence."""
    if pca is None or not _has_pca(found):
        return "PCA is not among the results, so that nothing can be said about a gain over it."
    if not any(row["autoencoder"] for row in found):
        return "No autoencoder is among the results, so that nothing can be said about one."
    name = recommended(ranked, found, settings, pca, autoencoders)
    if name is None:
        row = _unclear(found, settings)
        label = BY_KEY[row["measure"]].label
        return (
            f"Not clear yet: {_named(row['autoencoder'])} has {row['gain']:+.3f} {label} over PCA, "
            f"but {settings['repeats']} splits do not make sure of it; pass more repeats."
        )
    if name == pca:
        return (
            "PCA is enough: no autoencoder is better than it if one wants to "
            f"{_join([row['aim'] for row in found], last='or')}."
        )
    aims = _served(ranked, found, pca, name, autoencoders)
    gains = [_gain(ranked[row["measure"]], name, pca) for row in aims]
    text = f"An autoencoder is worth it here: {_named(name)} has {_join(gains)} over PCA"
    rankings_of_found = [ranked[row["measure"]] for row in found]
    losses = [_gain(one, name, pca) for one in rankings_of_found if one.is_better(pca, name)]
    if losses:
        text += f", but {_join(losses)}"
    for row in found:
        if row["is_gain"] and row not in aims:
            text += f"; to {row['aim']}, {_named(row['autoencoder'])} is better"
    return f"{text}."


def _gain(ranking, name, pca):
    measure = ranking.measure
    return f"{ranking.differences[name, pca]:+.{measure.decimals}f} {measure.label}"


def _about(row, ranking, pca):
    """One aim: who is best, and where the best autoencoder and PCA are."""
    measure, ours, winners = ranking.measure, row["autoencoder"], row["best"]

    def shown(value):
        return f"{value:.{measure.decimals}f}"

    text, said = f"To {row['aim']}, {_join([_named(one) for one in winners])} ", _named(ours)
    if len(winners) == 1:
        text += f"is best ({measure.label} {shown(row['best_value'])})"
    else:
        values = {shown(min(ranking.means[name] for name in winners)), shown(row["best_value"])}
        span = " to ".join(sorted(values, key=float))
        text += f"are best and cannot be told apart ({measure.label} {span})"
    if ours is None or (ours in winners and pca in winners):
        return f"{text}."
    if ours not in winners:
        text += (
            f"; the best autoencoder, {said}, has {shown(row['autoencoder_value'])}, "
            f"{_ordinal(row['place'])} of {len(ranking.means)}"
        )
    if math.isnan(row["gain"]):
        return f"{text}."
    text += f"; {said} is" if ours in winners and len(winners) > 1 else ","
    pca_value = f"PCA ({shown(row['pca_value'])})"
    if row["is_gain"]:
        return f"{text} {shown(row['gain'])} above {pca_value}."
    if row["is_loss"]:
        return f"{text} {shown(-row['gain'])} below {pca_value}."
    return f"{text} not told apart from {pca_value}."


def _about_time(ranked, pca, autoencoders):
    if TIME not in ranked:
        return []
    means = ranked[TIME].means
    names = [name for name in (pca, *autoencoders) if name in means]
    if len(names) < 2:
        return []
    measure = BY_KEY[TIME]
    return [f"Time to fit: {_join([f'{_named(n)} {measure.format(means[n])} s' for n in names])}."]


def _about_tests(found, n_repeats):
    if n_repeats == 1:
        return ["There is one split, so that differences are not tested."]
    unclear = any(
        abs(row["gain"]) > SMALLEST_DIFFERENCE and not (row["is_gain"] or row["is_loss"])
        for row in found
    )
    text = (
        f"Reducers are told apart by a corrected resampled t-test over {n_repeats} splits, at "
        f"{100 * LEVEL:.0f} % in all pairs together (Holm), from differences of "
        f"{SMALLEST_DIFFERENCE} on"
    )
    return [text + ("; more repeats tell smaller ones." if unclear else ".")]


def _named(name):
    """A name as it stands in a list: in quotes where it has a comma."""
    return f'"{name}"' if name is not None and "," in name else name


def _count(number, name):
    return f"{number} {name}{'' if number == 1 else 's'}"


def _ordinal(number):
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if 10 < number % 100 < 20 else ends.get(number % 10, 'th')}"


def _join(parts, last="and"):
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"
