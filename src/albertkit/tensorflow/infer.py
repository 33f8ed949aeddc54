"""The forward pass in TensorFlow as a function of NumPy arrays."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from albertkit import rules
from albertkit.checkpoint.report import Tensors
from albertkit.config import AlbertConfig
from albertkit.tensorflow import models, weights

Forward = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def compile(config: AlbertConfig, head: str, tensors: Tensors, source: str = "the checkpoint") -> Forward:
    """The forward of `TFAlbert{head}` with the given weights: a batch of (B, L) arrays -> its outputs by name.

    A batch with `places` (P, 2), rows and columns, gives the `logits` (P, V) of a masked-language-model head there and
    nowhere else. Runs on the first GPU where there is one. WeightMismatch where the head's weights are not among the
    tensors.
    """
    with weights.skip_init():
        model = getattr(models, f"TFAlbert{head}")(config)
    weights.load(model, model.checkpoint_prefix, config, tensors, source).require_complete()
    traced = with_free_shapes(lambda batch: _outputs(model, batch))

    def forward(batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        require_valid(config, batch)
        outputs = traced(dict(batch))
        return {name: weights.to_numpy(value).astype(np.float32, copy=False) for name, value in outputs.items()}

    return forward


def _outputs(model: Any, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The model's outputs; see `compile` for `places`."""
    if "places" not in batch:
        return dict(model(batch, return_dict=True))
    inputs = {name: tensor for name, tensor in batch.items() if name != "places"}
    states = model.albert(inputs, return_dict=True).last_hidden_state
    return {"logits": model.mlm_logits(tf.gather_nd(states, tf.ensure_shape(batch["places"], (None, 2))))}


def require_valid(config: AlbertConfig, batch: Mapping[str, np.ndarray]) -> None:
    """TokenIdError for ids outside the vocabulary, InputError for a sequence that is too long: graphs cannot see it."""
    ids = batch["input_ids"]
    length = int(batch["position_ids"].max(initial=-1)) + 1 if "position_ids" in batch else ids.shape[-1]
    rules.require_length(length, config.max_position_embeddings)
    if ids.size:
        rules.require_ids("input_ids", int(ids.min()), int(ids.max()), config.vocab_size)


def with_free_shapes(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A graph of `function`, whose arguments are arrays and dicts of arrays, that is traced once for all their shapes.

    Another set of names, another rank or another dtype is another graph.
    """
    graph = tf.function(function, autograph=False, **options)
    traced: dict[Any, Any] = {}

    def call(*args: Any) -> Any:
        tensors = tf.nest.map_structure(tf.convert_to_tensor, args)
        specs = tf.nest.map_structure(lambda tensor: tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype), tensors)
        key = repr(specs)
        if key not in traced:
            traced[key] = graph.get_concrete_function(*specs)
        return traced[key](*tensors)

    return call
