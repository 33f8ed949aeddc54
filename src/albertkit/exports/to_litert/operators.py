"""Which operators a file of LiteRT asks for."""

import importlib.util
from typing import Any

from albertkit.errors import CheckpointError


def require_builtin(content: bytes) -> None:
    """CheckpointError for a file with operators that are not LiteRT's own.

    Where TensorFlow is loaded an interpreter may run those of TensorFlow, too, among them such as read and write files.
    """
    model: Any = _schema().Model.GetRootAs(content, 0)
    codes = [model.OperatorCodes(number) for number in range(model.OperatorCodesLength())]
    if others := [code.CustomCode() for code in codes if code.CustomCode() is not None]:
        raise CheckpointError(
            f"A file of LiteRT must compute with LiteRT's own operators alone. Received: {others[0]!r}. Export the "
            "model again."
        )


def _schema() -> Any:
    """How such files are laid out, of the package that is there."""
    if importlib.util.find_spec("ai_edge_litert") is not None:
        return importlib.import_module("ai_edge_litert.schema_py_generated")
    return importlib.import_module("tensorflow.lite.python.schema_py_generated")
