"""A config and its weights -> a program of jax.export, and what a program holds."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array, export

from albertkit.arrays import Tensors
from albertkit.config import AlbertConfig
from albertkit.exports import base
from albertkit.flax import models, weights

PLATFORMS = ("cpu", "cuda", "tpu")
"""What a program runs on: wherever it was made, on all of them."""


def traced(config: AlbertConfig, head: str, tensors: Tensors) -> export.Exported:
    """The program of a head, of any number of rows but 0 and any length that the model has positions for."""
    config = config.changed(chunk_size_feed_forward=0)  # does not change what is computed
    model = getattr(models, f"FlaxAlbert{head}")(config, _do_init=False)
    weights.load(model, model.checkpoint_prefix, config, tensors, "the checkpoint").require_complete()
    definition, state, others = nnx.split(model, nnx.Param, ...)  # the others: keys of dropout

    def answer(input_ids: Array, attention_mask: Array, token_type_ids: Array) -> dict[str, Array]:
        given = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        found = nnx.merge(definition, state, others)(**given, train=False, return_dict=True)
        return {name: found[name] for name in base.OUTPUTS[head]}

    axes = ("batch_size", *(["num_choices"] if head == "ForMultipleChoice" else []), "sequence_length")
    bounds = [f"sequence_length <= {config.max_position_embeddings}"]
    bounds.append(f"sequence_length >= {base.shortest(config, head)}")
    given = jax.ShapeDtypeStruct(export.symbolic_shape(", ".join(axes), constraints=bounds), jnp.int32)
    return export.export(jax.jit(answer), platforms=PLATFORMS)(**dict.fromkeys(base.INPUTS, given))
