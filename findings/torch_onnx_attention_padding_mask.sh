#!/usr/bin/env bash
# From opset 23 on torch 2.13.0 writes scaled_dot_product_attention as ONNX's operator Attention, and ONNX Runtime 1.32.0 takes a mask
# for it only with a row for each query. A padding mask, (batch, 1, 1, keys) as BERT and its like have it, is valid by the standard
# (it broadcasts), passes onnx.checker, is computed by onnx's reference, and the session is made: only the first run raises
# "inconsistent q_sequence_length (between attn_mask and Q)". Up to opset 22, and with a mask expanded to (batch, 1, queries, keys),
# the same model is right. Seen on 2026-11-30, Python 3.11, opsets 23 and 24, masks of bool.
# Not found among the issues of either; it was asked for of an older operator of that name (onnxruntime, issue 12149).
# Matters to: whoever asks for a new opset when an encoder with padding is exported, and tests the file by loading it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 onnxscript==0.7.2
cd "$folder"
cat > program.py <<'PY'
import numpy as np
import onnx
import onnxruntime
import torch
from onnx.reference import ReferenceEvaluator

ROWS, MASK = torch.randn(2, 4, 5, 8), torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
BATCH, LENGTH = torch.export.Dim("batch"), torch.export.Dim("length")
SHAPES = {"rows": {0: BATCH, 2: LENGTH}, "mask": {0: BATCH, 1: LENGTH}}


class Attention(torch.nn.Module):
    def __init__(self, expand):
        super().__init__()
        self.expand = expand

    def forward(self, rows, mask):
        seen = mask[:, None, None, :].bool()
        if self.expand:
            seen = seen.expand(-1, -1, rows.shape[2], -1)
        return torch.nn.functional.scaled_dot_product_attention(rows, rows, rows, attn_mask=seen)


def run(opset, expand):
    """What ONNX Runtime says of the exported file, and how far onnx's reference is from PyTorch."""
    model = Attention(expand)
    torch.onnx.export(model, (ROWS, MASK), "m.onnx", dynamo=True, opset_version=opset, dynamic_shapes=SHAPES, verbose=False)
    onnx.checker.check_model("m.onnx", full_check=True)
    given, wanted = {"rows": ROWS.numpy(), "mask": MASK.numpy()}, model(ROWS, MASK).numpy()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession("m.onnx", options, providers=["CPUExecutionProvider"])
    try:
        said = "right" if np.allclose(session.run(None, given)[0], wanted, atol=1e-5) else "wrong"
    except Exception as error:
        said = "inconsistent q_sequence_length" if "inconsistent q_sequence_length" in str(error) else str(error)
    reference = ReferenceEvaluator("m.onnx").run(None, given)[0]
    return said, float(np.abs(reference - wanted).max())


found = {(opset, expand): run(opset, expand) for opset, expand in ((22, False), (23, False), (24, False), (23, True))}
for (opset, expand), (said, far) in found.items():
    shape = "(batch, 1, queries, keys)" if expand else "(batch, 1, 1, keys)"
    print(f"opset {opset}, mask {shape}: ONNX Runtime {said}, onnx's reference within {far:.0e}")
    assert far < 1e-5, "the file itself is wrong"
assert found[22, False][0] == found[23, True][0] == "right"
assert found[23, False][0] == found[24, False][0] == "inconsistent q_sequence_length", "it is no longer so"
PY
"$folder/venv/bin/python" program.py 2> errors.txt | grep "^opset" || { tail -5 errors.txt; exit 1; }
