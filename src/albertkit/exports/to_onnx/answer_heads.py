"""The search for an answer in ONNX, as `albertkit.torch.answer_heads` does it.

Letters: B rows, L places, H hidden size, K starts, M ends for each.
"""

from collections.abc import Callable

from onnx import TensorProto

from albertkit.config import AlbertConfig
from albertkit.exports.to_onnx.graph import Graph
from albertkit.exports.to_onnx.products import Products
from albertkit.rules import NO_SCORE

Norm = Callable[[str, str], str]


def beams(
    graph: Graph, products: Products, norm: Norm, config: AlbertConfig, states: str, mask: str, types: str
) -> None:
    """Nodes with the five outputs of the head, from states (B, L, H), mask and token types (B, L)."""
    closed = _closed(graph, mask, types)
    with graph.scope("start_logits"):
        starts = _masked(graph, graph.op("Squeeze", products.dense(states, "start_logits.dense"), _last(graph)), closed)
        log_probs = graph.op("LogSoftmax", starts, axis=-1)
        count = _at_most(graph, config.start_n_top, mask)
        names = ["start_top_log_probs", "start_top_index"]
        _, places = graph.ops("TopK", log_probs, count, outputs=names, axis=-1, largest=1, sorted=1)
    with graph.scope("end_logits"):
        ends = graph.op("LogSoftmax", _ends(graph, products, norm, states, places, closed), axis=-1)
        count = _at_most(graph, config.end_n_top, mask)
        found = graph.ops("TopK", ends, count, outputs=["", ""], axis=-1, largest=1, sorted=1)
        for name, values in zip(("end_top_log_probs", "end_top_index"), found, strict=True):
            graph.op("Flatten", values, name=name, axis=1)
    _answer_class(graph, products, config, states, starts)


def _closed(graph: Graph, mask: str, types: str) -> str:
    """(B, L) true where no answer can start or end; see `albertkit.torch.answer_heads.answer_mask`."""
    with graph.scope("answer_mask"):
        second = graph.op("Equal", types, graph.numbers(1))
        shifted = graph.op("Slice", second, graph.numbers(1), graph.numbers(2**31), graph.numbers(1))
        shifted = graph.op("Cast", shifted, to=TensorProto.INT64)
        shifted = graph.op("Pad", shifted, graph.numbers(0, 0, 0, 1))
        inner = graph.op("And", second, graph.op("Cast", shifted, to=TensorProto.BOOL))
        first = graph.op("Slice", mask, graph.numbers(0), graph.numbers(1), graph.numbers(1))
        rest = graph.op("Slice", inner, graph.numbers(1), graph.numbers(2**31), graph.numbers(1))
        first = graph.op("Equal", first, first)  # true: no answer stands at [CLS]
        is_open = graph.op("Concat", first, rest, axis=1)
        return graph.op("Not", graph.op("And", is_open, graph.op("Cast", mask, to=TensorProto.BOOL)))


def _masked(graph: Graph, scores: str, closed: str) -> str:
    return graph.op("Where", closed, graph.number(NO_SCORE), scores)


def _last(graph: Graph) -> str:
    return graph.numbers(-1)


def _at_most(graph: Graph, count: int, mask: str) -> str:
    """A number, or L where that is less."""
    return graph.op("Min", graph.numbers(count), graph.op("Shape", mask, start=1, end=2))


def _ends(graph: Graph, products: Products, norm: Norm, states: str, starts: str, closed: str) -> str:
    """(B, L, H) and places (B, K) -> scores of ends (B, K, L).

    The layer reads a place's state and the start's side by side. Its product is taken apart, so that L + K rows are
    multiplied in place of L * K.
    """
    name, width = "end_logits.dense_0", products.tensors["end_logits.LayerNorm.weight"].shape[0]
    begun = graph.op("GatherND", states, graph.op("Unsqueeze", starts, _last(graph)), batch_dims=1)
    own = graph.op("Unsqueeze", products.dense(states, name, slice(0, width)), graph.numbers(1))
    theirs = graph.op("Unsqueeze", products.dense(begun, name, slice(width, None)), graph.numbers(2))
    both = graph.op("Add", graph.op("Add", own, theirs), products.weight(f"{name}.bias"))
    x = norm(graph.op("Tanh", both), "end_logits.LayerNorm")
    scores = graph.op("Squeeze", products.dense(x, "end_logits.dense_1"), _last(graph))
    return _masked(graph, scores, graph.op("Unsqueeze", closed, graph.numbers(1)))


def _answer_class(graph: Graph, products: Products, config: AlbertConfig, states: str, starts: str) -> None:
    """The log odds of there being no answer, cls_logits (B,)."""
    with graph.scope("answer_class"):
        chances = graph.op("Unsqueeze", graph.op("Softmax", starts, axis=-1), graph.numbers(1))
        begun = graph.op("Squeeze", graph.op("MatMul", chances, states), graph.numbers(1))
        first = graph.op("Squeeze", graph.op("Gather", states, graph.numbers(0), axis=1), graph.numbers(1))
        x = graph.op("Concat", begun, first, axis=-1)
        x = graph.op("Tanh", products.dense(x, "answer_class.dense_0"))
        graph.op("Squeeze", products.dense(x, "answer_class.dense_1"), _last(graph), name="cls_logits")
