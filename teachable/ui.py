"""The page: Gradio's Blocks around the Studio modules of `assets/studio`.

It owns the layout, the native controls (Train, Advanced, Under the hood) and their handlers, which parse, call the
Workspace and format. Class cards, camera, bars and dialogs are the browser's business and talk to `/api/v1`.
"""

import inspect
import json
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import gradio as gr
import pandas as pd  # type: ignore[import-untyped]

from teachable.errors import TeachableError
from teachable.resources import assets
from teachable.scores import Evaluation
from teachable.types import ModelRecord, ProjectInfo, TrainSettings
from teachable.words import percent, say

if TYPE_CHECKING:
    from teachable.workflow import Workspace

HIDDEN_UNITS = 100
"""Width of the hidden layer that a person can choose."""

CURVE_HEIGHT = 200
"""Pixels of each curve."""

LONGEST_NAME = 11
"""Letters of a class name in the tables, which are narrow."""

Result = TypeVar("Result")
Answer = dict[str, str | int] | None
"""What the Studio hears back: None, or why something was not done."""

# Handlers run beside each other and show no spinner over the page; none of them is an API of its own.
QUIET: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}


def build(workspace: "Workspace", static: str) -> gr.Blocks:
    """Return the page.

    Args:
        workspace: the projects it shows.
        static: address of the static files, `/static/<digest>`.
    """
    with gr.Blocks(title=say("app.title"), analytics_enabled=False, fill_width=True) as page:
        project = gr.State("")
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
                curves = _under_the_hood()
                # Last, so that a notice that comes and goes moves nothing else in the column.
                _mount("network", static)
            _mount("preview", static)

        handlers = Handlers(workspace)
        header.project_opened(handlers.opened, None, [project, *settings], **QUIET)
        status.model_changed(handlers.explain, None, curves, **QUIET)
        status.train_state(None, None, train, js=_read("train-button.js"), show_progress="hidden")
        train.click(handlers.train, [project, *settings], status, **QUIET)
        for control in settings:
            control.input(handlers.save, [project, *settings], status, **QUIET)
        written = reset.click(partial(field_values, TrainSettings()), None, settings, **QUIET)
        written.then(handlers.save, [project, *settings], status, **QUIET)
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


def _mount(part: str, static: str) -> gr.HTML:
    """Return an empty component that the Studio fills."""
    return gr.HTML(
        html_template=_read("mount.html"),
        js_on_load=_read("loader.js"),
        apply_default_css=False,
        elem_id=f"studio-{part}",
        part=part,
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


def _under_the_hood() -> list[Any]:
    """Return the two curves and the two tables."""
    with gr.Accordion(say("page.hood.title"), open=False, elem_id="under-the-hood"):
        note = gr.Markdown(say("page.hood.empty"), elem_id="hood-empty")
        which: dict[str, Any] = {
            "color": "which",
            "color_title": say("page.hood.which"),
            "color_map": {say("page.hood.trained_on"): "#1967D2", say("page.hood.held_out"): "#E67701"},
            "height": CURVE_HEIGHT,
            "visible": False,
        }
        loss = gr.LinePlot(
            x="epoch",
            y="loss",
            x_title=say("page.hood.epoch"),
            y_title=say("page.hood.loss_axis"),
            title=say("page.hood.loss"),
            elem_id="loss-curve",
            **which,
        )
        accuracy = gr.LinePlot(
            x="epoch",
            y="accuracy",
            x_title=say("page.hood.epoch"),
            y_title=say("page.hood.accuracy"),
            title=say("page.hood.accuracy"),
            y_lim=[0, 1],
            elem_id="accuracy-curve",
            **which,
        )
        table: dict[str, Any] = {"interactive": False, "visible": False, "buttons": [], "max_height": 360}
        per_class = gr.Dataframe(label=say("page.hood.per_class"), elem_id="per-class", **table)
        confusion = gr.Dataframe(label=say("page.hood.confusion"), elem_id="confusion", **table)
    return [note, loss, accuracy, per_class, confusion]


class Handlers:
    """What happens on the page's native controls.

    Args:
        workspace: what it happens to.
    """

    def __init__(self, workspace: "Workspace") -> None:
        self._workspace = workspace

    def opened(self, event: gr.EventData) -> list[Any]:
        """Take over the project that the browser opened, and its settings."""
        info = self._workspace.project(event.id)
        return [info.id, *field_values(info.settings)]

    def explain(self, event: gr.EventData) -> list[Any]:
        """Fill "Under the hood" from the project's model."""
        info = self._workspace.project(event.id)
        record = self._workspace.model(event.id)
        if record is None:
            return [gr.update(visible=True), *[gr.update(visible=False)] * 4]
        points = curve(record.evaluation)
        scores, confusion = tables(class_names(info, record), record.evaluation)
        return [
            gr.update(visible=False),
            gr.update(value=points, visible=True),
            gr.update(value=points, visible=True),
            gr.update(value=scores, visible=True),
            gr.update(value=confusion, visible=record.evaluation.held_out > 0),
        ]

    def train(self, project: str, *values: Any) -> Answer:
        """Start training with the settings on the page."""
        settings = settings_from(*values)
        if settings is None:
            return refusal(say("page.train.bad_settings"))
        try:
            self._workspace.start_training(project, settings)
        except TeachableError as error:
            return refusal(str(error))
        return None

    def save(self, project: str, *values: Any) -> Answer:
        """Keep the settings on the page.

        A field being typed into may be empty for a moment; pressing Train says so if it stays that way.
        """
        settings = settings_from(*values)
        if settings is None or not project:
            return None
        try:
            self._workspace.save_settings(project, settings)
        except TeachableError as error:
            return refusal(str(error))
        return None


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


def class_names(info: ProjectInfo, record: ModelRecord) -> list[str]:
    """Return what the classes of a model are called now; deleted ones keep the name they had."""
    names = {label.id: label.name for label in info.classes}
    return [names.get(id_, old) for id_, old in zip(record.class_ids, record.labels, strict=True)]


def curve(evaluation: Evaluation) -> pd.DataFrame:
    """Return the training history in long form: columns epoch, loss, accuracy, which."""
    learned, held_out = say("page.hood.trained_on"), say("page.hood.held_out")
    rows = [(point.epoch, point.loss, point.accuracy, learned) for point in evaluation.history]
    rows += [
        (point.epoch, point.held_out_loss, point.held_out_accuracy, held_out)
        for point in evaluation.history
        if point.held_out_loss is not None and point.held_out_accuracy is not None
    ]
    return pd.DataFrame(rows, columns=["epoch", "loss", "accuracy", "which"])


def tables(names: list[str], evaluation: Evaluation) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the accuracy per class and the confusion counts as tables of texts and numbers."""
    names = [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in names]
    scores = [
        [
            name,
            say("page.hood.of", correct=score.correct, total=score.total) if score.total else "–",
            f"{percent(score.correct / score.total)}%" if score.total else say("page.hood.not_judged"),
        ]
        for name, score in zip(names, evaluation.per_class, strict=True)
    ]
    headers = [say("page.hood.class"), say("page.hood.score"), say("page.hood.share")]
    confusion = [[name, *row] for name, row in zip(names, evaluation.confusion, strict=True)]
    return {"headers": headers, "data": scores}, {"headers": ["", *names], "data": confusion}
