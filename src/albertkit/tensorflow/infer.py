"""The forward pass in TensorFlow as a function of NumPy arrays."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from albertkit.arrays import Tensors
from albertkit.backends import Forward, InferPrecision, Outputs, require_fp32
from albertkit.batches import MaskedBatch, PaddedBatch, require_valid
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.quantization import Quantization
from albertkit.tensorflow import models, weights
from albertkit.tensorflow.typing import Model, Tensor

_NAMED = {"return_dict": True, "output_attentions": False, "output_hidden_states": False}


def compile(
    config: AlbertConfig,
    head: str,
    tensors: Tensors,
    source: str = "the checkpoint",
    device: str | None = None,
    precision: InferPrecision | None = None,
    quantization: Quantization | None = None,
) -> Forward:
    """The forward of `TFAlbert{head}` with the given weights.

    A `MaskedBatch` gives the `logits` (P, V) of a masked-language-model head at its positions and nowhere else. Runs on
    `device`, "cpu" or "gpu:0", by default on the first GPU where there is one. WeightMismatch where the head's weights
    are not among the tensors, InputError where there is no such device or precision: it is fp32, whatever is known for
    int8.
    """
    require_fp32(precision, "TensorFlow")
    with tf.device(require_device(device)), weights.skip_init():
        model = getattr(models, f"TFAlbert{head}")(config)
        weights.load(model, model.checkpoint_prefix, config, tensors, source).require_complete()
    return attach(model, device)


def attach(model: Model, device: str | None = None) -> Forward:
    """The forward of a model as it is at each call, computed on `device` where one is named."""
    place = require_device(device)
    whole = with_free_shapes(lambda arguments: dict(model(arguments, **_NAMED)))
    masked = with_free_shapes(lambda arguments, positions: _scores(model, arguments, positions))

    def forward(batch: PaddedBatch) -> Outputs:
        require_valid(model.config, batch)
        arguments = batch.arguments()
        with tf.device(place):
            outputs = masked(arguments, batch.positions) if isinstance(batch, MaskedBatch) else whole(arguments)
        return {name: weights.to_numpy(value).astype(np.float32, copy=False) for name, value in outputs.items()}

    return forward


def require_device(name: str | None) -> str | None:
    """The name of a device in TensorFlow; None stays. InputError where there is none of that name."""
    if name is None:
        return None
    kind, _, number = name.replace("cuda", "gpu").partition(":")
    place = f"/{kind.upper()}:{number or 0}"
    found = [device.name.partition("device:")[2] for device in tf.config.list_logical_devices()]
    if place[1:] not in found:
        raise InputError(
            f"`device` must be one that TensorFlow can use here: {', '.join(found)}. Received: {name!r}. Leave it out, "
            'or pass "cpu".'
        )
    return place


def _scores(model: Model, arguments: dict[str, tf.Tensor], positions: tf.Tensor) -> dict[str, tf.Tensor]:
    states = model.albert(arguments, **_NAMED).last_hidden_state
    return {"logits": model.mlm_logits(tf.gather_nd(states, tf.ensure_shape(positions, (None, 2))))}


def with_free_shapes(function: Callable[..., Tensor], **options: bool) -> Callable[..., Tensor]:
    """A graph of `function`, whose arguments are arrays and dicts of arrays, that is traced once for all their shapes.

    Another set of names, another rank or another dtype is another graph.
    """
    graph = tf.function(function, autograph=False, **options)
    traced: dict[str, Callable[..., Tensor]] = {}

    def call(*args: Tensor) -> Tensor:
        tensors = tf.nest.map_structure(tf.convert_to_tensor, args)
        specs = tf.nest.map_structure(lambda tensor: tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype), tensors)
        key = repr(specs)
        if key not in traced:
            traced[key] = graph.get_concrete_function(*specs)
        return traced[key](*tensors)

    return call
