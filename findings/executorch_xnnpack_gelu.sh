#!/usr/bin/env bash
# The XNNPACK backend of executorch 1.5.1 takes GELU with approximate="tanh" and computes the exact GELU, by erf, in its place: no
# error and no warning, and numbers that differ by up to 4.7e-4 for one activation. The portable kernels compute what was asked.
# Seen on 2026-11-30, Python 3.11, torch 2.13.0, x86-64.
# Matters to: whoever brings ALBERT, GPT-2 or another model with that activation ("gelu_new") to phones and compares its answers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check executorch==1.5.1
cd "$folder"
cat > program.py <<'PY'
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime
from torch.nn import functional

numbers = torch.linspace(-4, 4, 801)


def difference(partitioners):
    """The largest difference of a program of GELU by tanh, from GELU by tanh and from GELU by erf."""
    program = torch.export.export(torch.nn.GELU(approximate="tanh"), (numbers,))
    content = to_edge_transform_and_lower(program, partitioner=partitioners).to_executorch().buffer
    found = Runtime.get().load_program(content).load_method("forward").execute([numbers])[0]
    wanted = functional.gelu(numbers, approximate="tanh"), functional.gelu(numbers)
    return [float((found - one).abs().max()) for one in wanted]


for name, partitioners, is_right in (("portable", [], True), ("XNNPACK", [XnnpackPartitioner()], False)):
    by_tanh, by_erf = difference(partitioners)
    print(f"{name}: differs from GELU by tanh by {by_tanh:.1e}, from GELU by erf by {by_erf:.1e}")
    assert (by_tanh < 1e-5) == is_right, "it computes another function now"
PY
"$folder/venv/bin/python" program.py 2> errors.txt || { tail -5 errors.txt; exit 1; }
