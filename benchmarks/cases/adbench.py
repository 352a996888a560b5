"""Outlier detectors on the 21 tables of ADBench, two protocols, one default for all.

At most 50000 rows of a table, drawn once. "one-class": fit on a random half of the normal rows,
test on the other half and on all anomalies. "contaminated": fit and test on all rows. Nothing is
drawn with replacement. Labels judge, and choose nothing. Five seeds of the split and of what a
method draws; a method that draws nothing has one in the contaminated protocol.

All get rows standardised by the training rows. Rows of ours beside the default:

- "10 epochs": the estimator is ``Autoencoder(0.9, max_iter=10)``, where the default's is PCA; the
  same score of its errors and outputs.
- "on rows" and "on PCA codes": no autoencoder, the same score of the standardised rows, and of
  PCA's codes of these.
- "robust=False", and other scores of the default's fit.

A method that fails, takes longer than 10 minutes (a limit that C code may overstep) or gives NaN
has its error in its line, the last rank, an area of one half and the share of anomalies as its
average precision. What ran into the limit with seed 0, both determinants on InternetAds, is not
waited for again. Only tables are shown that all groups of methods which have begun have run.
Scores of training rows that a method has from its fit take no time.
"""

import signal
from functools import partial

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from benchmarks.data import ADBENCH, labelled_table
from benchmarks.detectors import DETERMINISTIC, PYOD, SKLEARN, negated, timed
from benchmarks.harness import readme_row
from benchmarks.worker import Remote, peer_versions
from sklearn_ae import Autoencoder, AutoencoderDetector
from sklearn_ae._anomaly import AnomalyScores
from sklearn_ae._fitting.fitted import SplitErrors

# of a cell, which holds all methods of a package
LIMIT_S = 7200
METHOD_LIMIT_S = 600
PROTOCOLS = ("one-class", "contaminated")
SEEDS = (0, 1, 2, 3, 4)
GROUPS = ("ours", "scikit-learn", "PyOD")
DEFAULT = "AutoencoderDetector"
# name -> whether the score is that of codes; without a network
WITHOUT_ERRORS = {"on rows": False, "on PCA codes": True}
# ran into the limit with seed 0
TOO_SLOW = {("adbench/InternetAds", "EllipticEnvelope"), ("adbench/InternetAds", "PyOD MCD")}
NOT_TRIED = f"not tried: over {METHOD_LIMIT_S} s with seed 0"
OTHER_SCORES = ("reconstruction", "standardized", "mahalanobis", "neighbors")
NEIGHBOUR, ROBUST, PCA_ERROR = "k-NN distance", "robust Mahalanobis", "PCA error"
# that of another package
SAME_AS_NEIGHBOUR = "PyOD KNN"
# name of a figure -> the method that it is of
IN_GUIDE = {
    "ours": DEFAULT,
    "epochs": f"{DEFAULT}, 10 epochs",
    "rows": f"{DEFAULT}, on rows",
    "codes": f"{DEFAULT}, on PCA codes",
    "neighbour": NEIGHBOUR,
    "lof": "LocalOutlierFactor",
    "svm": "OneClassSVM",
    "forest": "IsolationForest",
    "mahalanobis": ROBUST,
    "inne": "PyOD INNE",
    "autoencoder": "PyOD AutoEncoder",
}


def cells():
    """Cells of the case, all detectors of a package together."""
    return [
        {"data": data, "seed": seed, "method": group, "protocol": protocol}
        for group in GROUPS
        for seed in SEEDS
        for data in ADBENCH
        for protocol in PROTOCOLS
    ]


def by_protocol(X, y, protocol, seed):
    """Standardised training and test rows, and the labels of the latter, 1 for anomalies."""
    if protocol == "contaminated":
        train = test = np.arange(len(X))
    else:
        normal = np.random.default_rng(seed).permutation(np.flatnonzero(y == 0))
        train, rest = np.split(normal, [len(normal) // 2])
        test = np.concatenate([rest, np.flatnonzero(y == 1)])
    scaler = StandardScaler().fit(X[train])
    rows = scaler.transform(X[train])
    return rows, rows if test is train else scaler.transform(X[test]), y[test]


def split(cell, options):
    """Training and test rows of a cell, and the labels of the latter."""
    X, y = labelled_table(cell["data"])
    if options.smoke:
        X, y = (
            part[np.r_[np.flatnonzero(y == 0)[:200], np.flatnonzero(y)[:20]]] for part in (X, y)
        )
    return by_protocol(X, y, cell["protocol"], cell["seed"])


def without_errors(rows, seed, pca, of_codes):
    """The detector's score of rows, or of PCA's codes, alone."""
    pca.fit(rows)

    def values(new):
        scaled = pca._standardizer(new)
        return pca.estimator_.transform(scaled) if of_codes else scaled

    learnt = values(rows)
    nothing = learnt[:, :0]
    scores = AnomalyScores(
        SplitErrors(nothing, learnt, learnt),
        robust=pca.robust,
        n_neighbors=pca.n_neighbors,
        seed=seed,
    )
    return lambda new: scores.auto(
        SplitErrors(nothing[:1].repeat(len(new), axis=0), values(new), None)
    )


def ours(cell, train, test, options):
    """Detectors of this package: name -> (scores, seconds of fit, seconds of scoring)."""

    def detector(**parameters):
        return AutoencoderDetector(device=options.device, random_state=cell["seed"], **parameters)

    def fitted(rows, _, one):
        return negated(one.fit(rows).score_samples)

    def scored(rows, _, name):
        return negated(partial(default.score_samples, anomaly_score=name))

    def result(make, **given):
        return within_limit(lambda: timed(partial(make, **given), train, test, 0))

    default = detector()
    of_default = result(fitted, one=default)
    yield DEFAULT, of_default
    for name in OTHER_SCORES:
        found = of_default
        if not isinstance(of_default, str):
            found = result(scored, name=name)
            # the fit is that of the default
            found = found if isinstance(found, str) else (found[0], of_default[1], found[2])
        yield f"{DEFAULT}, {name}", found
    network = Autoencoder(0.9, max_iter=options.epochs(10), device=options.device)
    found = result(fitted, one=detector(estimator=network, standardize=True))
    yield f"{DEFAULT}, 10 epochs", found
    for name, of_codes in WITHOUT_ERRORS.items():
        yield f"{DEFAULT}, {name}", result(without_errors, pca=detector(), of_codes=of_codes)
    yield f"{DEFAULT}, robust=False", result(fitted, one=detector(robust=False))


def drawn(cell, names):
    """Names that this cell has to run."""
    again = cell["protocol"] == "contaminated" and cell["seed"] > 0
    return [name for name in names if not (again and name in DETERMINISTIC)]


def scikit_learns(cell, train, test, options):
    """Detectors of scikit-learn, or a few lines around it."""
    for name in drawn(cell, SKLEARN):
        if too_slow(cell, name):
            yield name, NOT_TRIED
            continue
        yield name, within_limit(lambda name=name: timed(SKLEARN[name], train, test, cell["seed"]))


def pyods(cell, train, test, options):
    """PyOD's detectors, in the environment of the peers."""
    # their scores of training rows are not those of the same rows as new ones
    rows = {"train": train} if test is train else {"train": train, "test": test}
    remote = Remote("PyODDetectors", torch.get_num_threads(), **rows)
    for name in drawn(cell, PYOD):
        if too_slow(cell, name):
            yield name, NOT_TRIED
            continue
        found = within_limit(partial(remote.call, "scores", name=name, seed=cell["seed"]))
        if isinstance(found, str):
            yield name, found
            remote.process.kill()
            remote = Remote("PyODDetectors", torch.get_num_threads(), **rows)
        else:
            yield name, (np.array(found["scores"]), found["fit_s"], found["score_s"])
    remote.close()


def too_slow(cell, name):
    """Whether a method is known to run into the limit."""
    return cell["seed"] > 0 and (cell["data"], name) in TOO_SLOW


def within_limit(run):
    """What a call returns, or a line that says why there is nothing."""

    def stop(*_):
        raise TimeoutError(f"over {METHOD_LIMIT_S} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(METHOD_LIMIT_S)
    try:
        return run()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)


def run(cell, options):
    """All detectors of a group: area under the ROC curve, average precision, seconds."""
    train, test, y = split(cell, options)
    group = {"ours": ours, "scikit-learn": scikit_learns, "PyOD": pyods}[cell["method"]]
    figures = {}
    for name, found in group(cell, train, test, options):
        if isinstance(found, str):
            figures[name] = {"error": found}
            continue
        scores, fit_s, score_s = found
        if np.isnan(scores).any():
            figures[name] = {"error": f"{np.isnan(scores).sum()} scores are NaN"}
            continue
        scores = np.nan_to_num(scores, posinf=np.finfo(float).max)
        figures[name] = {
            "auroc": roc_auc_score(y, scores),
            "ap": average_precision_score(y, scores),
            "fit_s": fit_s,
            "score_s": score_s,
        }
    if cell["method"] == "PyOD":
        figures["peers"] = peer_versions()
    shape = {"n_train": len(train), "n_test": len(test), "anomalies": float(np.mean(y))}
    return shape | {"detectors": figures}


def complete(lines):
    """Lines of the tables and seeds that all groups have which have begun at all."""
    begun = {line["method"] for line in lines}
    seeds = {}
    for line in lines:
        key = line["data"], line["settings"]["protocol"]
        seeds.setdefault(key, {name: set() for name in begun})[line["method"]].add(line["seed"])
    shared = {key: set.intersection(*of_groups.values()) for key, of_groups in seeds.items()}
    return [
        line for line in lines if line["seed"] in shared[line["data"], line["settings"]["protocol"]]
    ]


def by_method(lines, protocol, measure, failed=np.nan):
    """Means over seeds: a row per table, a column per method that has all tables."""
    found = {}
    for line in complete(lines):
        if line["settings"]["protocol"] == protocol:
            for name, figures in line["figures"]["detectors"].items():
                if name != "peers":
                    chance = line["figures"]["anomalies"] if measure == "ap" else failed
                    value = figures.get(measure, chance)
                    found.setdefault(name, {}).setdefault(line["data"], []).append(value)
    tables = sorted({data for of_method in found.values() for data in of_method})
    means = {
        name: [np.mean(of_method[data]) for data in tables]
        for name, of_method in found.items()
        if set(of_method) == set(tables)
    }
    # methods that are the same have equal means, and ranks, but for the order of their sums
    return pd.DataFrame(means, index=tables).round(9)


def ranks(lines, protocol):
    """Ranks by area of the methods that somebody else would take, ours once; failures are last."""
    areas = by_method(lines, protocol, "auroc", failed=-np.inf)
    field = [name for name in areas if not name.startswith(f"{DEFAULT},")]
    return areas[field].rank(axis=1, ascending=False)


def pictures(lines):
    """Critical-difference diagram of each protocol (Demsar 2006): mean ranks, Nemenyi's test.

    A bar joins methods whose ranks do not differ at the level of 5 %.
    """
    import matplotlib.pyplot as plt
    import scikit_posthocs

    drawn = {}
    for protocol in PROTOCOLS:
        ranked = ranks(lines, protocol)
        if DEFAULT not in ranked or min(ranked.shape) < 3:
            continue
        figure, ax = plt.subplots(figsize=(9, 0.24 * ranked.shape[1] + 0.8), layout="constrained")
        # a failure has a rank, and is a number for the test
        p_values = scikit_posthocs.posthoc_nemenyi_friedman(ranked)
        colors = {name: "tab:blue" if name == DEFAULT else "0.35" for name in ranked}
        scikit_posthocs.critical_difference_diagram(
            ranked.mean(), p_values, ax=ax, color_palette=colors, text_h_margin=0.05
        )
        ax.set_title(f"{protocol}, {len(ranked)} tables: mean rank by AUROC, 1 is best")
        drawn[protocol] = figure
    return drawn


def paired(differences, digits):
    """Mean of paired differences and its standard error."""
    error = differences.std(ddof=min(1, len(differences) - 1)) / np.sqrt(len(differences))
    return f"{differences.mean():+.{digits}f} ± {error:.{digits}f}"


def tables(lines):
    """Mean area, average precision and rank of each method; paired differences."""
    shown = {}
    for protocol in PROTOCOLS:
        areas = by_method(lines, protocol, "auroc", failed=0.5)
        if DEFAULT not in areas:
            continue
        precision = by_method(lines, protocol, "ap")
        taken = {m: by_method(lines, protocol, m).median() for m in ("fit_s", "score_s")}
        failures = np.isneginf(by_method(lines, protocol, "auroc", failed=-np.inf)).sum()
        ranked, rows = ranks(lines, protocol), []
        for name in areas.mean().sort_values(ascending=False, kind="stable").index:
            known = name in ranked
            lag = paired(ranked[DEFAULT] - ranked[name], 2) if known else ""
            rows.append(
                {
                    "detector": name,
                    "AUROC": f"{100 * areas[name].mean():.1f}",
                    "average precision": f"{100 * precision[name].mean():.1f}",
                    "mean rank": f"{ranked[name].mean():.2f}" if known else "",
                    "ours less it, AUROC": paired(100 * (areas[DEFAULT] - areas[name]), 1),
                    "ours less it, rank": lag,
                    "failed": int(failures[name]) or "",
                    "fit (s)": float(taken["fit_s"][name]),
                    "score (s)": float(taken["score_s"][name]),
                }
            )
        shown[f"{protocol}, {len(areas)} tables; medians of seconds"] = rows
    return shown


def figures(lines):
    """Areas and ranks of the guide's table, and how far ours is from those before it."""
    seeds = {}
    for line in complete(lines):
        seeds.setdefault((line["data"], line["settings"]["protocol"]), set()).add(line["seed"])
    numbers = sorted({len(of_table) for of_table in seeds.values()})
    areas = {one: 100 * by_method(lines, one, "auroc", failed=0.5) for one in PROTOCOLS}
    assert {len(of_protocol) for of_protocol in areas.values()} == {21}
    found = {"tables": "21", "seeds": " or ".join(map(str, numbers))}
    for protocol in PROTOCOLS:
        of_protocol = figures_of(protocol, areas[protocol], ranks(lines, protocol))
        found |= {f"{name}.{protocol}": text for name, text in of_protocol.items()}
    behind = areas["one-class"][NEIGHBOUR] - areas["one-class"][DEFAULT]
    means = [areas[protocol].mean() for protocol in PROTOCOLS]
    peers = [method for method in (*SKLEARN, *PYOD) if method != PCA_ERROR]
    return found | {
        "behind": paired(behind, 1).removeprefix("+"),
        "README": [
            readme_row(".1f", one[DEFAULT], one[PCA_ERROR], dict(one[peers])) for one in means
        ],
    }


def figures_of(protocol, areas, ranked):
    """Figures of one protocol: a row of the guide's table each, gains and lags of ours."""
    assert {DEFAULT, *SKLEARN, *PYOD} == set(ranked)
    means, mean_ranks = areas[ranked.columns].mean(), ranked.mean()
    # by area first, but for the distance to the 5th neighbour where training rows are normal
    ahead = {NEIGHBOUR, SAME_AS_NEIGHBOUR} if protocol == "one-class" else set()
    assert set(means.index[means > means[DEFAULT]]) == ahead
    # by rank second there, and first where they hold outliers
    two = [NEIGHBOUR, DEFAULT] if protocol == "one-class" else [DEFAULT, ROBUST]
    assert [*mean_ranks.drop(SAME_AS_NEIGHBOUR).sort_values().index[:2]] == two
    network = areas[f"{DEFAULT}, 10 epochs"] - areas[DEFAULT]
    found = {
        "network": paired(network, 1).removeprefix("+"),
        "rank_gap": paired(ranked[two[1]] - ranked[two[0]], 1).removeprefix("+"),
    }
    for name, method in IN_GUIDE.items():
        rank = f" ({mean_ranks[method]:.1f})" if method in mean_ranks else ""
        found[name] = f"{areas[method].mean():.1f}{rank}"
    return found
