"""Sphinx configuration. The build needs no network: neither intersphinx nor remote images."""

import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import sklearn_ae
from benchmarks.figures import guide_figures

project = "sklearn-ae"
author = "the sklearn-ae developers"
copyright = f"2026, {author}"
version = release = sklearn_ae.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "auto_examples/*.ipynb", "sg_execution_times.rst"]
default_role = "literal"

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
copybutton_prompt_text = ">>> |\\.\\.\\. |\\$ "
copybutton_prompt_is_regexp = True
myst_heading_anchors = 2
extlinks = {
    "doi": ("https://doi.org/%s", "doi:%s"),
    "arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"),
}

sphinx_gallery_conf = {
    "abort_on_example_error": True,
    "doc_module": ("sklearn_ae",),
    "backreferences_dir": "api/generated",
    "download_all_examples": False,
    "examples_dirs": "../examples",
    "filename_pattern": "/plot_",
    "gallery_dirs": "auto_examples",
    "min_reported_time": 0,
    "reference_url": {"sklearn_ae": None},
    "show_signature": False,
}
# The gallery runs with a non-interactive backend, on purpose.
warnings.filterwarnings("ignore", message=".*FigureCanvasAgg is non-interactive.*")

# Figures of the pages, |case.name|, come from the results of the benchmarks.
rst_epilog = "\n".join(f".. |{name}| replace:: {text}" for name, text in guide_figures().items())

html_theme = "pydata_sphinx_theme"
html_title = "sklearn-ae"
html_static_path = ["_static"]
html_show_sourcelink = False
html_sidebars = {"install": [], "benchmarks": [], "changelog": []}
html_theme_options = {
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
}


def skip_inherited_from_sklearn(app, what, name, obj, skip, options):
    """Leave out what scikit-learn documents: its pages are the targets of its references."""
    theirs = getattr(obj, "__module__", None) or ""
    return True if theirs.startswith("sklearn.") or name.endswith("_request") else None


def setup(app):
    """Connect the events."""
    app.connect("autodoc-skip-member", skip_inherited_from_sklearn)
