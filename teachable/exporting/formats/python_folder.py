"""A folder with the model and small Python programs that use it: photos, a webcam, a Raspberry Pi.

It owns what is in the folder. The programs are in `assets/programs/folder`, but for the one for the Raspberry Pi, which
is the one that people can also copy from the page.
"""

from pathlib import Path
from typing import cast

from teachable.exporting import bundle, precision
from teachable.exporting.exporter import Exporter, Precision, Source, Variant, Watch
from teachable.exporting.onnx_runner import OnnxRunner
from teachable.exporting.programs import programs
from teachable.resources import assets
from teachable.words import say

MODEL = "model.onnx"


class PythonFolder(Exporter):
    """A zip file with the model, programs and what they need."""

    id = "python"
    place = 40
    variants = (
        precision.variant("full", "model-python.zip"),
        precision.variant("half", "model-python-half.zip"),
        precision.variant("quarter", "model-python-quarter.zip"),
    )

    def write(self, source: Source, variant: Variant, target: Path, watch: Watch) -> None:
        """Write the archive."""
        kept = cast(Precision, variant.id)
        model = source.at(kept, watch.part(0, 0.9))
        folder = assets() / "programs" / "folder"
        board = next(one for one in programs(source.metadata, MODEL) if one.id == "pi")
        about = say("export.python.readme", folder=bundle.folder_of(variant), program=board.file, install=board.install)
        files = {
            MODEL: model,
            "predict.py": (folder / "predict.py.txt").read_bytes(),
            "webcam.py": (folder / "webcam.py.txt").read_bytes(),
            "requirements.txt": (folder / "requirements.txt").read_bytes(),
            board.file: board.code.encode(),
            "README.md": bundle.readme(source.metadata, about, kept),
        }
        ports = bundle.photo_ports(source.metadata)
        bundle.write_archive(target, source.metadata, files, ports, bundle.folder_of(variant))
        watch.done(1)

    def open(self, path: Path, variant: Variant) -> OnnxRunner:
        """Open the model as it is in the archive."""
        return OnnxRunner.inside(path, MODEL)


EXPORTER = PythonFolder()
