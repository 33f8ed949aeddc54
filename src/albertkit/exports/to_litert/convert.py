"""A config and its weights -> a file of LiteRT, by way of a SavedModel."""

import tempfile
from pathlib import Path

import tensorflow as tf

from albertkit.arrays import Tensors
from albertkit.config import AlbertConfig
from albertkit.exports.to_litert import tables
from albertkit.exports.to_saved_model import graph


def converted(config: AlbertConfig, head: str, tensors: Tensors, is_int8: bool) -> bytes:
    """The content of a file, whose signature has the names of inputs and outputs of `exports.base`."""
    with tempfile.TemporaryDirectory() as folder:
        graph.save(config, head, tensors, Path(folder))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if is_int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        content = converter.convert()
        return tables.with_one(content) if is_int8 else content
