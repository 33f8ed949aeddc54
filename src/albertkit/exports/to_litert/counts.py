"""What a file of LiteRT holds: bytes of weights, and how many products with weights are in int8."""

import math
from collections.abc import Sequence
from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

SMALLEST = 1024
"""Weights of fewer numbers are left in float32 by the converter."""
_PRODUCTS = (schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOperator.BATCH_MATMUL)


def counted(content: bytes) -> tuple[int, int, int, int]:
    """Bytes of all stored arrays, products with one of them, how many of those are in int8, and how many cannot be.

    Those that cannot have fewer than SMALLEST weights.
    """
    model: Any = schema.ModelT.InitFromPackedBuf(content, 0)
    sizes = [0 if buffer.data is None else len(buffer.data) for buffer in model.buffers]
    weights = [one for graph in model.subgraphs for one in _weights(model, graph, sizes)]
    converted = sum(one.type == schema.TensorType.INT8 for one in weights)
    return sum(sizes), len(weights), converted, len([one for one in weights if math.prod(one.shape) < SMALLEST])


def _weights(model: Any, graph: Any, sizes: Sequence[int]) -> list[Any]:
    """The stored factor of each product in a graph."""
    codes = [max(one.builtinCode, one.deprecatedBuiltinCode) for one in model.operatorCodes]
    factors = [graph.tensors[one.inputs[1]] for one in graph.operators if codes[one.opcodeIndex] in _PRODUCTS]
    return [one for one in factors if sizes[one.buffer]]
