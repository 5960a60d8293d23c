"""The model file itself, as the preview runs it, and two smaller ones.

It owns the choices and running them. How the smaller ones are made, and what they are held to, is in `precision`.
"""

from pathlib import Path
from typing import cast

from teachable.exporting import precision
from teachable.exporting.exporter import Exporter, Precision, Runner, Source, Variant, Watch
from teachable.exporting.onnx_runner import OnnxRunner


class OnnxFile(Exporter):
    """One ONNX file: raw photo in, probabilities out."""

    id = "onnx"
    place = 10
    media_type = "application/octet-stream"
    variants = (
        precision.variant("full", "model.onnx"),
        precision.variant("half", "model-half.onnx"),
        precision.variant("quarter", "model-quarter.onnx"),
    )

    def write(self, source: Source, variant: Variant, target: Path, watch: Watch) -> None:
        """Write the model file at the precision the variant is named after."""
        target.write_bytes(source.at(cast(Precision, variant.id), watch))
        watch.done(1.0)

    def open(self, path: Path, variant: Variant) -> Runner:
        """Open a written file; it answers with probabilities and embeddings."""
        return OnnxRunner(path.read_bytes(), variant.file)


EXPORTER = OnnxFile()
