#!/usr/bin/env bash
# The converter to LiteRT of tensorflow 2.21.0 leaves out the values of weights that a SavedModel holds as variables of Keras 3:
# the file is written without an error, has no weights in it, and answers with whatever stands in memory. The SavedModel itself is
# right. With the variable of TensorFlow inside, `variable.value`, the file is right, too.
# Seen on 2026-11-30, Python 3.11, keras 3.15.1: files of 17,332 and of 1,196 bytes for one matrix of 64 x 64 numbers in float32.
# Matters to: whoever puts the weights of a Keras model into a tf.Module to save and convert it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check tensorflow-cpu==2.21.0 keras==3.15.1
cd "$folder"
cat > program.py <<'PY'
import tempfile

import keras
import numpy as np
import tensorflow as tf

ROW = np.ones((1, 64), np.float32)


def saved(hold):
    """A SavedModel that multiplies by the identity, and what it answers and is converted to."""
    root, weight = tf.Module(), keras.Variable(np.eye(64, dtype=np.float32))
    root.held = [hold(weight)]
    product = tf.function(lambda x: {"y": tf.matmul(x, weight.value)})
    signature = product.get_concrete_function(x=tf.TensorSpec([None, 64], tf.float32, name="x"))
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(root, folder, signatures={"serving_default": signature})
        answer = tf.saved_model.load(folder).signatures["serving_default"](x=tf.constant(ROW))["y"].numpy()
        return answer, tf.lite.TFLiteConverter.from_saved_model(folder).convert()


for name, hold, is_whole in (("tensorflow", lambda v: v.value, True), ("keras", lambda v: v, False)):
    answer, content = saved(hold)
    assert (answer == ROW).all(), "the SavedModel is wrong"
    print(f"held as a variable of {name}: {len(content):,} bytes for {64 * 64 * 4:,} bytes of weights")
    assert (len(content) > 64 * 64 * 4) == is_whole, "the converter does otherwise now"
PY
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" program.py 2> errors.txt || { tail -5 errors.txt; exit 1; }
