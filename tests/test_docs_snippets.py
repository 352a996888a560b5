"""The snippets of the user guide run as printed, page by page, on data that need no download."""

import doctest
import re
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn

GUIDE = Path(__file__).parents[1] / "docs" / "user_guide"
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:   .*\n|\n)+)", re.MULTILINE)
PAGES = sorted(path.name for path in GUIDE.glob("*.rst") if BLOCK.search(path.read_text("utf-8")))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder that is worked in, with the table that snippets speak of."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    turn = rng.uniform(0, 6, size=120)
    frame = pd.DataFrame({"x": np.cos(turn), "y": np.sin(turn), "z": np.cos(2 * turn)})
    frame = frame + rng.normal(size=frame.shape) / 10
    frame["customer id"] = rng.permutation(120)
    frame["label"] = np.where(turn > 3, "left", "right")
    frame.to_csv("table.csv", index=False)
    return tmp_path


def snippets(text):
    """What a page shows as Python, sessions and blocks, in the order of the page."""
    found = [
        (text[: match.start()].count("\n") + 1, textwrap.dedent(match[1]))
        for match in BLOCK.finditer(text)
        if not match[1].lstrip().startswith(">>>")
    ]
    examples = doctest.DocTestParser().get_examples(text)
    return sorted(found + [(example.lineno, example.source) for example in examples])


# these fit what takes minutes
SLOW = {"comparison.rst", "images_and_noise.rst", "maps.rst"}


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.slow] * (page in SLOW)) for page in PAGES]
)
def test_snippets_of_a_page_run_as_printed(folder, page):
    names = {}
    with sklearn.config_context():
        for line, source in snippets((GUIDE / page).read_text("utf-8")):
            exec(compile(source, f"{page}, line {line}", "exec"), names)
    assert names
