"""What the layers of a model say of keys of its config, for they compute as they were built whatever the config says.

The layers of the three frameworks have the same attributes, and this knows no other thing of them.
"""

import functools
from collections.abc import Callable, Iterable, Mapping

from albertkit import weight_table
from albertkit.config import AlbertConfig
from albertkit.typing import Model

LayerKeys = dict[str, list[Model]]
"""The different values that layers have, by the key of the config. One value, unless someone changed some layers."""


def layer_keys(model: Model, epsilon: str, activations: Mapping[str, Callable]) -> LayerKeys:
    """What the layers of a model say; nothing of a model without an encoder that is known here.

    `epsilon` is what a norm calls its small constant, and `activations` are the functions of the framework by name.
    """
    encoder = getattr(model.base_model, "encoder", None)
    groups = getattr(encoder, "albert_layer_groups", None)
    if encoder is None or groups is None:
        return {}
    layers = [layer for group in groups for layer in getattr(group, "albert_layers", ())]
    blocks = [*layers, *(getattr(layer, "attention", None) for layer in layers), getattr(model, "predictions", None)]
    norms = [getattr(model.base_model.embeddings, "LayerNorm", None)]
    norms += [getattr(block, name, None) for block in blocks for name in ("full_layer_layer_norm", "LayerNorm")]
    functions = [getattr(block, "activation", None) for block in blocks]
    return {
        "layer_norm_eps": _different(getattr(norm, epsilon, None) for norm in norms),
        "num_attention_heads": _different(getattr(block, "num_attention_heads", None) for block in blocks),
        "hidden_act": _different(_activation(function, model.config, activations) for function in functions),
        "inner_group_num": _different(len(getattr(group, "albert_layers", ())) or None for group in groups),
        "num_hidden_groups": [len(groups)],
        "num_hidden_layers": [len(encoder.group_of_layer)],
        "group_of_layer": [tuple(encoder.group_of_layer)],
    }


def other_kinds(model: Model, names: Iterable[str], is_plain: Callable[[Model], bool]) -> dict[str, str]:
    """The type of each layer with a weight of the table that is not one of the plain layers of a framework, by path.

    `names` are those of the model's tensors, and `is_plain` says of a layer whether it is one that albertkit builds.
    """
    found: dict[str, str] = {}
    prefix = model.checkpoint_prefix
    for name in filter(weight_table.is_known, names):
        path = name.removeprefix(prefix).rpartition(".")[0]
        layer = _at(model, path)
        if layer is not None and path != "predictions" and not is_plain(layer):
            found[path] = type(layer).__name__
    return found


def _at(model: Model, path: str) -> Model:
    """What stands at an attribute path, or None: a tied weight may have no layer."""
    for part in path.split("."):
        model = model[int(part)] if part.isdigit() else getattr(model, part, None)
        if model is None:
            return None
    return model


def _different(values: Model) -> list[Model]:
    found: list[Model] = []
    for value in values:
        if value is not None and value not in found:
            found.append(value)
    return found


def _activation(function: Model, config: AlbertConfig, activations: Mapping[str, Callable]) -> Model:
    """The name of an activation: that of the config where it is that one. What has no name stays the function."""
    stated = config.hidden_act
    if function is None or _are_same(function, activations.get(stated) if isinstance(stated, str) else stated):
        return None if function is None else stated
    return next((name for name, known in activations.items() if _are_same(function, known)), function)


def _are_same(one: Model, other: Model) -> bool:
    """Whether two functions are one. A copy of a partial function is another object."""
    if isinstance(one, functools.partial) and isinstance(other, functools.partial):
        return (one.func, one.args, one.keywords) == (other.func, other.args, other.keywords)
    return one is other
