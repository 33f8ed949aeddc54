"""OpenVINO: heads answer as PyTorch does with the names of inputs and outputs kept, in int8 by the count."""

import os
import subprocess
import sys

import pytest

from albertkit.errors import InputError
from albertkit.exports import base
from albertkit.exports.to_openvino.format import OpenVino
from albertkit.exports.to_openvino.reports import unreported

pytest.importorskip("torch")
pytest.importorskip("onnx")
with unreported():
    openvino = pytest.importorskip("openvino")

from exports import common

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("head", [head for head in base.OUTPUTS if head not in ("Model", "ForTokenClassification")])
def test_every_head_answers_as_the_model_does(tmp_path, head):
    found, forward, reference = common.written(OpenVino(), tmp_path, head, "fp32")
    for padding in ("right", None):
        given = common.batch(head, padding)
        assert common.largest_difference(forward(given), reference(given), given) < 1e-5
    model = openvino.Core().read_model(tmp_path / found.file)
    assert [one.get_any_name() for one in model.inputs] == list(base.INPUTS)
    assert base.OUTPUTS[head].keys() <= {one.get_any_name() for one in model.outputs}


def test_half_precision_is_half_the_size(tmp_path):
    whole, half = (
        common.written(OpenVino(), tmp_path, "ForTokenClassification", precision)[0] for precision in ("fp32", "fp16")
    )
    assert half.weight_bytes < 0.55 * whole.weight_bytes


def test_in_int8_every_product_is_converted_and_answers_stay_near(tmp_path, capfd):
    pytest.importorskip("nncf")
    head, sizes = "ForMaskedLM", {"hidden_size": 64, "embedding_size": 32, "num_hidden_layers": 2}
    found, forward, reference = common.written(OpenVino(), tmp_path, head, "int8", **sizes)
    assert found.converted == found.products == 6 * 2 + 1 + 2
    given = common.batch(head)
    assert common.largest_difference(forward(given), reference(given), given) < 0.2
    assert "alibration" not in capfd.readouterr().out


def test_threads_answer_each_for_itself(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    _, forward, reference = common.written(OpenVino(), tmp_path, "ForTokenClassification", "fp32")
    batches = [common.batch("ForTokenClassification", seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for given, answer in zip(batches, pool.map(forward, batches), strict=True):
            assert common.largest_difference(answer, reference(given), given) < 1e-5


def test_a_device_that_is_not_there_is_told(tmp_path):
    found, *_ = common.written(OpenVino(), tmp_path, "Model", "fp32")
    with pytest.raises(InputError, match="one that OpenVINO can use here"):
        OpenVino().compile(tmp_path / found.file, common.model("Model")[0], "Model", "tpu")


def test_memory_for_shapes_is_bounded_and_floats_stay_floats(tmp_path, monkeypatch):
    """Left to itself OpenVINO keeps kernels for every shape, and takes bfloat16 where a processor has it."""
    asked = []
    compile_model = openvino.Core.compile_model
    monkeypatch.setattr(openvino.Core, "compile_model", lambda *given: asked.append(given) or compile_model(*given))
    common.written(OpenVino(), tmp_path, "Model", "fp32")
    settings = asked[0][3]
    assert int(settings["CPU_RUNTIME_CACHE_CAPACITY"]) <= 16
    assert settings["INFERENCE_PRECISION_HINT"] == "f32"


WATCHED = """
from openvino_telemetry.backend import backend_ga4

backend_ga4.GA4Backend.send = lambda backend, message: print("sent")
from albertkit.errors import InputError
from albertkit.exports.to_openvino.format import OpenVino

"""
EXPORTED = """
try:
    OpenVino().compile("nothing.xml", None, "Model")
except RuntimeError:
    pass
import nncf, openvino
"""


@pytest.mark.parametrize(("program", "is_reported"), [("import openvino", True), (EXPORTED, False)])
def test_an_export_is_not_reported_to_anybody(program, is_reported):
    """What OpenVINO sends by itself when it is imported is not sent here, nor what NNCF would."""
    pytest.importorskip("openvino_telemetry")
    pytest.importorskip("nncf")
    unset = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED + program], env=unset, capture_output=True, text=True, check=True
    )
    assert ("sent" in done.stdout) is is_reported, done.stdout + done.stderr
