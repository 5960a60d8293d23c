"""`teachable predict`: what a model file says about photos. Neither torch nor gradio is loaded for it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from teachable.cli.finding import load_model
from teachable.cli.folders import photos_below
from teachable.errors import InvalidInput, TeachableError
from teachable.words import say

if TYPE_CHECKING:
    from teachable.runtime import Classifier

SOME_FAILED = 1


def predict(
    model: Annotated[Path, typer.Argument(help=say("cli.help.model"), metavar="MODEL")],
    files: Annotated[list[Path], typer.Argument(help=say("cli.help.files"), metavar="FILE…")],
    as_json: Annotated[bool, typer.Option("--json", help=say("cli.help.json"))] = False,
    top: Annotated[int, typer.Option(min=1, help=say("cli.help.top"))] = 1,
) -> None:
    """Say what is in each photo."""
    classifier = load_model(model)
    failed = 0
    answers: list[dict[str, Any]] = []
    for path in list(_photos(files)):
        answer = _ask(classifier, path, top)
        failed += "error" in answer
        if as_json:
            answers.append(answer)
        else:
            _show(answer)
    if as_json:
        typer.echo(json.dumps(answers, indent=2))
    elif failed:
        typer.echo(say("cli.predict.failed", count=failed), err=True)
    if failed:
        raise typer.Exit(SOME_FAILED)


def _photos(named: list[Path]) -> Iterator[Path]:
    for path in named:
        if not path.is_dir():
            yield path
        elif inside := photos_below(path):
            yield from inside
        else:
            raise InvalidInput("folder_empty", folder=path)


def _ask(classifier: "Classifier", path: Path, top: int) -> dict[str, Any]:
    """Return the record of one photo; one that cannot be read does not stop the others."""
    try:
        (found,) = classifier.predict(path)
    except TeachableError as error:
        return {"file": str(path), "error": {"key": error.key, "message": str(error)}}
    ranked = sorted(found.probabilities.items(), key=lambda item: -item[1])[:top]
    return {
        "file": str(path),
        "label": found.label,
        "probability": found.probability,
        "probabilities": found.probabilities,
        "top": [{"label": label, "probability": probability} for label, probability in ranked],
        "familiarity": found.familiarity,
        "known": found.known,
    }


def _show(answer: dict[str, Any]) -> None:
    if "error" in answer:
        typer.echo(say("cli.skipped", name=answer["file"], reason=answer["error"]["message"]), err=True)
        return
    named = [
        say("cli.predict.answer", label=one["label"], percent=f"{100 * one['probability']:.1f}")
        for one in answer["top"]
    ]
    # At the end, so that the columns before it stay where they are.
    unsure = [say("cli.predict.unsure")] if answer["known"] is False else []
    typer.echo("\t".join([answer["file"], *named, *unsure]))
