"""The pooling of sentences in ONNX. Letters: B rows, L places, H hidden size."""

import numpy as np
from onnx import TensorProto

from albertkit.exports.to_onnx.graph import Graph
from albertkit.rules import NO_SCORE


def pooled(graph: Graph, states: str, mask: str, mode: str, special_tokens: bool) -> str:
    """(B, L, H) and (B, L) -> (B, H), as `albertkit.torch.heads.pooled`: mean, max, or the state of the first token."""
    with graph.scope("pooling"):
        counted = graph.op("Unsqueeze", _counted(graph, mask, mode, special_tokens), graph.numbers(-1))
        if mode == "max":
            states = graph.op("Where", counted, states, graph.number(NO_SCORE))
            largest = graph.op("ReduceMax", states, graph.numbers(1), keepdims=0)
            is_any = graph.op("Greater", largest, graph.number(NO_SCORE))
            return graph.op("Where", is_any, largest, graph.number(0))
        share = graph.op("Cast", counted, to=TensorProto.FLOAT)
        total = graph.op("ReduceSum", graph.op("Mul", states, share), graph.numbers(1), keepdims=0)
        count = graph.op("ReduceSum", share, graph.numbers(1), keepdims=0)
        return graph.op("Div", total, graph.op("Max", count, graph.number(1)))


def _counted(graph: Graph, mask: str, mode: str, special_tokens: bool) -> str:
    """(B, L) true for the tokens that are pooled. Padding may stand on either side."""
    is_token = graph.op("Cast", mask, to=TensorProto.BOOL)
    if mode != "cls" and special_tokens:
        return is_token
    place = graph.op(
        "Mul", graph.op("CumSum", mask, graph.store("axis_1", np.array(1, np.int64))), mask
    )  # 1 for the first token
    one = graph.numbers(1)
    if mode == "cls":
        return graph.op("Equal", place, one)
    last = graph.op("ReduceMax", place, one)
    return graph.op("And", graph.op("Greater", place, one), graph.op("Less", place, last))
