#!/usr/bin/env bash
# OpenVINO 2026.4.1 takes bfloat16 by itself where the processor has it, and goes by the processor even where
# ONEDNN_MAX_CPU_ISA keeps oneDNN, which computes for it, to AVX2. A float32 model with a softmax between two products then
# does not compile: "Supported primitive descriptors list is empty for node: Softmax". With the precision f32 asked for by
# INFERENCE_PRECISION_HINT it does, and without the variable it compiles and says bfloat16.
# Seen on 2026-11-30, Python 3.11, x86-64 with AVX-512 and its bfloat16; it needs a processor with that.
# Matters to: who measures on a server what a laptop with AVX2 would do.
set -euo pipefail
if ! grep -q avx512_bf16 /proc/cpuinfo; then
    echo "needs a processor with avx512_bf16" >&2
    exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check openvino==2026.4.1 numpy==2.4.6
cd "$folder"
cat > program.py <<'PY'
import sys

import numpy as np
import openvino
from openvino import opset13 as ops

rows = ops.parameter([-1, -1, 64], np.float32)
weight = ops.constant(np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32))
hidden = ops.matmul(rows, weight, False, False)
weights = ops.softmax(ops.matmul(hidden, hidden, False, True), -1)
model = openvino.Model([ops.matmul(weights, hidden, False, False)], [rows])
try:
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": one for one in sys.argv[1:]})
    print(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
except RuntimeError as error:
    print("Softmax" if "primitive descriptors list is empty for node: Softmax" in str(error) else error)
PY
plain=$(venv/bin/python program.py 2> /dev/null | tail -1)
limited=$(ONEDNN_MAX_CPU_ISA=AVX2 venv/bin/python program.py 2> /dev/null | tail -1)
float32=$(ONEDNN_MAX_CPU_ISA=AVX2 venv/bin/python program.py f32 2> /dev/null | tail -1)
echo "without a limit: $plain; with AVX2: $limited; with AVX2 and f32: $float32"
[ "$plain" = bf16 ] && [ "$limited" = Softmax ] && [ "$float32" = f32 ]
