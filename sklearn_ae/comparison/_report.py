"""The report: one HTML file with its figures inside."""

import base64
import io
import warnings
from datetime import datetime

from jinja2 import Environment, PackageLoader, TemplateError, select_autoescape
from matplotlib import rc_context

from sklearn_ae.comparison._figures import MAX_FEATURES
from sklearn_ae.comparison._files import first_line
from sklearn_ae.comparison._fonts import families
from sklearn_ae.comparison._live import live, script
from sklearn_ae.comparison._text import footnotes, table_rows, title
from sklearn_ae.comparison._worst import worst_rows

LIGHT = {"text.color": "#1f2430", "axes.labelcolor": "#1f2430", "axes.edgecolor": "#9aa3b2"}
DARK = {"text.color": "#e6e9ef", "axes.labelcolor": "#e6e9ef", "axes.edgecolor": "#5c6575"}
SHARED = {
    "svg.fonttype": "path",
    "figure.facecolor": "none",
    # Names are shown as they are: a dollar sign starts no formula.
    "text.parse_math": False,
}
DOTS_PER_INCH = 144
# Below so many dots of the screen an inch of a figure cannot be read.
LEAST_DOTS_PER_INCH = 66
# Characters without a font that are named.
MAX_MISSING = 20
ABOUT_DECODED = (
    "Images of codes that no row has. With two components a grid, the first to the right, the "
    "second upwards; otherwise a row for each of five components, which alone changes. Values go "
    "from the 5 % to the 95 % quantile of the test rows' codes, for a variational autoencoder of "
    "its prior."
)


ABOUT_CURVE = (
    "Share of the variance of held-out rows that a code of so many components keeps, mean and "
    "standard deviation over the splits; dotted lines at 90, 95 and 99 %."
)


def render(result):
    """The report of a `ComparisonResult` as text."""
    environment = Environment(
        loader=PackageLoader("sklearn_ae.comparison", "."),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    succeeded = any("codes" in content for content in result._codes.values())
    figures = [
        ("Maps", result.plot_maps, _about_maps(result)),
        ("Reconstructions", result.plot_reconstructions, _about_reconstructions(result)),
        ("Codes decoded", result.plot_decoded_codes, ABOUT_DECODED),
        ("Components", result.plot_curve, ABOUT_CURVE),
        ("Training", result.plot_loss_curves, "The objective of each epoch, first split."),
        ("Measures", result.plot_metrics, "Bars are means, lines the spread over repeats."),
    ]
    fonts, missing = families(_names(result))
    content = dict(
        title=title(result),
        verdict=result.verdict_,
        measures=result.measures(),
        rows=table_rows(result),
        footnotes=footnotes(result, mark="in-sample:"),
        notes=result.notes_,
        code=result.code_,
        recommended=result.recommended_,
        command=result.settings_.get("command"),
        columns=result.columns_.to_dict("records"),
        settings=result.settings_,
        figures=[_themes(*figure, fonts) for figure in figures] if succeeded else [],
        missing="".join(sorted(missing)[:MAX_MISSING]),
        script=script(),
        **_beside(result),
        date=datetime.now().strftime("%Y-%m-%d %H:%M"),
    )
    try:
        return environment.get_template("_report.html.jinja").render(content)
    except TemplateError as error:
        # Callers need not know which package renders.
        raise RuntimeError(f"the report cannot be rendered: {error}") from error


def _beside(result):
    """What is shown beside measures and pictures; why not, where that fails."""
    found = {}
    for name, make in {"worst": worst_rows, "live": live}.items():
        try:
            found[name] = make(result)
        except (ValueError, TypeError, ArithmeticError, LookupError, MemoryError) as error:
            found |= {name: None, "not_shown": first_line(error)}
    return found


def _names(result):
    """All names that figures may show, as one text."""
    labels = [] if result._colours is None else set(result._colours.tolist())
    return "".join(map(str, [*result._codes, *labels, *(result._example[1] or [])]))


def _about_maps(result):
    text = "Codes of the test rows of the first split"
    if result.settings_["components"] > 2:
        text += ", first two components"
    return text + ("." if result._colours is None else ", coloured by label.")


def _about_reconstructions(result):
    if result._image_shape is not None:
        return "Test rows of the first split, and what is left of them after the code."
    text = "Share of the variance of each feature that is left after the code"
    n_features = result.settings_["features"]
    if n_features > MAX_FEATURES:
        text += f", of the {MAX_FEATURES} of {n_features} features that vary most"
    return f"{text}."


def _themes(heading, draw, about, fonts):
    light, width = _png(draw, LIGHT, fonts)
    dark, _ = _png(draw, DARK, fonts)
    return {"heading": heading, "about": about, "light": light, "dark": dark, "width": width}


def _png(draw, colours, fonts):
    """A figure as text, and the least width in which it is shown; None and 0 for no figure."""
    ticks = {"xtick.color": colours["text.color"], "ytick.color": colours["text.color"]}
    faces = {"axes.facecolor": "none", "axes.titlecolor": colours["text.color"]}
    with (
        rc_context({**SHARED, **colours, **ticks, **faces, "font.family": fonts}),
        warnings.catch_warnings(),
    ):
        # said in the report, once
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure = draw()
        if figure is None:
            return None, 0
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=DOTS_PER_INCH, transparent=True)
    readable = round(LEAST_DOTS_PER_INCH * figure.get_figwidth())
    return base64.b64encode(content.getvalue()).decode("ascii"), readable
