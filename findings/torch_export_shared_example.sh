#!/usr/bin/env bash
# torch.export of torch 2.13.0: where one tensor is the example of two inputs, the program reads one of the inputs for both, and
# answers wrongly without an error or a warning. a - 2 * b, exported with the same tensor as a and as b, gives b - 2 * b.
# Examples of equal values that are two tensors give the right program. It is so by place and by name, strict or not.
# Seen on 2026-11-30, Python 3.11: for a = 5 and b = 1 the program says -1 in place of 3.
# Matters to: whoever exports a model with an example made once, such as dict.fromkeys(names, torch.ones(2, 8)).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
cd "$folder"
cat > program.py <<'PY'
import warnings

import torch

warnings.simplefilter("error")


class Difference(torch.nn.Module):
    def forward(self, a, b):
        return a - 2 * b


def answer(a, b, strict):
    """What a program answers for 5 and 1 that was exported with these examples."""
    program = torch.export.export(Difference(), (), {"a": a, "b": b}, strict=strict).module()
    return float(program(a=torch.full((2,), 5.0), b=torch.full((2,), 1.0))[0])


same = torch.ones(2)
for strict in (False, True):
    apart, together = answer(torch.ones(2), torch.ones(2), strict), answer(same, same, strict)
    print(f"strict={strict}: {apart} with two tensors as examples, {together} with one tensor for both")
    assert apart == 3, "two tensors do not give the right program"
    assert together == -1, "one tensor for both gives another program now"
PY
"$folder/venv/bin/python" program.py
