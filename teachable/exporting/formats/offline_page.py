"""One offline page: a single HTML file with model, runtime and words inside, opened by double click.

It owns what is in the file. What the page does is in `assets/page`; the look, the camera and the making of elements it
shares with the Studio.
"""

import base64
import html
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from teachable import __version__
from teachable.browser_runtime import BUNDLED_FILES, runtime_folder
from teachable.errors import ModelFileError
from teachable.exporting import precision, tensor
from teachable.exporting.exporter import Exporter, Precision, Runner, Source, Variant, Watch
from teachable.exporting.formats import _pages
from teachable.exporting.onnx_runner import OnnxRunner
from teachable.resources import assets
from teachable.words import say

_MODEL = re.compile(r'<script type="text/plain" id="model">([^<]*)</script>')
_STYLES = (*(f"studio/styles/{name}.css" for name in ("tokens", "base", "brand", "heat", "slider")), "page/page.css")


class OfflinePage(Exporter):
    """The model as a page that needs nothing but a browser."""

    id = "page"
    place = 20
    media_type = "text/html; charset=utf-8"
    variants = (
        precision.variant("half", "teachable-page.html"),
        precision.variant("full", "teachable-page-full.html"),
        precision.variant("quarter", "teachable-page-quarter.html"),
    )

    def write(self, source: Source, variant: Variant, target: Path, watch: Watch) -> None:
        """Write the page."""
        kept = cast(Precision, variant.id)
        model = source.at(kept, watch.part(0, 0.6))
        watch.done(0.6)
        page = _page(source, model, kept)
        watch.done(0.9)
        target.write_text(page, encoding="utf-8", newline="\n")
        watch.done(1)

    def open(self, path: Path, variant: Variant) -> Runner:
        """Take the model out of the page and run it."""
        found = _MODEL.search(path.read_text(encoding="utf-8"))
        if found is None:
            raise ModelFileError("export_page_damaged", name=path.name)
        return OnnxRunner(_pages.unpack(found[1], path.name), path.name)


EXPORTER = OfflinePage()


def _page(source: Source, model: bytes, kept: Precision) -> str:
    """Return the HTML of the page."""
    metadata = source.metadata
    here, studio, runtime = assets() / "page", assets() / "studio", runtime_folder()
    program, wasm = (runtime / name for name in BUNDLED_FILES)
    support = (here / "support.js").read_text(encoding="utf-8")
    main = _pages.script(here / "main.js", here, studio)
    style = "".join((assets() / name).read_text(encoding="utf-8") for name in _STYLES)
    about = {
        "lang": _pages.LOCALE,
        "project": metadata.project,
        "labels": list(metadata.labels),
        "colors": list(_pages.colors(source)),
        "below": metadata.unknown_below,
        "view": tensor.view(model),
        "texts": _pages.texts("offline"),
        "worker": _pages.script(here / "worker.js", here),
    }
    made = datetime.fromtimestamp(metadata.created, UTC).date().isoformat()
    parts = {
        "page_lang": _pages.LOCALE,
        "page_policy": _policy((support, main), style),
        "page_version": __version__,
        "page_title": html.escape(metadata.project),
        "page_icon": base64.b64encode((studio / "favicon.svg").read_bytes()).decode(),
        "page_style": style,
        "page_support": support,
        "page_good": html.escape(_pages.goodness(metadata, kept)),
        "page_made": html.escape(say("offline.made", version=__version__, date=made)),
        "page_about": _pages.json_text(about),
        "page_runtime": _pages.pack(_classic(program.read_text(encoding="utf-8")).encode()),
        # The installation keeps it compressed already, which takes a second.
        "page_wasm": _pages.letters((runtime / f"{wasm.name}.gz").read_bytes()),
        "page_model": _pages.pack(model),
        "page_main": main,
    }
    return _pages.fill((here / "page.html").read_text(encoding="utf-8"), parts, "offline")


def _classic(module: str) -> str:
    """Return the runtime as a script that needs no import and leaves what it exports in `globalThis.ort`."""
    body, names = re.split(r"export\s*\{([^}]*)\};?", module)[:2]
    # Where it came from: as for a module out of a Blob, there is nothing beside it.
    body = body.replace("import.meta.url", '"blob:null/runtime"')
    exported = (one.split(" as ") for one in names.split(","))
    holder = ", ".join(f"{name.strip()}: {value.strip()}" for value, name in exported)
    return f'(() => {{"use strict";{body}\nglobalThis.ort = {{{holder}}};}})();\n'


def _policy(scripts: Sequence[str], style: str) -> str:
    """Return what the page may do: run its own scripts and the runtime inside it, show pictures, and nothing else."""
    hashes = " ".join(_pages.source_hash(script) for script in scripts)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {hashes} 'wasm-unsafe-eval' blob:",
            "worker-src blob:",
            f"style-src {_pages.source_hash(style)}",
            "img-src blob: data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
