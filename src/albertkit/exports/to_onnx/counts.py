"""What a file of ONNX holds: bytes of weights, and how many products with weights are in int8."""

import math

import onnx


def counted(model: onnx.ModelProto) -> tuple[int, int, int]:
    """Bytes of all stored arrays, products with a stored weight, and how many of those are in int8."""
    stored = {one.name for one in model.graph.initializer}
    size = sum(_bytes(one) for one in model.graph.initializer)
    makers = {output: node for node in model.graph.node for output in node.output}
    kinds = [node.op_type for node in model.graph.node if _has_weight(node, stored, makers)]
    return size, len(kinds), kinds.count("MatMulInteger")


def _bytes(array: onnx.TensorProto) -> int:
    width = onnx.helper.tensor_dtype_to_np_dtype(array.data_type).itemsize
    return math.prod(array.dims) * width


def _has_weight(node: onnx.NodeProto, stored: set[str], makers: dict[str, onnx.NodeProto]) -> bool:
    """Whether a node is a product whose second factor is stored, as it is or to be transposed."""
    if node.op_type not in ("MatMul", "MatMulInteger"):
        return False
    name = node.input[1]
    while name in makers and makers[name].op_type == "Transpose":
        name = makers[name].input[0]
    return name in stored
