"""The config that a model is saved with: the one by which reading builds a model that answers the same.

A person may have changed a model, or its config, after it was built: another classifier, a decoder of its own, more
positions, another activation. What the tensors and the layers say is what is saved, and a difference to the config is
announced. A model that no config describes is refused. Names, shapes and values only; the three frameworks share it.
"""

import logging
from collections.abc import Mapping

import numpy as np

from albertkit import weight_table
from albertkit.arrays import Tensors
from albertkit.checkpoint.layer_keys import LayerKeys
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, WeightMismatch, abbreviate, few
from albertkit.typing import Record

logger = logging.getLogger(__name__)

KEYS = {
    "V": "vocab_size",
    "P": "max_position_embeddings",
    "T": "type_vocab_size",
    "E": "embedding_size",
    "H": "hidden_size",
    "F": "intermediate_size",
    "C": "num_labels",
}
"""The key of the config behind each letter of the weight table."""
BIAS = "predictions.bias"
DECODER = "predictions.decoder.weight"
DECODER_BIAS = "predictions.decoder.bias"
WORDS = weight_table.TIED[DECODER]


def settle(
    model: str, config: AlbertConfig, tensors: Tensors, layers: LayerKeys, kinds: Mapping[str, str]
) -> tuple[AlbertConfig, Tensors]:
    """The config and the tensors to save, of a model as it is.

    `model` is its class name as of PyTorch, `config` its own, `tensors` its values by canonical name, `layers` what its
    layers say of keys of the config, and `kinds` the types of layers that are not the framework's own, by attribute
    path. Of a class that is not albertkit's only the encoder is known: what its constructor builds is its own affair.

    Raises WeightMismatch where the model would not come back from its folder.
    """
    head = model.removeprefix("Albert")
    is_own = head in weight_table.PARTS
    tensors = _with_acting_bias(tensors)
    if is_own:
        _require_one_value(model, layers)
        _announce_other_kinds(model, kinds)
    changes = {key: values[0] for key, values in layers.items() if len(values) == 1}
    if not is_own:
        changes = {key: value for key, value in changes.items() if isinstance(value, (int, float, str))}
    changes |= _sizes(head, tensors)
    prefixes = weight_table.head_prefixes(tensors)
    if heads := [prefix for prefix in prefixes if {prefix + BIAS, prefix + DECODER} <= tensors.keys()]:
        changes["tie_word_embeddings"] = all(_is_tied(config, tensors, prefix) for prefix in heads)
    config = _changed(model, config, {key: value for key, value in changes.items() if _stated(config, key) != value})
    config.to_json_string()  # refuses an activation without a name, before anything is written
    if is_own:
        _require_names(model, tensors, weight_table.expected(config, head), weight_table.tied(config))
    return config, tensors


def _stated(config: AlbertConfig, key: str) -> object:
    return tuple(config.group_of_layer) if key == "group_of_layer" else getattr(config, key)


def _changed(model: str, config: AlbertConfig, changes: Record) -> AlbertConfig:
    """A config with other values, which are announced. WeightMismatch where there is no such config."""
    if not changes:
        return config
    told = ", ".join(
        f"{key} {abbreviate(value)} (the config: {_stated(config, key)!r:.60})" for key, value in changes.items()
    )
    order = changes.pop("group_of_layer", None)
    try:
        changed = config.changed(**changes)
        if order not in (None, tuple(changed.group_of_layer)):
            raise ConfigError("Layers run their groups in equal parts, in order.")
    except ConfigError as error:
        raise WeightMismatch(
            f"A saved model must come back from its folder as it was. {model} was changed after it was built, and no "
            f"config describes it: {told}. {error}"
        ) from None
    if changed != config:
        logger.warning(
            "%s, or its config, was changed after it was built. The config is saved as the model computes: %s.",
            model,
            told,
        )
    return changed


def _with_acting_bias(tensors: Tensors) -> Tensors:
    """Tensors in which each head's bias is the one that is added to the scores: the decoder's, where it has one."""
    places = {prefix + BIAS: prefix + DECODER_BIAS for prefix in ("", *weight_table.head_prefixes(tensors))}
    return tensors | {bias: tensors[acting] for bias, acting in places.items() if {bias, acting} <= tensors.keys()}


def _is_tied(config: AlbertConfig, tensors: Mapping[str, np.ndarray], prefix: str) -> bool:
    """Whether the decoder of a head is the word embeddings: as the config says, unless it has other values."""
    words, decoder = tensors.get(prefix + WORDS), tensors.get(prefix + DECODER)
    is_apart = words is not None and decoder is not None and not _are_same(words, decoder)
    return config.tie_word_embeddings and not is_apart


def _are_same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two tensors are one in memory, or the same bit by bit: weights that have become NaN are equal, too."""
    if (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    return one.ctypes.data == other.ctypes.data or one.tobytes() == other.tobytes()


def _require_one_value(model: str, layers: LayerKeys) -> None:
    for key, values in layers.items():
        if len(values) > 1:
            raise WeightMismatch(
                f"A config states `{key}` once for all layers. {model} has layers with {abbreviate(values)}. Make them "
                "alike; or write a subclass that makes the difference in its constructor; or keep the values alone, "
                "which are in state_dict()."
            )


def _announce_other_kinds(model: str, kinds: Mapping[str, str]) -> None:
    if kinds:
        told = ", ".join(f"{path} ({kind})" for path, kind in kinds.items())
        logger.warning(
            "%s has layers of other kinds than reading builds: %.300s. Only their values are saved; if they compute in "
            "another way, the model that is read answers differently.",
            model,
            told,
        )


def _sizes(head: str, tensors: Mapping[str, np.ndarray]) -> Record:
    """The keys of the config that shapes tell. WeightMismatch where tensors contradict each other."""
    names_by_size = _names_by_size(head, tensors)
    wrong = [names for names in names_by_size.values() if len(names) > 1]
    fixed = {"1": 1, "2": 2} | ({"C": 1} if head == "ForMultipleChoice" else {})
    fixed["2H"] = 2 * next(iter(names_by_size.get("H", {0: ""})))
    wrong += [
        names_by_size.pop(letter)
        for letter, size in fixed.items()
        if names_by_size.get(letter, {size: ""}).keys() != {size}
    ]
    if wrong:
        told = "; ".join(", ".join(f"{size} in {name}" for size, name in names.items()) for names in wrong)
        raise WeightMismatch(
            f"A saved model must come back from its folder, so its tensors must have the sizes of Albert{head}. "
            f"Received: {told}. The vocabulary is changed by resize_token_embeddings of the whole model, which changes "
            "the head too. For another output layer write a subclass that builds it in its constructor."
        )
    return {KEYS[letter]: next(iter(names)) for letter, names in names_by_size.items() if letter not in fixed}


def _names_by_size(head: str, tensors: Mapping[str, np.ndarray]) -> dict[str, dict[int, str]]:
    """For each letter of the table the sizes that tensors have for it, each with the name of one."""
    parts = weight_table.PARTS.get(head, ("encoder", "pooler"))
    found: dict[str, dict[int, str]] = {}
    for name, tensor in tensors.items():
        if weight_table.is_known(name) and weight_table.part(name) in parts:
            letters = weight_table.letters(name)
            if len(letters) != tensor.ndim:
                raise WeightMismatch(f"A saved {name} must have {len(letters)} axes. Received: shape {tensor.shape}.")
            for letter, size in zip(letters, tensor.shape, strict=True):
                found.setdefault(letter, {}).setdefault(size, name)
    return found


def _require_names(model: str, tensors: Tensors, expected: weight_table.Shapes, tied: Mapping[str, str]) -> None:
    """WeightMismatch where reading would not find a tensor; a warning for those that it would not look for."""
    missing = [name for name in expected if name not in tensors and name not in tied and ".pooler." not in name]
    surplus = [name for name in tensors if name not in expected and not weight_table.is_known(name)]
    layers = {_layer(name) for name in expected}
    if missing or any(_layer(name) in layers for name in surplus):
        told = [f"It lacks {few(missing, 3)}"] if missing else []
        told += [f"It has {few(surplus, 3)}"] if surplus else []
        raise WeightMismatch(
            f"A saved {model} must have the tensors that reading looks for, and its layers no others. "
            f"{'. '.join(told)}. A layer was replaced by one of another kind, such as a quantised one, one with "
            "adapters, or a block of layers. Save the model before that, or merge adapters; or write a subclass that "
            "builds the layer in its constructor; or keep the values alone, which are in state_dict()."
        )
    if surplus:
        logger.warning(
            "%s holds tensors that it will not read again: %s. They are saved, for a subclass whose constructor builds "
            "their layers.",
            model,
            few(surplus, 3),
        )


def _layer(name: str) -> str:
    return name.rpartition(".")[0]
