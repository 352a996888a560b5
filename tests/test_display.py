"""Displays: what is drawn is the data, on the axes asked for."""

import subprocess
import sys
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array, csr_matrix
from scipy.stats import norm
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.manifold import TSNE
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from sklearn_ae import (
    Autoencoder,
    AutoencoderDetector,
    Denoiser,
    VariationalAutoencoder,
    display,
)
from sklearn_ae.architectures import Convolutional
from sklearn_ae.corruptions import GaussianNoise
from sklearn_ae.display import (
    AnomalyScoreDisplay,
    DictionaryDisplay,
    FeatureAnomalyDisplay,
    LatentManifoldDisplay,
    LatentSpaceDisplay,
    LatentTraversalDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
    _projection,
)
from sklearn_ae.display._estimators import final_estimator
from sklearn_ae.display._images import draw_montage
from sklearn_ae.metrics import trustworthiness

plt = pytest.importorskip("matplotlib.pyplot")
SHAPE = (8, 8)


@pytest.fixture(autouse=True)
def no_figures_left():
    before = plt.get_fignums()
    yield
    for number in set(plt.get_fignums()) - set(before):
        plt.close(number)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16, y[:300]


@pytest.fixture(scope="module")
def pca(digits):
    return PCA(3).fit(digits[0])


@pytest.fixture(scope="module")
def autoencoder(digits):
    return Autoencoder(3, max_iter=2, random_state=0).fit(digits[0])


@pytest.fixture(scope="module")
def vae(digits):
    return VariationalAutoencoder(3, max_iter=2, random_state=0).fit(digits[0])


@pytest.fixture(params=["pca", "autoencoder", "vae"])
def reducer(request):
    return request.getfixturevalue(request.param)


class WithArchitecture(PCA):
    """PCA with an architecture that knows the shape of images."""

    class Images:
        image_shape = SHAPE

    architecture = Images()


class Cleaner(TransformerMixin, BaseEstimator):
    """One-to-one: halves what it is given, and has no inverse."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return np.asarray(X) / 2


class Narrow(Cleaner):
    """Neither one-to-one nor with an inverse."""

    def transform(self, X):
        return np.asarray(X)[:, :5]


def tile(artist, i, j, shape=SHAPE, gap=1):
    """One image of a montage."""
    height, width = shape
    top, left = i * (height + gap), j * (width + gap)
    return np.asarray(artist.get_array())[top : top + height, left : left + width]


def labels_of(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


# ---------------------------------------------------------------------- all of them


def draw_all(estimator, X, y, ax=None):
    """Every display of an estimator; those with an own figure where `ax` is None."""
    images = {"image_shape": SHAPE, "ax": ax}
    yield ReconstructionDisplay.from_estimator(estimator, X, **images)
    yield ReconstructionDisplay.from_estimator(estimator, X, ax=ax)
    yield LatentSpaceDisplay.from_estimator(estimator, X, y, ax=ax)
    yield LatentManifoldDisplay.from_estimator(estimator, X, n_steps=3, **images)
    yield LatentTraversalDisplay.from_estimator(estimator, X, n_steps=3, **images)
    yield DictionaryDisplay.from_estimator(estimator, X, **images)
    if hasattr(estimator, "loss_curve_"):
        yield LossCurveDisplay.from_estimator(estimator, ax=ax)


def test_public_names_are_the_displays():
    assert display.__all__ == sorted(display.__all__)
    assert all(name.endswith("Display") for name in display.__all__)


def test_from_estimator_draws_on_a_figure_of_its_own(reducer, digits):
    for drawn in draw_all(reducer, *digits):
        assert drawn.ax_.figure is drawn.figure_ and plt.fignum_exists(drawn.figure_.number)
        drawn.figure_.canvas.draw()


def test_given_axes_are_drawn_on_without_pyplot(autoencoder, digits):
    from matplotlib.figure import Figure

    figures = plt.get_fignums()
    for drawn in draw_all(autoencoder, *digits, Figure().subplots()):
        assert len(drawn.figure_.axes) >= 1 and drawn.ax_ is drawn.figure_.axes[0]
    assert plt.get_fignums() == figures


def test_global_random_state_and_parameters_are_untouched(autoencoder, digits):
    state, settings = np.random.get_state()[1].copy(), dict(plt.rcParams)
    for _ in draw_all(autoencoder, *digits):
        pass
    LatentSpaceDisplay(np.zeros((5, 1))).plot()
    assert np.array_equal(state, np.random.get_state()[1])
    assert settings == dict(plt.rcParams)


def test_plot_draws_again_without_the_estimator(pca, digits):
    first = ReconstructionDisplay.from_estimator(pca, digits[0], image_shape=SHAPE)
    again = ReconstructionDisplay(first.original, first.reconstructed, image_shape=SHAPE).plot()
    np.testing.assert_array_equal(first.montage_.get_array(), again.montage_.get_array())
    assert again.plot() is again and again.figure_ is not first.figure_


@pytest.mark.parametrize(
    "made",
    [
        ReconstructionDisplay,
        LatentSpaceDisplay,
        LatentManifoldDisplay,
        LatentTraversalDisplay,
    ],
)
def test_unfitted_estimator_is_refused(made, digits):
    with pytest.raises(NotFittedError):
        made.from_estimator(Autoencoder(), digits[0])
    with pytest.raises(NotFittedError):
        made.from_estimator(PCA(), digits[0])


@pytest.mark.parametrize("made", [LossCurveDisplay, DictionaryDisplay])
def test_unfitted_estimator_is_refused_without_data(made):
    with pytest.raises(NotFittedError):
        made.from_estimator(Autoencoder())


def test_missing_methods_are_named(digits):
    X, _ = digits
    tsne = TSNE(init="random", random_state=0, max_iter=250).fit(X[:40])
    cleaner = Cleaner().fit(X)
    with pytest.raises(TypeError, match=r"should have transform; TSNE has no transform"):
        LatentSpaceDisplay.from_estimator(tsne, X)
    with pytest.raises(TypeError, match="TSNE has no transform and no inverse_transform"):
        LatentTraversalDisplay.from_estimator(tsne, X)
    for made in (LatentManifoldDisplay, LatentTraversalDisplay, DictionaryDisplay):
        with pytest.raises(TypeError, match="Cleaner has no inverse_transform"):
            made.from_estimator(cleaner, X)
    with pytest.raises(TypeError, match="Cleaner has no loss_curve_"):
        LossCurveDisplay.from_estimator(cleaner)


@pytest.mark.parametrize("made", [LatentManifoldDisplay, LatentTraversalDisplay, DictionaryDisplay])
def test_image_shape_is_that_of_the_architecture_or_needed(made, digits, pca):
    X, _ = digits
    drawn = made.from_estimator(WithArchitecture(2).fit(X), X)
    assert drawn.image_shape == SHAPE
    with pytest.raises(ValueError, match="image_shape is needed"):
        made.from_estimator(pca, X)
    with pytest.raises(ValueError, match=r"image_shape=\(8, 9\) has 72 values.* 64 features"):
        made.from_estimator(pca, X, image_shape=(8, 9))


def test_images_of_two_channels_are_drawn_as_lines(digits):
    X, _ = digits
    fitted = Autoencoder(
        2, architecture=Convolutional((2, 4, 8), channels=(2,)), max_iter=1, random_state=0
    ).fit(X)
    drawn = ReconstructionDisplay.from_estimator(fitted, X, n_samples=2)
    assert drawn.image_shape is None and drawn.montage_ is None


@pytest.mark.parametrize("image_shape", [(64,), (2, 4, 8), (8, 8, 1), (8, 8.0), (-8, -8), (0, 8)])
def test_image_shape_of_no_image_is_refused(image_shape, digits):
    X, _ = digits
    with pytest.raises(ValueError, match=r"must be \(height, width\) or \(channels, height"):
        ReconstructionDisplay(X, X, image_shape=image_shape).plot()


def test_importing_needs_no_matplotlib_and_the_error_tells_the_remedy():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from sklearn_ae.display import LossCurveDisplay\n"
        "assert 'torch' not in sys.modules\n"
        "try: LossCurveDisplay([1.0]).plot()\n"
        "except ImportError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "LossCurveDisplay.plot requires matplotlib: pip install" in run.stdout, run.stderr


# ---------------------------------------------------------------------- montage


def test_montage_of_colours_is_scaled_and_empty_between():
    tiles = np.arange(2 * 3 * 12.0).reshape(2, 3, 12)
    artist = draw_montage(None, tiles, (3, 2, 2), vmin=0, vmax=71)
    canvas = np.asarray(artist.get_array())
    assert canvas.shape == (2 * 3 - 1, 3 * 3 - 1, 4)
    expected = np.moveaxis(tiles[1, 2].reshape(3, 2, 2), 0, -1) / 71
    np.testing.assert_allclose(canvas[3:5, 6:8, :3], expected)
    assert np.all(canvas[2, :, 3] == 0) and np.all(canvas[3:5, 6:8, 3] == 1)


def test_montage_of_one_channel_is_that_of_grey_images():
    tiles = np.random.default_rng(0).normal(size=(2, 2, 6))
    one, grey = (draw_montage(None, tiles, shape) for shape in [(1, 2, 3), (2, 3)])
    np.testing.assert_array_equal(one.get_array(), grey.get_array())


def test_montage_labels_stand_at_the_middle_of_tiles_and_are_thinned():
    tiles = np.zeros((2, 33, 64))
    labels = [str(i) for i in range(33)]
    ax = draw_montage(None, tiles, SHAPE, row_labels=["a", "b"], column_labels=labels).axes
    assert ax.get_yticks().tolist() == [3.5, 12.5] and labels_of(ax.yaxis) == ["a", "b"]
    shown = labels_of(ax.xaxis)
    assert 8 <= len(shown) <= 16 and ax.get_xticks()[0] == 9 * int(shown[0]) + 3.5


# ---------------------------------------------------------------------- reconstructions


def test_reconstructions_are_those_of_the_estimator(reducer, digits):
    X, _ = digits
    drawn = ReconstructionDisplay.from_estimator(reducer, X, n_samples=4, image_shape=SHAPE)
    expected = reducer.inverse_transform(reducer.transform(X))
    assert labels_of(drawn.ax_.yaxis) == ["original", "reconstructed"] and drawn.lines_ is None
    for j in range(4):
        np.testing.assert_array_equal(tile(drawn.montage_, 0, j), X[j].reshape(SHAPE))
        found = tile(drawn.montage_, 1, j)
        np.testing.assert_allclose(found, expected[j].reshape(SHAPE), atol=1e-6)
    assert drawn.montage_.get_array().shape == (17, 4 * 9 - 1)
    assert drawn.montage_.get_clim() == (X[:4].min(), X[:4].max())


def test_reconstructions_are_made_from_the_corrupted_rows(pca, digits):
    X, _ = digits
    noisy = X + np.random.default_rng(0).normal(size=X.shape)
    drawn = ReconstructionDisplay.from_estimator(pca, X, X_corrupted=noisy, image_shape=SHAPE)
    expected = pca.inverse_transform(pca.transform(noisy))
    assert labels_of(drawn.ax_.yaxis) == ["original", "corrupted", "reconstructed"]
    np.testing.assert_allclose(tile(drawn.montage_, 1, 5), noisy[5].reshape(SHAPE))
    np.testing.assert_allclose(tile(drawn.montage_, 2, 5), expected[5].reshape(SHAPE))


def test_cleaners_and_pipelines_and_searches_reconstruct(digits):
    X, _ = digits
    cleaned = ReconstructionDisplay.from_estimator(Cleaner().fit(X), X)
    np.testing.assert_array_equal(cleaned.reconstructed, X[:8] / 2)
    pipeline = make_pipeline(StandardScaler(), PCA(2)).set_output(transform="pandas").fit(X)
    drawn = ReconstructionDisplay.from_estimator(pipeline, X)
    expected = pipeline.inverse_transform(pipeline.transform(X))[:8]
    np.testing.assert_allclose(drawn.reconstructed, expected)
    search = GridSearchCV(WithArchitecture(2), {"n_components": [1, 2]}, cv=2).fit(X)
    drawn = ReconstructionDisplay.from_estimator(search, X)
    assert drawn.image_shape == SHAPE and drawn.montage_ is not None


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_cleaned_rows_come_back_through_the_steps_before(digits, output):
    X, _ = digits
    X = 255 * X + 100
    denoiser = Denoiser(max_iter=0, corruption=GaussianNoise(0.5), random_state=0)
    pipeline = make_pipeline(StandardScaler(), denoiser).set_output(transform=output).fit(X)
    scaler = StandardScaler().fit(X)
    noisy = GaussianNoise(0.5).corrupt(scaler.transform(X), random_state=0)
    noisy = scaler.inverse_transform(noisy)
    drawn = ReconstructionDisplay.from_estimator(
        pipeline, X, X_corrupted=noisy, n_samples=40, image_shape=SHAPE
    )
    cleaned = drawn.reconstructed
    assert abs(cleaned.mean() - X[:40].mean()) < 0.02 * X[:40].mean()
    assert np.corrcoef(cleaned.ravel(), X[:40].ravel())[0, 1] > 0.93
    assert ((cleaned - X[:40]) ** 2).sum() < 0.8 * ((noisy[:40] - X[:40]) ** 2).sum()
    expected = scaler.inverse_transform(np.asarray(pipeline.transform(noisy[:40])))
    np.testing.assert_allclose(cleaned, expected)
    np.testing.assert_allclose(tile(drawn.montage_, 2, 5), cleaned[5].reshape(SHAPE))
    search = GridSearchCV(pipeline, {"denoiser__n_components": [64]}, cv=2).fit(X)
    found = ReconstructionDisplay.from_estimator(search, X, X_corrupted=noisy, n_samples=40)
    np.testing.assert_allclose(found.reconstructed, cleaned)
    alone = make_pipeline(denoiser).fit(X)
    drawn = ReconstructionDisplay.from_estimator(alone, X)
    np.testing.assert_allclose(drawn.reconstructed, np.asarray(alone.transform(X[:8])))


def test_cleaned_rows_need_a_way_back(digits):
    X, _ = digits
    pipeline = make_pipeline(Normalizer(), StandardScaler(), Cleaner()).fit(X)
    with pytest.raises(TypeError, match="has no inverse_transform") as caught:
        ReconstructionDisplay.from_estimator(pipeline, X)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("container", [csr_array, csr_matrix])
@pytest.mark.parametrize("reducer", [PCA(3), TruncatedSVD(3, random_state=0)], ids=str)
def test_sparse_rows_are_drawn_as_dense_ones(container, reducer, digits):
    X, _ = digits
    sparse = container(X)
    drawn = ReconstructionDisplay.from_estimator(
        reducer.fit(sparse), sparse, n_samples=3, image_shape=SHAPE
    )
    dense = ReconstructionDisplay.from_estimator(reducer, X, n_samples=3, image_shape=SHAPE)
    np.testing.assert_array_equal(drawn.original, X[:3])
    np.testing.assert_allclose(drawn.montage_.get_array(), dense.montage_.get_array())
    lines = ReconstructionDisplay.from_estimator(reducer, sparse, X_corrupted=sparse, n_samples=3)
    assert lines.montage_ is None and len(lines.lines_["corrupted"]) == 3


def test_rows_of_images_need_no_image_shape(digits):
    images = digits[0].reshape(-1, 8, 8)
    flatten = FunctionTransformer(lambda X: X.reshape(len(X), -1)).fit(images)
    drawn = ReconstructionDisplay.from_estimator(flatten, images, n_samples=2)
    np.testing.assert_array_equal(tile(drawn.montage_, 1, 1), images[1])


def test_tables_are_drawn_as_lines_between_the_ends_of_each_feature():
    X = load_wine(as_frame=True).data
    pca = make_pipeline(StandardScaler(), PCA(5)).fit(X)
    drawn = ReconstructionDisplay.from_estimator(pca, X, n_samples=3)
    values = X.to_numpy()
    low, high = values.min(axis=0), values.max(axis=0)
    assert drawn.montage_ is None and set(drawn.lines_) == {"original", "reconstructed"}
    for i, line in enumerate(drawn.lines_["original"]):
        expected = 2 - i + 0.8 * (values[i] - low) / (high - low)
        np.testing.assert_allclose(line.get_ydata(), expected)
    rebuilt = np.asarray(pca.inverse_transform(pca.transform(X)))
    expected = 2 + 0.8 * np.clip((rebuilt[0] - low) / (high - low), -0.15, 1.15)
    np.testing.assert_allclose(drawn.lines_["reconstructed"][0].get_ydata(), expected)
    assert labels_of(drawn.ax_.xaxis) == list(X.columns)
    assert labels_of(drawn.ax_.yaxis) == ["0", "1", "2"]


def test_constant_features_and_one_row_have_lines():
    drawn = ReconstructionDisplay([[1.0, 5.0]], [[1.05, 9.0]]).plot()
    np.testing.assert_allclose(drawn.lines_["original"][0].get_ydata(), [0, 0])
    np.testing.assert_allclose(drawn.lines_["reconstructed"][0].get_ydata(), [0.04, 0.92])


def test_keywords_reach_the_artists(pca, digits):
    X, _ = digits
    drawn = ReconstructionDisplay.from_estimator(
        pca, X, image_shape=SHAPE, im_kwargs={"cmap": "magma", "vmax": 3}
    )
    assert drawn.montage_.get_cmap().name == "magma" and drawn.montage_.get_clim()[1] == 3
    from matplotlib.colors import LogNorm, Normalize

    for limits in (Normalize(-2, 5), LogNorm(0.1, 9)):
        drawn = ReconstructionDisplay.from_estimator(
            pca, X, image_shape=SHAPE, im_kwargs={"norm": limits}
        )
        assert drawn.montage_.norm is limits
        assert drawn.montage_.get_clim() == (limits.vmin, limits.vmax)
        drawn.figure_.canvas.draw()
    drawn = DictionaryDisplay.from_estimator(
        pca, image_shape=SHAPE, im_kwargs={"norm": Normalize(-2, 5)}
    )
    assert drawn.montage_.get_clim() == (-2, 5)
    drawn = ReconstructionDisplay.from_estimator(pca, X, line_kwargs={"c": "red", "lw": 3})
    line = drawn.lines_["reconstructed"][0]
    assert line.get_color() == "red" and line.get_linewidth() == 3
    drawn = LatentSpaceDisplay(X[:, 2:4]).plot(scatter_kwargs={"lw": 2, "s": 7})
    assert drawn.scatter_.get_linewidths() == [2] and drawn.scatter_.get_sizes() == [7]


def test_reconstructions_that_do_not_fit_are_refused(pca, digits):
    X, _ = digits
    with pytest.raises(ValueError, match=r"reconstructed differ in shape: \(3, 64\) and \(3, 5\)"):
        ReconstructionDisplay(X[:3], X[:3, :5]).plot()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ReconstructionDisplay.from_estimator(pca, X, X_corrupted=X[:5])
    with pytest.raises(ValueError, match="n_samples == 0, must be >= 1"):
        ReconstructionDisplay.from_estimator(pca, X, n_samples=0)
    with pytest.raises(TypeError, match="to the width of X; that of Narrow gives 5 features"):
        ReconstructionDisplay.from_estimator(Narrow().fit(X), X)
    with pytest.raises(ValueError, match=r"image_shape=\(3, 4\) has 12 values, but X has 64"):
        ReconstructionDisplay.from_estimator(pca, X, image_shape=(3, 4))


# ---------------------------------------------------------------------- latent space


def test_points_are_codes_coloured_by_class(reducer, digits):
    X, y = digits
    drawn = LatentSpaceDisplay.from_estimator(reducer, X, y, components=(2, 0))
    codes = reducer.transform(X)
    np.testing.assert_allclose(drawn.scatter_.get_offsets(), codes[:, [2, 0]])
    assert (drawn.ax_.get_xlabel(), drawn.ax_.get_ylabel()) == ("component 2", "component 0")
    assert [text.get_text() for text in drawn.legend_.get_texts()] == [str(i) for i in range(10)]
    colours = plt.colormaps["tab10"](y)[:, :3]
    np.testing.assert_allclose(drawn.scatter_.get_facecolors()[:, :3], colours)
    assert drawn.colorbar_ is None and drawn.hexbin_ is None


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["b", "a", "b", "c"], ["a", "b", "c"]),
        (["10", "9", "9", "-1"], ["-1", "9", "10"]),
        ([True, False, True, True], ["False", "True"]),
        (pd.Series(["u", None, "v", "u"]), ["None", "u", "v"]),
        (pd.Series([3, 1, 3, 1], dtype="category"), ["1", "3"]),
    ],
)
def test_names_of_classes_are_in_order(labels, names):
    drawn = LatentSpaceDisplay(np.random.default_rng(0).normal(size=(4, 2)), labels).plot()
    found = [text.get_text().replace("nan", "None") for text in drawn.legend_.get_texts()]
    assert found == names


@pytest.mark.parametrize("unit", ["D", "s", "us", "ns"])
def test_dates_are_classes_in_their_order(unit):
    days = ["2021-05-01", "2019-01-01", "2021-05-01", "2020-03-01"]
    codes = np.random.default_rng(0).normal(size=(4, 2))
    drawn = LatentSpaceDisplay(codes, np.array(days, f"datetime64[{unit}]")).plot()
    found = [text.get_text()[:10] for text in drawn.legend_.get_texts()]
    assert found == ["2019-01-01", "2020-03-01", "2021-05-01"]
    assert len(np.unique(drawn.scatter_.get_facecolors(), axis=0)) == 3


def test_numbers_have_a_colour_bar_and_missing_ones_stay():
    codes = np.arange(10.0).reshape(5, 2)
    drawn = LatentSpaceDisplay(codes, [0.5, 1.0, np.nan, 2.0, 1.0]).plot()
    assert drawn.legend_ is None and drawn.colorbar_ is not None
    assert len(drawn.scatter_.get_offsets()) == 5
    drawn.figure_.canvas.draw()
    assert drawn.scatter_.get_facecolors()[2, :3].tolist() == [0.75] * 3
    many = LatentSpaceDisplay(np.zeros((50, 2)), np.arange(50)).plot()
    assert many.colorbar_ is not None


def test_legend_can_be_left_out_and_a_palette_given():
    codes, labels = np.zeros((3, 2)), [0.0, 1.0, 0.0]
    palette = {0.0: (1.0, 0.0, 0.0, 1.0), 1.0: (0.0, 0.0, 1.0, 1.0)}
    drawn = LatentSpaceDisplay(codes, labels).plot(palette=palette, legend=False)
    assert drawn.legend_ is None and drawn.colorbar_ is None
    assert drawn.scatter_.get_facecolors()[:, 0].tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match=r"no colour for the label 7\.0"):
        LatentSpaceDisplay(codes, [0.0, 7.0, 1.0]).plot(palette=palette)


def test_many_classes_have_colours_without_a_legend():
    drawn = LatentSpaceDisplay(np.zeros((30, 2)), [f"c{i}" for i in range(30)]).plot()
    assert drawn.legend_ is None and drawn.colorbar_ is None
    assert len(np.unique(drawn.scatter_.get_facecolors(), axis=0)) == 30


def test_many_points_without_labels_are_a_density():
    codes = np.random.default_rng(0).normal(size=(200, 2))
    drawn = LatentSpaceDisplay(codes).plot(max_points=199, hexbin_kwargs={"bins": None})
    assert drawn.scatter_ is None and drawn.hexbin_.get_array().sum() == 200
    assert drawn.colorbar_ is not None
    for max_points, labels in [(200, None), (None, None), (10, np.zeros(200, dtype=int))]:
        drawn = LatentSpaceDisplay(codes, labels).plot(max_points=max_points)
        assert drawn.hexbin_ is None and len(drawn.scatter_.get_offsets()) == 200


@pytest.mark.parametrize(
    ("width", "components", "shown"),
    [(1, (0, 1), 0), (1, [0, 1], 0), (1, np.array([0, 1]), 0), (3, 2, 2), (3, (1,), 1)],
)
def test_one_component_is_spread_along_the_other_axis(width, components, shown):
    codes = np.random.default_rng(0).normal(size=(40, width))
    drawn = LatentSpaceDisplay(codes).plot(components=components)
    offsets = np.asarray(drawn.scatter_.get_offsets())
    np.testing.assert_array_equal(offsets[:, 0], codes[:, shown])
    assert len(np.unique(offsets[:, 1])) == 40 and len(drawn.ax_.get_yticks()) == 0
    assert drawn.ax_.get_xlabel() == f"component {shown}"


def test_components_and_labels_that_do_not_fit_are_refused():
    codes = np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"\(0, 3\) is out of range: the codes have 3 components"):
        LatentSpaceDisplay(codes).plot(components=(0, 3))
    with pytest.raises(ValueError, match="-1 is out of range"):
        LatentSpaceDisplay(codes).plot(components=-1)
    with pytest.raises(ValueError, match="at most two components"):
        LatentSpaceDisplay(codes).plot(components=(0, 1, 2))
    with pytest.raises(TypeError, match="must be an int or a tuple of ints"):
        LatentSpaceDisplay(codes).plot(components=(0.5, 1))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LatentSpaceDisplay(codes, [0, 1]).plot()
    with pytest.raises(ValueError, match="NaN"):
        LatentSpaceDisplay(np.full((4, 2), np.nan)).plot()


# ---------------------------------------------------------------------- projections


@pytest.fixture(scope="module")
def wide_codes(digits):
    return PCA(8).fit_transform(digits[0][:120])


class RecordedUMAP:
    """Stands in for UMAP, which takes seconds to compile."""

    made: ClassVar[list] = []

    def __init__(self, **parameters):
        self.made.append(parameters)

    def fit_transform(self, X):
        return X[:, [5, 3]].astype(np.float32)


def test_pca_of_codes_is_scikit_learns_in_their_unit(wide_codes):
    codes = 100 + 50 * np.random.default_rng(0).permuted(wide_codes, axis=1)
    drawn = LatentSpaceDisplay(codes).plot(projection="pca")
    pca = PCA(2).fit(codes)
    assert_allclose(drawn.points_, pca.transform(codes), atol=1e-9)
    np.testing.assert_array_equal(drawn.scatter_.get_offsets(), drawn.points_)
    np.testing.assert_array_equal(drawn.rows_, np.arange(120))
    first, second = (round(100 * share) for share in pca.explained_variance_ratio_)
    assert drawn.ax_.get_xlabel() == f"PCA of 8 components, first axis ({first} % of variance)"
    assert drawn.ax_.get_ylabel() == f"PCA of 8 components, second axis ({second} % of variance)"
    assert len(drawn.ax_.get_xticks()) and len(drawn.ax_.get_yticks())


def test_tsne_of_codes_keeps_neighbours_and_has_no_scale(wide_codes):
    drawn = LatentSpaceDisplay(wide_codes).plot(projection="tsne")
    assert drawn.points_.shape == (120, 2)
    assert trustworthiness(wide_codes, drawn.points_) > 0.95
    assert trustworthiness(wide_codes, drawn.points_) > trustworthiness(
        wide_codes, wide_codes[:, :2]
    )
    np.testing.assert_array_equal(drawn.scatter_.get_offsets(), drawn.points_)
    assert drawn.ax_.get_xlabel() == "t-SNE of 8 components, first axis"
    assert drawn.ax_.get_ylabel() == "t-SNE of 8 components, second axis"
    assert len(drawn.ax_.get_xticks()) == len(drawn.ax_.get_yticks()) == 0


def test_random_state_fixes_the_picture(wide_codes, monkeypatch):
    monkeypatch.setattr(_projection, "MAX_TSNE_ROWS", 30)

    def drawn(random_state):
        display = LatentSpaceDisplay(wide_codes).plot(projection="tsne", random_state=random_state)
        return np.column_stack([display.rows_, display.points_])

    before = np.random.get_state()[1].copy()
    for same in (lambda: 0, lambda: np.random.RandomState(5)):
        np.testing.assert_array_equal(drawn(same()), drawn(same()))
    assert not np.array_equal(drawn(0), drawn(1))
    assert not np.array_equal(drawn(None), drawn(None))
    assert np.array_equal(before, np.random.get_state()[1])


def test_tsne_of_many_codes_draws_some_of_them(wide_codes, monkeypatch):
    assert _projection.MAX_TSNE_ROWS == 5000
    monkeypatch.setattr(_projection, "MAX_TSNE_ROWS", 50)
    labels = np.arange(120) % 3
    drawn = LatentSpaceDisplay(wide_codes, labels).plot(projection="tsne")
    assert len(drawn.points_) == len(np.unique(drawn.rows_)) == 50
    assert drawn.rows_.tolist() == sorted(drawn.rows_.tolist())
    assert trustworthiness(wide_codes[drawn.rows_], drawn.points_) > 0.9
    colours = plt.colormaps["tab10"](labels[drawn.rows_])[:, :3]
    assert_allclose(drawn.scatter_.get_facecolors()[:, :3], colours)
    assert drawn.ax_.get_xlabel() == "t-SNE of 8 components, first axis (50 of 120 rows)"
    whole = LatentSpaceDisplay(wide_codes).plot(projection="pca", max_points=100)
    assert whole.hexbin_.get_array().sum() >= 100 and whole.scatter_ is None


def test_umap_of_codes_is_that_of_umap_learn(wide_codes, monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=RecordedUMAP))
    drawn = LatentSpaceDisplay(wide_codes).plot(projection="umap")
    few = LatentSpaceDisplay(wide_codes[:9]).plot(projection="umap")
    made, of_few = RecordedUMAP.made
    assert made["n_neighbors"] == 15 and made["n_jobs"] == 1 and of_few["n_neighbors"] == 8
    assert made["random_state"] == of_few["random_state"]
    unit = np.ptp(wide_codes, axis=0).max()
    expected = (wide_codes - wide_codes.min(axis=0))[:, [5, 3]] / unit
    assert_allclose(drawn.points_, expected, rtol=1e-5)
    assert drawn.ax_.get_ylabel() == "UMAP of 8 components, second axis"
    assert len(drawn.ax_.get_xticks()) == 0 and len(few.points_) == 9


@pytest.mark.slow
def test_umap_itself_keeps_neighbours(wide_codes):
    pytest.importorskip("umap")
    before = np.random.get_state()[1].copy()
    first, again, other = (
        LatentSpaceDisplay(wide_codes).plot(projection="umap", random_state=state).points_
        for state in (0, 0, None)
    )
    np.testing.assert_array_equal(first, again)
    assert trustworthiness(wide_codes, first) > 0.93 and len(other) == 120
    assert np.array_equal(before, np.random.get_state()[1])
    assert len(LatentSpaceDisplay(wide_codes[:4]).plot(projection="umap").points_) == 4


def test_umap_that_is_missing_is_named_with_the_remedy(wide_codes, monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    LatentSpaceDisplay(wide_codes).plot(projection="pca")
    with pytest.raises(ImportError, match=r"^UMAP needs: pip install 'sklearn-ae\[compare\]'$"):
        LatentSpaceDisplay(wide_codes).plot(projection="umap")


def test_estimators_are_projected_as_their_codes(vae, digits):
    X, y = digits
    drawn = LatentSpaceDisplay.from_estimator(
        vae, X[:60], y[:60], projection="tsne", random_state=4
    )
    alone = LatentSpaceDisplay(vae.transform(X[:60]), y[:60])
    alone.plot(projection="tsne", random_state=4)
    np.testing.assert_array_equal(drawn.points_, alone.points_)
    assert drawn.ax_.get_xlabel() == "t-SNE of 3 components, first axis"
    assert drawn.legend_ is not None


@pytest.mark.parametrize("projection", ["pca", "tsne", "umap"])
@pytest.mark.parametrize("width", [1, 2])
def test_narrow_codes_are_drawn_as_they_are(width, projection):
    codes = np.random.default_rng(0).normal(size=(40, width))
    drawn = LatentSpaceDisplay(codes).plot(projection=projection)
    np.testing.assert_array_equal(drawn.points_, LatentSpaceDisplay(codes).plot().points_)
    np.testing.assert_array_equal(drawn.points_[:, :width], codes)
    assert drawn.ax_.get_xlabel() == "component 0" and len(drawn.ax_.get_xticks())


@pytest.mark.parametrize("projection", ["pca", "tsne"])
def test_codes_that_are_equal_or_nearly_so_are_drawn(projection):
    drawn = LatentSpaceDisplay(np.full((20, 4), 0.1)).plot(projection=projection)
    assert not drawn.points_.any()
    tiny = 1e-60 * np.random.default_rng(0).normal(size=(20, 4))
    drawn = LatentSpaceDisplay(tiny).plot(projection=projection)
    assert len(np.unique(drawn.points_, axis=0)) == 20
    pair = LatentSpaceDisplay(np.eye(2, 4)).plot(projection=projection)
    assert np.isfinite(pair.points_).all()


def test_projections_that_cannot_be_are_refused(pca, digits, wide_codes):
    display = LatentSpaceDisplay(wide_codes)
    message = (
        r"The 'projection' parameter of LatentSpaceDisplay must be a str among \{.*\} or None\. "
        r"Got '?%s'? instead\."
    )
    for bad in ("lda", "PCA", 2):
        with pytest.raises(ValueError, match=message % bad):
            display.plot(projection=bad)
        with pytest.raises(ValueError, match=message % bad):
            LatentSpaceDisplay.from_estimator(pca, digits[0], projection=bad)
    with pytest.raises(ValueError, match="The 'random_state' parameter of LatentSpaceDisplay"):
        display.plot(projection="tsne", random_state="seven")
    with pytest.raises(ValueError, match=r"components=\(2, 0\) cannot be chosen with projection="):
        display.plot(projection="pca", components=(2, 0))
    for projection, name, least in [("pca", "PCA", 2), ("tsne", "t-SNE", 2), ("umap", "UMAP", 4)]:
        with pytest.raises(ValueError, match=f"minimum of {least} is required by {name}"):
            LatentSpaceDisplay(wide_codes[: least - 1]).plot(projection=projection)


# ---------------------------------------------------------------------- manifold, traversal


def test_manifold_of_a_vae_goes_through_the_normal_quantiles(vae):
    drawn = LatentManifoldDisplay.from_estimator(
        vae, components=(2, 0), n_steps=4, quantile_range=(0.1, 0.9), image_shape=SHAPE
    )
    values = norm.ppf(np.linspace(0.1, 0.9, 4))
    np.testing.assert_allclose(drawn.x_values, values)
    np.testing.assert_allclose(drawn.y_values, values)
    expected = vae.inverse_transform([[values[3], 0.0, values[1]]])[0]
    np.testing.assert_allclose(drawn.images[3, 1], expected, atol=1e-6)
    # y upwards: the last value of the second component is on top
    np.testing.assert_allclose(tile(drawn.montage_, 0, 1), expected.reshape(SHAPE), atol=1e-6)
    assert labels_of(drawn.ax_.xaxis) == [f"{value:.2g}" for value in values]
    assert labels_of(drawn.ax_.yaxis) == [f"{value:.2g}" for value in values[::-1]]
    assert (drawn.ax_.get_xlabel(), drawn.ax_.get_ylabel()) == ("component 2", "component 0")


def test_manifold_of_others_lies_between_quantiles_of_the_codes(pca, digits):
    X, _ = digits
    drawn = LatentManifoldDisplay.from_estimator(pca, X, n_steps=3, image_shape=SHAPE)
    codes = pca.transform(X)
    low, high = np.quantile(codes, [0.05, 0.95], axis=0)
    np.testing.assert_allclose(drawn.x_values, np.linspace(low[0], high[0], 3))
    code = [high[0], low[1], np.median(codes[:, 2])]
    np.testing.assert_allclose(drawn.images[0, 2], pca.inverse_transform([code])[0])


def test_large_values_are_written_as_whole_numbers():
    values = np.array([-142.6, -14.26, 0.0, 1426.0, 1.426e6])
    drawn = LatentManifoldDisplay(np.zeros((5, 5, 4)), values, values, (2, 2)).plot()
    assert labels_of(drawn.ax_.xaxis) == ["-143", "-14", "0", "1426", "1.4e+06"]


def test_zero_is_written_as_zero(vae):
    drawn = LatentManifoldDisplay.from_estimator(vae, n_steps=3, image_shape=SHAPE)
    assert labels_of(drawn.ax_.xaxis) == ["-1.6", "0", "1.6"]


def test_traversal_moves_one_component(reducer, digits):
    X, _ = digits
    drawn = LatentTraversalDisplay.from_estimator(
        reducer, X, components=(2, 0), n_steps=5, image_shape=SHAPE
    )
    codes = reducer.transform(X)
    np.testing.assert_allclose(
        drawn.values, np.quantile(codes[:, [2, 0]], np.linspace(0.05, 0.95, 5), axis=0).T
    )
    code = np.median(codes, axis=0)
    code[0] = drawn.values[1, 3]
    expected = reducer.inverse_transform([code])[0]
    np.testing.assert_allclose(drawn.images[1, 3], expected, atol=1e-6)
    np.testing.assert_array_equal(tile(drawn.montage_, 1, 3), drawn.images[1, 3].reshape(SHAPE))
    assert labels_of(drawn.ax_.yaxis) == ["component 2", "component 0"]
    assert labels_of(drawn.ax_.xaxis) == ["5 %", "27.5 %", "50 %", "72.5 %", "95 %"]


def test_traversal_from_the_code_of_a_row(pca, digits):
    X, _ = digits
    drawn = LatentTraversalDisplay.from_estimator(pca, X, row=7, image_shape=SHAPE)
    code = pca.transform(X)[7]
    code[1] = drawn.values[1, 0]
    np.testing.assert_allclose(drawn.images[1, 0], pca.inverse_transform([code])[0])


def test_estimator_is_found_in_whatever_holds_it(vae):
    inner = make_pipeline(StandardScaler(), FrozenEstimator(vae))
    assert final_estimator(make_pipeline(StandardScaler(), inner)) is vae
    assert final_estimator(SimpleNamespace(best_estimator_=inner)) is vae


def test_traversal_of_a_vae_needs_no_data(vae):
    drawn = LatentTraversalDisplay.from_estimator(vae, n_steps=3, image_shape=SHAPE)
    np.testing.assert_allclose(drawn.values, [norm.ppf([0.05, 0.5, 0.95])] * 3, atol=1e-12)
    centre = vae.inverse_transform(np.zeros((1, 3)))[0]
    np.testing.assert_allclose(drawn.images[:, 1], [centre] * 3, atol=1e-6)


@pytest.mark.parametrize("made", [LatentManifoldDisplay, LatentTraversalDisplay])
def test_grids_that_cannot_be_are_refused(made, pca, digits):
    X, _ = digits
    with pytest.raises(ValueError, match="X is needed: PCA has no prior"):
        made.from_estimator(pca, image_shape=SHAPE)
    with pytest.raises(ValueError, match=r"\(0, 3\) is out of range: the codes have 3 comp"):
        made.from_estimator(pca, X, components=(0, 3), image_shape=SHAPE)
    with pytest.raises(ValueError, match=r"quantile_range must be .* got \(0, 1\)"):
        made.from_estimator(pca, X, quantile_range=(0, 1), image_shape=SHAPE)
    for quantile_range in [(0.1, 0.5, 0.9), (0.5,), (), np.array([0.1, 0.2, 0.3]), (0.9, 0.1)]:
        with pytest.raises(ValueError, match="quantile_range must be two numbers") as caught:
            made.from_estimator(pca, X, quantile_range=quantile_range, image_shape=SHAPE)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="n_steps == 1, must be >= 2"):
        made.from_estimator(pca, X, n_steps=1, image_shape=SHAPE)


def test_parts_that_do_not_fit_are_refused(pca, vae, digits):
    X, _ = digits
    for components in (1, (0, 0), (0, 1, 2), (0, 1, 0), np.array([2, 2])):
        with pytest.raises(ValueError, match="should name two different components"):
            LatentManifoldDisplay.from_estimator(pca, X, components=components, image_shape=SHAPE)
    with pytest.raises(ValueError, match="images has shape"):
        LatentManifoldDisplay(np.zeros((2, 3, 64)), [0, 1], [0, 1, 2], SHAPE).plot()
    with pytest.raises(ValueError, match="images has shape"):
        LatentTraversalDisplay(np.zeros((2, 3, 64)), np.zeros((3, 2)), SHAPE).plot()
    with pytest.raises(ValueError, match="row == 300, must be <= 299"):
        LatentTraversalDisplay.from_estimator(pca, X, row=300, image_shape=SHAPE)
    with pytest.raises(ValueError, match="no row=0 without it"):
        LatentTraversalDisplay.from_estimator(vae, row=0, image_shape=SHAPE)


# ---------------------------------------------------------------------- loss curve


def test_curves_are_losses_and_the_best_pass_is_marked(autoencoder):
    drawn = LossCurveDisplay.from_estimator(make_pipeline(autoencoder))
    assert drawn.train_line_.get_xdata().tolist() == [1, 2]
    np.testing.assert_array_equal(drawn.train_line_.get_ydata(), autoencoder.loss_curve_)
    held_out = -np.array(autoencoder.validation_scores_)
    np.testing.assert_array_equal(drawn.validation_line_.get_ydata(), held_out)
    best = held_out.argmin()
    assert drawn.best_point_.get_xdata()[0] == best + 1
    assert drawn.best_point_.get_ydata()[0] == held_out[best] == autoencoder.best_loss_
    assert drawn.start_line_ is None and not autoencoder.start_kept_


def test_start_that_was_kept_is_marked():
    X = np.random.default_rng(0).normal(size=(60, 4))
    kept = Autoencoder(1, hidden_layer_sizes=(), max_iter=3, random_state=0).fit(X)
    assert kept.start_kept_
    drawn = LossCurveDisplay.from_estimator(kept)
    assert drawn.start_line_.get_ydata()[0] == kept.best_loss_
    untrained = Autoencoder(1, max_iter=0).fit(X)
    drawn = LossCurveDisplay.from_estimator(untrained)
    assert len(drawn.train_line_.get_xdata()) == 0 and drawn.start_line_ is not None


def test_without_rows_held_out_there_is_one_curve():
    drawn = LossCurveDisplay([3.0, 2.0], []).plot(line_kwargs={"color": "red"})
    assert drawn.validation_line_ is None and drawn.best_point_ is None
    assert drawn.train_line_.get_color() == "red"
    assert [text.get_text() for text in drawn.ax_.get_legend().get_texts()] == ["training rows"]


def test_a_fit_that_went_on_without_rows_held_out_is_drawn(digits):
    X, _ = digits
    went_on = Autoencoder(max_iter=3, validation_fraction=0.2, random_state=0).fit(X)
    went_on.partial_fit(X)
    display = LossCurveDisplay.from_estimator(went_on)
    assert len(display.train_line_.get_xdata()) == len(went_on.loss_curve_) == 4
    assert display.validation_line_.get_xdata().tolist() == [1, 2, 3]


def test_curves_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"for each epoch, .* shapes \(2,\) and \(3,\)"):
        LossCurveDisplay([3.0, 2.0], [-1, -2, -3]).plot()


# ---------------------------------------------------------------------- dictionary


def test_atoms_of_pca_are_its_components_and_zero_is_the_middle(pca):
    drawn = DictionaryDisplay.from_estimator(pca, image_shape=SHAPE)
    np.testing.assert_allclose(drawn.atoms, pca.components_, atol=1e-12)
    largest = np.abs(drawn.atoms).max()
    assert drawn.montage_.get_clim() == (-largest, largest) and drawn.colorbar_ is not None
    # three atoms in two columns: the last place stays empty
    np.testing.assert_array_equal(tile(drawn.montage_, 1, 0), drawn.atoms[2].reshape(SHAPE))
    assert np.ma.getmaskarray(drawn.montage_.get_array())[9:, 9:].all()


def test_atoms_of_a_pipeline_are_in_units_of_the_data(digits):
    X, _ = digits
    pipeline = make_pipeline(StandardScaler(), PCA(2)).fit(X)
    drawn = DictionaryDisplay.from_estimator(pipeline, image_shape=SHAPE)
    np.testing.assert_allclose(
        drawn.atoms, pipeline[-1].components_ * pipeline[0].scale_, atol=1e-12
    )


def test_atoms_of_a_network_are_what_a_unit_code_adds(autoencoder):
    drawn = DictionaryDisplay.from_estimator(autoencoder, image_shape=SHAPE)
    at_zero, at_one = autoencoder.inverse_transform([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(drawn.atoms[1], at_one - at_zero, atol=1e-10)


def test_atoms_are_ordered_and_cut():
    atoms = np.array([[1.0, 0], [0, 3], [2, 0]])
    made = DictionaryDisplay(atoms, (1, 2), mean_code=[9.0, 1.0, 0.5])
    assert made.plot().order_.tolist() == [0, 1, 2]
    assert made.plot(order="norm").order_.tolist() == [1, 2, 0]
    assert made.plot(order="use").order_.tolist() == [0, 1, 2]
    cut = made.plot(order="norm", n_atoms=2)
    assert cut.order_.tolist() == [1, 2] and cut.ax_.get_xlabel() == "2 of 3 atoms"


def test_use_of_atoms_is_measured_on_data(pca, digits):
    X, _ = digits
    drawn = DictionaryDisplay.from_estimator(pca, X, image_shape=SHAPE, order="use")
    np.testing.assert_allclose(drawn.mean_code, np.abs(pca.transform(X)).mean(axis=0))
    assert drawn.order_.tolist() == np.argsort(-drawn.mean_code).tolist()


def test_atoms_in_colour_have_grey_at_zero():
    drawn = DictionaryDisplay(np.array([[-2.0, 0.0, 1.0]]), (3, 1, 1)).plot()
    np.testing.assert_allclose(drawn.montage_.get_array()[0, 0], [0, 0.5, 0.75, 1])
    assert drawn.colorbar_ is None


def test_orders_that_cannot_be_are_refused(pca):
    with pytest.raises(ValueError, match="order='use' needs mean_code"):
        DictionaryDisplay.from_estimator(pca, image_shape=SHAPE, order="use")
    with pytest.raises(ValueError, match=r"order must be one of .* got 'size'"):
        DictionaryDisplay.from_estimator(pca, image_shape=SHAPE, order="size")
    with pytest.raises(ValueError, match="n_atoms == 0, must be >= 1"):
        DictionaryDisplay.from_estimator(pca, image_shape=SHAPE, n_atoms=0)


# ---------------------------------------------------------------------- figures of compare


def test_legend_below_a_single_map_is_not_cut_off():
    from sklearn_ae.comparison import _figures

    iris = load_iris()
    result = SimpleNamespace(
        _codes={"PCA": {"codes": iris.data[:, :2], "rows": np.arange(150)}},
        _colours=iris.target_names[iris.target],
        results_=pd.DataFrame({"reducer": ["PCA"], "in_sample": [False]}),
    )
    figure = _figures.maps(result)
    figure.canvas.draw()
    (legend,) = figure.legends
    assert figure.bbox.x0 <= legend.get_window_extent().x0
    assert legend.get_window_extent().x1 <= figure.bbox.x1


# Anomalies


@pytest.fixture(scope="module")
def detector():
    frame = load_wine(as_frame=True).data
    estimator = Autoencoder(4, max_iter=0)
    return AutoencoderDetector(estimator, standardize=True, random_state=0).fit(frame), frame


def test_anomaly_scores_and_threshold_are_drawn(detector):
    fitted, frame = detector
    display = AnomalyScoreDisplay.from_estimator(fitted, frame, bins=15)
    assert display.threshold_line_.get_xdata()[0] == fitted.offset_
    (bars,) = display.bars_
    heights = [bar.get_height() for bar in bars]
    expected, _ = np.histogram(fitted.score_samples(frame), 15)
    assert heights == expected.tolist()
    n_below = np.sum(fitted.predict(frame) == -1)
    assert f"{n_below} of 178 below" in display.threshold_line_.get_label()


@pytest.mark.parametrize(
    "make",
    [
        lambda: IsolationForest(random_state=0),
        lambda: make_pipeline(StandardScaler(), AutoencoderDetector(Autoencoder(max_iter=0))),
        lambda: EllipticEnvelope(random_state=0),
    ],
)
def test_anomaly_scores_of_other_detectors(make):
    X, y = load_wine(return_X_y=True)
    display = AnomalyScoreDisplay.from_estimator(make().fit(X), X, y)
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()][:3] == [
        "0", "1", "2"
    ]  # fmt: skip
    areas = [sum(bar.get_height() * bar.get_width() for bar in bars) for bars in display.bars_]
    assert_allclose(areas, 1)


def test_features_of_a_row_are_drawn_with_their_names_and_values(detector):
    fitted, frame = detector
    row = frame.iloc[[3]].copy()
    row["alcohol"] += 20
    display = FeatureAnomalyDisplay.from_estimator(fitted, row, max_features=4)
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert len(labels) == len(display.bars_) == 4
    assert labels[0] == f"alcohol = {row['alcohol'].iloc[0]:.4g}"
    contributions = np.sort(np.asarray(fitted.score_features(row))[0])[::-1]
    assert_allclose([bar.get_width() for bar in display.bars_], contributions[:4])
    several = FeatureAnomalyDisplay.from_estimator(fitted, frame, anomaly_score="standardized")
    assert len(several.bars_) == 10 and "=" not in several.ax_.get_yticklabels()[0].get_text()


def test_features_of_a_row_of_a_frame_are_drawn(detector):
    fitted, frame = detector
    contributions = fitted.score_features(frame).iloc[7]
    values = frame.iloc[7].astype(object)
    values["ash"] = "grey"
    display = FeatureAnomalyDisplay(contributions, frame.columns.to_series(), values=values)
    display.plot(max_features=13)
    labels = {label.get_text() for label in display.ax_.get_yticklabels()}
    assert labels >= {"ash = grey", f"alcohol = {frame['alcohol'].iloc[7]:.4g}"}
    display = FeatureAnomalyDisplay([1.0, 2.0], [("a", "x"), ("b", "y")]).plot()
    assert display.ax_.get_yticklabels()[0].get_text() == "('b', 'y')"


def test_bad_input_of_anomaly_displays_raises_one_line(detector):
    _, frame = detector
    with pytest.raises(TypeError, match="should have score_features; IsolationForest has no"):
        FeatureAnomalyDisplay.from_estimator(IsolationForest().fit(frame), frame)
    with pytest.raises(TypeError, match="should have score_samples; Autoencoder has no"):
        AnomalyScoreDisplay.from_estimator(Autoencoder(max_iter=0).fit(frame), frame)
    with pytest.raises(ValueError, match=r"one entry for each feature; got .* 2 names"):
        FeatureAnomalyDisplay([1.0, 2.0, 3.0], ["a", "b"]).plot()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        AnomalyScoreDisplay([1.0, 2.0], 0.0, labels=[1]).plot()
    with pytest.raises(ValueError, match="labels has 1 missing values; each row needs one"):
        AnomalyScoreDisplay([1.0, 2.0], 0.0, labels=["a", None]).plot()
    assert AnomalyScoreDisplay([1.0, 2.0], 0.0).plot(hist_kwargs={"color": "C2"}).ax_ is not None
    with pytest.raises(NotFittedError):
        AnomalyScoreDisplay.from_estimator(AutoencoderDetector(), frame)
