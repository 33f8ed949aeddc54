"""Our PyTorch models against those of Transformers 4, with the same weights, in fp32."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from albertkit import weight_table  # noqa: E402
from albertkit.config import AlbertConfig  # noqa: E402
from albertkit.torch import models  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.torch]

OWN = ("ForQuestionAnsweringBeamSearch", "ForSentenceEmbedding")
"""Heads that Transformers has not."""
HEADS = tuple(head for head in weight_table.PARTS if head not in OWN)
# The four published sizes with their depth and head count, shrunk in width.
SIZES = {
    "base": {"num_hidden_layers": 12, "hidden_size": 48, "num_attention_heads": 12, "intermediate_size": 96},
    "large": {"num_hidden_layers": 24, "hidden_size": 64, "num_attention_heads": 16, "intermediate_size": 128},
    "xlarge": {"num_hidden_layers": 24, "hidden_size": 96, "num_attention_heads": 16, "intermediate_size": 192},
    "xxlarge": {"num_hidden_layers": 12, "hidden_size": 128, "num_attention_heads": 64, "intermediate_size": 256},
}
ACTIVATIONS = ("gelu", "gelu_new", "relu", "silu", "swish", "mish", "tanh", "quick_gelu", "gelu_pytorch_tanh")
BATCH, LENGTH, CHOICES = 3, 11, 2


def settings(size="base", **changes):
    return {"vocab_size": 101, "embedding_size": 16, "max_position_embeddings": 16, **SIZES[size], **changes}


def pair(head, **keys):
    """Our model and the peer's, with the same random weights, in training mode without dropout."""
    keys = {"classifier_dropout_prob": 0.0, "initializer_range": 0.05, **keys}
    torch.manual_seed(7)
    ours = getattr(models, f"Albert{head}")(AlbertConfig(**keys))
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    config = transformers.AlbertConfig(**keys)
    theirs = getattr(transformers, f"Albert{head}")._from_config(config, attn_implementation="eager")
    missing, unexpected = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert not missing
    assert not unexpected
    theirs.tie_weights()
    return ours.train(), theirs.train()


def batch(head, padding="right", seed=0):
    rng = np.random.default_rng(seed)
    shape = (BATCH, CHOICES, LENGTH) if head == "ForMultipleChoice" else (BATCH, LENGTH)
    mask = np.ones(shape, np.int64)
    if padding:
        for row, cut in zip(mask.reshape(-1, LENGTH), itertools.cycle((0, 3, 6))):
            row[:cut] = 0
            if padding == "right":
                row[:] = row[::-1]
    inputs = {
        "input_ids": rng.integers(1, 101, shape),
        "token_type_ids": rng.integers(0, 2, shape),
        "attention_mask": mask,
    }
    labels = {
        "Model": {},
        "ForPreTraining": {
            "labels": np.where(rng.random(shape) < 0.4, rng.integers(0, 101, shape), -100),
            "sentence_order_label": rng.integers(0, 2, BATCH),
        },
        "ForMaskedLM": {"labels": np.where(rng.random(shape) < 0.4, rng.integers(0, 101, shape), -100)},
        "ForSequenceClassification": {"labels": rng.integers(0, 2, BATCH)},
        "ForMultipleChoice": {"labels": rng.integers(0, CHOICES, BATCH)},
        "ForTokenClassification": {"labels": np.where(mask == 1, rng.integers(0, 2, shape), -100)},
        "ForQuestionAnswering": {
            "start_positions": np.array([2, LENGTH + 2, -1]),  # inside, beyond the end, negative
            "end_positions": np.array([5, LENGTH, 3]),
        },
    }[head]
    return {name: torch.from_numpy(array) for name, array in {**inputs, **labels}.items()}


def difference(ours, theirs):
    """Largest difference over largest value."""
    ours, theirs = ours.detach().double(), theirs.detach().double()
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-12))


def compare(head, inputs, **keys):
    ours, theirs = pair(head, **keys)
    for implementation in ("sdpa", "eager"):
        ours.set_attn_implementation(implementation)
        ours.zero_grad(), theirs.zero_grad()
        mine, peer = (model(**inputs, output_hidden_states=True) for model in (ours, theirs))
        assert list(mine.keys()) == list(peer.keys())
        for name in mine:
            values = mine[name] if isinstance(mine[name], tuple) else (mine[name],)
            expected = peer[name] if isinstance(peer[name], tuple) else (peer[name],)
            assert len(values) == len(expected)
            assert max(map(difference, values, expected)) <= 1e-5, name
        for answer in (mine, peer):
            (answer.loss if "loss" in answer else answer[0].square().mean() + answer[1].sum()).backward()
        mine, peer = (
            {n: p.grad for n, p in model.named_parameters() if p.grad is not None} for model in (ours, theirs)
        )
        assert list(mine) == list(peer)
        largest = max(float(gradient.abs().max()) for gradient in peer.values())
        for name, gradient in mine.items():
            if name.endswith(("key.bias", "qa_outputs.bias")) or (head, name) == (
                "ForMultipleChoice",
                "classifier.bias",
            ):
                # A softmax cancels these: their gradient is zero but for rounding.
                assert max(gradient.abs().max(), peer[name].abs().max()) <= 1e-5 * largest
            else:
                assert difference(gradient, peer[name]) <= 1e-4, name


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize("size", SIZES)
def test_sizes(head, padding, size):
    compare(head, batch(head, padding), **settings(size))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(("groups", "inner"), [(1, 2), (2, 1), (2, 2)])
def test_groups_and_inner_layers(head, groups, inner):
    keys = {"num_hidden_layers": 6, "num_hidden_groups": groups, "inner_group_num": inner}
    compare(head, batch(head), **settings(**keys))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    compare("ForPreTraining", batch("ForPreTraining"), **settings(num_hidden_layers=2, hidden_act=name))


def test_more_groups_than_layers():
    """Release 4 raises for them in its own loop, over head masks; its layers are run here in its order of groups."""
    ours, theirs = pair("Model", **settings(num_hidden_layers=4, num_hidden_groups=12))
    given = {"input_ids": batch("Model")["input_ids"]}
    expected = theirs.encoder.embedding_hidden_mapping_in(theirs.embeddings(**given))
    config = theirs.config
    for layer in range(config.num_hidden_layers):
        group = int(layer / (config.num_hidden_layers / config.num_hidden_groups))
        run = theirs.encoder.albert_layer_groups[group].albert_layers[0]
        expected = run(expected)[0]
    found = ours(**given).last_hidden_state
    assert torch.allclose(found, expected, atol=1e-5)
