"""The encoder for GPUs: what it hands to kernels, graphs and compilers, tried on a CPU with stand-ins for these."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
varlen = pytest.importorskip("torch.nn.attention.varlen")

from albertkit.batches import MaskedBatch, PaddedBatch  # noqa: E402
from albertkit.torch import infer  # noqa: E402
from albertkit.torch.packed import gpu_encoder  # noqa: E402
from albertkit.torch.packed.gpu_encoder import CompiledFinish, GPUEncoder  # noqa: E402
from frameworks.common import random_tensors, small  # noqa: E402

pytestmark = pytest.mark.torch
ROWS = [[5, 6, 7], [9, 8, 7, 6, 5], [4], [3, 2, 5, 9, 8, 7, 6], [7, 7, 5]]


@pytest.fixture(autouse=True)
def attention_on_a_cpu(monkeypatch):
    """What varlen_attn does, one sequence after the other: it has kernels for GPUs alone."""

    def attend(query, key, value, asked, places, most, longest):
        parts = []
        assert asked.dtype == places.dtype == torch.int32
        assert (asked.diff().max(), places.diff().max()) <= (most, longest)
        for number in range(len(places) - 1):
            q = query[asked[number] : asked[number + 1]]
            k, v = (x[places[number] : places[number + 1]] for x in (key, value))
            heads = torch.nn.functional.scaled_dot_product_attention(*(x.transpose(0, 1) for x in (q, k, v)))
            parts.append(heads.transpose(0, 1))
        return torch.cat(parts)

    monkeypatch.setattr(varlen, "varlen_attn", attend)


def made(head, capture=None):
    """The forward of a model on the encoder for GPUs, in float32, with it, and that of the same model on a CPU."""
    config = small().changed(attn_implementation="packed")
    tensors = random_tensors(config, head)
    model = infer.build(config, head, tensors, "the test", torch.device("cpu"))
    with torch.inference_mode():
        encoder = GPUEncoder(model.base_model.encoder, config, torch.float32, capture)
    model.base_model.encoder = encoder
    return infer.attach(model), encoder, infer.compile(config, head, tensors, device="cpu")


def padded(rows):
    return PaddedBatch.of_rows(rows, [[0] * len(row) for row in rows], 0)


@pytest.mark.parametrize("head", ["ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering"])
def test_sequences_of_all_lengths_are_answered_as_on_a_cpu(head):
    found, _, expected = made(head)
    for name, values in expected(padded(ROWS)).items():
        np.testing.assert_allclose(found(padded(ROWS))[name], values, atol=1e-5)


def test_masked_places_are_answered_as_on_a_cpu():
    found, _, expected = made("ForMaskedLM", capture=lambda run, device: run)
    for rows in (ROWS, ROWS[3:4]):
        positions = np.array([[len(rows) - 1, 0], [0, 1]])
        masked = MaskedBatch.of_rows(rows, [[0] * len(row) for row in rows], 0, positions=positions)
        np.testing.assert_allclose(found(masked)["logits"], expected(masked)["logits"], atol=1e-5)


@pytest.mark.parametrize("head", ["ForSequenceClassification", "ForTokenClassification"])
def test_single_texts_of_like_length_share_a_graph_and_are_answered_as_on_a_cpu(head):
    captured = []

    def capture(run, device):
        captured.append(run)
        return run  # reads the places of its inputs again at each call, as a graph does

    found, _, expected = made(head, capture)
    for row in [*ROWS, list(range(2, 17)), list(range(2, 18))]:
        np.testing.assert_allclose(found(padded([row]))["logits"], expected(padded([row]))["logits"], atol=1e-5)
    assert len(captured) == 2  # for fewer than 16 tokens, and for 16


def test_answers_of_a_graph_are_not_overwritten_by_the_next_one():
    places = {}

    def capture(run, device):
        """Keeps one place for what comes out, as a graph does."""

        def replay():
            out = run()
            places.setdefault(out.shape, torch.empty_like(out)).copy_(out)
            return places[out.shape]

        return replay

    _, encoder, _ = made("Model", capture)
    chunk = gpu_encoder.Chunk(0, 3, ((1, 3),), None, is_first_token=False)
    first, second = torch.randn(2, 3, encoder.encoder.embedding_hidden_mapping_in.in_features)
    with torch.inference_mode():
        kept = encoder._run(first, chunk)
        before = kept.clone()
        encoder._run(second, chunk)
    assert torch.equal(kept, before)


def test_without_graphs_single_texts_are_answered_all_the_same_and_that_is_said_once(caplog):
    def capture(run, device):
        raise RuntimeError("no graphs on this device\nand more lines")

    found, _, expected = made("ForSequenceClassification", capture)
    for row in ROWS[:2]:
        np.testing.assert_allclose(found(padded([row]))["logits"], expected(padded([row]))["logits"], atol=1e-5)
    assert [record.message for record in caplog.records] == [
        "Single texts are computed without CUDA graphs: no graphs on this device"
    ]


def test_after_many_tokens_a_layer_is_compiled_once_for_any_number_of_tokens(monkeypatch):
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(gpu_encoder, "COMPILE_AFTER", 25)
    monkeypatch.setattr(gpu_encoder, "CompiledFinish", lambda layer: CompiledFinish(layer, backend))
    found, encoder, expected = made("ForTokenClassification")
    before = found(padded(ROWS))["logits"]
    assert not graphs
    for rows in (ROWS, ROWS[:3], ROWS[1:]):
        np.testing.assert_allclose(found(padded(rows))["logits"], expected(padded(rows))["logits"], atol=1e-5)
    assert len(graphs) == 1
    assert len(encoder.runs) > 1
    np.testing.assert_allclose(found(padded(ROWS))["logits"], before, atol=1e-5)


def test_a_compiler_that_fails_is_told_once_and_done_without(caplog):
    def backend(graph, inputs):
        raise RuntimeError("no compiler here")

    _, encoder, _ = made("Model")
    layer = encoder.runs[0]
    finish = CompiledFinish(layer, backend)
    context, states = torch.randn(2, 6, layer.norms[0].normalized_shape[0])
    with torch.inference_mode():
        for _ in range(2):
            torch.testing.assert_close(finish(context, states, 0), layer.uncompiled(context, states, 0))
    said = [record.message for record in caplog.records if record.name == gpu_encoder.__name__]
    assert len(said) == 1
    assert "without being compiled" in said[0]
    assert "no compiler here" in said[0]


def test_what_a_gpu_needs_is_asked_of_it(monkeypatch):
    cuda, config = torch.device("cuda"), small()
    assert not gpu_encoder.can_run(torch.device("cpu"), config)
    for capability, expected in [((7, 5), False), ((8, 0), True)]:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, found=capability: found)
        assert gpu_encoder.can_run(cuda, config.changed(hidden_size=64, num_attention_heads=2)) is expected
    assert not gpu_encoder.can_run(cuda, config.changed(hidden_size=60, num_attention_heads=5))
