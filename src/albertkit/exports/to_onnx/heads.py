"""The heads of ALBERT in ONNX: what each makes of the encoder's states, as `albertkit.torch.models` does.

Letters: B rows, C choices or classes, L places, H hidden size, V vocabulary, K starts, M ends for each.
"""

from collections.abc import Callable
from typing import NamedTuple

from albertkit.config import AlbertConfig
from albertkit.exports.to_onnx.activations import activation
from albertkit.exports.to_onnx.answer_heads import beams
from albertkit.exports.to_onnx.encoder import Encoder
from albertkit.exports.to_onnx.graph import Graph
from albertkit.exports.to_onnx.pooling import pooled
from albertkit.exports.to_onnx.products import Products


class Network(NamedTuple):
    """What a head is built of."""

    graph: Graph
    products: Products
    encoder: Encoder
    config: AlbertConfig


Inputs = tuple[str, str, str]
"""The names of input_ids, attention_mask and token_type_ids."""
Head = Callable[[Network, Inputs], None]
"""Adds the nodes of a head, whose last ones have the names of its outputs."""


def network(graph: Graph, products: Products, config: AlbertConfig) -> Network:
    """The parts for a head."""
    return Network(graph, products, Encoder(graph, products, config), config)


def _encoder(net: Network, inputs: Inputs) -> None:
    states = _named(net, "last_hidden_state", net.encoder.states(*inputs))
    _named(net, "pooler_output", net.encoder.pooled(states))


def _masked_lm(net: Network, inputs: Inputs) -> None:
    states = net.encoder.states(*inputs)
    with net.graph.scope("predictions"):
        x = activation(net.config.hidden_act)(net.graph, net.products.dense(states, "predictions.dense"))
        x = net.products.scores(net.encoder.norm(x, "predictions.LayerNorm"))
        net.graph.op("Add", x, net.products.weight("predictions.bias"), name="logits")


def _sequence_classification(net: Network, inputs: Inputs) -> None:
    states = net.encoder.states(*inputs, only_first=True)
    _named(net, "logits", net.products.dense(net.encoder.pooled(states), "classifier"))


def _multiple_choice(net: Network, inputs: Inputs) -> None:
    """(B, C, L) -> (B, C): choices go through the encoder as (B * C, L)."""
    graph = net.graph
    length = graph.op("Shape", inputs[0], start=2, end=3)
    shape = graph.op("Concat", graph.numbers(-1), length, axis=0)
    ids, mask, types = (graph.op("Reshape", x, shape) for x in inputs)
    states = net.encoder.states(ids, mask, types, only_first=True)
    scores = net.products.dense(net.encoder.pooled(states), "classifier")
    graph.op("Reshape", scores, graph.op("Shape", inputs[0], start=0, end=2), name="logits")


def _token_classification(net: Network, inputs: Inputs) -> None:
    _named(net, "logits", net.products.dense(net.encoder.states(*inputs), "classifier"))


def _question_answering(net: Network, inputs: Inputs) -> None:
    scores = net.products.dense(net.encoder.states(*inputs), "qa_outputs")
    for name, part in zip(
        ("start_logits", "end_logits"),
        net.graph.ops("Split", scores, outputs=["", ""], axis=-1, num_outputs=2),
        strict=True,
    ):
        net.graph.op("Squeeze", part, net.graph.numbers(-1), name=name)


def _beam_search(net: Network, inputs: Inputs) -> None:
    states = net.encoder.states(*inputs)
    beams(net.graph, net.products, net.encoder.norm, net.config, states, inputs[1], inputs[2])


def _sentence_embedding(net: Network, inputs: Inputs) -> None:
    """With the hidden states beside: other programs pool these themselves."""
    states = _named(net, "last_hidden_state", net.encoder.states(*inputs))
    found = pooled(net.graph, states, inputs[1], net.config.sentence_pooling, net.config.sentence_special_tokens)
    _named(net, "sentence_embedding", found)


def _named(net: Network, name: str, x: str) -> str:
    return net.graph.op("Identity", x, name=name)


HEADS: dict[str, Head] = {
    "Model": _encoder,
    "ForMaskedLM": _masked_lm,
    "ForSequenceClassification": _sequence_classification,
    "ForMultipleChoice": _multiple_choice,
    "ForTokenClassification": _token_classification,
    "ForQuestionAnswering": _question_answering,
    "ForQuestionAnsweringBeamSearch": _beam_search,
    "ForSentenceEmbedding": _sentence_embedding,
}
