"""What a model of OpenVINO holds: how many products with weights there are, and how many of those are in int8."""

import openvino

_PASSED = ("Convert", "Multiply", "Subtract", "FakeQuantize", "Reshape", "Transpose")
"""What may stand between a stored weight and its product."""


def counted(model: openvino.Model) -> tuple[int, int]:
    """Products with a stored weight, and how many of them have weights and activations of a byte a number."""
    found = [node for node in model.get_ops() if node.get_type_name() == "MatMul" and _stored(node, 1) is not None]
    return len(found), sum(_stored(node, 1) in ("i8", "u8") and _is_quantized(node) for node in found)


def _stored(node: openvino.Node, number: int) -> str | None:
    """The element type of the constant behind an input of a node, or None where there is none."""
    source = node.input_value(number).get_node()
    while source.get_type_name() in _PASSED:
        source = source.input_value(0).get_node()
    return source.get_output_element_type(0).get_type_name() if source.get_type_name() == "Constant" else None


def _is_quantized(node: openvino.Node) -> bool:
    """Whether the activations of a product are rounded before it."""
    source = node.input_value(0).get_node()
    while source.get_type_name() in ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Multiply"):
        source = source.input_value(0).get_node()
    return source.get_type_name() == "FakeQuantize"
