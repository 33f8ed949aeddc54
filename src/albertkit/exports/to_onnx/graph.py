"""An ONNX graph that is being written: nodes in their order, and each stored array once.

Knows no network. Values are known by their names, as in ONNX.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from albertkit.typing import Json

OPSET = 20
"""Of the operators: the first that has Gelu. ONNX Runtime has it from 1.17 on."""
IR_VERSION = 9


class Graph:
    """Nodes, stored arrays, and the scope in which nodes are named."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._stored: dict[str, np.ndarray] = {}
        self._scopes: list[str] = []
        self._used: Counter[str] = Counter()

    @contextlib.contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Nodes made inside have `name` and a slash before theirs."""
        self._scopes.append(name)
        yield
        self._scopes.pop()

    def store(self, name: str, array: np.ndarray) -> str:
        """The name of a stored array, which is kept the first time that it is asked for."""
        self._stored.setdefault(name, np.ascontiguousarray(array))
        return name

    def numbers(self, *values: int) -> str:
        """A stored list of whole numbers, such as a shape."""
        return self.store("shape_" + "_".join(map(str, values)), np.array(values, np.int64))

    def number(self, value: float) -> str:
        """A stored number in float32."""
        return self.store(f"number_{value!r}", np.array(value, np.float32))

    def op(self, kind: str, *inputs: str, name: str = "", **attributes: Json) -> str:
        """The value that an operator makes of others; see `ops`."""
        return self.ops(kind, *inputs, outputs=[name], **attributes)[0]

    def ops(self, kind: str, *inputs: str, outputs: Sequence[str], **attributes: Json) -> list[str]:
        """The values that an operator makes of others, called by `outputs`, or after the operator where that is ""."""
        path = "/".join((*self._scopes, kind))
        self._used[path] += 1
        path = path if self._used[path] == 1 else f"{path}_{self._used[path]}"
        named = [given or f"{path}:{number}" for number, given in enumerate(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), named, name=path, **attributes))
        return named

    def model(self, inputs: Mapping[str, Sequence[str]], outputs: Mapping[str, Sequence[int | str]]) -> onnx.ModelProto:
        """The finished model: int64 inputs and float32 outputs, with the names or sizes of their axes.

        An output whose name ends in `_index` is int64.
        """
        given = [helper.make_tensor_value_info(name, TensorProto.INT64, list(axes)) for name, axes in inputs.items()]
        made = [helper.make_tensor_value_info(name, _kind(name), list(axes)) for name, axes in outputs.items()]
        stored = [numpy_helper.from_array(array, name) for name, array in self._stored.items()]
        graph = helper.make_graph(self._nodes, "albert", given, made, initializer=stored)
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="albertkit")


def _kind(name: str) -> int:
    return TensorProto.INT64 if name.endswith("_index") else TensorProto.FLOAT
