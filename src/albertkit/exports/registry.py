"""The formats by name. Each is imported when it is chosen."""

import importlib

from albertkit.errors import InputError, did_you_mean
from albertkit.exports.base import ExportFormat

_FORMATS = {
    "onnx": "albertkit.exports.to_onnx.format:Onnx",
    "openvino": "albertkit.exports.to_openvino.format:OpenVino",
    "torch-export": "albertkit.exports.to_torch_export.format:TorchExport",
    "saved-model": "albertkit.exports.to_saved_model.format:SavedModel",
    "litert": "albertkit.exports.to_litert.format:LiteRt",
    "stablehlo": "albertkit.exports.to_stablehlo.format:StableHlo",
}
"""Name -> module:class."""


def names() -> tuple[str, ...]:
    """The names of all formats."""
    return tuple(_FORMATS)


def get(name: str) -> ExportFormat:
    """The format called `name`. InputError where there is none."""
    if name not in _FORMATS:
        near = did_you_mean(name, _FORMATS)
        raise InputError(f"A format must be one of {', '.join(_FORMATS)}. Received: {name!r}.{near}")
    module, _, attribute = _FORMATS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)()
