"""Weights and activations in int8 by NNCF, from samples of what a model will be given."""

import contextlib
import io
import logging
from collections.abc import Sequence

import nncf
import numpy as np
import openvino
from nncf.quantization.advanced_parameters import OverflowFix
from openvino import opset13


def quantized(model: openvino.Model, samples: Sequence[dict[str, np.ndarray]]) -> openvino.Model:
    """The model with its products in int8. Each sample is the inputs of one batch by name.

    Weights have half the range, so that sums do not clip on processors without VNNI.
    """
    logging.getLogger("nncf").setLevel(logging.WARNING)
    _fold_transposed(model)
    with contextlib.redirect_stdout(io.StringIO()):  # bars of its progress
        return nncf.quantize(
            model,
            nncf.Dataset(samples),
            subset_size=len(samples),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
        )


def _fold_transposed(model: openvino.Model) -> None:
    """Let products transpose their weights themselves: NNCF passes over a table that is transposed before."""
    for node in model.get_ops():
        source = node.input_value(1).get_node() if node.get_type_name() == "MatMul" else node
        if source.get_type_name() == "Transpose" and source.input_value(0).get_node().get_type_name() == "Constant":
            folded = opset13.matmul(node.input_value(0), source.input_value(0), False, True)
            folded.set_friendly_name(node.get_friendly_name())
            node.output(0).replace(folded.output(0))
