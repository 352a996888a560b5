"""What `compare` returns: the table, the figures and the report."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import NDArray

from sklearn_ae.comparison._curve import fewest_components, sentences
from sklearn_ae.comparison._measures import MEASURES, Measure
from sklearn_ae.comparison._rows import ShownRows
from sklearn_ae.comparison._text import text_table
from sklearn_ae.comparison._verdict import (
    answers,
    best_reducers,
    rankings,
    recommended,
    summarise,
    verdict,
)
from sklearn_ae.utils._typing import StrPath

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ComparisonResult:
    """Results of `compare`: a table, figures and a report.

    Parameters
    ----------
    results : DataFrame
        A row per reducer and repeat.

    settings : dict
        What was compared and where.

    notes : list of str
        How the data were prepared.

    codes : dict of dict
        For each reducer the arrays of the first repeat that the figures show.

    example : tuple (ndarray, list of str or None)
        Test rows of the first repeat and the names of their features.

    colours : ndarray or None
        Label of each test row of the first repeat.

    image_shape : tuple (height, width) or (channels, height, width) or None
        Shape of a row that is an image.

    columns : DataFrame or None
        What was made of each column of a table.

    curve : DataFrame or None
        Explained variance by the width of the code.

    pca : str or None
        Name of the row of PCA.

    autoencoders : list of str
        Names of the rows of this package's estimators.

    code : dict of str or None
        Python that fits a reducer, by its name.

    rows : ShownRows or None
        What the report says of the test rows of the first repeat.

    Attributes
    ----------
    results_ : DataFrame
        A row per reducer and repeat with the columns ``reducer``, ``repeat``, one for each
        measure (NaN where it does not apply), ``in_sample``, ``notes`` and ``error``.

    summary_ : DataFrame
        A row per reducer; columns are pairs of a measure and ``"mean"`` or ``"std"``.

    answers_ : DataFrame
        A row for each aim (keep the variance, keep the neighbours, tell the target): its
        ``measure``, the ``best`` reducers with ``best_value``, ``pca_value``, the best
        ``autoencoder`` with ``autoencoder_value``, its ``place``, its ``gain`` over PCA with the
        ``p_value`` of that, and whether it ``is_gain`` or ``is_loss``.

    verdict_ : list of str
        Sentences: whether an autoencoder is worth it and for what, then each aim, then the time.
        One reducer is better than another where the mean of their paired differences is at least
        0.005 and a corrected resampled t-test [1]_ says so at 5 %, in all pairs of reducers
        together (Holm); marks in the table and sentences both follow that.

    recommended_ : str or None
        The reducer to use: the autoencoder that gains over PCA at most aims and is beaten there by
        no other one, or PCA; None where there is no verdict.

    code_ : str
        Python that prepares the data and fits what is recommended; empty where that is none of
        the default reducers.

    curve_ : DataFrame
        Of several widths: a row per reducer, ``n_components`` and repeat with the held-out
        ``explained_variance`` and, of a variational autoencoder, ``log_likelihood``.

    fewest_components_ : DataFrame
        A row per reducer of ``curve_``: the fewest components that keep 90, 95 and 99 % of the
        variance, and those whose log-likelihood is within one standard error of the best.

    settings_ : dict
        What was compared and where: sizes, seeds, reducers, versions.

    notes_ : list of str
        How the data were prepared.

    columns_ : DataFrame
        A row per column of a table, the target last: ``name``, ``kind`` ("number", "date",
        "yes/no", "category", "dropped" or "target"), ``done``, ``missing`` and ``range``. Empty
        where the data are no table.

    See Also
    --------
    compare : Makes it.

    References
    ----------
    .. [1] C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52,
       2003, :doi:`10.1023/A:1024068626366`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ae import compare
    >>> result = compare(load_iris().data, reducers=["pca"], n_repeats=1, random_state=0)
    >>> result.summary_["explained_variance", "mean"].round(2).to_dict()
    {'PCA': 0.98}
    """

    results_: pd.DataFrame
    summary_: pd.DataFrame
    answers_: pd.DataFrame
    verdict_: list[str]
    recommended_: str | None
    code_: str
    curve_: pd.DataFrame
    fewest_components_: pd.DataFrame
    settings_: dict[str, Any]
    notes_: list[str]
    columns_: pd.DataFrame

    def __init__(
        self,
        results: pd.DataFrame,
        settings: dict[str, Any],
        notes: list[str],
        codes: dict[str, dict[str, NDArray[Any]]],
        example: tuple[NDArray[Any], list[str] | None],
        colours: NDArray[Any] | None = None,
        image_shape: tuple[int, ...] | None = None,
        columns: pd.DataFrame | None = None,
        curve: pd.DataFrame | None = None,
        pca: str | None = None,
        autoencoders: Iterable[str] = (),
        code: Mapping[str, str] | None = None,
        rows: ShownRows | None = None,
    ) -> None:
        self.results_ = results
        self.settings_ = settings
        self.notes_ = notes
        self.columns_ = pd.DataFrame() if columns is None else columns
        self.summary_ = summarise(results)
        test_over_train = settings["test rows"] / settings["training rows"]
        ranked = rankings(results, test_over_train)
        self._best = best_reducers(ranked)
        self._autoencoders = autoencoders = list(autoencoders)
        found = answers(ranked, pca, autoencoders)
        self.answers_ = pd.DataFrame(found)
        self.verdict_ = verdict(ranked, found, settings, pca, autoencoders)
        self.curve_ = pd.DataFrame() if curve is None else curve
        self.fewest_components_ = (
            pd.DataFrame() if self.curve_.empty else fewest_components(self.curve_)
        )
        self.verdict_ += sentences(self.curve_)
        self.recommended_ = recommended(ranked, found, settings, pca, autoencoders)
        self.code_ = (code or {}).get(self.recommended_ or "", "")
        self._codes = codes
        self._example = example
        self._colours = colours
        self._image_shape = image_shape
        self._rows = rows

    def __repr__(self) -> str:
        return text_table(self)

    def _repr_html_(self) -> str:
        # pandas alone: a notebook without the extras shows the table too.
        columns = {measure.key: measure.label for measure in MEASURES}
        shown = {
            columns[measure.key]: [
                measure.format(row[measure.key, "mean"], row[measure.key, "std"])
                for _, row in self.summary_.iterrows()
            ]
            for measure in self.measures()
        }
        return type(self.results_)(shown, index=self.summary_.index).to_html()

    def measures(self) -> list[Measure]:
        """List the measures that at least one reducer has.

        Returns
        -------
        measures : list of Measure
            In the order of the table.
        """
        return [measure for measure in MEASURES if self.summary_[measure.key, "mean"].notna().any()]

    def errors(self) -> dict[str, str]:
        """Map the reducers that failed to the reason.

        Returns
        -------
        errors : dict
            From the name of the reducer to the reason.
        """
        failed = self.results_[self.results_["error"].notna()]
        return failed.groupby("reducer", sort=False)["error"].first().to_dict()

    def plot_maps(self) -> Figure:
        """Draw the codes of the test rows of the first repeat, a map per reducer.

        Of codes wider than two, the first two components are drawn.

        Returns
        -------
        figure : matplotlib.figure.Figure
            One panel per reducer, coloured by label where there are labels.
        """
        return self._figures().maps(self)

    def plot_reconstructions(self) -> Figure | None:
        """Draw test rows of the first repeat and what each reducer makes of them.

        Returns
        -------
        figure : matplotlib.figure.Figure or None
            Images where rows are images, else the explained variance of each feature; None
            where no reducer has an `inverse_transform`.
        """
        return self._figures().reconstructions(self)

    def plot_decoded_codes(self) -> Figure | None:
        """Draw what codes between those of the test rows decode to, where rows are images.

        With two components a grid, the first to the right and the second upwards. Otherwise a
        row of images for each of the five components of the greatest variance, which alone
        changes. Values go from the 5 % to the 95 % quantile of the codes of the first repeat, for
        a variational autoencoder of its prior. UMAP is left out: its inverse is defined between
        its codes only.

        Returns
        -------
        figure : matplotlib.figure.Figure or None
            One panel per reducer with an `inverse_transform`; None where rows are no images or
            no reducer has one.
        """
        return self._figures().decoded_codes(self)

    def plot_loss_curves(self) -> Figure | None:
        """Draw the objective of each epoch of the first repeat.

        Returns
        -------
        figure : matplotlib.figure.Figure or None
            One panel per reducer of this package; None where there is none that was trained.
        """
        return self._figures().loss_curves(self)

    def plot_curve(self) -> Figure | None:
        """Draw the explained variance by the number of components.

        Returns
        -------
        figure : matplotlib.figure.Figure or None
            A line per reducer; None where there is one width only.
        """
        return self._figures().curve(self)

    def plot_metrics(self) -> Figure:
        """Draw a bar chart of each measure, with the spread over repeats.

        Returns
        -------
        figure : matplotlib.figure.Figure
            One panel per measure.
        """
        return self._figures().measures(self)

    @staticmethod
    def _figures():
        try:
            from sklearn_ae.comparison import _figures
        except ImportError as error:
            raise ImportError("figures need: pip install 'sklearn-ae[compare]'") from error
        return _figures

    def to_html(self, path: StrPath | None = None) -> str:
        """Write the report, one file that opens without a network.

        It holds the names of the test rows, with the eight columns that matter most, or their
        images, which its maps show.

        Parameters
        ----------
        path : str or path-like, default=None
            Where to write it; None only returns it.

        Returns
        -------
        html : str
            The report.
        """
        try:
            from sklearn_ae.comparison._report import render
        except ImportError as error:
            raise ImportError("the report needs: pip install 'sklearn-ae[compare]'") from error
        return _write(render(self), path)

    def to_csv(self, path: StrPath | None = None) -> str:
        """Write ``results_`` as CSV.

        Parameters
        ----------
        path : str or path-like, default=None
            Where to write it; None only returns it.

        Returns
        -------
        text : str
            The table.
        """
        return _write(self.results_.to_csv(index=False, lineterminator="\n"), path)

    def to_json(self, path: StrPath | None = None) -> str:
        """Write all but the figures as JSON.

        Parameters
        ----------
        path : str or path-like, default=None
            Where to write it; None only returns it.

        Returns
        -------
        text : str
            An object with ``settings``, ``notes``, ``columns`` and ``answers`` (lists, as
            ``columns_`` and ``answers_``), ``curve`` (as ``curve_``), ``verdict``,
            ``recommended``, ``code``, ``results`` (a list of rows) and ``summary`` (reducer,
            measure, mean and std); what does not apply is null.
        """
        summary = {
            name: {
                measure.key: {
                    part: _number(self.summary_.loc[name, (measure.key, part)])
                    for part in ("mean", "std")
                }
                for measure in MEASURES
            }
            for name in self.summary_.index
        }
        content = {
            "settings": self.settings_,
            "notes": self.notes_,
            "columns": json.loads(self.columns_.to_json(orient="records")),
            "answers": json.loads(self.answers_.to_json(orient="records", double_precision=15)),
            "curve": json.loads(self.curve_.to_json(orient="records", double_precision=15)),
            "verdict": self.verdict_,
            "recommended": self.recommended_,
            "code": self.code_,
            "summary": summary,
            "results": json.loads(self.results_.to_json(orient="records", double_precision=15)),
        }
        return _write(json.dumps(content, indent=2, allow_nan=False) + "\n", path)


def _number(value):
    return float(value) if math.isfinite(value) else None


def _write(text, path):
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text
