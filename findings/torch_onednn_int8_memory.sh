#!/usr/bin/env bash
# PyTorch 2.13.0 keeps what oneDNN prepares for an int8 product (torch.ops.onednn.qlinear_pointwise) for each number of rows that
# it has seen, up to 1,024 of them: 600 numbers of rows with one weight of 768 x 768 leave the process more than 100 MB larger, though
# all tensors are gone. Texts of all lengths, laid end to end without padding, have a number of rows of their own in nearly every call.
# With ONEDNN_PRIMITIVE_CACHE_CAPACITY=64 it stays below half of that: 52 to 64 MB in place of 268 to 311.
# Seen on 2026-11-30, Python 3.11, x86-64 with AVX-512 VNNI.
# Matters to: int8 on a CPU with inputs of many lengths, in servers above all.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 psutil==7.2.2
cd "$folder"
cat > program.py <<'PY'
import psutil
import torch

torch.set_num_threads(2)
wide = 768
packed = torch.ops.onednn.qlinear_prepack(torch.ones(wide, wide, dtype=torch.int8), None)
scales, zeros, bias = torch.ones(wide), torch.zeros(wide, dtype=torch.int64), torch.zeros(wide)


def multiply(rows):
    x = torch.ones(rows, wide, dtype=torch.uint8)
    given = (x, 1.0, 0, packed, scales, zeros, bias, 1.0, 0, torch.float32, "none", [], "")
    torch.ops.onednn.qlinear_pointwise(*given)


def megabytes():
    return psutil.Process().memory_info().rss / 1e6


for rows in (600, 599, 598):
    multiply(rows)
before = megabytes()
for rows in range(1, 600):
    multiply(rows)
print(round(megabytes() - before))
PY
grown=$("$folder/venv/bin/python" program.py)
bounded=$(ONEDNN_PRIMITIVE_CACHE_CAPACITY=64 "$folder/venv/bin/python" program.py)
echo "MB more after 600 numbers of rows: $grown; with a cache of 64: $bounded"
[ "$grown" -gt 100 ] && [ "$((bounded * 2))" -lt "$grown" ]
