"""A config and its weights -> a whole model in ONNX."""

from collections.abc import Sequence

import onnx

from albertkit.arrays import Tensors
from albertkit.config import AlbertConfig
from albertkit.exports import base
from albertkit.exports.to_onnx import heads
from albertkit.exports.to_onnx.graph import Graph
from albertkit.exports.to_onnx.products import Int8Products, Products

_AXES = {"ForMultipleChoice": ("batch_size", "num_choices", "sequence_length")}


def build(config: AlbertConfig, head: str, weights: Tensors, zero: int | None = None) -> onnx.ModelProto:
    """The model of a head with float32 weights by canonical name, tied ones once.

    Its products are in float32, or in int8 with `zero` as the weights' zero point; see `Int8Products`.
    """
    graph = Graph()
    products = Products(graph, weights) if zero is None else Int8Products(graph, weights, zero)
    heads.HEADS[head](heads.network(graph, products, config), base.INPUTS)
    axes = _AXES.get(head, ("batch_size", "sequence_length"))
    return graph.model(dict.fromkeys(base.INPUTS, axes), _outputs(config, head))


def _outputs(config: AlbertConfig, head: str) -> dict[str, Sequence[int | str]]:
    """The outputs with the names and sizes of their axes."""
    last = {
        "ForMaskedLM": config.vocab_size,
        "ForSequenceClassification": config.num_labels,
        "ForTokenClassification": config.num_labels,
    }.get(head, config.hidden_size)
    shapes = dict(base.OUTPUTS[head])
    if head == "ForSentenceEmbedding":
        shapes = {"last_hidden_state": base.OUTPUTS["Model"]["last_hidden_state"], **shapes}
    return {name: [last if axis is None else axis for axis in axes] for name, axes in shapes.items()}
