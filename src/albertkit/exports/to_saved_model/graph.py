"""A config and its weights -> a signature of TensorFlow, and what a SavedModel holds."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf

from albertkit.arrays import Tensors
from albertkit.config import AlbertConfig
from albertkit.exports import base
from albertkit.tensorflow import models, weights

SIGNATURE = "serving_default"
"""What TensorFlow Serving and the converter of LiteRT ask for where nothing else is named."""
VARIABLES = "variables/variables"


def save(config: AlbertConfig, head: str, tensors: Tensors, folder: Path) -> None:
    """Write the model of a head, of any number of rows and any length, with one signature."""
    with weights.skip_init():
        model = getattr(models, f"TFAlbert{head}")(config)
        weights.load(model, model.checkpoint_prefix, config, tensors, "the checkpoint").require_complete()
    encoder = model if head == "Model" else model.albert
    encoder.encoder.loops = False  # each use of a layer is a node, as other converters want it, and reads one variable
    root: Any = tf.Module()
    root.weights = [
        one.value for one in model.weights
    ]  # of those of Keras itself LiteRT's converter leaves out the values
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # it tells of assets that there are none of
    try:
        tf.saved_model.save(root, str(folder), signatures={SIGNATURE: _signature(model, head)})
    finally:
        logger.setLevel(level)


def _signature(model: Callable[..., Any], head: str) -> Any:
    """The function that is written, with the names of inputs and outputs of `exports.base`."""
    rank = 3 if head == "ForMultipleChoice" else 2
    names = base.OUTPUTS[head]

    def answer(input_ids: tf.Tensor, attention_mask: tf.Tensor, token_type_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        given = dict(zip(base.INPUTS, (input_ids, attention_mask, token_type_ids), strict=True))
        found = model(given, return_dict=True, output_attentions=False, output_hidden_states=False)
        return {name: tf.identity(found[name], name=name) for name in names}

    given = {name: tf.TensorSpec([None] * rank, tf.int64, name=name) for name in base.INPUTS}
    return tf.function(answer, autograph=False).get_concrete_function(**given)


def counted(folder: Path, signature: Any) -> tuple[int, int]:
    """Bytes of all variables in a folder, and products with one of them in the graph of its signature."""
    reader = tf.train.load_checkpoint(str(folder / VARIABLES))
    types = reader.get_variable_to_dtype_map()
    shapes = {name: shape for name, shape in reader.get_variable_to_shape_map().items() if types[name] != tf.string}
    size = sum(math.prod(shape) * types[name].size for name, shape in shapes.items())
    graph = signature.graph.as_graph_def()
    return size, _products(graph.node, {one.signature.name: one.node_def for one in graph.library.function})


def _products(nodes: Iterable[Any], functions: dict[str, Iterable[Any]]) -> int:
    """Products with a variable, in nodes and in the functions that they call."""
    by_name = {node.name: node for node in nodes}
    found = 0
    for node in by_name.values():
        called = node.attr["f"].func.name if "Call" in node.op else ""
        found += _products(functions[called], functions) if called else _is_product(node, by_name)
    return found


def _is_product(node: Any, by_name: dict[str, Any]) -> bool:
    """Whether a node multiplies by a matrix that is read from a variable."""
    if node.op != "MatMul":
        return False
    name = node.input[1].partition(":")[0]
    while name in by_name and by_name[name].op == "Identity":
        name = by_name[name].input[0].partition(":")[0]
    return name in by_name and by_name[name].op == "ReadVariableOp"
