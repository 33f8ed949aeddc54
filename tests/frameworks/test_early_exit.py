"""Early exit in PyTorch: a classifier learns at every layer, and a text stops where its layers agree."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from albertkit.batches import PaddedBatch  # noqa: E402
from albertkit.errors import InputError  # noqa: E402
from albertkit.torch import infer  # noqa: E402
from albertkit.torch.packed import chunks  # noqa: E402
from frameworks.adapters import Torch  # noqa: E402
from frameworks.common import batch, random_tensors, small  # noqa: E402

pytestmark = pytest.mark.torch
HEAD, LAYERS = "ForSequenceClassification", 6
LENGTHS = (5, 9, 9, 17, 3, 24, 9, 1, 9, 2, 2, 17)


def config_of(**changes):
    shape = {"num_hidden_layers": LAYERS, "max_position_embeddings": 32, "num_labels": 3}
    return small(**{**shape, "early_exit": True, **changes})


def tensors_of(config):
    """Weights by which layers often disagree, so that texts stop at many of them."""
    return {
        name: values * (1 if "LayerNorm" in name or "layer_norm" in name else 4)
        for name, values in random_tensors(config, HEAD).items()
    }


def rows(config):
    draw = np.random.default_rng(3)
    return [draw.integers(5, config.vocab_size, length).tolist() for length in LENGTHS]


def padded(ids):
    return PaddedBatch.of_rows(ids, [[0] * len(row) for row in ids], 0)


def every_layer(config, data):
    """The logits (layers, B, C) of the head after every layer, from the hidden states of the whole model."""
    model = Torch().build(HEAD, config, tensors_of(config)).eval()
    given = {name: torch.from_numpy(array) for name, array in data.arguments().items()}
    with torch.inference_mode():
        states = model(**given, output_hidden_states=True, return_dict=True).hidden_states[1:]
        return torch.stack([model.classifier(torch.tanh(model.albert.pooler(one[:, 0]))) for one in states]).numpy()


SAME = {
    "single_label_classification": lambda one, other: one.argmax() == other.argmax(),
    "multi_label_classification": lambda one, other: bool(((one > 0) == (other > 0)).all()),
    "regression": lambda one, other: bool(np.abs(one - other).max() < 0.5),
}


def expected(logits, patience, same):
    """The logits of each row, and the number of layers, by the words of the paper."""
    found = []
    for row in logits.swapaxes(0, 1):
        confirmed, depth = 0, 1
        while confirmed < patience and depth < len(row):
            confirmed = confirmed + 1 if same(row[depth], row[depth - 1]) else 0
            depth += 1
        found.append((row[depth - 1], depth))
    return tuple(map(np.array, zip(*found, strict=True)))


def compiled(config, patience, precision="fp32"):
    threshold = {"early_exit_threshold": 0.5} if config.problem_type == "regression" else {}
    changed = config.changed(early_exit_patience=patience, **threshold)
    return infer.compile(changed, HEAD, tensors_of(config), "the test", "cpu", precision)


@pytest.mark.parametrize("problem_type", SAME)
@pytest.mark.parametrize("patience", [1, 2, LAYERS])
def test_a_text_stops_after_as_many_layers_as_confirm_its_answer(problem_type, patience):
    config = config_of(problem_type=problem_type, num_labels=1 if problem_type == "regression" else 3)
    logits, layers = expected(every_layer(config, padded(rows(config))), patience, SAME[problem_type])
    found = compiled(config, patience)(padded(rows(config)))
    assert found["layers"].tolist() == layers.tolist()
    assert patience == LAYERS or len(set(found["layers"])) > 1, "nothing stops early: the test shows little"
    np.testing.assert_allclose(found["logits"], logits, atol=2e-5)


@pytest.mark.parametrize("chunk", [1, 30])
def test_layers_of_several_groups_and_inner_layers_count_as_they_do_in_the_config(monkeypatch, chunk):
    monkeypatch.setattr(chunks, "CHUNK", chunk)
    config = config_of(num_hidden_groups=2, inner_group_num=2)
    data = padded(rows(config))
    logits, layers = expected(every_layer(config, data), 1, SAME["single_label_classification"])
    found = compiled(config, 1)(data)
    assert found["layers"].tolist() == layers.tolist()
    np.testing.assert_allclose(found["logits"], logits, atol=2e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_a_text_stops_where_it_stops_alone(precision):
    config = config_of()
    forward, ids = compiled(config, 1, precision), rows(config_of())
    together, alone = forward(padded(ids)), [forward(padded([one])) for one in ids]
    assert together["layers"].tolist() == [one["layers"][0] for one in alone]
    if precision != "bf16":
        np.testing.assert_allclose(together["logits"], np.concatenate([one["logits"] for one in alone]), atol=1e-5)


@pytest.mark.parametrize("attention", ["sdpa", "packed"])
def test_the_loss_in_training_is_that_of_all_layers_weighted_by_depth(attention):
    config = config_of(classifier_dropout_prob=0.0)
    given = batch(HEAD, padding="right")
    wanted = every_layer(config, PaddedBatch(**{name: given[name] for name in ("input_ids", "attention_mask")}))
    model = Torch().build(HEAD, config, tensors_of(config))
    model.set_attn_implementation(attention)
    arguments = {name: torch.from_numpy(given[name]) for name in ("input_ids", "attention_mask", "labels")}
    losses = [float(functional.cross_entropy(torch.from_numpy(one), arguments["labels"])) for one in wanted]
    by_depth = sum(depth * loss for depth, loss in enumerate(losses, start=1)) / sum(range(LAYERS + 1))
    learning, answering = model.train()(**arguments), model.eval()(**arguments)
    assert float(learning.loss.detach()) == pytest.approx(by_depth, rel=1e-4)
    assert learning.hidden_states is None
    np.testing.assert_allclose(learning.logits.detach().numpy(), wanted[-1], atol=2e-5)
    assert float(answering.loss.detach()) == pytest.approx(losses[-1], rel=1e-4)


def test_rows_that_are_padded_in_front_are_refused():
    given = batch(HEAD, padding="left")
    with pytest.raises(InputError, match=r"begin with a token.*Pad them on the right"):
        compiled(config_of(), 1)(PaddedBatch(given["input_ids"], attention_mask=given["attention_mask"]))


def test_a_device_that_does_not_compute_it_is_refused():
    config = config_of(early_exit_patience=1)
    with pytest.raises(InputError, match=r"computed on a CPU.*patience 1 on meta.*leave `patience` out"):
        infer.compile(config, HEAD, {}, device="meta")
