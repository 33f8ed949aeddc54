"""The table of word embeddings in int8: stored once, where LiteRT's converter stores it twice.

The converter gives the scores of words a copy with a scale for each word, and the lookup one with a scale for all. Here
both read the first: rows are looked up as whole numbers and multiplied by their scales, which are looked up, too.
"""

import copy
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

_KIND = schema.BuiltinOperator


def with_one(content: bytes) -> bytes:
    """The file with one copy of each table that is both looked up in and multiplied by."""
    model: Any = schema.ModelT.InitFromPackedBuf(content, 0)
    codes = [max(one.builtinCode, one.deprecatedBuiltinCode) for one in model.operatorCodes]
    changed = False
    for graph in model.subgraphs:
        kinds = {kind: [one for one in graph.operators if codes[one.opcodeIndex] == kind] for kind in set(codes)}
        for lookup in kinds.get(_KIND.GATHER, []):
            for product in kinds.get(_KIND.FULLY_CONNECTED, []):
                if _is_same(model, graph.tensors[product.inputs[1]], graph.tensors[lookup.inputs[0]]):
                    (numbers,) = (one for one in kinds[_KIND.DEQUANTIZE] if one.inputs[0] == lookup.outputs[0])
                    _share(model, graph, lookup, numbers, product.inputs[1], codes.index(_KIND.MUL))
                    changed = True
    return flatbuffer_utils.convert_object_to_bytearray(model) if changed else content


def _is_same(model: Any, one: Any, other: Any) -> bool:
    """Whether two stored arrays in int8 are the same numbers, but for rounding."""
    if one is other or one.type != schema.TensorType.INT8 or other.type != one.type:
        return False
    if list(one.shape) != list(other.shape):
        return False
    step = float(np.max(other.quantization.scale))
    return bool(np.allclose(_numbers(model, one), _numbers(model, other), rtol=0, atol=step))


def _numbers(model: Any, tensor: Any) -> np.ndarray:
    whole = model.buffers[tensor.buffer].data.view(np.int8).reshape(tensor.shape)
    return whole * np.reshape(tensor.quantization.scale, (-1, *[1] * (whole.ndim - 1)))


def _share(model: Any, graph: Any, lookup: Any, numbers: Any, table: int, multiply: int) -> None:
    """Let a lookup, whose rows become `numbers`, read a table with a scale for each row."""
    ids, rows, result = int(lookup.inputs[1]), graph.tensors[lookup.outputs[0]], int(numbers.outputs[0])
    model.buffers[graph.tensors[lookup.inputs[0]].buffer].data = None
    graph.tensors[lookup.inputs[0]].buffer = graph.tensors[table].buffer
    rows.quantization = copy.copy(rows.quantization)
    rows.quantization.scale = np.ones(1, np.float32)
    whole = _added(graph, result, "whole")
    scales = _added(graph, result, "scales", [len(graph.tensors[table].quantization.scale), 1])
    chosen = _added(graph, result, "chosen", [*graph.tensors[result].shape[:-1], 1])
    stored: Any = schema.BufferT()
    stored.data = np.asarray(graph.tensors[table].quantization.scale, np.float32).view(np.uint8)
    graph.tensors[scales].buffer = len(model.buffers)
    model.buffers.append(stored)
    place = graph.operators.index(numbers)
    graph.operators[place + 1 : place + 1] = [
        _like(lookup, [scales, ids], chosen),
        _product(multiply, [whole, chosen], result),
    ]
    lookup.inputs, numbers.outputs = np.array([table, ids], np.int32), np.array([whole], np.int32)


def _added(graph: Any, like: int, name: str, shape: list[int] | None = None) -> int:
    """The number of a new tensor of floats without content, of the shape of another or of one of its own."""
    tensor = copy.copy(graph.tensors[like])
    tensor.name = f"albertkit/{name}".encode()
    if shape is not None:
        tensor.shape = np.array(shape, np.int32)
        signature = tensor.shapeSignature
        is_stored = len(shape) == 2 and len(graph.tensors[like].shape) != 2
        tensor.shapeSignature = None if signature is None or is_stored else np.array([*signature[:-1], 1], np.int32)
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _like(operator: Any, inputs: list[int], output: int) -> Any:
    made = copy.copy(operator)
    made.inputs, made.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
    return made


def _product(code: int, inputs: list[int], output: int) -> Any:
    made: Any = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = code, np.array(inputs, np.int32), np.array([output], np.int32)
    made.builtinOptionsType, made.builtinOptions = schema.BuiltinOptions.MulOptions, schema.MulOptionsT()
    return made
