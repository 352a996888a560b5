"""The pipeline that a comparison recommends, and the code that fits it."""

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_ae.comparison._prepare import (
    MAX_CATEGORIES,
    TablePreparation,
    plain_columns,
    prepare,
)
from sklearn_ae.comparison._reducers import make, seeded

CLASSES = {
    "pca": ("sklearn.decomposition", "PCA({}, random_state=0)"),
    "autoencoder": ("sklearn_ae", "Autoencoder({}, random_state=0)"),
    "neighbors": ("sklearn_ae", 'Autoencoder({}, penalty="neighbors", random_state=0)'),
    "vae": ("sklearn_ae", "VariationalAutoencoder({}, random_state=0)"),
}
COMPOSE, PIPELINE = "sklearn.compose", "sklearn.pipeline"
IMPUTE, PREPROCESSING = "sklearn.impute", "sklearn.preprocessing"


def recommended_pipeline(data, scale, key, n_components):
    """An unfitted pipeline from the rows of a `Dataset` to the codes of a default reducer."""
    preparation = prepare(data, scale)
    steps = [] if preparation.transformer is None else [preparation.transformer]
    if isinstance(preparation, TablePreparation):
        options = {"categorical": preparation.categorical}
        steps.insert(0, FunctionTransformer(plain_columns, kw_args=options))
    return make_pipeline(*steps, seeded(make(key, n_components), 0))


def pipeline_code(data, scale, key, n_components):
    """Lines of Python that fit `recommended_pipeline`."""
    preparation = prepare(data, scale)
    module, call = CLASSES[key]
    call = call.format(n_components)
    imports = {(PIPELINE, "make_pipeline"), (module, call.partition("(")[0])}
    lines = ["# X: the rows, as they were passed to compare"]
    if data.call:
        imports.add(("sklearn_ae.comparison", "load_data"))
        lines = [f"X = {data.call}.X"]
    write = _of_table if isinstance(preparation, TablePreparation) else _of_array
    names = list(getattr(data.X, "columns", ()))
    more, changes, steps = write(preparation, scale, names)
    lines += [*changes, f"model = make_pipeline({', '.join([*steps, call])})"]
    names = {}
    for origin, name in sorted(imports | more, key=lambda pair: (pair[0], pair[1].lower())):
        names.setdefault(origin, []).append(name)
    head = [f"from {origin} import {', '.join(found)}" for origin, found in names.items()]
    return "\n".join([*head, "", *lines, "codes = model.fit_transform(X)"])


def _of_array(preparation, scale, names):
    """Imports, lines before the pipeline, and its first steps."""
    imports, steps = set(), []
    if preparation.is_imputed:
        imports.add((IMPUTE, "SimpleImputer"))
        steps.append('SimpleImputer(strategy="median", keep_empty_features=True)')
    if scale == "standard":
        imports.add((PREPROCESSING, "StandardScaler"))
        steps.append("StandardScaler()")
    return imports, [], steps


def _of_table(preparation, scale, names):
    """The same for a table."""
    imports = {
        (COMPOSE, "ColumnTransformer"),
        (IMPUTE, "SimpleImputer"),
        (PREPROCESSING, "FunctionTransformer"),
        ("sklearn_ae.comparison", "plain_columns"),
    }
    lines, parts = [], []
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        lines.append(f"X = X.set_axis({[column.name for column in preparation.columns]!r}, axis=1)")
    if preparation.numeric:
        steps = 'SimpleImputer(strategy="median", keep_empty_features=True)'
        if scale != "none":
            imports.add((PREPROCESSING, "StandardScaler"))
            steps += ", StandardScaler()"
        lines.append(f"numeric = {preparation.numeric!r}")
        parts.append(f'    ("numeric", make_pipeline({steps}), numeric),')
    if preparation.categorical:
        imports.add((PREPROCESSING, "OneHotEncoder"))
        lines.append(f"categorical = {preparation.categorical!r}")
        parts += [
            '    ("categorical", make_pipeline(',
            '        SimpleImputer(strategy="constant", fill_value="(missing)", '
            "missing_values=None),",
            f'        OneHotEncoder(handle_unknown="infrequent_if_exist", '
            f"max_categories={MAX_CATEGORIES}, sparse_output=False),",
            "    ), categorical),",
        ]
    given = "categorical" if preparation.categorical else "[]"
    lines.append(f'plain = FunctionTransformer(plain_columns, kw_args={{"categorical": {given}}})')
    lines += ["prepare = ColumnTransformer([", *parts, "])"]
    return imports, lines, ["plain", "prepare"]
