"""
==========================
Odd rows in a ledger
==========================

A ledger has columns that go together: the tax follows from the amount, the fee from the channel,
the delivery from the country. An odd row breaks such a relation while each of its values may be
quite usual. `AutoencoderDetector` finds such rows among thousands, with no labels and with the odd
ones in the training data, and `score_features` says which column it was.
"""

# %%
# A ledger
# --------
#
# 3000 payments, drawn so that their columns hang together, and five kinds of mistakes in 60 of
# them.

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor

from sklearn_ae import Autoencoder, AutoencoderDetector
from sklearn_ae.display import AnomalyScoreDisplay, FeatureAnomalyDisplay

SMALL = "SKLEARN_AE_EXAMPLES_SMALL" in os.environ

rng = np.random.default_rng(0)
n = 400 if SMALL else 3000
abroad = rng.random(n) < 0.3
online = rng.random(n) < 0.6
items = rng.geometric(0.25, n)
price = np.exp(rng.normal(3.2, 0.5, n))
net = items * price
tax_rate = np.where(abroad, 0.0, 0.2)
ledger = pd.DataFrame(
    {
        "items": items,
        "weight": items * np.exp(rng.normal(0.0, 0.25, n)),
        "net": net,
        "tax": net * tax_rate,
        "gross": net * (1 + tax_rate),
        "fee": np.where(online, 0.03 * net + 0.3, 0.2) * np.exp(rng.normal(0, 0.05, n)),
        "shipping": np.where(abroad, 12, 4) + 1.5 * items + rng.normal(0, 0.7, n),
        "days": np.where(abroad, 9, 3) + rng.gamma(2.0, 0.7, n),
        "online": online.astype(float),
        "abroad": abroad.astype(float),
    }
)

# column -> what a mistake makes of its values
mistakes = {
    "tax": lambda rows: 0.2 * rows["net"] * (rows["tax"] == 0),
    "gross": lambda rows: rows["net"] * (rows["tax"] > 0) + 1.2 * rows["net"] * (rows["tax"] == 0),
    "weight": lambda rows: rows["weight"] * 6,
    "fee": lambda rows: rows["fee"] * 4 + 2,
    "days": lambda rows: rows["days"] * 3,
}
n_each = 4 if SMALL else 12
wrong = pd.Series("", index=ledger.index)
chosen = rng.permutation(n)[: n_each * len(mistakes)].reshape(len(mistakes), n_each)
for (column, mistake), rows in zip(mistakes.items(), chosen, strict=True):
    ledger.loc[rows, column] = mistake(ledger.loc[rows]).to_numpy()
    wrong[rows] = column
odd = wrong != ""
print(ledger.round(2).head())

# %%
# Who finds them?
# ---------------
#
# All detectors see the whole ledger, mistakes included. The relations are products and choices,
# which PCA, the default autoencoder, does not know: `Autoencoder(0.9)` learns them. Payments differ
# in size by far more than the mistakes do, so that what matters is the error of each column over
# its own spread: the score "standardized". "auto" also asks how far a row lies from the others, and
# large payments lie far. The average precision is the one to look at where few rows can be checked
# by hand: the mean share of odd rows at the head of the list. `LocalOutlierFactor`, which compares
# a row with its neighbours only, is best by it here, and does not say which column it was.

detector = AutoencoderDetector(
    Autoencoder(0.9), standardize=True, anomaly_score="standardized", random_state=0
).fit(ledger)
default = AutoencoderDetector(random_state=0).fit(ledger)
scaled = (ledger - ledger.mean()) / ledger.std()
factor = LocalOutlierFactor().fit(scaled)
scores = {
    "a network, standardized": detector.score_samples(ledger),
    "a network, auto": detector.score_samples(ledger, anomaly_score="auto"),
    "PCA, the default": default.score_samples(ledger),
    "IsolationForest": IsolationForest(random_state=0).fit(ledger).score_samples(ledger),
    "LocalOutlierFactor": factor.negative_outlier_factor_,
}
for name, found in scores.items():
    print(
        f"{name:23} area under the ROC curve {roc_auc_score(odd, -found):.3f}, "
        f"average precision {average_precision_score(odd, -found):.3f}"
    )

# %%
# The threshold
# -------------
#
# `contamination="auto"` puts it three deviations below the median of rows left out. Where scores
# have a heavy tail, as here, that is one in twelve rows, far too many to check; a share that is
# known, or can be afforded, is the better choice: `contamination=0.05`.

figure, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
groups = np.where(odd, "odd", "usual")
detector.set_params(contamination=0.05).fit(ledger)
logarithms = -np.log(-detector.score_samples(ledger))
_ = AnomalyScoreDisplay(logarithms, -np.log(-detector.offset_), labels=groups).plot(ax=ax)
_ = ax.set_xlabel("minus the logarithm of the anomaly")

# %%
# Which column was it?
# --------------------
#
# For each odd row, the column that contributes most. An error in one column is smeared over its
# relatives, and "standardized" names these too often. The contributions to "mahalanobis" undo the
# smear: they say by how much the distance would fall if a column alone took the value that the
# others suggest. Four in five are right, and one fit gives both.

contributions = detector.score_features(ledger, anomaly_score="mahalanobis")
named = contributions.idxmax(axis=1)
print(pd.crosstab(wrong[odd], named[odd], rownames=["wrong"], colnames=["named"]))

# %%
# Three rows, each with a mistake of another kind. A wrong tax and a wrong gross amount go with each
# other.

figure, axes = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
for ax, column in zip(axes, ("tax", "gross", "fee"), strict=True):
    row = ledger[wrong == column].iloc[[0]]
    FeatureAnomalyDisplay.from_estimator(
        detector, row, anomaly_score="mahalanobis", ax=ax, max_features=5
    )
    ax.set_title(f"wrong: {column}")
