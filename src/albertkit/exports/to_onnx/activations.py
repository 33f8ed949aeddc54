"""The activation functions that `AlbertConfig.hidden_act` may name, in ONNX. All work on any shape, elementwise."""

from collections.abc import Callable

from albertkit.errors import InputError
from albertkit.exports.to_onnx.graph import Graph
from albertkit.typing import Json

Activation = Callable[[Graph, str], str]


def _named(kind: str, **attributes: Json) -> Activation:
    return lambda graph, x: graph.op(kind, x, **attributes)


def _clipped(kind: str, lowest: float, highest: float) -> Activation:
    return lambda graph, x: graph.op("Clip", graph.op(kind, x), graph.number(lowest), graph.number(highest))


def _quick_gelu(graph: Graph, x: str) -> str:
    return graph.op("Mul", x, graph.op("Sigmoid", graph.op("Mul", x, graph.number(1.702))))


def _silu(graph: Graph, x: str) -> str:
    return graph.op("Mul", x, graph.op("Sigmoid", x))


def _squared_relu(graph: Graph, x: str) -> str:
    positive = graph.op("Relu", x)
    return graph.op("Mul", positive, positive)


_TANH_GELU = _named("Gelu", approximate="tanh")
ACTIVATIONS: dict[str, Activation] = {
    "gelu": _named("Gelu", approximate="none"),
    "gelu_new": _TANH_GELU,
    "gelu_pytorch_tanh": _TANH_GELU,
    "gelu_fast": _TANH_GELU,
    "gelu_10": _clipped("Gelu", -10, 10),
    "quick_gelu": _quick_gelu,
    "relu": _named("Relu"),
    "relu6": _clipped("Relu", 0, 6),
    "relu2": _squared_relu,
    "leaky_relu": _named("LeakyRelu", alpha=0.01),
    "silu": _silu,
    "swish": _silu,
    "mish": _named("Mish"),
    "tanh": _named("Tanh"),
    "sigmoid": _named("Sigmoid"),
    "linear": lambda graph, x: x,
}


def activation(name: object) -> Activation:
    """The function that `hidden_act` names. InputError for a function of a framework, which has no ONNX form."""
    if not isinstance(name, str):
        raise InputError(
            f"An export needs an activation that has a name: {', '.join(ACTIVATIONS)}. Received: {name!r}, a function. "
            "Set `hidden_act` of the config to one of these."
        )
    return ACTIVATIONS[name]
