"""A web bundle: a folder for any static host, with a page, the model, its runtime, and a module for pages of one's own.

It owns which files are in the archive; the pages and the module are in `assets/web`.
"""

import html
import json
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from teachable.browser_runtime import PAGE_FILES, runtime_folder
from teachable.errors import ModelFileError
from teachable.exporting import bundle, precision
from teachable.exporting.exporter import Exporter, Precision, Runner, Source, Variant, Watch
from teachable.exporting.formats import _pages
from teachable.exporting.onnx_runner import OnnxRunner
from teachable.metadata import ModelMetadata
from teachable.resources import assets
from teachable.words import say

MODEL = "model.onnx"
RUNTIME = "onnxruntime-web"
SHOWN = 10
"""Bars in index.html at most; `index.js` has the same figure."""
_PAGES = ("index.html", "example-plain.html", "example-p5.html")
_FILES = ("app.js", "index.js", "example-plain.js", "example-p5.js", "style.css")


class WebBundle(Exporter):
    """The model as files for a web host."""

    id = "web"
    place = 30
    variants = (
        precision.variant("half", "model-web.zip"),
        precision.variant("full", "model-web-full.zip"),
        precision.variant("quarter", "model-web-quarter.zip"),
    )

    def write(self, source: Source, variant: Variant, target: Path, watch: Watch) -> None:
        """Write the archive."""
        kept = cast(Precision, variant.id)
        model = source.at(kept, watch.part(0, 0.5))
        watch.done(0.5)
        metadata = source.metadata
        files = {MODEL: model, **_files(source, kept)}
        files["README.md"] = bundle.readme(metadata, say("export.web.readme"), kept)
        bundle.write_archive(target, metadata, files, _ports(metadata), bundle.folder_of(variant))
        watch.done(1)

    def open(self, path: Path, variant: Variant) -> Runner:
        """Compare every file with what the archive says of it, and run the model inside."""
        return OnnxRunner(_checked(path)[MODEL], MODEL)


EXPORTER = WebBundle()


def _files(source: Source, kept: Precision) -> dict[str, bytes]:
    """Return the pages, the module and the runtime, by their path in the archive."""
    metadata = source.metadata
    here, runtime = assets() / "web", runtime_folder()
    hidden = len(set(metadata.labels)) - SHOWN
    parts = {
        "page_lang": _pages.LOCALE,
        "page_title": html.escape(metadata.project),
        "page_colors": html.escape(" ".join(_pages.colors(source))),
        "page_others": html.escape(say("web.others", count=hidden)) if hidden > 0 else "",
        "page_good": html.escape(_pages.goodness(metadata, kept)),
    }
    pages = {name: _pages.fill((here / name).read_text(encoding="utf-8"), parts, "web").encode() for name in _PAGES}
    return {
        **pages,
        **{name: (here / name).read_bytes() for name in _FILES},
        **{f"{RUNTIME}/{name}": (runtime / name).read_bytes() for name in PAGE_FILES},
        f"{RUNTIME}/LICENSE.txt": (assets() / RUNTIME / "LICENSE.txt").read_bytes(),
        "favicon.svg": (assets() / "studio" / "favicon.svg").read_bytes(),
    }


def _ports(metadata: ModelMetadata) -> dict[str, Any]:
    """Return what `app.js` uses of the model, and below which familiarity it is not sure."""
    shape: list[str | int] = ["batch", len(metadata.labels)]
    outputs = [{"name": "probabilities", "type": "float32", "shape": shape}]
    if metadata.unknown_below is not None:
        outputs.append({"name": "familiarity", "type": "float32", "shape": ["batch"]})
    return {
        "inputs": [{"name": "image", "type": "uint8", "shape": ["batch", "height", "width", 3], "channels": "RGB"}],
        "outputs": outputs,
        **bundle.familiarity(metadata),
    }


def _checked(path: Path) -> dict[str, bytes]:
    """Return the files of an archive, each of them as it was written.

    Raises:
        ModelFileError: one is missing or was changed.
    """
    try:
        files = bundle.read_files(path)
        stated: dict[str, str] = json.loads(files["signature.json"])["files"]
    except (zipfile.BadZipFile, EOFError, KeyError, ValueError) as error:
        raise ModelFileError("export_web_damaged", name=path.name, part="signature.json") from error
    for name, digest in stated.items():
        if name not in files or sha256(files[name]).hexdigest() != digest:
            raise ModelFileError("export_web_damaged", name=path.name, part=name)
    return files
