"""What stands beside a comparison: the time said beforehand, fonts, compiled code that is kept."""

import subprocess
import sys

import pytest

from sklearn_ae.comparison._estimate import ROUND, expected_seconds, in_words
from sklearn_ae.comparison._reducers import DEFAULT_REDUCERS

SIZES = {"n_train": 500, "n_test": 200, "n_features": 30, "n_repeats": 2, "n_widths": 1}


@pytest.mark.parametrize("size", SIZES)
def test_more_of_anything_takes_longer(size):
    def total(sizes):
        return sum(expected_seconds(reducer, **sizes) for reducer in DEFAULT_REDUCERS.values())

    # from 1000 rows on there are no folds, so that 500 rows may take longer than 2000
    assert total({**SIZES, size: 50 * SIZES[size]}) > total(SIZES) > 0
    assert expected_seconds("vae", **SIZES) > expected_seconds("pca", **SIZES)


def test_times_are_said_coarsely():
    assert [in_words(seconds) for seconds in (1, 24, 70, 4000)] == ["5 s", "20 s", "1 min", "1 h"]
    assert in_words(10 * ROUND[-1]) == "days"


def test_fonts_have_what_they_can():
    fonts = pytest.importorskip("sklearn_ae.comparison._fonts")
    usual, missing = fonts.families("a name, \u00e4 \u03b1")
    assert len(usual) == 1 and not missing
    # nobody has a character that is none
    more, missing = fonts.families("a\U0010fffd")
    assert more[0] == usual[0] and missing == {"\U0010fffd"}


def test_a_setting_with_fonts_that_are_missing_is_passed_over(caplog):
    fonts = pytest.importorskip("sklearn_ae.comparison._fonts")
    from matplotlib import rc_context

    with rc_context({"font.sans-serif": ["No Such Font", "DejaVu Sans"]}):
        assert fonts.families("a")[0] == ["DejaVu Sans"]
    assert "findfont" not in caplog.text


def test_compiled_code_is_kept_unless_it_is_of_what_is_handed_over(tmp_path):
    pytest.importorskip("numba")
    program = tmp_path / "program.py"
    program.write_text(
        "from sklearn_ae.comparison._worker import _keep_compiled\n"
        "_keep_compiled()\n"
        "import numba\n"
        "@numba.njit(fastmath=True)\n"
        "def kept(distances):\n"  # numbers, as in UMAP
        "    return distances + 1\n"
        "@numba.njit\n"
        "def handed(x, dist):\n"
        "    return dist(x)\n"
        "def plain(x):\n"
        "    return x + 2\n"
        "direct = numba.njit(plain, parallel=False)\n"
        "print(kept(1), handed(1, kept), direct(1))\n"
        "print(*(hasattr(f._cache, 'index_key') or type(f._cache).__name__\n"
        "        for f in (kept, handed, direct)))\n"
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    numbers, caches = done.stdout.splitlines()
    assert numbers == "2 2 3" and caches == "FunctionCache NullCache FunctionCache"
