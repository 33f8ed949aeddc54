"""The format ONNX, written and read here, and answered by ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path

from albertkit.arrays import Tensors
from albertkit.backends import Forward, Outputs
from albertkit.batches import PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.exports import base
from albertkit.exports.base import Written
from albertkit.typing import Json

FOLDER = "onnx"
"""Where the file lies in the folder of a model: there sentence-transformers and the hub look for it."""
FILES = {
    "fp32": "model.onnx",
    "int8": "model_qint8_avx512_vnni.onnx",
    "uint8": "model_quint8_avx2.onnx",
}
"""The names that both have for each precision."""
ZEROS = {"int8": 0, "uint8": 128}


class Onnx:
    """Files of ONNX, for ONNX Runtime in any language, in browsers and on phones."""

    name = "onnx"
    title = "ONNX"
    extra = "onnx"
    precisions = tuple(FILES)
    needs_trust = False

    def require_installed(self, precision: str | None) -> None:
        """MissingDependency without onnx, which writes, or onnxruntime, which answers."""
        base.require_packages(self, "onnxruntime", *(() if precision is None else ("onnx",)))

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
        import onnx

        from albertkit.exports.to_onnx import counts, network

        file = f"{FOLDER}/{FILES[precision]}"
        model = network.build(config, head, tensors, ZEROS.get(precision))
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        onnx.save(model, folder / file)
        found = onnx.load(folder / file)
        onnx.checker.check_model(found)
        weights, products, converted = counts.counted(found)
        detail = "weights in int8 by output, activations by what they hold" if precision in ZEROS else ""
        return Written(file, (file,), weights, products, converted, detail)

    def compile(self, file: Path, config: AlbertConfig, head: str, device: str | None = None) -> Forward:
        """The forward pass by ONNX Runtime, on the CPU, or with onnxruntime-gpu on a device such as "cuda:0"."""
        import onnxruntime

        from albertkit.exports.to_onnx import exactness

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        graph = exactness.exact_here(file) if file.name == FILES["int8"] else file
        session = onnxruntime.InferenceSession(graph, options, providers=_providers(device))
        names = list(base.OUTPUTS[head])

        def run(inputs: Tensors) -> Outputs:
            found: Json = session.run(names, inputs)
            return dict(zip(names, found, strict=True))

        return base.forward(config, head, run)


def _providers(device: str | None) -> list[str | tuple[str, dict[str, str]]]:
    """What ONNX Runtime calls a device. InputError for one that it has not."""
    import onnxruntime

    kind, _, number = (device or "cpu").partition(":")
    known = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
    name = known.get(kind)
    if name is None or name not in onnxruntime.get_available_providers():
        raise InputError(
            f"`device` must be one that ONNX Runtime can use here. Received: {device!r}. Leave it out, or pass "
            '"cpu"; a GPU needs the package onnxruntime-gpu.'
        )
    return ["CPUExecutionProvider"] if kind == "cpu" else [(name, {"device_id": number or "0"}), "CPUExecutionProvider"]
