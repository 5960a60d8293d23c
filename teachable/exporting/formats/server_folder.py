"""A folder that serves the model over HTTP, on any computer with Python or Docker, without Teachable.

It owns what is in the folder: the model, and of this package those modules that the server needs, as they are, so that
photos are read there exactly as they are here. Which those are is found by following their imports.
"""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import teachable
from teachable.exporting import bundle, precision
from teachable.exporting.exporter import Exporter, Precision, Runner, Source, Variant, Watch
from teachable.exporting.onnx_runner import OnnxRunner
from teachable.resources import assets
from teachable.words import catalogue, say

MODEL = "model.onnx"
SERVER = "teachable.model_server"

# Texts of the server; those of the page and of training stay at home.
_TEXTS = ("api.server.", "cli.help.", "cli.serve_model.", "error.")
_PAGE_FILES = ("openapi.json", "page.css", "page.html", "page.mjs")


class ServerFolder(Exporter):
    """A zip file with the model, a server and a Dockerfile."""

    id = "server"
    place = 50
    variants = (
        precision.variant("full", "model-server.zip"),
        precision.variant("half", "model-server-half.zip"),
        precision.variant("quarter", "model-server-quarter.zip"),
    )

    def write(self, source: Source, variant: Variant, target: Path, watch: Watch) -> None:
        """Write the archive."""
        kept = cast(Precision, variant.id)
        model = source.at(kept, watch.part(0, 0.9))
        folder = bundle.folder_of(variant)
        about = say("export.server.readme", folder=folder, labels=len(source.metadata.labels))
        files = {
            **{
                name: (assets() / "server" / name).read_bytes()
                for name in ("Dockerfile", "requirements.txt", "server.py")
            },
            **package_files(),
            MODEL: model,
            "README.md": bundle.readme(source.metadata, about, kept),
        }
        ports = bundle.photo_ports(source.metadata)
        bundle.write_archive(target, source.metadata, files, ports, folder)
        watch.done(1)

    def open(self, path: Path, variant: Variant) -> Runner:
        """Open the model as it is in the archive."""
        return OnnxRunner.inside(path, MODEL)


def package_files() -> dict[str, bytes]:
    """Return by path the modules of this package that the server needs, its texts and its page."""
    package = Path(teachable.__file__).parent
    folder = assets() / "server"
    texts = {key: text for key, text in catalogue().items() if key.startswith(_TEXTS)}
    words = json.dumps(texts, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    return {
        **{f"teachable/{path.name}": path.read_bytes() for path in sorted(_needed(package, SERVER))},
        **{f"teachable/assets/server/{name}": (folder / name).read_bytes() for name in _PAGE_FILES},
        "teachable/assets/locales/en.json": words.encode(),
    }


def _needed(package: Path, module: str) -> set[Path]:
    """Return the files of a module and of all that it imports from this package, directly or not."""
    waiting, files = [module], {package / "__init__.py"}
    while waiting:
        path = package / f"{waiting.pop().partition('.')[2]}.py"
        if path in files or not path.is_file():
            continue
        files.add(path)
        waiting.extend(_imports(path))
    return files


def _imports(path: Path) -> Iterator[str]:
    """Yield what a file imports of this package when it is loaded."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module == "teachable":
            yield from (f"teachable.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("teachable."):
            yield str(node.module)


EXPORTER = ServerFolder()
