"""The measures of a comparison: their names, their direction, and how they are shown."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One column of the table.

    Parameters
    ----------
    key : str
        Column of ``results_``.

    label : str
        Heading in tables and figures.

    meaning : str
        One sentence for the report.

    higher_is_better : bool, default=True
        Direction in which values are compared.

    decimals : int, default=3
        Digits shown after the point.

    cost : bool, default=False
        Whether it is a price to pay (time, memory) and no quality of the codes.
    """

    key: str
    label: str
    meaning: str
    higher_is_better: bool = True
    decimals: int = 3
    cost: bool = False

    def format(self, mean: float, std: float = math.nan) -> str:
        """The value as text, with its spread over repeats where there is one."""
        if math.isnan(mean):
            return "-"
        decimals = self.decimals
        if decimals and self.cost:
            # Milliseconds matter where a fit takes some of them, not beside minutes.
            decimals = 3 if mean < 1 else 1
        text = f"{mean:.{decimals}f}"
        return text if math.isnan(std) else f"{text} ±{std:.{decimals}f}"


MEASURES = (
    Measure(
        "explained_variance",
        "explained variance",
        "Share of the variance of held-out rows that is left after encoding and decoding them.",
    ),
    Measure(
        "trustworthiness",
        "trustworthiness",
        "Whether neighbours among the codes are neighbours in the data (5 neighbours).",
    ),
    Measure(
        "continuity",
        "continuity",
        "Whether neighbours in the data are neighbours among the codes (5 neighbours).",
    ),
    Measure(
        "knn_accuracy",
        "5-NN accuracy",
        "Share of held-out rows that their 5 nearest codes of training rows label correctly.",
    ),
    Measure(
        "knn_r2",
        "5-NN R²",
        "R² of the target by the mean of the 5 nearest codes of training rows, on held-out rows.",
    ),
    Measure(
        "downstream",
        "downstream",
        "Score on held-out rows of the estimator that was given, fitted to codes of training rows.",
    ),
    Measure(
        "kmeans_ari",
        "k-means ARI",
        "Adjusted Rand index of the labels and the clusters that k-means finds in the codes.",
    ),
    Measure(
        "kmeans_ami",
        "k-means AMI",
        "Adjusted mutual information of the labels and the same clusters.",
    ),
    Measure(
        "fit_seconds",
        "fit (s)",
        "Time of fit, compilation excluded.",
        higher_is_better=False,
        cost=True,
    ),
    Measure(
        "transform_seconds",
        "transform (s)",
        "Time to encode the held-out rows.",
        higher_is_better=False,
        cost=True,
    ),
    Measure(
        "memory_mib",
        "memory (MiB)",
        "Peak memory of fit and transform above what the process held before.",
        higher_is_better=False,
        decimals=0,
        cost=True,
    ),
)
