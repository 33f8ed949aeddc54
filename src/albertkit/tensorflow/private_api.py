"""What albertkit uses of Keras and TensorFlow that is not public; everything else keeps to the documented functions.

Tested with Keras 3.15 and TensorFlow 2.21, and wanted from Keras 3.10 and TensorFlow 2.18.1 on. A release that moves
one of these names is found by `tests/frameworks/test_private_api.py`.
"""

import contextlib

import keras
import numpy as np
import optree
import tensorflow as tf
from keras.src.backend.common.variables import AutocastScope
from keras.src.models.functional import Functional
from tensorflow.python.ops import control_flow_util

from albertkit.outputs import ModelOutput
from albertkit.tensorflow.typing import Model, Tensor

GRAPH_OF_LAYERS = (keras.Sequential, Functional)
"""Models that are made of layers and have no attributes for them."""
_BOOKKEEPING = ("_layers", "_trainable_variables", "_non_trainable_variables")
"""Attributes where Keras notes once more what a layer holds; those of TensorFlow begin with `_self_`."""


def register_outputs(kinds: tuple[type[ModelOutput], ...]) -> None:
    """Let Keras look inside outputs of these classes: it keeps its trees under a name of its own in optree."""
    for kind in kinds:
        optree.register_pytree_node(
            kind,
            lambda output: (list(output.values()), list(output), list(output)),
            lambda names, values, kind=kind: kind(**dict(zip(names, values, strict=True))),
            namespace="keras",
        )


def is_under_xla() -> bool:
    """Whether the code that runs is being traced for XLA to compile."""
    graph = tf.compat.v1.get_default_graph
    return not tf.executing_eagerly() and control_flow_util.GraphOrParentsInXlaContext(graph())


def without_autocast() -> contextlib.AbstractContextManager[object]:
    """Inside, variables are read in their own precision, whatever a layer computes in."""
    return AutocastScope(None)


def sublayers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The layers directly inside a layer."""
    return list(layer._flatten_layers(include_self=False, recursive=False))


def attributes(layer: keras.layers.Layer) -> list[tuple[str, object]]:
    """The attributes of a layer by name, without those that frameworks make for themselves."""
    held = vars(layer).items()
    return [(name, part) for name, part in held if name not in _BOOKKEEPING and not name.startswith("_self_")]


def allow_more_layers(model: keras.Model) -> None:
    """Let a built model be given further layers, as a subclass does after its parent's constructor."""
    model._tracker.unlock()


def forget_part(layer: keras.layers.Layer, part: object) -> None:
    """Let a layer that is not locked no longer hold a part that another is about to take the place of."""
    layer._tracker.untrack(part)


def replace_part(layer: keras.layers.Layer, attribute: str, value: keras.layers.Layer | np.ndarray) -> None:
    """Put another layer, or a variable of another shape, in the place of one that a built layer has.

    `attribute` is its public name; an array stands for a new variable with these values, which trains if the old did.
    """
    if f"_{attribute}" in vars(layer):  # Keras has `_kernel` behind a property `kernel`
        attribute = f"_{attribute}"
    old = getattr(layer, attribute)
    layer._tracker.unlock()
    layer._tracker.untrack(old)
    if isinstance(value, np.ndarray):
        name = old.path.rpartition("/")[2]
        with layer._open_name_scope():
            variable = layer.add_weight(shape=value.shape, initializer="zeros", name=name)
        variable.trainable = old.trainable  # not from the start, for what is made frozen can never be thawed
        variable.assign(value)
        value = variable
    setattr(layer, attribute, value)
    layer._tracker.lock()


def has_compiled_loss(model: Model) -> bool:
    """Whether `compile` was given a loss."""
    return model._compile_loss is not None


def with_added_losses(model: Model, loss: Tensor) -> Tensor:
    """A loss with those that layers have added by `add_loss`, such as regularisation."""
    return tf.add_n([loss, *(model._aggregate_additional_loss(extra) for extra in model.losses)])


class ServedByDefault:
    """A model whose `serving` is what tf.saved_model.save exports where it is given nothing else."""

    @property
    def _default_save_signature(self: Model) -> tf.types.experimental.PolymorphicFunction:
        return tf.function(self.serving, input_signature=[self.input_signature])
