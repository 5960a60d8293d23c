"""What can be had of a model, as page, REST API and command line show it. It owns these records and what they say.

Finding out what is there is the business of `teachable.exports`.
"""

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from teachable.errors import TeachableError
from teachable.exporting.checking import Check, loses
from teachable.exporting.exporter import Exporter, Extra, Variant
from teachable.exporting.making import Note
from teachable.words import say

State = Literal["none", "waiting", "running", "done", "refused", "failed", "cancelled"]


@dataclass(frozen=True)
class Made:
    """One choice within a format, and how its file stands.

    Attributes:
        id: short name, `half` for one.
        title: in words.
        file: what the download is called.
        quick: made in a second or two.
        state: none, waiting (for its turn), running, done, refused (it was made, and its check says no), failed or
            cancelled.
        fraction: how much is done, 0 to 1.
        size_bytes: of the file, or None until it is there.
        seconds: it took, or has taken so far while it runs; None before.
        check: what came out when it was run over photos, or None.
        ran: whether it was run here; false where this computer cannot run such files and it was only looked at, None
            until it is there.
        held_out: the photos of the check are of recordings of which none served to make the file from the model. The
            model itself may have learned from them.
        loses: in the comparison of `check` it is right so much less often than the full model that a person should
            know.
        key: of the text `message`.
        message: after a failure what went wrong; else what a person should know, in words, for one why a file that was
            there has to be made again.
    """

    id: str
    title: str
    file: str
    quick: bool
    state: State = "none"
    fraction: float = 0.0
    size_bytes: int | None = None
    seconds: float | None = None
    check: Check | None = None
    ran: bool | None = None
    held_out: bool = False
    loses: bool = False
    key: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Format:
    """One way to take a model away.

    Attributes:
        id: short name.
        title: in words.
        about: what it is for and how to use it, in words.
        media_type: of the file.
        extra: name of what has to be installed besides Teachable, or None.
        command: the command that installs it, or None if it is there, or there is none for this computer.
        fits: it can be had on this computer.
        variants: the choices, the first to begin with.
    """

    id: str
    title: str
    about: str
    media_type: str
    extra: str | None
    command: str | None
    fits: bool
    variants: tuple[Made, ...]


@dataclass(frozen=True)
class Exports:
    """Every way to take the model of a project away.

    Attributes:
        model: id of the model, or None if there is none yet.
        stale: samples or classes changed since it was trained.
        checking: the model itself is still being compared with the preview; exports wait for that.
        formats: in the order a person sees them.
    """

    model: str | None
    stale: bool
    checking: bool
    formats: tuple[Format, ...]


def describe(exporter: Exporter, variants: Sequence[Made]) -> Format:
    """Say what a format is, with the choices given."""
    missing = exporter.extra if exporter.extra and not exporter.extra.installed() else None
    fits = missing is None or missing.fits()
    return Format(
        id=exporter.id,
        title=say(f"export.{exporter.id}.title"),
        about=say(f"export.{exporter.id}.about"),
        media_type=exporter.media_type,
        extra=exporter.extra.name if exporter.extra else None,
        command=installing(missing) if missing and fits else None,
        fits=fits,
        variants=tuple(variants),
    )


def offered(exporter: Exporter, variant: Variant) -> Made:
    """Return a choice of which there is no file."""
    several = len(exporter.variants) > 1
    title = say(f"export.{exporter.id}.{variant.id}") if several else say(f"export.{exporter.id}.title")
    return Made(variant.id, title, variant.file, variant.quick)


def done(made: Made, note: Note) -> Made:
    """Return a choice whose file is there, with a word of warning where it is worse than the model."""
    check = note.check
    found = replace(
        made,
        state="done",
        fraction=1.0,
        size_bytes=note.size_bytes,
        seconds=note.seconds,
        check=check,
        ran=note.ran,
        held_out=note.held_out,
    )
    if check is None or check.correct is None or check.correct_full is None or not loses(check):
        return found
    fewer = check.correct_full - check.correct
    return replace(said(found, TeachableError("export_loses", fewer=fewer, total=check.held_out)), loses=True)


def said(made: Made, error: TeachableError) -> Made:
    """Return a choice with a text a person should read."""
    return replace(made, key=error.key, message=str(error))


def installing(extra: Extra) -> str:
    """Return the command that installs what a format needs; another one where Teachable runs from its own folder."""
    try:
        origin = importlib.metadata.distribution("teachable").read_text("direct_url.json") or ""
    except importlib.metadata.PackageNotFoundError:
        origin = '"editable": true'
    if '"editable"' in origin:
        return f"uv sync --inexact --extra {extra.name}"
    return f'pip install "teachable[{extra.name}]"'
