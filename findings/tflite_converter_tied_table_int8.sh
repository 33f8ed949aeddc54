#!/usr/bin/env bash
# The converter to LiteRT of tensorflow 2.21.0 stores a table twice in int8 where rows are looked up in it and a product reads it,
# as the word embeddings of a masked language model are: once with one scale for the lookup, once with a scale for each row for the
# product. In float32 the same table is stored once. Nothing is said.
# Seen on 2026-11-30, Python 3.11, keras 3.15.1: for a table of 1,000 x 64, 64,000 numbers, 257,148 bytes become 141,504.
# Matters to: whoever converts a model with tied embeddings to int8 and wonders about the size of the file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check tensorflow-cpu==2.21.0 keras==3.15.1
cd "$folder"
cat > program.py <<'PY'
import tempfile

import numpy as np
import tensorflow as tf

WORDS, WIDTH = 1000, 64
root = tf.Module()
root.table = tf.Variable(np.random.default_rng(0).standard_normal((WORDS, WIDTH)).astype(np.float32))
scores = tf.function(lambda ids: {"scores": tf.matmul(tf.gather(root.table, ids), root.table, transpose_b=True)})
signature = scores.get_concrete_function(ids=tf.TensorSpec([None], tf.int32, name="ids"))


def size(optimizations):
    """The bytes of a converted file."""
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(root, folder, signatures={"serving_default": signature})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = optimizations
        return len(converter.convert())


numbers, whole, small = WORDS * WIDTH, size([]), size([tf.lite.Optimize.DEFAULT])
print(f"{numbers:,} numbers: {whole:,} bytes in float32, {small:,} in int8")
assert 4 * numbers < whole < 4.2 * numbers, "in float32 the table does not stand there once"
assert 2 * numbers < small < 2.4 * numbers, "in int8 the table does not stand there twice now"
PY
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" program.py 2> errors.txt || { tail -5 errors.txt; exit 1; }
