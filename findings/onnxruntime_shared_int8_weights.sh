#!/usr/bin/env bash
# ONNX Runtime 1.32.0: the option session.x64quantprecision, by which int8 products stay exact on processors without VNNI, fails
# as soon as two products share one int8 weight. The session is not made: "Attempt to replace the existing tensor". With a
# weight of its own for each product it works. Without the option such products clip at 16 bits on these processors, silently.
# Seen on 2026-11-30, Python 3.11, x86-64 with AVX2 and without VNNI; on a processor with VNNI the option changes nothing.
# Matters to: whoever runs a quantised model whose layers share weights, such as ALBERT, on AVX2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def model(products, weights):
    """Products one behind the other, which use so many weights in turn."""
    rng = np.random.default_rng(0)
    stored = [numpy_helper.from_array(rng.integers(-127, 128, (64, 64)).astype(np.int8), f"w{n}") for n in range(weights)]
    nodes = []
    for n in range(products):
        nodes.append(helper.make_node("DynamicQuantizeLinear", [f"x{n}"], [f"q{n}", f"s{n}", f"z{n}"]))
        nodes.append(helper.make_node("MatMulInteger", [f"q{n}", f"w{n % weights}", f"z{n}"], [f"p{n}"]))
        nodes.append(helper.make_node("Cast", [f"p{n}"], [f"c{n}"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [f"c{n}", f"s{n}"], [f"x{n + 1}"]))
    given = helper.make_tensor_value_info("x0", TensorProto.FLOAT, [2, 64])
    made = helper.make_tensor_value_info(f"x{products}", TensorProto.FLOAT, [2, 64])
    graph = helper.make_graph(nodes, "g", [given], [made], initializer=stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9).SerializeToString()


def works(products, weights):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        onnxruntime.InferenceSession(model(products, weights), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        return str(error).splitlines()[0][:60]
    return True


def clips():
    """Whether this processor needs the option at all."""
    weight = numpy_helper.from_array(np.full((64, 64), 127, np.int8), "w")
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, [64, 64])
    y = helper.make_tensor_value_info("y", TensorProto.INT32, [64, 64])
    graph = helper.make_graph([helper.make_node("MatMulInteger", ["x", "w"], ["y"])], "g", [x], [y], initializer=[weight])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9).SerializeToString()
    session = onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
    found = session.run(None, {"x": np.full((64, 64), 255, np.uint8)})[0]
    return int(found[0, 0]), 255 * 127 * 64


found, exact = clips()
print(f"255 * 127, 64 times: {found:,}, exactly {exact:,}")
print(f"weights of their own: {works(2, 2)}; a shared weight: {works(2, 1)}")
if found == exact:
    print("this processor does not clip: nothing to see here")
else:
    assert works(2, 2) is True, "the option fails without shared weights, too"
    assert works(2, 1) is not True, "the option works with shared weights now"
PY
