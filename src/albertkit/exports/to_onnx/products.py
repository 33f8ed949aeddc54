"""Products with weights, and the table of words, in float32 or in int8. A shared weight is stored once in either.

Letters: E embedding size, V vocabulary, I inputs and O outputs of a product.
"""

import numpy as np
from onnx import TensorProto

from albertkit.arrays import Tensors
from albertkit.exports.to_onnx.graph import Graph

WORDS = "albert.embeddings.word_embeddings.weight"
DECODER = "predictions.decoder.weight"


class Products:
    """Products in float32."""

    def __init__(self, graph: Graph, tensors: Tensors) -> None:
        self.graph, self.tensors = graph, tensors

    def weight(self, name: str) -> str:
        """A stored tensor as it is."""
        return self.graph.store(name, self.tensors[name])

    def dense(self, x: str, name: str, columns: slice | None = None) -> str:
        """(..., I) -> (..., O) with the weight and, where it has one, the bias of a layer.

        With `columns` only these inputs of the layer are there, and the bias is left to the caller.
        """
        weight, stored = self.tensors[f"{name}.weight"], f"{name}.weight"
        if columns is not None:
            weight, stored = weight[:, columns], f"{stored}.{columns.start}"
        return self._with_bias(self._product(x, stored, weight), name, columns is None)

    def words(self, ids: str) -> str:
        """(B, L) ids -> (B, L, E), the rows of the table of words."""
        return self.graph.op("Gather", self.weight(WORDS), ids, axis=0)

    def scores(self, x: str) -> str:
        """(B, L, E) -> (B, L, V): the product with the decoder's weight, which is the table of words unless untied."""
        name = DECODER if DECODER in self.tensors else WORDS
        return self.graph.op("MatMul", x, self.graph.op("Transpose", self.weight(name), perm=(1, 0)))

    def _product(self, x: str, stored: str, weight: np.ndarray) -> str:
        return self.graph.op("MatMul", x, self.graph.store(stored, weight.T))

    def _with_bias(self, x: str, name: str, is_wanted: bool) -> str:
        bias = f"{name}.bias"
        return self.graph.op("Add", x, self.weight(bias)) if is_wanted and bias in self.tensors else x


class Int8Products(Products):
    """Products in int8: a scale for each output of a weight, and for activations one that is measured as they come.

    The steps are those that ONNX Runtime makes one of. `zero` is what stands for 0 in weights: 0 in int8, or 128 in
    uint8, whose products are exact on processors without VNNI as well.
    """

    def __init__(self, graph: Graph, tensors: Tensors, zero: int = 0) -> None:
        super().__init__(graph, tensors)
        self._zero, self._dtype = zero, np.uint8 if zero else np.int8
        self._quantized: dict[str, list[str]] = {}

    def words(self, ids: str) -> str:
        """As in float32, from rows in int8 with a scale each."""
        table, scale = self._stored(WORDS, self.tensors[WORDS], is_table=True)
        rows = self.graph.op("Cast", self.graph.op("Gather", table, ids, axis=0), to=TensorProto.FLOAT)
        rows = self.graph.op("Sub", rows, self.graph.op("Cast", self._zero_point(), to=TensorProto.FLOAT))
        scales = self.graph.op("Gather", scale, ids, axis=0)
        return self.graph.op("Mul", rows, self.graph.op("Unsqueeze", scales, self.graph.numbers(-1)))

    def scores(self, x: str) -> str:
        """As in float32, from the same rows in int8."""
        name = DECODER if DECODER in self.tensors else WORDS
        table, scale = self._stored(name, self.tensors[name], is_table=True)
        return self._integer_product(x, self.graph.op("Transpose", table, perm=(1, 0)), scale)

    def _product(self, x: str, stored: str, weight: np.ndarray) -> str:
        return self._integer_product(x, *self._stored(stored, weight, is_table=False))

    def _stored(self, name: str, weight: np.ndarray, is_table: bool) -> tuple[str, str]:
        """The names of a weight (O, I) in int8, stored as (I, O) unless it is a table, and of its scales (O,)."""
        largest = np.abs(weight).max(axis=1)
        scale = (np.where(largest > 0, largest, 127) / 127).astype(np.float32)
        rounded = (np.rint(weight / scale[:, None]) + self._zero).astype(self._dtype)
        stored = self.graph.store(f"{name}_quantized", rounded if is_table else rounded.T)
        return stored, self.graph.store(f"{name}_scale", scale)

    def _integer_product(self, x: str, weight: str, scale: str) -> str:
        if x not in self._quantized:  # queries, keys and values are made of one input
            self._quantized[x] = self.graph.ops("DynamicQuantizeLinear", x, outputs=["", "", ""])
        values, own_scale, own_zero = self._quantized[x]
        product = self.graph.op("MatMulInteger", values, weight, own_zero, self._zero_point())
        scales = self.graph.op("Mul", own_scale, scale)
        return self.graph.op("Mul", self.graph.op("Cast", product, to=TensorProto.FLOAT), scales)

    def _zero_point(self) -> str:
        return self.graph.store("weight_zero_point", np.array(self._zero, self._dtype))
