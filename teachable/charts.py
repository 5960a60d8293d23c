"""Charts for a page without scripts: Vega-Lite specs of `assets/report`, drawn as SVG in a child process.

It owns filling a spec with figures and words, and the process that draws. That process is a child of its own because
drawing loads a JavaScript engine, 100 MB, which would stay. What the charts show is `teachable.report_page`.

Colours are CSS variables of the page, so that a chart follows its light and dark mode.
"""

import json
import logging
import queue
import threading
from collections.abc import Mapping, Sequence
from typing import IO, Any

from teachable import children
from teachable.children import Message
from teachable.errors import Cancelled, TeachableError
from teachable.resources import assets

log = logging.getLogger(__name__)

Row = Mapping[str, float | int | str | bool | None]
Spec = dict[str, Any]

DRAW_SECONDS = 60.0
"""All charts of a report take one; old laptops are ten times slower."""
_CHILD = "import sys; sys.path.append(sys.argv[1]); from teachable.charts import main; main()"


def chart(name: str, rows: Sequence[Row], words: Mapping[str, str], **params: object) -> Spec:
    """Return a spec with figures and words in it.

    Args:
        name: of the file `assets/report/<name>.vl.json`.
        rows: what it shows, the fields by name.
        words: titles of axes; in the file stand their names, which must all be here. They and all other texts are
            shown as they are, whatever they contain.
        params: values for the file's parameters of these names; those not given keep theirs.

    Raises:
        FileNotFoundError: there is no such chart.
        KeyError: a title of the chart is not in `words`, or it has no such parameter.
    """
    spec: Spec = json.loads((assets() / "report" / f"{name}.vl.json").read_text(encoding="utf-8"))
    by_name = {param["name"]: param for param in spec.get("params", [])}
    for param, value in params.items():
        by_name[param]["value"] = value
    _put_titles(spec, words)
    return {**spec, "data": {"values": [dict(row) for row in rows]}}


def _put_titles(part: object, words: Mapping[str, str]) -> None:
    if isinstance(part, list):
        for item in part:
            _put_titles(item, words)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key == "title" and isinstance(value, str):
                part[key] = words[value]
            else:
                _put_titles(value, words)


def draw(specs: Sequence[Spec], cancelled: threading.Event | None = None) -> list[str]:
    """Draw charts.

    Args:
        specs: as `chart` returns them.
        cancelled: set it to give up.

    Returns:
        One SVG per chart, to be put into a page as it is: text in it is escaped, it has no scripts, styles or links.

    Raises:
        Cancelled: nobody wants it any more.
        TeachableError: they cannot be drawn on this computer.
    """
    if not specs:
        return []
    cancelled = cancelled or threading.Event()
    if cancelled.is_set():
        raise Cancelled
    task = {"specs": list(specs), "config": json.loads((assets() / "report" / "config.json").read_text("utf-8"))}
    answer = _ask(task, cancelled)
    if answer["kind"] == "crashed":
        log.error("the charts could not be drawn:\n%s", answer["trace"])
        raise TeachableError("report_charts")
    drawn: list[str] = answer["drawn"]
    return drawn


def _ask(task: Mapping[str, Any], cancelled: threading.Event) -> dict[str, Any]:
    """Let a child draw and return its answer."""
    try:
        child = children.start(_CHILD)
    except OSError as error:
        log.warning("the process that draws charts could not be started", exc_info=True)
        raise TeachableError("report_charts") from error
    with children.guarded(child, DRAW_SECONDS, cancelled):
        try:
            return children.ask(child, task)
        except (EOFError, OSError) as error:
            if cancelled.is_set():
                raise Cancelled from error
            children.end(child)
            log.warning("the process that draws charts died with exit status %s", child.returncode)
            raise TeachableError("report_charts") from error


# In the child


def main() -> None:
    """Entry point of the child."""
    children.step_back()
    children.serve(_work)


def _work(messages: "queue.SimpleQueue[Message]", answers: IO[bytes]) -> None:
    """Draw what one message asks for."""
    import traceback

    task, _ = messages.get()
    answer: dict[str, Any]
    try:
        answer = {"kind": "done", "drawn": [_svg(spec, task["config"]) for spec in task["specs"]]}
    except Exception:  # noqa: BLE001 - the parent logs it and tells the person
        answer = {"kind": "crashed", "trace": traceback.format_exc()}
    children.send(answers, answer)


def _svg(spec: Spec, config: dict[str, Any]) -> str:
    import vl_convert

    # No addresses at all: a chart shows what is in it.
    drawn: str = vl_convert.vegalite_to_svg(spec, config=config, allowed_base_urls=[])
    return drawn
