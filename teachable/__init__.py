"""Teachable: teach a computer by showing it examples.

This file owns the version and the one public shortcut, `Classifier`. Importing the package is cheap: neither torch nor
gradio nor onnxruntime is loaded until something needs them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from teachable.runtime import Classifier, Explanation, Prediction

__version__ = "0.1.0"
__all__ = ["Classifier", "Explanation", "Prediction", "__version__"]


def __getattr__(name: str) -> object:
    """Load the runtime on first use, so that `import teachable` stays instant."""
    if name in {"Classifier", "Explanation", "Prediction"}:
        from teachable import runtime

        return getattr(runtime, name)
    raise AttributeError(f"module 'teachable' has no attribute {name!r}")
