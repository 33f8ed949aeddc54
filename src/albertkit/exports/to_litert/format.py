"""The format LiteRT, converted by TensorFlow, and answered by the interpreter of LiteRT or by TensorFlow's own."""

import importlib.util
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from albertkit.arrays import Tensors
from albertkit.backends import Forward, Outputs
from albertkit.batches import PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.errors import InputError, MissingDependency
from albertkit.exports import base
from albertkit.exports.base import Written
from albertkit.exports.to_litert import operators

FOLDER = "litert"
FILES = {"fp32": "model.tflite", "int8": "model_int8.tflite"}


class LiteRt:
    """Files of LiteRT, for phones, small computers and browsers."""

    name = "litert"
    title = "LiteRT"
    extra = "tensorflow"
    precisions = tuple(FILES)
    needs_trust = False

    def require_installed(self, precision: str | None) -> None:
        """MissingDependency without tensorflow, which writes; to answer ai-edge-litert will do as well."""
        known = ["tensorflow", *(["ai_edge_litert"] if precision is None else [])]
        if all(importlib.util.find_spec(package) is None for package in known):
            raise MissingDependency("The format LiteRT", "tensorflow", "tensorflow")

    def write(
        self,
        config: AlbertConfig,
        head: str,
        tensors: Tensors,
        folder: Path,
        precision: str,
        samples: Sequence[PaddedBatch],
    ) -> Written:
        """Write one file. Scales of activations are measured while it answers, so `samples` are not read."""
        from albertkit.exports.to_litert import convert, counts

        file = f"{FOLDER}/{FILES[precision]}"
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(convert.converted(config, head, tensors, precision == "int8"))
        weights, products, converted, small = counts.counted((folder / file).read_bytes())
        if precision != "int8":
            return Written(file, (file,), weights, products, 0)
        detail = "weights in int8 by output, activations by what they hold"
        if small:
            detail += f"; {small} more, of fewer than {counts.SMALLEST:,} weights, stay in float32"
        return Written(file, (file,), weights, products - small, converted, detail)

    def compile(self, file: Path, config: AlbertConfig, head: str, device: str | None = None) -> Forward:
        """The forward pass by LiteRT on the CPU. InputError for another device."""
        if device not in (None, "cpu"):
            raise InputError(f'`device` must be "cpu" for LiteRT. Received: {device!r}. Leave it out.')
        content, names, own = file.read_bytes(), list(base.OUTPUTS[head]), threading.local()

        def runner() -> Callable[..., Outputs]:
            if not hasattr(own, "run"):  # an interpreter must not be used by two threads at once
                own.interpreter = _interpreter(content)
                own.run = own.interpreter.get_signature_runner()
            return own.run

        def run(given: Tensors) -> Outputs:
            found = runner()(**given)
            return {name: found[name] for name in names}

        runner()  # what is wrong with a file is said now
        return base.forward(config, head, run)


def _interpreter(content: bytes) -> Any:
    """The interpreter of LiteRT where it is installed, or else the one that TensorFlow still has."""
    operators.require_builtin(content)
    if importlib.util.find_spec("ai_edge_litert") is not None:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(model_content=content)
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated", category=UserWarning)
        return tf.lite.Interpreter(model_content=content)
