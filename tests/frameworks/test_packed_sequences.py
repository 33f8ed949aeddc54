"""Rows without their padding in PyTorch: the same outputs, losses and gradients at every token."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from albertkit.batches import PaddedBatch  # noqa: E402
from albertkit.torch import infer, models, train  # noqa: E402
from albertkit.torch.layers import AlbertLayer  # noqa: E402
from albertkit.torch.packed import packed_encoder  # noqa: E402
from albertkit.torch.packed_sequences import PackedSequences, Unpadded  # noqa: E402
from frameworks.adapters import Torch  # noqa: E402
from frameworks.common import HEADS, batch, random_tensors, small  # noqa: E402

pytestmark = pytest.mark.torch
SPREAD_OVER_PLACES = "ForQuestionAnswering"
"""The head whose loss counts the scores of padding, too, and so is another where those are 0."""


def both(head, **changes):
    config = small(**changes)
    tensors = random_tensors(config, head)
    return [
        Torch().build(head, config.changed(attn_implementation=implementation), tensors)
        for implementation in ("sdpa", "packed")
    ]


def inputs(head, **options):
    return {name: torch.from_numpy(array) for name, array in batch(head, **options).items()}


def at_tokens(name, values, mask):
    """Outputs without those of padding."""
    is_of_tokens = values.shape[: mask.dim()] == mask.shape and name != "pooler_output"
    return values[mask > 0] if is_of_tokens else values


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("padding", ["left", "right"])
def test_outputs_at_tokens_and_gradients_are_those_of_padded_rows(head, padding):
    given = inputs(head, padding=padding)
    if "labels" in given and given["labels"].shape == given["attention_mask"].shape:
        given["labels"] = given["labels"].masked_fill(given["attention_mask"] == 0, -100)
    padded, packed = both(head)
    one, other = (model(**given) for model in (padded, packed))
    assert one.keys() == other.keys()
    for name in one:
        if name == "loss" and head == SPREAD_OVER_PLACES:
            continue
        expected, found = (at_tokens(name, output[name], given["attention_mask"]) for output in (one, other))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5, msg=name)
    if "loss" in one and head != SPREAD_OVER_PLACES:
        for output in (one, other):
            output.loss.backward()
        gradients = dict(padded.named_parameters())
        for name, parameter in packed.named_parameters():
            if parameter.grad is None:
                assert gradients[name].grad is None, name
            else:
                torch.testing.assert_close(parameter.grad, gradients[name].grad, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("head", HEADS)
def test_rows_without_padding_give_the_same(head):
    given = inputs(head, padding=None)
    given.pop("attention_mask", None)
    padded, packed = both(head)
    for name, expected in padded(**given).items():
        torch.testing.assert_close(packed(**given)[name], expected, atol=1e-5, rtol=1e-5, msg=name)


def test_hidden_states_of_padding_are_0():
    given = inputs("Model", padding="right")
    states = both("Model")[1](**given).last_hidden_state
    assert states.shape[:2] == given["input_ids"].shape
    assert (states[given["attention_mask"] == 0] == 0).all()
    assert (states[given["attention_mask"] == 1] != 0).any(-1).all()


@pytest.mark.parametrize("asked", ["output_attentions", "output_hidden_states", "head_mask", "pairs", "padding first"])
def test_what_packing_cannot_give_is_computed_from_padded_rows(asked):
    given = inputs("Model", padding="right")
    padded, packed = both("Model")
    if asked == "head_mask":
        given["head_mask"] = torch.tensor([1.0] * (packed.config.num_attention_heads - 1) + [0.0])
    elif asked == "pairs":
        mask = given["attention_mask"]
        given["attention_mask"] = mask[:, :, None] * mask[:, None, :]
    elif asked == "padding first":
        given["attention_mask"][-1] = given["attention_mask"][-1].flip(0)
    else:
        given[asked] = True
    expected, found = padded(**given), packed(**given)
    assert expected.keys() == found.keys()
    torch.testing.assert_close(found.to_tuple(), expected.to_tuple())


def test_in_the_last_layer_of_a_classifier_only_first_tokens_are_computed():
    given = inputs("ForSequenceClassification", padding="right")
    _, packed = both("ForSequenceClassification", num_hidden_layers=3)
    layer = packed.albert.encoder.albert_layer_groups[0].albert_layers[0]
    sizes = {name: [] for name in ("attention.query", "attention.key", "ffn")}
    for name, found in sizes.items():
        layer.get_submodule(name).register_forward_hook(lambda *call, found=found: found.append(call[2].shape[1]))
    packed(**given)
    tokens, rows = int(given["attention_mask"].sum()), len(given["input_ids"])
    assert sizes["attention.key"] == [tokens] * 3
    assert sizes["attention.query"] == sizes["ffn"] == [tokens, tokens, rows]


def test_tokens_go_and_come_back():
    mask = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 1], [1, 0, 1, 0], [1, 1, 1, 1]])
    rows = torch.arange(16.0).view(4, 4, 1) + 1
    packing = Unpadded.of_mask(mask)
    packed = packing.pack(rows)
    assert packing.groups == ((1, 4), (1, 3), (2, 2))
    assert packed.flatten().tolist() == [13, 14, 15, 16, 6, 7, 8, 1, 2, 9, 11]
    torch.testing.assert_close(packing.unpack(packed), rows * mask[..., None])
    firsts = packing.sequences(is_first_token=True).select(packed)
    assert packing.in_order_of_rows(firsts).flatten().tolist() == [1, 6, 9, 13]
    assert packed[0, packing.starts].flatten().tolist() == [1, 6, 9, 13]


def test_training_and_inference_on_a_cpu_compute_nothing_for_padding(monkeypatch):
    head, config = "ForSequenceClassification", small()
    given, counted, answered = batch(head, padding="right"), [], []
    run, run_packed = AlbertLayer.forward, packed_encoder.Layer.__call__
    tokens, rows = int(given["attention_mask"].sum()), len(given["input_ids"])

    def counting(layer, hidden_states, *arguments):
        counted.append(hidden_states.shape[:2])
        return run(layer, hidden_states, *arguments)

    def counting_answers(layer, states, *arguments):
        answered.append(states.shape[:1])
        return run_packed(layer, states, *arguments)

    monkeypatch.setattr(AlbertLayer, "forward", counting)
    monkeypatch.setattr(packed_encoder.Layer, "__call__", counting_answers)
    state = train.init_state(config, head, random_tensors(config, head))
    train.train_step(state, [PaddedBatch(**given)], 1e-3, seed=0)
    train.eval_step(state, PaddedBatch(**given))
    forward = infer.compile(config, head, random_tensors(config, head), device="cpu")
    logits = forward(PaddedBatch(**{name: array for name, array in given.items() if name != "labels"}))["logits"]
    assert len(logits) == rows
    assert set(counted) == {(1, tokens)}
    assert len(counted) == 2 * config.num_hidden_layers
    assert answered == [(tokens,)] * config.num_hidden_layers
    assert config._attn_implementation != "packed"  # which stays that of the caller


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_of_training_takes_padding_for_nothing(precision):
    """The loss of spans, too: whatever a row is padded to, it is the same."""
    head, config = "ForQuestionAnswering", small()
    given = batch(head, padding="right")
    mask = given["attention_mask"]
    given = {**given, "start_positions": np.minimum(given["start_positions"], 1), "end_positions": mask.sum(1) - 1}
    longer = {name: np.pad(array, ((0, 0), (0, 5))) if array.ndim == 2 else array for name, array in given.items()}
    losses = []
    for arrays in (given, longer):
        state = train.init_state(config, head, random_tensors(config, head), precision=precision)
        losses.append(float(train.eval_step(state, PaddedBatch(**arrays))["loss"]))
        losses.append(train.train_step(state, [PaddedBatch(**arrays)], 1e-3, 0)["loss"])
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5 if precision == "fp32" else 2e-2)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_of_packed_tokens_only_those_that_are_asked_for_come_back(checkpointing):
    config = small(num_hidden_groups=2, inner_group_num=2, gradient_checkpointing=checkpointing)
    encoder = models.AlbertModel(config).encoder.train()
    embedded, places = torch.randn(1, 11, config.embedding_size), torch.tensor([7, 0, 10])
    found = encoder(embedded, PackedSequences(((2, 4), (1, 3)), places)).last_hidden_state
    whole = encoder(embedded, PackedSequences(((2, 4), (1, 3)))).last_hidden_state
    assert (found.shape, whole.shape) == ((1, 3, config.hidden_size), (1, 11, config.hidden_size))
    torch.testing.assert_close(found, whole[:, places])


@pytest.mark.parametrize(("rows", "length"), [(1, 1), (1, 7), (3, 4)])
def test_rows_without_padding_stay_where_they_are(rows, length):
    packing = Unpadded.of_mask(torch.ones((rows, length)))
    x = torch.arange(rows * length).view(rows, length)
    assert packing.groups == ((rows, length),)
    assert packing.pack(x).tolist() == [x.flatten().tolist()]
    assert packing.unpack(packing.pack(x)).equal(x)
    assert packing.starts.tolist() == x[:, 0].tolist()
