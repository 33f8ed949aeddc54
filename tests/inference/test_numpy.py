"""The forward pass in NumPy: the numbers of PyTorch, for every head and every axis of a config."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from albertkit.batches import MaskedBatch, PaddedBatch  # noqa: E402
from albertkit.errors import InputError, TokenIdError, WeightMismatch  # noqa: E402
from albertkit.kernels import library  # noqa: E402
from albertkit.numpy import infer  # noqa: E402
from albertkit.numpy.activations import ACTIVATIONS  # noqa: E402
from albertkit.quantization import Quantization, per_token  # noqa: E402
from albertkit.torch import infer as torch_infer  # noqa: E402
from albertkit.torch.activations import ACTIVATIONS as OF_TORCH  # noqa: E402
from frameworks.common import AXES, HEADS, OF_SEVERAL, batch, difference, random_tensors, small  # noqa: E402

pytestmark = pytest.mark.torch

OF_32 = {"embedding_size": 32, "hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 32}
ARGUMENTS = ("input_ids", "token_type_ids", "attention_mask")


def padded(head, padding="right", kind=PaddedBatch, **others):
    given = batch(head, padding)
    return kind(**{name: given[name] for name in ARGUMENTS}, **others)


def require_same(config, head, asked):
    tensors = random_tensors(config, head)
    ours = infer.compile(config, head, tensors)(asked)
    wanted = torch_infer.compile(config, head, tensors, device="cpu", precision="fp32")(asked)
    assert ours.keys() == wanted.keys()
    for name, values in ours.items():
        counted = np.ones(values.shape, bool)
        if values.shape[:2] == asked.input_ids.shape and head not in OF_SEVERAL:
            counted[asked.attention_mask == 0] = False  # what stands at padding means nothing
        assert values.dtype == np.float32, name
        assert difference(values[counted], wanted[name][counted]) < 1e-5, name


@pytest.mark.parametrize("head", HEADS)
def test_every_head_answers_as_in_pytorch(head):
    require_same(small(num_labels=3), head, padded(head))


@pytest.mark.parametrize("axis", AXES)
def test_every_axis_of_a_config_is_computed(axis):
    require_same(small(**AXES[axis]), "ForPreTraining", padded("ForPreTraining"))


@pytest.mark.parametrize("pooling", ["mean", "max", "cls"])
@pytest.mark.parametrize("special_tokens", [True, False])
def test_sentences_are_pooled_as_the_config_says(pooling, special_tokens):
    config = small(sentence_pooling=pooling, sentence_special_tokens=special_tokens)
    given = batch("ForTokenClassification")
    require_same(config, "ForSentenceEmbedding", PaddedBatch(**{name: given[name] for name in ARGUMENTS}))


def test_masked_places_alone_are_scored():
    positions = np.array([[0, 3], [2, 1], [0, 1]])
    require_same(small(), "ForMaskedLM", padded("ForMaskedLM", kind=MaskedBatch, positions=positions))


@pytest.mark.parametrize("name", OF_TORCH)
def test_activations_are_those_of_pytorch(name):
    values = np.linspace(-12, 12, 401, dtype=np.float32)
    found = ACTIVATIONS[name](values)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, OF_TORCH[name](torch.from_numpy(values)).numpy(), atol=2e-6)


def test_bfloat16_weights_are_read():
    config, head = small(), "ForSequenceClassification"
    tensors = {
        name: torch.from_numpy(one).bfloat16().float().numpy() for name, one in random_tensors(config, head).items()
    }
    import ml_dtypes

    halves = {name: one.astype(ml_dtypes.bfloat16) for name, one in tensors.items()}
    asked = padded(head)
    np.testing.assert_array_equal(
        infer.compile(config, head, halves)(asked)["logits"], infer.compile(config, head, tensors)(asked)["logits"]
    )


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_lower_precisions_want_the_compiled_library(monkeypatch, precision):
    config, head = small(), "ForSequenceClassification"
    monkeypatch.setattr(library, "has_precision", lambda precision: False)
    with pytest.raises(InputError, match=rf"fp32 or auto in NumPy on this processor\. Received: '{precision}'"):
        infer.compile(config, head, random_tensors(config, head), precision=precision)


def test_a_model_that_the_compiled_library_does_not_compute_is_refused(monkeypatch):
    config, head = small(hidden_size=24, num_attention_heads=2), "ForSequenceClassification"
    monkeypatch.setattr(library, "has_precision", lambda precision: True)
    with pytest.raises(InputError, match=r"multiples of 32 .* Received: int8 for a model that is not like that"):
        infer.compile(config, head, random_tensors(config, head), precision="int8")


@pytest.mark.parametrize("kind", ["auto", "quantized"])
def test_such_a_model_answers_in_float32_where_nothing_else_is_asked_for(monkeypatch, caplog, kind):
    head, asked = "ForSequenceClassification", padded("ForSequenceClassification")
    monkeypatch.setattr(library, "has_precision", lambda precision: precision != "fp32")
    config = small(hidden_size=24, num_attention_heads=2) if kind == "auto" else small(**OF_32)
    layers = [{**layer, "dense": "float"} for layer in per_token(config).layers]
    asked_for = {"precision": "auto"} if kind == "auto" else {"quantization": Quantization("token", layers)}
    tensors = random_tensors(config, head)
    found, wanted = (infer.compile(config, head, tensors, **one)(asked) for one in (asked_for, {}))
    np.testing.assert_array_equal(found["logits"], wanted["logits"])
    assert ("Answers are computed in fp32, the fastest precision of NumPy" in caplog.text) == (kind == "auto")


def test_auto_is_the_fastest_that_the_processor_has(monkeypatch, caplog):
    config, head = small(**OF_32), "ForSequenceClassification"
    monkeypatch.setattr(infer, "can_run", lambda config, precision, quantization: precision == "bf16")
    monkeypatch.setattr(infer, "Weights", lambda config, tensors, precision, quantization: precision)
    assert infer.compile(config, head, random_tensors(config, head), precision="auto")
    assert "Answers are computed in bf16" in caplog.text


def test_what_it_cannot_compute_is_refused():
    config, head = small(), "ForSequenceClassification"
    tensors = random_tensors(config, head)
    with pytest.raises(InputError, match=r"Received: 'half'"):
        infer.compile(config, head, tensors, precision="half")
    with pytest.raises(InputError, match=r"Received: the device 'cuda:0'"):
        infer.compile(config, head, tensors, device="cuda:0")
    without = {name: one for name, one in tensors.items() if not name.startswith("classifier")}
    with pytest.raises(WeightMismatch, match=r"lacks classifier\.weight, classifier\.bias"):
        infer.compile(config, head, without)
    forward = infer.compile(config, head, tensors)
    with pytest.raises(TokenIdError, match="Received: 61 to 61"):
        forward(PaddedBatch(np.array([[61]])))
    with pytest.raises(InputError, match="Received: 17 tokens, 16 positions"):
        forward(PaddedBatch(np.ones((1, 17), np.int64)))
