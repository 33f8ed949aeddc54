#!/usr/bin/env bash
# NNCF 3.4.0 on an OpenVINO model leaves out parts of its methods where products share a weight, and says nothing of it:
# - nncf.quantize(model_type=TRANSFORMER) smooths no input of such a product (SmoothQuant), whatever smooth_quant_alphas ask for: the
#   answers are those of smoothing switched off, bit for bit. The same network with a copy of the weights for each product is smoothed.
# - compress_weights(lora_correction=True) puts its two small matrices beside the first product of each shared weight alone.
# Seen on 2026-12-01, Python 3.11, OpenVINO 2026.4.1: six layers of two products, whose inputs have a channel 20 times the size of others.
# Error of int8 where weights are shared: 3.6 % with alpha -1 (off), 0.5 and 0.95 alike; with copies 3.6, 2.0 and 1.3 %. With a
# correction by LoRA: 2 of 12 products where weights are shared, 12 of 12 with copies.
# Not found among its issues (4172 is an error of the ONNX backend for such models). In the code it is a condition without a message.
# Matters to: whoever quantizes ALBERT, or another model whose layers share weights, and compares alphas that change nothing. What works:
# scales folded into the weights before, one for all depths, or copies of the weights, for the price of their size.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check nncf==3.4.0 openvino==2026.4.1 numpy==2.4.6
cd "$folder"
cat > program.py <<'PY'
import nncf
import numpy as np
import openvino as ov
from openvino import opset13 as ops

WIDTH, LAYERS = 64, 6
rows = np.random.default_rng(0)
DATA = [rows.standard_normal((2, 16, WIDTH)).astype(np.float32) for _ in range(20)]


def network(shared):
    """Layers with one set of weights, stored once or once for each layer: the function is the same."""
    rng = np.random.default_rng(1)
    scale = np.ones((1, 1, WIDTH), np.float32)
    scale[..., 3], scale[..., 7] = 20, 0.05
    up = (rng.standard_normal((2 * WIDTH, WIDTH)) / WIDTH**0.5).astype(np.float32)
    down = (rng.standard_normal((WIDTH, 2 * WIDTH)) / (2 * WIDTH) ** 0.5).astype(np.float32)
    given = ops.parameter([-1, -1, WIDTH], np.float32, name="x")
    given.output(0).set_names({"x"})
    hidden, once = given, [ops.constant(array) for array in (up, down)]
    for _ in range(LAYERS):
        first, second = once if shared else (ops.constant(array) for array in (up, down))
        normal = ops.multiply(ops.mvn(hidden, ops.constant(np.array([-1])), True, 1e-6, "INSIDE_SQRT"), ops.constant(scale))
        inner = ops.gelu(ops.matmul(normal, first, False, True), "tanh")
        hidden = ops.add(hidden, ops.matmul(inner, second, False, True))
    return ov.Model([hidden], [given], "network")


def answer(model):
    return ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(DATA[0])[0]


def quantized(shared, alpha):
    smoothing = nncf.AdvancedSmoothQuantParameters(matmul=alpha)
    return nncf.quantize(
        network(shared),
        nncf.Dataset(DATA, lambda one: {"x": one}),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(DATA),
        advanced_parameters=nncf.AdvancedQuantizationParameters(smooth_quant_alphas=smoothing),
    )


def corrected(shared):
    """How many products have two small ones beside them."""
    options = {"mode": nncf.CompressWeightsMode.INT4_SYM, "ratio": 1.0, "group_size": 32, "all_layers": True}
    dataset = nncf.Dataset(DATA, lambda one: {"x": one})
    model = nncf.compress_weights(network(shared), **options, lora_correction=True, dataset=dataset)
    products = sum(node.get_type_name() == "MatMul" for node in model.get_ops())
    return (products - 2 * LAYERS) // 2


exact = answer(network(True))
assert np.abs(exact - answer(network(False))).max() < 1e-4, "the two networks are not the same function"
errors, answers = {}, {}
for shared in (True, False):
    for alpha in (-1, 0.5, 0.95):
        answers[shared, alpha] = answer(quantized(shared, alpha))
        errors[shared, alpha] = float(np.abs(answers[shared, alpha] - exact).mean() / np.abs(exact).mean())
        print(f"shared {shared}, alpha {alpha}: error {errors[shared, alpha]:.1%}")
lora = {shared: corrected(shared) for shared in (True, False)}
print(f"products with a correction: {lora[True]} of {2 * LAYERS} where weights are shared, {lora[False]} with copies")
assert errors[False, 0.95] < errors[False, -1] / 2, "smoothing does not help with copies, either"
for alpha in (0.5, 0.95):
    assert np.array_equal(answers[True, alpha], answers[True, -1]), "shared weights are smoothed now"
assert lora == {True: 2, False: 2 * LAYERS}, "products are corrected otherwise now"
PY
CI=true "$folder/venv/bin/python" program.py > out.txt 2> errors.txt || { cat out.txt; tail -5 errors.txt; exit 1; }
grep -E '^(shared|products)' out.txt
if grep -iE 'share|skip' out.txt errors.txt | grep -vE '^out.txt:(shared|products)'; then
    echo "it says something of shared weights now"
    exit 1
fi
