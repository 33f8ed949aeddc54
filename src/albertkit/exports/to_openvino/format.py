"""The format OpenVINO IR, written and answered by OpenVINO: a .xml with the graph and a .bin with the weights."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from albertkit.arrays import Tensors
from albertkit.backends import Forward, Outputs
from albertkit.batches import PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.exports import base
from albertkit.exports.base import Written
from albertkit.exports.to_openvino.reports import unreported

FOLDER = "openvino"
"""Where the files lie in the folder of a model: there sentence-transformers and the hub look for them."""
FILES = {
    "fp32": "openvino_model.xml",
    "fp16": "openvino_model_fp16.xml",
    "int8": "openvino_model_qint8_quantized.xml",
}
"""Those of float32 and int8 have the names that both look for."""

SHAPES_KEPT = 8
"""Shapes of batches whose prepared kernels are kept. Without a bound memory grows with every new shape."""
SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
"""In float32 where a product is not of int8: left to itself OpenVINO takes bfloat16 on some processors."""


class OpenVino:
    """The intermediate representation of OpenVINO, for processors and GPUs of Intel and for ARM."""

    name = "openvino"
    title = "OpenVINO IR"
    extra = "openvino"
    precisions = tuple(FILES)
    needs_trust = False

    def require_installed(self, precision: str | None) -> None:
        """MissingDependency without openvino, without onnx to write, and without nncf for int8."""
        to_write = () if precision is None else ("onnx",)
        base.require_packages(self, "openvino", *to_write, *(("nncf",) if precision == "int8" else ()))

    def write(
        self,
        config: AlbertConfig,
        head: str,
        tensors: Tensors,
        folder: Path,
        precision: str,
        samples: Sequence[PaddedBatch],
    ) -> Written:
        """Write the two files. Scales of activations in int8 are those that NNCF measures on `samples`."""
        from albertkit.exports.to_onnx import network

        with unreported():
            import openvino

            from albertkit.exports.to_openvino import counts, quantize

        detail = ""
        model = openvino.Core().read_model(network.build(config, head, tensors).SerializeToString())
        if precision == "int8":
            model = quantize.quantized(model, [base.inputs(config, batch) for batch in samples])
            detail = f"weights and activations in int8 by NNCF, scales measured on {len(samples)} batches"
        file = f"{FOLDER}/{FILES[precision]}"
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        openvino.save_model(model, folder / file, compress_to_fp16=precision == "fp16")
        weights = Path(file).with_suffix(".bin").as_posix()
        products, converted = counts.counted(openvino.Core().read_model(folder / file))
        size = (folder / weights).stat().st_size
        return Written(file, (file, weights), size, products, converted, detail)

    def compile(self, file: Path, config: AlbertConfig, head: str, device: str | None = None) -> Forward:
        """The forward pass by OpenVINO, on the CPU or on a device such as "gpu" or "gpu:1"."""
        with unreported():
            import openvino

        core, place = openvino.Core(), _device(device)
        settings = {**SETTINGS, **({"CPU_RUNTIME_CACHE_CAPACITY": str(SHAPES_KEPT)} if place == "CPU" else {})}
        compiled = core.compile_model(core.read_model(file), place, settings)
        names, own = list(base.OUTPUTS[head]), threading.local()

        def run(inputs: Tensors) -> Outputs:
            if not hasattr(own, "request"):  # one request must not be used by two threads at once
                own.request = compiled.create_infer_request()
            own.request.infer(inputs, share_inputs=True)
            return {name: np.array(own.request.get_tensor(name).data) for name in names}

        return base.forward(config, head, run)


def _device(device: str | None) -> str:
    """What OpenVINO calls a device. InputError for one that it has not."""
    import openvino

    place = (device or "cpu").upper().replace(":", ".")
    known = openvino.Core().available_devices
    if place.partition(".")[0] not in {one.partition(".")[0] for one in known}:
        raise InputError(
            f"`device` must be one that OpenVINO can use here: {', '.join(known).lower()}. Received: {device!r}. Leave "
            'it out, or pass "cpu".'
        )
    return place
