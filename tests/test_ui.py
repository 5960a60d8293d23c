"""The page's native half: layout, handlers and what they show. The browser's half is tested in a browser."""

import asyncio
import json
import re
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from teachable import ui
from teachable.errors import Conflict
from teachable.learning import CurvePoint
from teachable.report import Learning, Report
from teachable.resources import assets
from teachable.scores import Calibration, CalibrationBin, ClassScore, EpochPoint, Evaluation
from teachable.types import ClassInfo, ModelRecord, ProjectInfo, TrainSettings
from teachable.words import catalogue, say

STATIC = "/static/0123456789abcdef"
CLASSES = (ClassInfo("a", "Cat", "#E67701", 0, False, 12), ClassInfo("b", "Dog", "#D84C6F", 1, False, 10))
PROJECT = ProjectInfo("p" * 32, "Pets", 1.0, 2.0, CLASSES, TrainSettings(epochs=20, hidden_units=100))
SHOWN: ui.Shown = {"project": PROJECT.id, "number": 1}
EVALUATION = Evaluation(
    accuracy=0.75,
    low=0.3,
    high=0.95,
    held_out=4,
    correct=3,
    per_class=(ClassScore(3, 4), ClassScore(0, 0)),
    confusion=((3, 1), (0, 0)),
    unjudged=(1,),
    history=(EpochPoint(1, 0.9, 0.5, 1.0, 0.25), EpochPoint(2, 0.5, 0.75, 0.8, 0.75)),
)
RECORD = ModelRecord(
    "m", 1.0, ("a", "b"), ("Kitten", "Dog"), "f" * 64, "slim-v1", TrainSettings(), "digest", 22, 1.2, EVALUATION
)


LEARNING = Learning(
    (CurvePoint(6, 0.5, 0.3, 0.7, True), CurvePoint(12, 0.75, 0.6, 0.9, True), CurvePoint(24, 0.8, 0.6, 0.95, False)),
    "Twice as many photos bring a little.",
)
CALIBRATION = Calibration(1.5, 0.2, 0.05, (CalibrationBin(0.5, 0.6, 0.55, 0.5, 8), CalibrationBin(0.9, 1, 0.97, 1, 20)))
REPORT = Report(state="done", model="m", learning=LEARNING, calibration=CALIBRATION, calibration_text="It can be.")


class Space:
    """Stands for the Workspace: keeps what it is asked, and refuses when told to."""

    def __init__(
        self, record: ModelRecord | None = RECORD, refuses: bool = False, report: Report | None = None
    ) -> None:
        self.record = record
        self.report = report or Report()
        self.refuses = refuses
        self.calls: list[tuple[str, str, TrainSettings]] = []

    def project(self, project_id: str) -> ProjectInfo:
        assert project_id == PROJECT.id
        return PROJECT

    def model(self, project_id: str) -> ModelRecord | None:
        assert project_id == PROJECT.id
        return self.record

    @property
    def reports(self) -> "Space":
        return self

    def of(self, project_id: str) -> Report:
        assert project_id == PROJECT.id
        return self.report

    def start_training(self, project_id: str, settings: TrainSettings) -> None:
        self._note("train", project_id, settings)

    def _note(self, what: str, project_id: str, settings: TrainSettings) -> None:
        if self.refuses:
            raise Conflict("class_name_taken", name="Cat")
        self.calls.append((what, project_id, settings))


def handlers(space: Space) -> ui.Handlers:
    return ui.Handlers(space)  # type: ignore[arg-type]


def event(**data: Any) -> gr.EventData:
    return gr.EventData(None, data)


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    async def build() -> dict[str, Any]:
        config: dict[str, Any] = ui.build(Space(), STATIC).get_config_file()  # type: ignore[arg-type]
        return config

    # Without a running event loop Gradio opens several that nobody closes.
    return asyncio.run(build())


def components(page: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [component["props"] for component in page["components"] if component["type"] == kind]


def test_every_part_of_the_studio_has_a_mount(page: dict[str, Any]) -> None:
    mounts = [props for props in components(page, "html") if "part" in props["props"]]
    parts = {props["props"]["part"] for props in mounts}
    assert parts == {"header", "classes", "training", "preview", "network", "report", "figure", "more"}
    assert len({props["elem_id"] for props in mounts}) == len(mounts)
    assert all(props["props"]["studio"] == STATIC for props in mounts)
    assert all("studio.mount" in props["js_on_load"] for props in mounts)
    known = (assets() / "studio" / "main.js").read_text(encoding="utf-8")
    assert all(re.search(rf"\b{part}: mount", known) for part in parts)


def test_every_event_of_the_studio_is_named_where_gradio_looks_for_it(page: dict[str, Any]) -> None:
    loader = (assets() / "studio" / "loader.js").read_text(encoding="utf-8")
    events = {event for entry in page["dependencies"] for _, event in entry["targets"]}
    ours = {event for event in events if "_" in event}
    assert ours == {"project_opened", "model_changed", "train_state", "report_changed"}
    assert all(f'"{event}"' in loader for event in ours)


def test_what_the_studio_tells_while_it_is_answered_is_heard_too(page: dict[str, Any]) -> None:
    told = {event: entry["trigger_mode"] for entry in page["dependencies"] for _, event in entry["targets"]}
    assert {told[event] for event in ("project_opened", "model_changed", "report_changed")} == {"multiple"}
    # Pressed twice, Train starts once.
    assert told["click"] == "once"


def test_every_curve_has_a_table_beside_it(page: dict[str, Any]) -> None:
    assert {props["elem_id"] for props in components(page, "nativeplot")} == {
        "learning-curve",
        "reliability-curve",
        "loss-curve",
        "accuracy-curve",
    }
    tables = {props["props"]["name"] for props in components(page, "html") if props["props"].get("part") == "figure"}
    assert tables == {"learning", "reliability", "history"}


def test_no_two_lines_of_a_curve_look_the_same(page: dict[str, Any]) -> None:
    for props in components(page, "nativeplot"):
        assert len(set(props["color_map"].values())) == len(props["color_map"])


def test_train_cannot_be_pressed_before_the_browser_says_so(page: dict[str, Any]) -> None:
    button = next(props for props in components(page, "button") if props["elem_id"] == "train-button")
    assert button["interactive"] is False


def test_settings_start_at_the_defaults(page: dict[str, Any]) -> None:
    shown = {props["elem_id"]: props["value"] for kind in ("number", "radio") for props in components(page, kind)}
    defaults = TrainSettings()
    assert shown == {
        "epochs": defaults.epochs,
        "batch-size": defaults.batch_size,
        "learning-rate": defaults.learning_rate,
        "model": defaults.hidden_units,
    }


def test_every_setting_has_an_explanation(page: dict[str, Any]) -> None:
    texts = {props["props"].get("text") for props in components(page, "html")}
    for name in ("epochs", "batch_size", "learning_rate", "model"):
        assert say(f"page.advanced.{name}.help") in texts


def test_nothing_is_an_api_of_its_own(page: dict[str, Any]) -> None:
    with_python = [entry for entry in page["dependencies"] if entry["backend_fn"]]
    assert with_python
    assert {entry["api_visibility"] for entry in with_python} == {"private"}


def test_launch_options_link_only_our_own_files() -> None:
    options = ui.launch_options(STATIC)
    addresses = re.findall(r'(?:href|src)="([^"]*)"', options["head"])
    assert addresses
    assert all(address.startswith(f"{STATIC}/") for address in addresses)
    studio = assets() / "studio"
    linked = [address.removeprefix(f"{STATIC}/studio/") for address in addresses if "/studio/" in address]
    assert all((studio / name).is_file() for name in linked)
    assert options["favicon_path"].is_file()


def test_theme_takes_every_colour_from_the_stylesheet() -> None:
    tokens = json.loads((assets() / "studio" / "theme.json").read_text(encoding="utf-8"))
    styles = (assets() / "studio" / "styles" / "tokens.css").read_text(encoding="utf-8")
    used = {name for value in tokens.values() for name in re.findall(r"var\((--t-[a-z-]+)\)", value)}
    assert used
    assert all(f"{name}:" in styles for name in used)
    theme = ui.launch_options(STATIC)["theme"]
    assert theme.body_background_fill_dark == theme.body_background_fill == "var(--t-page)"


def test_opening_a_project_shows_its_settings() -> None:
    shown = handlers(Space()).opened(event(id=PROJECT.id, number=7))
    assert shown == [{"project": PROJECT.id, "number": 7}, 20, 16, 0.001, 100]


def test_training_starts_with_the_settings_on_the_page() -> None:
    space = Space()
    assert handlers(space).train(SHOWN, 30, 8, 0.01, 100) is None
    assert space.calls == [("train", PROJECT.id, TrainSettings(30, 8, 0.01, 100))]


def test_training_says_why_it_cannot_start() -> None:
    answer = handlers(Space(refuses=True)).train(SHOWN, 30, 8, 0.01, 0)
    assert answer is not None
    assert answer["refused"] == say("error.class_name_taken", name="Cat")


@pytest.mark.parametrize("values", [(None, 16, 0.001, 0), (50, 0, 0.001, 0), (50, 16, -1, 0)])
def test_impossible_settings_are_not_trained_with(values: tuple[Any, ...]) -> None:
    space = Space()
    answer = handlers(space).train(SHOWN, *values)
    assert answer is not None
    assert answer["refused"] == say("page.train.bad_settings")
    assert space.calls == []


@pytest.mark.parametrize("shown", [None, {}, [], "project"])
def test_nothing_is_trained_before_the_fields_are_filled(shown: Any) -> None:
    space = Space()
    handlers(space).train(shown, 50, 16, 0.001, 0)
    assert [project for _, project, _ in space.calls] == [""]


def test_two_refusals_are_never_equal() -> None:
    assert ui.refusal("no") != ui.refusal("no")


def test_settings_survive_the_way_to_the_controls_and_back() -> None:
    settings = TrainSettings(30, 8, 0.01, 100)
    epochs, batch_size, learning_rate, hidden_units = ui.field_values(settings)
    assert ui.settings_from(epochs, batch_size, learning_rate, int(hidden_units)) == settings


def test_without_a_model_there_is_nothing_to_draw() -> None:
    assert handlers(Space(record=None)).learned(event(id=PROJECT.id)) == [None, None, None]


def test_how_a_model_learned_is_drawn_and_told() -> None:
    loss, accuracy, table = handlers(Space()).learned(event(id=PROJECT.id))
    assert len(loss) == len(accuracy) == 4
    assert table["rows"] == [["1", "0.900", "50%", "1.000", "25%"], ["2", "0.500", "75%", "0.800", "75%"]]
    assert len(table["headers"]) == 5


def test_without_a_report_there_is_nothing_to_draw() -> None:
    assert handlers(Space()).reported(event(id=PROJECT.id)) == [None, None, None, None]


def test_curves_of_a_report_are_drawn_and_told() -> None:
    learning, learned, reliability, relied = handlers(Space(report=REPORT)).reported(event(id=PROJECT.id))
    assert learned["text"] == f"{LEARNING.text} {say('report.learning.rounds', photos=12)}"
    assert learned["rows"][0] == ["6", "50%", "30 to 70%", say("page.hood.line.measured")]
    assert learned["rows"][-1] == ["24", "80%", "60 to 95%", say("page.hood.line.expected")]
    assert relied["text"] == "It can be."
    assert relied["rows"][0] == ["50 to 60%", "55%", "50%", "8"]
    for table in (learned, relied):
        assert all(len(row) == len(table["headers"]) for row in table["rows"])
    assert set(learning["which"]) == {
        say(f"page.hood.line.{one}") for one in ("measured", "expected", "at_best", "at_worst")
    }
    assert set(reliability["which"]) == {say("page.hood.line.model"), say("page.hood.line.perfect")}


def test_what_is_expected_goes_on_from_what_was_measured() -> None:
    points = ui.learning(LEARNING)
    assert points is not None
    expected = points[points["which"] == say("page.hood.line.expected")]
    assert expected["photos"].tolist() == [12, 24]
    assert expected["share"].tolist() == [0.75, 0.8]


def test_a_curve_that_ends_with_what_was_measured_expects_nothing() -> None:
    points = ui.learning(replace(LEARNING, points=LEARNING.points[:2]))
    assert points is not None
    assert say("page.hood.line.expected") not in set(points["which"])


def test_history_has_a_point_per_epoch_and_part() -> None:
    points = ui.history(EVALUATION)
    assert points["epoch"].tolist() == [1, 2, 1, 2]
    assert points["loss"].tolist() == [0.9, 0.5, 1.0, 0.8]
    assert set(points["which"]) == {say("page.hood.line.trained_on"), say("page.hood.line.held_out")}


def test_history_leaves_out_what_was_not_held_out() -> None:
    evaluation = replace(EVALUATION, history=(EpochPoint(1, 0.9, 0.5),))
    assert len(ui.history(evaluation)) == 1
    table = ui.history_table(evaluation)
    assert table is not None
    assert table["rows"] == [["1", "0.900", "50%", "–", "–"]]


def test_every_text_the_page_asks_for_is_in_the_catalogue() -> None:
    texts = catalogue()
    folder = assets() / "studio"
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.js")))
    whole = set(re.findall(r'"((?:page|app|note)\.[a-z0-9_.]+)"', source))
    begun = set(re.findall(r"`((?:page|error)\.[a-z_.]+)\$\{", source))
    assert whole
    assert [key for key in whole if key not in texts and f"{key}.other" not in texts] == []
    assert [prefix for prefix in begun if not any(key.startswith(prefix) for key in texts)] == []


def test_templates_are_safe_for_gradios_template_languages() -> None:
    for path in (assets() / "studio").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"`|\\|\{\{", text), path.name
