"""Products in int8 that stay exact on processors without VNNI.

There ONNX Runtime adds pairs of products of uint8 activations and int8 weights in 16 bits, which clip in silence. Its
own way out, the option session.x64quantprecision, fails where products share a weight. With weights in uint8 and 128 as
their zero point nothing clips, and every result is the same.
"""

import functools
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def exact_here(file: Path) -> Path | bytes:
    """A file with weights in int8 as it is where products are exact, or else its content with weights in uint8."""
    return file if _is_exact() else as_uint8(onnx.load(file)).SerializeToString()


def as_uint8(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every stored array of int8, zero points among them, moved by 128 into uint8."""
    for stored in model.graph.initializer:
        if stored.data_type == TensorProto.INT8:
            moved = numpy_helper.to_array(stored).view(np.uint8) ^ np.uint8(128)
            stored.CopyFrom(numpy_helper.from_array(moved, stored.name))
    return model


@functools.cache
def _is_exact() -> bool:
    """Whether the largest product of uint8 and int8 comes out right on this processor."""
    size = 64
    weight = numpy_helper.from_array(np.full((size, size), 127, np.int8), "weight")
    node = helper.make_node("MatMulInteger", ["x", "weight"], ["y"])
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, [size, size])
    y = helper.make_tensor_value_info("y", TensorProto.INT32, [size, size])
    graph = helper.make_graph([node], "probe", [x], [y], initializer=[weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["y"], {"x": np.full((size, size), 255, np.uint8)})
    return bool(np.all(np.asarray(found) == 255 * 127 * size))
