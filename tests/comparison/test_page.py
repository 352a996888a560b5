"""The maps of the report in a browser: decoders, mouse, keys, speed, and what axe-core says."""

import base64
import html
import json
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA, FastICA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae import Autoencoder, VariationalAutoencoder, compare
from sklearn_ae.architectures import Convolutional
from sklearn_ae.comparison._decoder import MAX_CHARACTERS, page_decoder
from sklearn_ae.comparison._live import live
from sklearn_ae.comparison._rows import ShownRows, Unit
from sklearn_ae.comparison._worst import worst_rows
from sklearn_ae.likelihoods import Bernoulli, Poisson

pytest.importorskip("matplotlib")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)


def browse(page, script, folder, size=(1400, 1000), options=(), is_timed=False):
    """What an asynchronous function body returns in a page; one at once, where it takes times."""
    ending = (
        '<pre id="found"></pre><script>window.addEventListener("load", () => setTimeout(async () =>'
        f" {{ let found; try {{ found = await (async () => {{ {script} }})(); }}"
        " catch (error) { found = { error: String(error) + error.stack }; }"
        ' document.getElementById("found").textContent = JSON.stringify(found); }, 100));</script>'
    )
    if is_timed:  # the browser's clock stands still in a virtual time
        ending = (
            '<pre id="found"></pre><script>document.getElementById("found").textContent ='
            f" JSON.stringify((() => {{ {script} }})());</script>"
        )
    path = folder / "page.html"
    path.write_text(page.replace("</body>", ending + "</body>"), encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", *options]
    command += [f"--window-size={size[0]},{size[1]}"]
    command += [] if is_timed else ["--virtual-time-budget=20000"]
    done = subprocess.run(
        [*command, path.as_uri()], capture_output=True, timeout=300, check=True, text=True
    )
    text = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)[1]
    assert text, "the script did not end"
    found = json.loads(html.unescape(text))
    assert not isinstance(found, dict) or "error" not in found, found["error"]
    return found


class Halves(TransformerMixin, BaseEstimator):
    """A reducer of nobody's, with a smooth inverse."""

    def fit(self, X, y=None):
        self.pca_ = PCA(2, random_state=0).fit(X)
        return self

    def transform(self, X):
        return self.pca_.transform(X)

    def inverse_transform(self, Z):
        return self.pca_.inverse_transform(Z + np.sin(Z) / 5)


class Roots(Autoencoder):
    """A decoder of this package with more behind it."""

    def inverse_transform(self, Z):
        return np.sqrt(1.0 + super().inverse_transform(Z) ** 2)


DIGITS = load_digits().data / 16
IRIS = load_iris().data
MIXED = IRIS * [1e7, 1.0, 1e-3, 1.0] + [0.0, 2e4, 0.0, -3e5]
COUNTS = np.random.default_rng(0).poisson(np.exp(IRIS - IRIS.mean(axis=0))).astype(float)
ODD = np.random.default_rng(0).normal(size=(80, 2 * 7 * 5)).cumsum(axis=1)
brief = {"max_iter": 3, "early_stopping": False, "random_state": 0}
MODELS = {
    "pca": (PCA(2), IRIS * 1e6),
    "pca, whiten": (PCA(2, whiten=True), IRIS * 1e-8),
    "pca, units": (PCA(2), MIXED),
    "start": (Autoencoder(max_iter=0), IRIS),
    "dense": (Autoencoder(**brief), DIGITS),
    "tanh": (Autoencoder(activation="tanh", init="random", **brief), DIGITS),
    "silu": (Autoencoder(activation="silu", **brief), IRIS),
    "log loss": (Autoencoder(loss="log_loss", **brief), DIGITS),
    "vae": (VariationalAutoencoder(**brief), IRIS - 300.0),
    "poisson": (VariationalAutoencoder(likelihood=Poisson(), **brief), COUNTS),
    "bernoulli": (VariationalAutoencoder(likelihood=Bernoulli(), **brief), 1.0 * (DIGITS > 0.5)),
    "transposed": (Autoencoder(architecture=Convolutional((8, 8), (4, 6)), **brief), DIGITS),
    "odd": (Autoencoder(architecture=Convolutional((2, 7, 5), (3, 4)), **brief), ODD),
    "nearest": (
        Autoencoder(
            architecture=Convolutional((8, 8), (4, 6), kernel_size=4, upsampling="nearest"),
            **brief,
        ),
        DIGITS,
    ),
    # decoded on a grid
    "bilinear": (
        Autoencoder(architecture=Convolutional((8, 8), (4,), upsampling="bilinear"), **brief),
        DIGITS,
    ),
    "pipeline": (make_pipeline(StandardScaler(), PCA(2)), IRIS),
    "ica": (FastICA(2, random_state=0, max_iter=1000), MIXED),
    "own": (Halves(), IRIS + 20_000.0),
    "derived": (Roots(max_iter=0), IRIS),
}
PAGE = '<html><body><script type="application/json" id="maps-data">{}</script></body></html>'


@pytest.fixture(scope="module")
def live_page(tmp_path_factory):
    """A report of three reducers on the digits, and one of a table."""
    frame = load_iris(as_frame=True).frame.rename(columns={"target": "species"})
    frame["species"] = frame["species"].map({0: "<b>setosa</b>", 1: "花", 2: "virginica"})
    frame["colour"] = np.where(frame["petal width (cm)"] > 1, "blue", "red")
    frame["on"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(range(len(frame)), unit="D")
    frame.index = [f"flower {i}" for i in range(len(frame))]
    reducers = {"PCA": "pca", "brief": Autoencoder(**brief), "t-SNE": "tsne"}
    shared = {"reducers": reducers, "n_repeats": 1, "random_state": 0, "verbose": 0}
    return compare("digits", **shared), compare(frame, "species", **shared)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
def test_decoders_in_the_page_give_what_inverse_transform_gives(tmp_path, live_page):
    digits, _ = live_page
    rng, wanted, packed, codes = np.random.default_rng(0), [], [], []
    for model, X in MODELS.values():
        Z = model.fit(X).transform(X)
        places = rng.uniform(Z.min(axis=0), Z.max(axis=0), size=(50, 2))
        packed.append(page_decoder(model, Z))
        wanted.append(model.inverse_transform(places))
        codes.append(places.tolist())
    script = f"""
        const packed = {json.dumps(packed)}, codes = {json.dumps(codes)};
        return packed.map((one, k) => {{
          const decode = sklearnAeMaps.decoder(one);
          return codes[k].map((code) => Array.from(decode(code)));
        }});
    """
    found = browse(digits.to_html(), script, tmp_path)
    for (name, (_, X)), ours, theirs in zip(MODELS.items(), found, wanted, strict=True):
        theirs = np.reshape(theirs, np.shape(ours))
        spread = np.maximum(theirs.std(axis=0), 1e-3 * theirs.std(axis=0).max())
        if np.ndim(X) == 2 and X.shape[1] < 10:  # each column by itself
            off = np.abs(np.asarray(ours) - theirs) / spread
        else:
            off = np.abs(np.asarray(ours) - theirs) / np.sqrt(X.var(axis=0).mean())
        assert off.max() < 1e-2, name


@pytest.mark.parametrize("name", MODELS)
def test_decoders_for_the_page_are_small(name):
    model, X = MODELS[name]
    packed = page_decoder(model, model.fit(X).transform(X))
    gridded = ("bilinear", "pipeline", "ica", "own", "derived")
    assert ("grid" in packed) == (name in gridded)
    assert len(json.dumps(packed)) < 1.01 * MAX_CHARACTERS


def test_a_decoder_that_is_too_large_becomes_a_grid():
    X = np.random.default_rng(0).normal(size=(60, 3000))
    large = Autoencoder(hidden_layer_sizes=(400,), max_iter=0, init="random").fit(X)
    packed = page_decoder(large, large.transform(X))
    values = np.frombuffer(base64.b64decode(packed["grid"]["data"]), dtype="<u2")
    assert values.size == packed["size"] ** 2 * 3000 and packed["size"] > 10
    # nor is there a grid of what is wider still
    X = np.random.default_rng(0).normal(size=(40, 50_000))
    wide = make_pipeline(StandardScaler(), PCA(2)).fit(X)
    assert page_decoder(wide, wide.transform(X)) is None


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
def test_mouse_keys_and_labels(tmp_path, live_page):
    _, table = live_page
    script = """
        // the frames of a browser without a screen come when they like
        window.requestAnimationFrame = (draw) => setTimeout(draw, 5);
        const { panels, data } = sklearnAeMaps, tip = document.getElementById("maps-tip");
        const pause = () => new Promise((done) => setTimeout(done, 60));
        const [pca, brief, tsne] = panels;
        const over = (panel, i, type = "pointermove", more = {}) => {
          const box = panel.plot.getBoundingClientRect();
          const clientX = box.left + panel.column(panel.x[i]) / panel.ratio;
          const clientY = box.top + panel.line(panel.y[i]) / panel.ratio;
          panel.plot.dispatchEvent(new PointerEvent(type, {
            clientX, clientY, pointerType: "mouse", pointerId: 1, bubbles: true, ...more }));
        };
        const rings = () => panels.map((panel) => panel.marks.getContext("2d")
          .getImageData(0, 0, panel.marks.width, panel.marks.height).data.some((v) => v > 0));
        const found = { still: getComputedStyle(document.querySelector(".still")).display };
        over(brief, 7); await pause();
        found.row = brief.rows[7]; found.name = data.names[found.row];
        found.target = data.target.classes;
        found.tip = tip.innerText; found.shown = !tip.hidden; found.rings = rings();
        const reach = brief.reach[0], place = [brief.x[7], brief.y[7]];
        const before = brief.column(place[0]);
        brief.plot.dispatchEvent(new WheelEvent("wheel", { deltaY: -1, cancelable: true }));
        await pause(); found.unfocused = brief.reach[0] === reach; brief.plot.focus();
        const box = brief.plot.getBoundingClientRect();
        brief.plot.dispatchEvent(new WheelEvent("wheel", { deltaY: -1, bubbles: true,
          cancelable: true, clientX: box.left + before / brief.ratio,
          clientY: box.top + brief.line(place[1]) / brief.ratio }));
        await pause();
        found.zoomed = brief.reach[0] / reach; found.moved = brief.column(place[0]) - before;
        brief.plot.dispatchEvent(new MouseEvent("dblclick", { bubbles: true })); await pause();
        found.whole = brief.reach[0] === reach;
        // drag by a tenth of the map
        const send = (type, clientX, buttons) => brief.plot.dispatchEvent(new PointerEvent(type, {
          clientX, clientY: box.top + 50, pointerType: "mouse", pointerId: 1, buttons,
          bubbles: true }));
        brief.plot.setPointerCapture = () => {};
        const start = box.left + 50, end = start + box.width / 10;
        send("pointerdown", start, 1); send("pointermove", end, 1); send("pointerup", end, 0);
        await pause();
        found.dragged = (brief.column(place[0]) - before) / brief.canvas.width;
        const key = async (name, more = {}) => {
          pca.plot.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true,
            cancelable: true, ...more }));
          await pause();
        };
        await key("Escape"); found.escaped = tip.hidden && !rings().some(Boolean);
        await key("ArrowRight"); found.first = document.getElementById("maps-say").textContent;
        await key("ArrowRight"); found.second = document.getElementById("maps-say").textContent;
        await key("+"); found.key = pca.reach[0] / pca.map.span[0] / 1.08;
        await key("0");
        const unheard = new KeyboardEvent("keydown", { key: "+", ctrlKey: true, cancelable: true });
        pca.plot.dispatchEvent(unheard); found.browser = !unheard.defaultPrevented;
        const buttons = [...document.querySelectorAll("#maps-legend button")];
        found.labels = buttons.map((button) => button.textContent);
        const colours = () => new Set(Array.from({ length: pca.rows.length }, (_, i) => {
          const c = Math.round(pca.column(pca.x[i])), l = Math.round(pca.line(pca.y[i]));
          return pca.canvas.getContext("2d").getImageData(c, l, 1, 1).data[3] > 150;
        })).size;
        found.even = colours(); buttons[0].click(); found.pressed = buttons[0].ariaPressed;
        found.picked = colours();
        return found;
    """
    found = browse(table.to_html(), script, tmp_path)
    assert found["still"] == "none" and found["shown"]
    assert found["name"].startswith("flower ") and found["name"] in found["tip"]
    for text in ("petal length (cm)", "decoded", "colour", "2026-", "%"):
        assert text in found["tip"], found["tip"]
    assert found["rings"] == [True, True, True]
    assert found["unfocused"] and found["zoomed"] < 1 and abs(found["moved"]) < 1 and found["whole"]
    assert found["dragged"] == pytest.approx(0.1, abs=0.01)
    assert found["escaped"] and found["first"] != found["second"] and "row flower" in found["first"]
    assert found["key"] == pytest.approx(0.8) and found["browser"]
    assert set(found["labels"]) == {"<b>setosa</b>", "花", "virginica"}
    assert found["even"] == 1 and found["pressed"] == "true" and found["picked"] == 2


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
def test_fifty_thousand_points(tmp_path):
    rng, n = np.random.default_rng(0), 50_000
    X = rng.integers(0, 256, size=(400, 28 * 28), dtype=np.uint8)
    model = Autoencoder(init="random", max_iter=0)
    reducers = {f"model {i}": model for i in range(6)}
    y = rng.integers(0, 10, size=len(X))
    result = compare(X, y, reducers, n_repeats=1, random_state=0, verbose=0)
    # what so many rows would have left
    for content in result._codes.values():
        content |= {"codes": rng.normal(size=(n, 2)), "rows": np.arange(n)}
    images = rng.integers(0, 256, size=(n, 28, 28), dtype=np.uint8)
    result._rows = ShownRows([str(i) for i in range(n)], [], [], {}, images)
    result._colours = rng.integers(0, 10, size=n).astype(str)
    del result._codes["raw data"]
    page = result.to_html()
    assert len(page.encode()) <= 20e6
    script = """
        const { panels } = sklearnAeMaps, times = [];
        for (let k = 0; k < 21; k++) {
          const panel = panels[k % panels.length], start = performance.now();
          panel.zoom(k % 2 ? 0.9 : 1.1, panel.middle); panel.draw(); panel.mark();
          panel.nearest(panel.middle);
          if (panel.decode) panel.decode(panel.middle);
          times.push(performance.now() - start);
        }
        times.sort((a, b) => a - b);
        return { median: times[10], points: panels.map((panel) => panel.rows.length) };
    """
    found = browse(page, script, tmp_path, is_timed=True)
    assert found["points"] == [50_000] * 6
    print(f"median frame of 50000 points: {found['median']:.1f} ms, {len(page) / 1e6:.1f} MB")


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("data", ["digits", "table"])
def test_axe_finds_nothing(data, scheme, tmp_path, live_page):
    spec = find_spec("axe_core_python")
    if spec is None:
        pytest.skip("axe-core-python is not installed")
    axe = (Path(spec.submodule_search_locations[0]) / "axe.min.js").read_text("utf-8")
    page = live_page[data == "table"].to_html()
    page = page.replace("</body>", f"<script>{axe}</script></body>")
    script = """
        const found = await axe.run(document);
        if (found.passes.length < 10) throw new Error("axe did not run");
        return found.violations.map(({ id, nodes }) => [id, nodes.slice(0, 3).map((n) => n.html)]);
    """
    # Chromium counts the schemes so
    scheme = f"--blink-settings=preferredColorScheme={['dark', 'light'].index(scheme)}"
    assert browse(page, script, tmp_path, options=[scheme]) == []


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
def test_a_phone_scrolls_down_only(tmp_path, live_page):
    script = """
        const wide = [...document.querySelectorAll("section > *")]
          .filter((each) => each.getBoundingClientRect().right > innerWidth + 1);
        const images = [...document.querySelectorAll("picture:not(.still) img")];
        return { width: document.documentElement.scrollWidth, inner: innerWidth,
                 wide: wide.map((each) => each.outerHTML.slice(0, 80)),
                 images: images.map((image) => image.getBoundingClientRect().width) };
    """
    for result in live_page:
        found = browse(result.to_html(), script, tmp_path, size=(500, 900))
        assert found["width"] <= found["inner"] and found["wide"] == []
        assert min(found["images"]) > 250


def test_without_a_script_there_are_pictures(live_page):
    for result in live_page:
        page = result.to_html()
        assert '<picture class="still">' in page and page.count("<picture") >= 4
        assert "https://" not in re.sub(r"<(script|pre).*?</\1>", "", page, flags=re.DOTALL)


def test_worst_rows(live_page):
    digits, table = live_page
    for result in live_page:
        found = worst_rows(result)
        errors = [float(row["error"]) for row in found["rows"]]
        assert len(errors) == 10 and errors == sorted(errors, reverse=True) and errors[0] > 1
    assert all(len(row["pictures"]) == 2 for row in worst_rows(digits)["rows"])
    # the worst row of a reducer, by its own inverse
    reducer = worst_rows(table)["reducer"]
    content = table._codes[reducer]
    X, _ = table._example
    off = np.square(X - content["reconstruction"]).sum(axis=1)
    assert content["worst"].tolist() == np.argsort(-off, kind="stable")[:10].tolist()
    (first, *_) = worst_rows(table)["rows"]
    assert first["name"] == table._rows.names[content["worst"][0]]


def test_units_are_those_of_the_columns(live_page):
    _, table = live_page
    rows, (X, _) = table._rows, table._example
    assert {unit.kind for unit in rows.units} == {"number", "category", "date"}
    for unit, column in zip(rows.units, rows.values, strict=False):
        for row in (0, 5, 11):
            value = unit.shown(column[row])
            if unit.kind == "category":
                assert unit.decoded(X[row]) == f"{value} (100 %)" == f"{column[row]} (100 %)"
            elif unit.kind == "date":
                day = pd.Timestamp("1970-01-01") + pd.Timedelta(days=float(column[row]))
                assert unit.decoded(X[row]) == value == f"{day:%Y-%m-%d}"
            else:
                assert float(unit.decoded(X[row])) == pytest.approx(column[row], abs=1e-3)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("date", 20454.75, "2026-01-01"),
        ("date", 20453.999999, "2026-01-01"),
        ("date", 2932896.0, "9999-12-31"),
        ("date", 1e12, "out of range"),
        ("date", np.nan, "missing"),
        ("yes/no", -0.27, "no"),
        ("yes/no", 0.4, "yes 40 %"),
        ("yes/no", 1.11, "yes"),
        ("number", 16757893.0, "16757893"),
        ("number", 0.123456, "0.1235"),
        ("number", np.inf, "out of range"),
        ("category", None, "missing"),
    ],
)
def test_values_as_text(kind, value, text):
    assert Unit("x", kind, [0]).shown(value) == text
    if kind != "category":
        assert Unit("x", kind, [1], 1.0, 2.0).decoded(np.array([0, (value - 1) / 2])) == text


def test_worst_rows_show_what_the_table_has():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    frame["until"] = np.array(["9999-12-31", "2026-01-01T18:00"] * 30, dtype="datetime64[s]")
    frame["kind"] = np.where(rng.random(60) > 0.5, "p", "q")
    X = frame.copy()
    shared = {"reducers": ["pca"], "n_repeats": 1, "random_state": 0, "verbose": 0}
    test = compare(frame, **shared)._rows.names
    odd = int(test[0])
    X.loc[odd, ["a", "kind"]] = [40.0, "only here"]
    X.loc[odd, "b"] = np.nan
    X["z"] = 1e6 * rng.normal(size=60)
    result = compare(X, frame["until"], **shared)
    (line,) = (row for row in worst_rows(result)["rows"] if row["name"] == str(odd))
    values = {column["name"]: column["value"] for column in line["columns"]}
    assert {"40", "only here"} & set(values.values())
    assert line["label"] in ("9999-12-31", "2026-01-01") and "Worst rows" in result.to_html()


def test_a_perfect_reconstruction_has_no_worst_rows():
    X = np.random.default_rng(0).normal(size=(40, 2))
    assert worst_rows(compare(X, reducers=["pca"], n_repeats=1, verbose=0)) is None


def test_rows_of_several_levels_and_beyond_those_drawn(monkeypatch):
    frame = load_iris(as_frame=True).data
    frame.index = pd.MultiIndex.from_product([["a", "b"], range(75)])
    result = compare(frame, reducers=["pca", "tsne"], n_repeats=1, random_state=0, verbose=0)
    assert all(re.fullmatch(r"[ab], \d+", name) for name in result._rows.names)
    # more rows than are drawn
    del result._rows.names[20:]
    found = json.loads(live(result))
    assert [one["rows"]["shape"] for one in found["maps"]] == [[20], [20]]
