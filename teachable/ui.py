"""The page: Gradio's Blocks around the Studio modules of `assets/studio`.

It owns the layout, the native controls (Train, Advanced, the curves of the report) and their handlers, which parse,
call the Workspace and format. Class cards, camera, bars, report and dialogs are the browser's business and talk to
`/api/v1`.
"""

import inspect
import json
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import gradio as gr
import pandas as pd  # type: ignore[import-untyped]
from gradio.context import LocalContext

from teachable.classroom import cookies
from teachable.classroom.records import Visit
from teachable.classroom.rules import LOOK, WORK, Rule
from teachable.errors import TeachableError
from teachable.report import Learning
from teachable.resources import assets
from teachable.scores import Calibration, Evaluation
from teachable.types import TrainSettings
from teachable.words import end, percent, say

if TYPE_CHECKING:
    from teachable.classroom import Room
    from teachable.workflow import Workspace

HIDDEN_UNITS = 100
"""Width of the hidden layer that a person can choose."""

CURVE_HEIGHT = 280
"""Pixels of each curve."""

BLUE, ORANGE, GREY, GREEN, PINK = "#3B82F6", "#D96C00", "#8A91A5", "#0E9384", "#C2579B"
"""Lines of the curves: at least 3:1 against the cards of both themes."""

Result = TypeVar("Result")
Answer = dict[str, str | int] | None
"""What the Studio hears back: None, or why something was not done."""
Shown = dict[str, str | int] | None
"""Whose settings the fields show: `project`, and the `number` of the question; None before the first answer."""
Table = dict[str, Any] | None
"""What the Studio shows below a curve: `text`, `headers` and `rows` of texts; None for nothing."""

# Handlers run beside each other and show no spinner over the page; none of them is an API of its own.
# What comes while one is answered is another project or model, and is answered too.
QUIET: dict[str, Any] = {
    "show_progress": "hidden",
    "concurrency_limit": None,
    "api_visibility": "private",
    "trigger_mode": "multiple",
}


def build(workspace: "Workspace", static: str, room: "Room | None" = None) -> gr.Blocks:
    """Return the page.

    Args:
        workspace: the projects it shows.
        static: address of the static files, `/static/<digest>`.
        room: the classroom it is served in, if in one: then who sends an event is asked for.
    """
    with gr.Blocks(title=say("app.title"), analytics_enabled=False, fill_width=True) as page:
        header = _mount("header", static)
        with gr.Row(elem_id="workbench"):
            _mount("classes", static)
            with gr.Column(elem_id="training", min_width=0):
                _asset("title.html", text=say("page.train.title"))
                train = gr.Button(
                    say("page.train.button"), variant="primary", size="lg", interactive=False, elem_id="train-button"
                )
                status = _mount("training", static)
                settings, reset = _advanced()
                # Last, so that a notice that comes and goes moves nothing else in the column.
                _mount("network", static)
            _mount("preview", static)
        report, figures, history = _under_the_hood(static)

        handlers = Handlers(workspace, room)
        # Whose settings the fields show is kept beside them, in the browser: a server that was started again knows
        # nothing of the pages that are open.
        fields = [header, *settings]
        header.project_opened(handlers.opened, None, fields, **QUIET)
        status.model_changed(handlers.learned, None, history, **QUIET)
        report.report_changed(handlers.reported, None, figures, **QUIET)
        status.train_state(None, None, train, js=_read("train-button.js"), show_progress="hidden")
        train.click(handlers.train, fields, status, **{**QUIET, "trigger_mode": "once"})
        # The browser keeps what is written, in order and with the project it is written for: of events that come while
        # one is answered, Gradio sends none.
        typed: dict[str, Any] = {"js": _read("settings-typed.js"), "show_progress": "hidden"}
        for control in settings:
            control.input(None, fields, None, **typed)
        # In the browser too, so that Train, pressed next, has them.
        standard = json.dumps(field_values(TrainSettings()))
        reset.click(None, None, settings, js=f"() => {standard}", show_progress="hidden").then(
            None, fields, None, **typed
        )
    return cast(gr.Blocks, page)


def launch_options(static: str) -> dict[str, Any]:
    """Return what `launch` needs to know about the look of the page.

    Args:
        static: address of the static files, `/static/<digest>`.
    """
    return {
        "head": _read("head.html").replace("@static", static),
        "theme": _theme(),
        "favicon_path": assets() / "studio" / "favicon.svg",
        "footer_links": [],
    }


def _theme() -> gr.themes.Base:
    """Let Gradio's controls use the colours, corners and fonts of the stylesheets, in both modes."""
    system = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
    tokens: dict[str, Any] = json.loads(_read("theme.json"))
    theme = gr.themes.Base(font=system, font_mono=("ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace"))
    # In dark mode the same variables have other values, so that Gradio's own dark colours are never used.
    known = inspect.signature(theme.set).parameters
    dark = {f"{name}_dark": value for name, value in tokens.items() if f"{name}_dark" in known}
    return theme.set(**tokens, **dark)


def _read(name: str) -> str:
    return (assets() / "studio" / name).read_text(encoding="utf-8")


def _mount(part: str, static: str, name: str | None = None) -> gr.HTML:
    """Return an empty component that the Studio fills; where there are several of a part, each has a name."""
    return gr.HTML(
        html_template=_read("mount.html"),
        js_on_load=_read("loader.js"),
        apply_default_css=False,
        elem_id=f"studio-{name or part}",
        part=part,
        name=name,
        studio=static,
    )


def _asset(name: str, **values: Any) -> gr.HTML:
    return gr.HTML(html_template=_read(name), js_on_load=None, apply_default_css=False, **values)


def _advanced() -> tuple[list[Any], gr.Button]:
    """Return the controls for epochs, batch size, learning rate and kind of model, and the button that resets them."""
    standard = TrainSettings()
    with gr.Accordion(say("page.advanced.title"), open=False, elem_id="advanced"):
        epochs = _setting("epochs", partial(gr.Number, standard.epochs, precision=0))
        batch_size = _setting("batch_size", partial(gr.Number, standard.batch_size, precision=0))
        learning_rate = _setting("learning_rate", partial(gr.Number, standard.learning_rate, step=0.0005))
        kinds = [(say("page.advanced.linear"), 0), (say("page.advanced.hidden"), HIDDEN_UNITS)]
        model = _setting("model", partial(gr.Radio, kinds, value=standard.hidden_units))
        reset = gr.Button(say("page.advanced.reset"), size="sm", elem_id="reset-defaults")
    controls: list[Any] = [epochs, batch_size, learning_rate, model]
    return controls, reset


def _setting(name: str, control: Callable[..., Result]) -> Result:
    """Return one setting with a plain-language explanation behind its "?"."""
    with gr.Column(elem_id=f"setting-{name.replace('_', '-')}", min_width=0):
        label = say(f"page.advanced.{name}")
        made = control(label=label, elem_id=name.replace("_", "-"), container=True)
        _asset("help.html", label=f"{label}: {say('page.advanced.help')}", text=say(f"page.advanced.{name}.help"))
    return made


def _under_the_hood(static: str) -> tuple[gr.HTML, list[Any], list[Any]]:
    """Return what tells of a new report, the curves and tables made of it, and those of the training."""
    share: dict[str, Any] = {"y_lim": [0, 1], "y_axis_format": ".0%"}
    with gr.Accordion(say("page.hood.title"), open=False, elem_id="under-the-hood"):
        report = _mount("report", static)
        with gr.Row(elem_id="hood-figures"):
            with gr.Column(elem_id="figure-learning", min_width=0):
                learning = _curve(
                    "photos",
                    "share",
                    "learning",
                    {"measured": BLUE, "expected": ORANGE, "at_best": GREEN, "at_worst": PINK},
                    **share,
                )
                learning_table = _mount("figure", static, "learning")
            with gr.Column(elem_id="figure-reliability", min_width=0):
                reliability = _curve(
                    "confidence",
                    "accuracy",
                    "reliability",
                    {"model": BLUE, "perfect": GREY},
                    **share,
                    x_lim=[0, 1],
                    x_axis_format=".0%",
                )
                reliability_table = _mount("figure", static, "reliability")
        _mount("more", static)
        with gr.Column(elem_id="figure-history", min_width=0):
            with gr.Row():
                which = {"trained_on": BLUE, "held_out": ORANGE}
                with gr.Column(min_width=0):
                    loss = _curve("epoch", "loss", "loss", which)
                with gr.Column(min_width=0):
                    accuracy = _curve("epoch", "accuracy", "accuracy", which, **share)
            history_table = _mount("figure", static, "history")
    figures = [learning, learning_table, reliability, reliability_table]
    return report, figures, [loss, accuracy, history_table]


def _curve(x: str, y: str, name: str, lines: dict[str, str], **options: Any) -> gr.LinePlot:
    """Return one plot of lines, each with its colour, below its title."""
    _asset("figure-title.html", text=say(f"page.hood.{name}.title"))
    return gr.LinePlot(
        x=x,
        y=y,
        color="which",
        x_title=say(f"page.hood.{name}.x"),
        y_title=say(f"page.hood.{name}.y"),
        color_title=" ",
        color_map={say(f"page.hood.line.{line}"): color for line, color in lines.items()},
        height=CURVE_HEIGHT,
        elem_id=f"{name}-curve",
        **options,
    )


class Handlers:
    """What happens on the page's native controls.

    Args:
        workspace: what it happens to.
        room: the classroom it happens in, if in one.
    """

    def __init__(self, workspace: "Workspace", room: "Room | None" = None) -> None:
        self._workspace = workspace
        self._room = room

    def _permit(self, project: str, rule: Rule) -> None:
        """Go on only if whoever sent this event may do that to a project; the gate lets every event pass.

        Raises:
            TeachableError: they may not.
        """
        if self._room is None:
            return
        # Handlers take no request, because Gradio cannot give one to those that take any number of values.
        request = LocalContext.request.get(None)
        visit = cookies.visit_of(request.request.scope) if request is not None and request.request else Visit("guest")
        self._room.require(visit, rule, project)

    def opened(self, event: gr.EventData) -> list[Any]:
        """Show the settings of the project that the browser opened, and say so under the number it gave."""
        self._permit(event.id, LOOK)
        info = self._workspace.project(event.id)
        return [{"project": info.id, "number": event.number}, *field_values(info.settings)]

    def learned(self, event: gr.EventData) -> list[Any]:
        """Draw how the project's model learned."""
        self._permit(event.id, LOOK)
        record = self._workspace.model(event.id)
        points = history(record.evaluation) if record else None
        return [points, points, history_table(record.evaluation) if record else None]

    def reported(self, event: gr.EventData) -> list[Any]:
        """Draw the curves of the project's report."""
        self._permit(event.id, LOOK)
        report = self._workspace.reports.of(event.id)
        return [
            learning(report.learning),
            learning_table(report.learning),
            reliability(report.calibration),
            reliability_table(report.calibration, report.calibration_text),
        ]

    def train(self, shown: Shown, *values: Any) -> Answer:
        """Start training with the settings on the page."""
        settings = settings_from(*values)
        if settings is None:
            return refusal(say("page.train.bad_settings"))
        project = _project(shown)
        try:
            self._permit(project, WORK)
            self._workspace.start_training(project, settings)
        except TeachableError as error:
            return refusal(str(error))
        return None


def _project(shown: Shown) -> str:
    """Return the project whose settings the fields show, or nothing; what a browser sends may be anything."""
    return str(shown.get("project", "")) if isinstance(shown, dict) else ""


def refusal(message: str) -> Answer:
    """Return what makes the Studio show why something was not done; two refusals in a row are never equal."""
    return {"refused": message, "number": time.monotonic_ns()}


def field_values(settings: TrainSettings) -> list[float]:
    """Return what the controls show for these settings."""
    return [settings.epochs, settings.batch_size, settings.learning_rate, HIDDEN_UNITS if settings.hidden_units else 0]


def settings_from(
    epochs: float | None, batch_size: float | None, learning_rate: float | None, hidden_units: int
) -> TrainSettings | None:
    """Return the fields as a record, or None where one is empty or impossible."""
    if not epochs or not batch_size or not learning_rate or min(epochs, batch_size, learning_rate) <= 0:
        return None
    return TrainSettings(int(epochs), int(batch_size), float(learning_rate), int(hidden_units))


def history(evaluation: Evaluation) -> pd.DataFrame:
    """Return the training history in long form: columns epoch, loss, accuracy, which."""
    learned, held_out = say("page.hood.line.trained_on"), say("page.hood.line.held_out")
    rows = [(point.epoch, point.loss, point.accuracy, learned) for point in evaluation.history]
    rows += [
        (point.epoch, point.held_out_loss, point.held_out_accuracy, held_out)
        for point in evaluation.history
        if point.held_out_loss is not None and point.held_out_accuracy is not None
    ]
    return pd.DataFrame(rows, columns=["epoch", "loss", "accuracy", "which"])


def history_table(evaluation: Evaluation) -> Table:
    """Return the training history as a table."""
    headers = ["epoch", "loss", "accuracy", "held_out_loss", "held_out_accuracy"]
    rows = [
        [
            str(point.epoch),
            _decimal(point.loss),
            _share(point.accuracy),
            _decimal(point.held_out_loss),
            _share(point.held_out_accuracy),
        ]
        for point in evaluation.history
    ]
    return {"text": say("page.hood.history.text"), "headers": _headers("history", headers), "rows": rows}


def learning(learning: Learning | None) -> pd.DataFrame | None:
    """Return the learning curve in long form: columns photos, share, which."""
    if learning is None:
        return None
    measured = [point for point in learning.points if point.measured]
    further = [point for point in learning.points if not point.measured]
    # The line goes on from the last point that was measured.
    joined = [*measured[-1:], *further] if further else []
    rows = [(point.photos, point.share, say("page.hood.line.measured")) for point in measured]
    rows += [(point.photos, point.share, say("page.hood.line.expected")) for point in joined]
    rows += [(point.photos, point.high, say("page.hood.line.at_best")) for point in learning.points]
    rows += [(point.photos, point.low, say("page.hood.line.at_worst")) for point in learning.points]
    return pd.DataFrame(rows, columns=["photos", "share", "which"])


def learning_table(learning: Learning | None) -> Table:
    """Return the learning curve as a table."""
    if learning is None:
        return None
    rows = [
        [
            f"{point.photos:.0f}",
            _share(point.share),
            say("page.hood.range", low=end(point.low), high=end(point.high)),
            say("page.hood.line.measured" if point.measured else "page.hood.line.expected"),
        ]
        for point in learning.points
    ]
    headers = _headers("learning", ["photos", "share", "range", "how"])
    # Without it, the line would seem to end before the photos there are.
    measured = [point.photos for point in learning.points if point.measured]
    rounds = say("report.learning.rounds", photos=round(measured[-1])) if measured else ""
    return {"text": f"{learning.text} {rounds}".strip(), "headers": headers, "rows": rows}


def reliability(calibration: Calibration | None) -> pd.DataFrame | None:
    """Return the reliability of the probabilities in long form: columns confidence, accuracy, which."""
    if calibration is None:
        return None
    rows = [(bin.confidence, bin.accuracy, say("page.hood.line.model")) for bin in calibration.bins]
    rows += [(end, end, say("page.hood.line.perfect")) for end in (0.0, 1.0)]
    return pd.DataFrame(rows, columns=["confidence", "accuracy", "which"])


def reliability_table(calibration: Calibration | None, text: str) -> Table:
    """Return the reliability of the probabilities as a table, with a sentence about it."""
    if calibration is None:
        return None
    rows = [
        [
            say("page.hood.range", low=end(bin.low), high=end(bin.high)),
            _share(bin.confidence),
            _share(bin.accuracy),
            str(bin.count),
        ]
        for bin in calibration.bins
    ]
    headers = _headers("reliability", ["range", "confidence", "accuracy", "count"])
    return {"text": text, "headers": headers, "rows": rows}


def _headers(table: str, names: list[str]) -> list[str]:
    return [say(f"page.hood.{table}.column_{name}") for name in names]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{percent(value)}%"


def _decimal(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
