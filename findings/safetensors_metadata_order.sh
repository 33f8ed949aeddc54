#!/usr/bin/env bash
# safetensors 0.8.0 writes the metadata of a file in an order that differs from call to call: the same tensors with the
# same two metadata keys give files of different bytes. With one key, files are equal.
# Seen on 2026-11-29, Python 3.11: 2 different files in 40 calls with two keys, 1 with one key.
# Matters to: whoever compares checkpoints by digest, stores them by content, or promises reproducible builds.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from safetensors.numpy import save

tensors = {"weight": np.zeros((2, 2), np.float32)}
one = {save(tensors, {"format": "pt"}) for _ in range(40)}
two = {save(tensors, {"format": "pt", "made_by": "an example"}) for _ in range(40)}
print(f"different files of 40: {len(one)} with one metadata key, {len(two)} with two")
assert len(one) == 1, "one key is no longer written in one way"
assert len(two) == 2, "two keys are now written in one order: the behaviour has changed"
PY
