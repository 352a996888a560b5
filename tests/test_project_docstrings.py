"""Docstrings of all public objects: numpydoc's checks, and our own on estimators."""

import ast
import inspect
import operator
import re
import tomllib
from pathlib import Path

import pytest
from numpydoc import validate
from numpydoc.docscrape import FunctionDoc
from sklearn.base import BaseEstimator
from sklearn.utils import _testing

import sklearn_ae
from sklearn_ae.estimators._base import BaseNetworkEstimator

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CHECKS = PYPROJECT["tool"]["numpydoc_validation"]["checks"]
SECTIONS = ("Parameters", "Attributes", "See Also", "References", "Examples")
SHARED = [
    "activation",
    "architecture",
    "max_iter",
    "batch_size",
    "alpha",
    "weight_decay",
    "early_stopping",
    "validation_fraction",
    "n_iter_no_change",
    "tol",
    "warm_start",
    "skorch_callbacks",
    "device",
    "random_state",
    "verbose",
]


def reference():
    """Names in the reference of the documentation."""
    text = (ROOT / "docs" / "api" / "index.rst").read_text()
    return re.findall(r"^   ([\w.]+)$", text, re.MULTILINE)


def public_objects():
    """Full names of public functions and classes."""
    for name in reference():
        member = operator.attrgetter(name)(sklearn_ae)
        yield f"{member.__module__}.{member.__qualname__}", member


def public_methods(owner):
    """Public methods and properties that this package, not scikit-learn, defines."""
    for name, _ in inspect.getmembers(owner):
        if name.startswith("_"):
            continue
        definer = next(base for base in owner.__mro__ if name in vars(base))
        member = vars(definer)[name]
        ours = definer.__module__.startswith("sklearn_ae")
        if ours and (inspect.isroutine(member) or isinstance(member, property)):
            yield f"{owner.__module__}.{owner.__qualname__}.{name}"


OBJECTS = dict(public_objects())
ESTIMATORS = [
    item
    for item in (getattr(sklearn_ae, name) for name in sklearn_ae.__all__)
    if inspect.isclass(item) and issubclass(item, BaseEstimator)
]
NAMES = [
    *OBJECTS,
    *(
        method
        for item in OBJECTS.values()
        if inspect.isclass(item)
        for method in public_methods(item)
        # `set_fit_request` and its kin are made by scikit-learn, docstring included.
        if not method.endswith("_request")
    ),
]


@pytest.mark.parametrize("name", sorted(set(NAMES)))
def test_docstring_is_numpydoc(name):
    faults = [
        f"{code}: {message}"
        for code, message in validate.validate(name)["errors"]
        if code not in CHECKS[1:]
    ]
    assert CHECKS[0] == "all" and faults == []


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.__name__)
def test_estimator_docstring_has_all_sections(estimator):
    text = inspect.getdoc(estimator)
    assert [section for section in SECTIONS if f"{section}\n---" not in text] == []


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.__name__)
def test_docstring_names_the_defaults(estimator):
    text = inspect.getdoc(estimator).replace("\\\n", "")
    documented = dict(re.findall(r"^(\w+) : .*default=(\S+)$", text, re.MULTILINE))
    parameters = list(inspect.signature(estimator.__init__).parameters.values())[1:]
    wrong = [
        parameter.name
        for parameter in parameters
        if ast.literal_eval(documented.get(parameter.name, "...")) != parameter.default
    ]
    assert wrong == []


@pytest.mark.skipif(
    not hasattr(_testing, "assert_docstring_consistency"), reason="scikit-learn is too old"
)
def test_shared_parameters_read_the_same():
    # those that train a network themselves; a detector hands its parameters on
    trained = [item for item in ESTIMATORS if issubclass(item, BaseNetworkEstimator)]
    _testing.assert_docstring_consistency(trained, include_params=SHARED)
    # a likelihood has a rule behind "auto"
    plain = [item for item in trained if item is not sklearn_ae.VariationalAutoencoder]
    _testing.assert_docstring_consistency(plain, include_params=["learning_rate_init"])


@pytest.mark.parametrize("name", ["learning_rate", "precision"])
def test_parameters_of_other_defaults_read_the_same_but_for_these(name):
    trained = [item for item in ESTIMATORS if issubclass(item, BaseNetworkEstimator)]
    texts = set()
    for item in trained:
        parameters = FunctionDoc(item)["Parameters"]
        entry = next(entry for entry in parameters if entry.name == name)
        texts.add((entry.type.partition(", default=")[0], *entry.desc))
    assert len(texts) == 1
