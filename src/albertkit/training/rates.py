"""Learning rates by the place of a weight: decay from the head down, a rate of the head's own, what is frozen.

ALBERT's layers share their weights, so that a rate belongs to a block of weights and not to a depth: the published
models have one block, which runs at every depth. There are more with `num_hidden_groups` or `inner_group_num` above 1.
"""

from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError
from albertkit.training.recipe import TrainingSection

Rates = tuple[tuple[str, float], ...]
"""Beginnings of canonical names, and what the learning rate is multiplied by, as in `backends.OptimizerSettings`."""

_LAYER = "albert.encoder.albert_layer_groups.{}.albert_layers.{}."


def of(config: AlbertConfig, training: TrainingSection, is_new: bool) -> Rates:
    """What each part of a model multiplies the rate of a step by.

    With `layer_decay` d and n blocks of layers, in the order in which they run, the pooler has 1, the last block d, the
    one before it d², and the embeddings with their projection d to the power n + 1; the head has 1, or its own rate. A
    frozen encoder is all that is not the head, the pooler too. ConfigError for what does not go together.
    """
    decay, is_frozen = training.layer_decay, training.freeze_encoder
    for key in ("freeze_encoder", "freeze_word_embeddings"):
        if getattr(training, key) and (is_new or (decay < 1 and is_frozen)):
            raise ConfigError(
                f"`training.{key}` leaves weights as they are, which must be trained ones, with no rates in them. "
                f"Received: {'a newly initialised model' if is_new else f'`training.layer_decay` {decay}'} with it. "
                "Name a checkpoint with --model, and leave the decay out."
            )
    head = training.head_learning_rate / training.learning_rate if training.head_learning_rate else 1.0
    if is_frozen:
        return (("albert.", 0.0), ("", head))
    inside = _decayed(config, decay) if decay < 1 else ()
    if training.freeze_word_embeddings:
        inside = (("albert.embeddings.word_embeddings.", 0.0), *inside)
    return (*inside, ("albert.", 1.0), ("", head)) if inside or head != 1 else ()


def _decayed(config: AlbertConfig, decay: float) -> Rates:
    """The rates of blocks and embeddings; groups that never run are no blocks."""
    groups = sorted(set(config.group_of_layer))
    blocks = [(group, layer) for group in groups for layer in range(config.inner_group_num)]
    count = len(blocks)
    lowest = decay ** (count + 1)
    embeddings = ("albert.embeddings.", "albert.encoder.embedding_hidden_mapping_in.")
    return (
        *((_LAYER.format(*block), decay ** (count - place)) for place, block in enumerate(blocks)),
        *((name, lowest) for name in embeddings),
    )
