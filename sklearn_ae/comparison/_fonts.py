"""Fonts that have the characters of a report's names."""

import functools

from matplotlib import rcParams
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

# A font of boxes, which claims every character.
OF_BOXES = "Last Resort"


def families(text):
    """Families of fonts that together have the characters of a text, and those that none has.

    The usual family comes first; matplotlib takes each character from the first that has it.
    """
    installed = {entry.name for entry in fontManager.ttflist}
    usual = [name for name in rcParams["font.sans-serif"] if name in installed][:1]
    missing = {character for character in text if not character.isspace()}
    missing -= _characters(findfont(FontProperties(family=usual)))
    found = []
    # what the usual font lacks is seldom asked for, and takes a look into each font
    for entry in fontManager.ttflist if missing else []:
        covered = missing & _characters(entry.fname) if OF_BOXES not in entry.name else set()
        if covered:
            found.append(entry.name)
            missing -= covered
        if not missing:
            break
    return [*usual, *found], missing


@functools.cache
def _characters(path):
    """Characters of a font."""
    try:
        return frozenset(map(chr, get_font(path).get_charmap()))
    except (OSError, RuntimeError):  # a file that is gone, or no font
        return frozenset()
