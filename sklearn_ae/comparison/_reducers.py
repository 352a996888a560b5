"""The reducers that are compared: their names, and how each is made."""

from types import MappingProxyType

from sklearn_ae.display._estimators import final_estimator
from sklearn_ae.display._projection import import_umap

DEFAULT_REDUCERS: MappingProxyType[str, str] = MappingProxyType(
    {
        "PCA": "pca",
        "UMAP": "umap",
        "t-SNE": "tsne",
        "Autoencoder": "autoencoder",
        "Autoencoder, neighbours": "neighbors",
        "VariationalAutoencoder": "vae",
    }
)
RAW_DATA = "raw data"
# Barnes-Hut t-SNE, which scales to many rows, exists in up to three dimensions.
MAX_BARNES_HUT_COMPONENTS = 3


def resolve(reducers):
    """A dict from the name shown to a key of `DEFAULT_REDUCERS` or an estimator.

    A name that occurs again is numbered: PCA, PCA (2).
    """
    if reducers is None:
        return dict(DEFAULT_REDUCERS)
    if isinstance(reducers, str):
        reducers = [reducers]
    if not hasattr(reducers, "items"):
        names = {key: name for name, key in DEFAULT_REDUCERS.items()}
        pairs = [
            (names.get(_as_key(item), item) if isinstance(item, str) else _name(item), item)
            for item in reducers
        ]
    else:
        pairs = [(str(name), item) for name, item in reducers.items()]
    if not pairs:
        raise ValueError("there is no reducer to compare")
    resolved = {}
    for wanted, reducer in pairs:
        name, number = wanted, 1
        while name in resolved:
            number += 1
            name = f"{wanted} ({number})"
        if isinstance(reducer, str):
            resolved[name] = _known_key(reducer)
        elif isinstance(reducer, type) or not hasattr(reducer, "fit"):
            raise TypeError(
                f"reducer {name!r} should be an estimator instance or one of "
                f"{sorted(DEFAULT_REDUCERS.values())}, got {reducer!r}"
            )
        else:
            resolved[name] = reducer
    if RAW_DATA in resolved:
        raise ValueError(f"the name {RAW_DATA!r} is taken by a row of the table")
    return resolved


def _name(reducer):
    return getattr(reducer, "__name__", type(reducer).__name__)


def _as_key(text):
    key = "".join(character for character in text.lower() if character.isalnum())
    return {
        "variationalautoencoder": "vae",
        "autoencoderneighbours": "neighbors",
        "autoencoderneighbors": "neighbors",
        "neighbours": "neighbors",
    }.get(key, key)


def _known_key(text):
    key = _as_key(text)
    if key not in DEFAULT_REDUCERS.values():
        raise ValueError(
            f"unknown reducer {text!r}; the known ones are: {', '.join(DEFAULT_REDUCERS.values())}"
        )
    return key


def make(key, n_components):
    """An estimator of the default settings; imports only what it needs."""
    if key == "pca":
        from sklearn.decomposition import PCA

        return PCA(n_components=n_components)
    if key == "umap":
        # With a seed UMAP runs in one thread; said here, it does not warn about it.
        return import_umap()(n_components=n_components, n_jobs=1)
    if key == "tsne":
        from sklearn.manifold import TSNE

        fast = n_components <= MAX_BARNES_HUT_COMPONENTS
        return TSNE(n_components=n_components, method="barnes_hut" if fast else "exact")
    import sklearn_ae

    if key == "autoencoder":
        return sklearn_ae.Autoencoder(n_components=n_components)
    if key == "neighbors":
        return sklearn_ae.Autoencoder(n_components=n_components, penalty="neighbors")
    return sklearn_ae.VariationalAutoencoder(n_components=n_components)


def is_from(estimator, package):
    """Whether a reducer, whatever holds it, comes from a package."""
    return type(final_estimator(estimator)).__module__.partition(".")[0] == package


def seeded(estimator, seed):
    """A clone whose unset `random_state` parameters, nested ones too, are `seed`."""
    from sklearn.base import clone

    estimator = clone(estimator, safe=False)
    if hasattr(estimator, "get_params"):
        unset = [
            name
            for name, value in estimator.get_params(deep=True).items()
            if (name == "random_state" or name.endswith("__random_state")) and value is None
        ]
        if unset:
            estimator.set_params(**dict.fromkeys(unset, seed))
    return estimator


def pca_of(reducers):
    """Name of the default PCA, or of another one where there is none."""
    names = [name for name, reducer in reducers.items() if reducer == "pca"]
    names += [name for name, reducer in reducers.items() if _is_pca(reducer)]
    return names[0] if names else None


def _is_pca(reducer):
    return not isinstance(reducer, str) and type(final_estimator(reducer)).__name__ == "PCA"


def is_ours(reducer):
    """Whether a reducer is an autoencoder of this package, or derives from one."""
    if isinstance(reducer, str):
        return reducer in ("autoencoder", "neighbors", "vae")
    bases = type(final_estimator(reducer)).__mro__
    return any(base.__module__.partition(".")[0] == "sklearn_ae" for base in bases)
