"""Fetchers, on tiny files made here, over a local server, and on the real files where they lie."""

import functools
import gzip
import http.server
import re
import threading

import numpy as np
import pooch
import pytest
from numpy.testing import assert_array_equal

from sklearn_ae.datasets import (
    ADBENCH_NAMES,
    LOCAL_NAMES,
    _adbench,
    _cache,
    _images,
    fetch_adbench,
    fetch_fashion_mnist,
    fetch_mnist,
    load_local,
)

FETCHERS = {
    "mnist": (fetch_mnist, "MNIST_SHA256", "MNIST_URL"),
    "fashion_mnist": (fetch_fashion_mnist, "FASHION_MNIST_SHA256", "FASHION_MNIST_URL"),
}


def write_idx(path, values):
    header = b"\x00\x00\x08" + bytes([values.ndim]) + np.array(values.shape, ">u4").tobytes()
    with gzip.open(path, "wb") as file:
        file.write(header + values.tobytes())


@pytest.fixture(params=FETCHERS)
def tiny(request, tmp_path, monkeypatch):
    """Fetcher, folder of its files, and what they hold: 5 and 3 images of 2 x 3 pixels."""
    fetch, table, _ = FETCHERS[request.param]
    folder = tmp_path / request.param
    folder.mkdir()
    rng = np.random.RandomState(0)
    content = {}
    for part, n_samples in (("train", 5), ("t10k", 3)):
        images = rng.randint(256, size=(n_samples, 2, 3)).astype(np.uint8)
        labels = rng.randint(10, size=n_samples).astype(np.uint8)
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", labels)
        content[part] = images, labels
    sha256 = {path.name: pooch.file_hash(str(path)) for path in folder.iterdir()}
    monkeypatch.setattr(_images, table, sha256)
    return fetch, folder, content


@pytest.fixture
def server(tmp_path):
    """Address of a server on this machine, and the folder whose files it serves."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            """Say nothing on stderr."""

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=folder)
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", folder
    server.shutdown()
    server.server_close()
    thread.join()


def test_images_are_scaled_and_flat(tiny):
    fetch, folder, content = tiny
    bunch = fetch(data_home=folder.parent, download_if_missing=False)
    images, labels = content["train"]
    assert bunch.data.dtype == np.float32 and bunch.target.dtype == np.int64
    assert_array_equal(bunch.data, (images.reshape(5, 6) / 255).astype(np.float32))
    assert_array_equal(bunch.images.reshape(5, 6), bunch.data)
    assert_array_equal(bunch.target, labels)
    assert bunch.feature_names[4] == "pixel_1_1" and len(bunch.target_names) == 10
    assert bunch.frame is None and bunch.DESCR


def test_images_of_all_subsets_follow_each_other(tiny):
    fetch, folder, content = tiny
    how = {"data_home": folder.parent, "normalize": False, "return_X_y": True}
    X, y = fetch(subset="all", **how)
    X_test, y_test = fetch(subset="test", **how)
    assert X.dtype == np.uint8
    assert_array_equal(X_test.reshape(3, 2, 3), content["t10k"][0])
    assert_array_equal(X, np.concatenate([fetch(subset="train", **how)[0], X_test]))
    assert_array_equal(y[5:], y_test)


def test_images_as_frame(tiny):
    fetch, folder, _ = tiny
    bunch = fetch(data_home=folder.parent, as_frame=True)
    assert list(bunch.data.columns) == bunch.feature_names
    assert list(bunch.frame.columns) == [*bunch.feature_names, "target"]
    assert_array_equal(bunch.frame["target"], bunch.target)
    X, y = fetch(data_home=folder.parent, as_frame=True, return_X_y=True)
    assert X.equals(bunch.data) and y.equals(bunch.target)


def test_images_refuse_an_unknown_subset(tiny):
    fetch, folder, _ = tiny
    with pytest.raises(ValueError, match="`subset` must be one of"):
        fetch(subset="validation", data_home=folder.parent)


def test_missing_file_is_not_downloaded_unasked(tiny):
    fetch, folder, _ = tiny
    (folder / "train-images-idx3-ubyte.gz").unlink()
    with pytest.raises(OSError, match=r"train-images.* not found and `download_if_missing`"):
        fetch(data_home=folder.parent, download_if_missing=False)


def test_damaged_file_is_not_read(tiny):
    fetch, folder, _ = tiny
    (folder / "train-images-idx3-ubyte.gz").write_bytes(b"cut off")
    with pytest.raises(OSError, match="another sha256"):
        fetch(data_home=folder.parent, download_if_missing=False)


def test_failed_download_is_one_line_with_address_and_place(tmp_path):
    with pytest.raises(OSError, match=r"^http://127.0.0.1:9/one.npz could not be .* by") as caught:
        _cache.fetch_file(
            "folder",
            "one.npz",
            base_url="http://127.0.0.1:9",
            sha256="0" * 64,
            data_home=tmp_path,
            download_if_missing=True,
        )
    assert "\n" not in str(caught.value) and str(tmp_path / "folder") in str(caught.value)


def test_environment_variable_names_the_cache(tiny, monkeypatch):
    fetch, folder, _ = tiny
    monkeypatch.setenv("SKLEARN_AE_DATA", str(folder.parent))
    assert fetch(download_if_missing=False).data.shape == (5, 6)
    monkeypatch.delenv("SKLEARN_AE_DATA")
    assert _cache.cache_folder() == pooch.os_cache("sklearn_ae")


def test_missing_files_are_downloaded_and_damaged_ones_replaced(
    tiny, server, tmp_path, monkeypatch
):
    fetch, folder, content = tiny
    address, served = server
    for path in folder.iterdir():
        (served / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(_images, FETCHERS[folder.name][2], address)
    home = tmp_path / "home"
    for _ in range(2):
        bunch = fetch(data_home=home, normalize=False)
        assert_array_equal(bunch.images, content["train"][0])
        (home / folder.name / "train-images-idx3-ubyte.gz").write_bytes(b"cut off")


def test_download_with_another_hash_is_refused(tiny, server, tmp_path, monkeypatch):
    fetch, folder, _ = tiny
    address, served = server
    for path in folder.iterdir():
        (served / path.name).write_bytes(b"something else")
    monkeypatch.setattr(_images, FETCHERS[folder.name][2], address)
    with pytest.raises(ValueError, match="hash"):
        fetch(data_home=tmp_path / "home")
    assert not list((tmp_path / "home" / folder.name).glob("*.gz"))


def test_read_idx_refuses_another_format(tmp_path):
    path = tmp_path / "values.gz"
    path.write_bytes(gzip.compress(b"\x00\x00\x0d\x01"))
    with pytest.raises(ValueError, match="not an idx file"):
        _images.read_idx(path)


def test_adbench_table(tmp_path, monkeypatch):
    X, y = np.arange(12.0).reshape(4, 3), np.array([0, 1, 0, 0], dtype=np.int32)
    (tmp_path / "adbench").mkdir()
    path = tmp_path / "adbench" / "29_Pima.npz"
    np.savez(path, X=X, y=y)
    monkeypatch.setitem(_adbench.ADBENCH_SHA256, path.name, pooch.file_hash(str(path)))
    bunch = fetch_adbench("Pima", data_home=tmp_path, download_if_missing=False)
    assert_array_equal(bunch.data, X)
    assert_array_equal(bunch.target, y)
    assert bunch.target.dtype == np.int64
    frame, anomaly = fetch_adbench("29_Pima", data_home=tmp_path, as_frame=True, return_X_y=True)
    assert list(frame.columns) == ["x0", "x1", "x2"] and anomaly.name == "anomaly"


def test_adbench_names_the_tables_when_one_is_unknown():
    with pytest.raises(ValueError, match=r"`name` must be one of .*'Pima'.* Got 'pima'"):
        fetch_adbench("pima")
    assert len(ADBENCH_NAMES) == len(set(ADBENCH_NAMES)) == 21


@pytest.mark.parametrize("name", [*LOCAL_NAMES[:-1], "uci_imputation/gain_spam"])
def test_load_local_says_what_is_missing(name, tmp_path):
    folder = re.escape(str(tmp_path / name.partition("/")[0]))
    with pytest.raises(OSError, match=rf"{folder}.* not found.*set SKLEARN_AE_DATA"):
        load_local(name, data_home=tmp_path)


@pytest.mark.parametrize("name", ["faces", "uci_imputation", "uci_imputation/../x", "uci_mixed/x"])
def test_load_local_refuses_unknown_names(name, tmp_path):
    with pytest.raises(ValueError, match="`name` must be one of"):
        load_local(name, data_home=tmp_path)


def test_load_local_tables(tmp_path):
    for folder in ("uci_imputation", "uci_mixed"):
        (tmp_path / folder).mkdir()
    (tmp_path / "uci_imputation" / "gain_a.csv").write_text("b,c\n1,2\n")
    (tmp_path / "uci_imputation" / "remasker_a.csv").write_text(",b,c\n0,1,2\n")
    row = ", ".join(["1", "?", *["x"] * 12, "<=50K."])
    (tmp_path / "uci_mixed" / "adult-test.csv").write_text(f"|1x3 Cross validator\n{row}\n")
    for table in ("gain_a", "remasker_a"):
        frame = load_local(f"uci_imputation/{table}", data_home=tmp_path).frame
        assert list(frame.columns) == ["b", "c"] and len(frame) == 1
    adult = load_local("uci_mixed/adult-test", data_home=tmp_path).frame
    assert adult["income"].tolist() == ["<=50K"] and adult["workclass"].isna().all()


@pytest.mark.parametrize("fetch", [fetch_mnist, fetch_fashion_mnist])
def test_real_images(fetch, data_folder):
    X, y = fetch(subset="test", data_home=data_folder, download_if_missing=False, return_X_y=True)
    assert X.shape == (10000, 784) and X.min() == 0 and X.max() == 1
    assert_array_equal(np.unique(y), np.arange(10))


def test_real_adbench(data_folder):
    bunch = fetch_adbench("Pima", data_home=data_folder, download_if_missing=False)
    assert bunch.data.shape == (768, 8) and bunch.target.sum() == 268


@pytest.mark.parametrize(
    ("name", "shape"),
    [("olivetti", (400, 4096)), ("freyfaces", (1965, 560)), ("isbi2012_em", (24, 512 * 512))],
)
def test_real_local_images(name, shape, data_folder):
    bunch = load_local(name, data_home=data_folder)
    assert bunch.data.shape == shape and bunch.data.dtype == np.uint8


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("uci_mixed/adult-train", (32561, 15)),
        ("uci_mixed/adult-test", (16281, 15)),
        ("uci_mixed/abalone", (4177, 9)),
        ("uci_mixed/horse-colic", (300, 28)),
        ("uci_imputation/gain_spam", (4601, 57)),
        ("uci_imputation/remasker_wine", (1599, 12)),
    ],
)
def test_real_local_tables(name, shape, data_folder):
    assert load_local(name, data_home=data_folder).frame.shape == shape


def test_real_local_texts(data_folder):
    bunch = load_local("reuters_r8", data_home=data_folder)
    assert len(bunch.data) == len(bunch.target) == 5485
    assert len(bunch.data_test) == 2189 and len(np.unique(bunch.target)) == 8


@pytest.mark.download
@pytest.mark.parametrize("fetch", [fetch_mnist, fetch_fashion_mnist])
def test_public_addresses(fetch, tmp_path):
    assert fetch(subset="test", data_home=tmp_path).data.shape == (10000, 784)
