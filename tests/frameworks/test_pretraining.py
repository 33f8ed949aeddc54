"""Steps of pre-training in every framework: rows of several sequences, the same losses, the same weights."""

from dataclasses import replace

import numpy as np
import pytest

from albertkit import weight_table
from albertkit.backends import OptimizerSettings
from albertkit.errors import TokenIdError
from albertkit.training.backends import train_backend
from frameworks import rows
from frameworks.common import difference, random_tensors, small

HEAD = "ForPreTraining"
STEPS = 6


def begun(framework, config=None, **options):
    config = config or small(num_hidden_groups=2)
    precision = options.pop("precision", "fp32")
    settings = OptimizerSettings(weight_decay=0.1, **options)
    train = train_backend(framework)
    return train, train.init_state(config, HEAD, random_tensors(config, HEAD), settings, precision)


def trained(framework, parts=1, ordered=True, **options):
    """The records of a few steps, and the weights after them."""
    adapter, state = begun(framework, **options)
    batches = rows.steps(STEPS, parts=parts, ordered=ordered)
    records = [adapter.train_step(state, part, 1e-3 * (step + 1), seed=step) for step, part in enumerate(batches)]
    return records, adapter.get_weights(state)


@pytest.fixture(scope="module", params=[True, False], ids=["mlm+sop", "mlm"])
def reference(request):
    """A run in PyTorch, in one part a step, and whether sequences had an order."""
    pytest.importorskip("torch")
    return request.param, *trained("torch", ordered=request.param)


@pytest.mark.parametrize("parts", [1, 2])
def test_losses_norms_and_weights_follow_one_course(adapter, reference, parts):
    ordered, expected, expected_weights = reference
    records, weights = trained(adapter.name, parts, ordered)
    for found, wanted in zip(records, expected, strict=True):
        assert set(found) == set(wanted)
        assert {"loss", "mlm", "gradient_norm"} <= set(found)
        for name in set(found) - {"gradient_norm"}:
            assert found[name] == pytest.approx(wanted[name], abs=1e-5), name
        assert found["loss"] == pytest.approx(sum(found[name] for name in ("mlm", "sop") if name in found))
        assert found["gradient_norm"] == pytest.approx(wanted["gradient_norm"], rel=1e-4)
    for name, value in weights.items():
        assert np.abs(value - expected_weights[name]).max() <= 1e-4, name
    assert ordered or records[0].get("sop", 0) == 0
    assert records[0]["mlm"] != pytest.approx(records[-1]["mlm"], abs=1e-3)


def test_the_loss_is_that_of_the_model_itself(adapter):
    """Of sequences that each fill a row by themselves, padded as usual."""
    config = small(num_hidden_groups=2)
    rng = np.random.default_rng(3)
    batch = rows.packed([[one] for one in rows.sequences(rng, 5)])
    labels = np.full(batch.input_ids.shape, -100)
    labels.ravel()[batch.mlm_positions] = batch.mlm_labels
    usual = {
        "input_ids": batch.input_ids.astype(np.int64),
        "token_type_ids": batch.token_type_ids.astype(np.int64),
        "attention_mask": (batch.sequence > 0).astype(np.int64),
        "labels": labels,
        "sentence_order_label": batch.sop_labels.astype(np.int64),
    }
    model = adapter.evaluating(adapter.build(HEAD, config, random_tensors(config, HEAD)))
    expected = adapter.outputs(model, usual)
    train, state = begun(adapter.name, config)
    found = train.eval_step(state, batch)
    losses = found["mlm_losses"].mean() + found["sop_losses"].mean()
    assert losses == pytest.approx(float(expected["loss"]), abs=1e-5)
    guessed = expected["prediction_logits"].reshape(-1, 61)[batch.mlm_positions].argmax(-1)
    np.testing.assert_array_equal(found["mlm_correct"], guessed == batch.mlm_labels)
    np.testing.assert_array_equal(found["sop_correct"], expected["sop_logits"].argmax(-1) == batch.sop_labels)
    assert train.train_step(state, [batch], 0.0, 0)["loss"] == pytest.approx(losses, abs=1e-5)


def test_a_masked_piece_that_counts_for_no_loss_changes_nothing(adapter):
    batch = rows.packed([rows.sequences(np.random.default_rng(3), 2)])
    places, labels = batch.mlm_positions, batch.mlm_labels
    more = replace(batch, mlm_positions=np.append(places, places[:1]), mlm_labels=np.append(labels, np.int32(-100)))
    records = []
    for one in (batch, more):
        train, state = begun(adapter.name)
        records.append(train.train_step(state, [one], 0.0, 0))
    for name, value in records[0].items():
        assert records[1][name] == pytest.approx(value, rel=1e-5), name


def test_a_sequence_is_predicted_alike_alone_and_packed_with_others(adapter):
    train, state = begun(adapter.name)
    first, second, third = rows.sequences(np.random.default_rng(1), 3)
    alone = [train.eval_step(state, rows.packed([[one]])) for one in (first, second, third)]
    together = train.eval_step(state, rows.packed([[first, second], [third]]))
    assert set(together) == {"mlm_losses", "mlm_correct", "sop_losses", "sop_correct"}
    for name, values in together.items():
        assert difference(values, np.concatenate([one[name] for one in alone])) <= 1e-5, name


def test_nothing_leaks_from_one_sequence_into_another(adapter):
    train, state = begun(adapter.name)
    first, second, third = rows.sequences(np.random.default_rng(2), 3)
    ids = second[0].copy()
    ids[1:] = (ids[1:] + 7) % 50 + 5
    changed = (ids, 1 - second[1], *second[2:])
    before, after = (train.eval_step(state, rows.packed([[first, one, third]], 24)) for one in (second, changed))
    counts = [len(one[2]) for one in (first, second, third)]
    middle = np.repeat([False, True, False], counts)
    assert np.abs(after["mlm_losses"] - before["mlm_losses"])[~middle].max() <= 1e-6
    assert np.abs(after["sop_losses"] - before["sop_losses"])[[0, 2]].max() <= 1e-6
    assert np.abs(after["mlm_losses"] - before["mlm_losses"])[middle].min() > 1e-4


def test_places_without_a_token_have_no_part_in_the_gradient(adapter):
    made = [rows.sequences(np.random.default_rng(4), 2)]
    records = [
        train.train_step(state, [rows.packed(made, length)], 0.0, 0)
        for length in (14, 16)
        for train, state in [begun(adapter.name)]
    ]
    for name, value in records[0].items():
        assert value == pytest.approx(records[1][name], rel=1e-5), name


def test_what_was_predicted_is_as_long_as_what_was_asked(adapter):
    train, state = begun(adapter.name)
    for count in (1, 5):
        (batch,) = next(rows.steps(1, rows=count, seed=count))
        found = train.eval_step(state, batch)
        assert found["mlm_losses"].shape == found["mlm_correct"].shape == batch.mlm_labels.shape
        assert found["sop_losses"].shape == found["sop_correct"].shape == batch.sop_labels.shape


def test_a_sequence_without_a_label_has_no_loss_and_is_no_hit(adapter):
    train, state = begun(adapter.name)
    batch = rows.packed([rows.sequences(np.random.default_rng(5), 2)])
    batch = replace(batch, sop_labels=np.array([-100, 1], np.int32))
    found = train.eval_step(state, batch)
    assert found["sop_losses"][0] == 0
    assert found["sop_correct"][0] == 0
    assert train.train_step(state, [batch], 0.0, 0)["sop"] == pytest.approx(found["sop_losses"][1], abs=1e-5)


@pytest.mark.parametrize("optimizer", ["adamw", "lamb"])
def test_what_no_loss_reaches_stays_as_it_is(adapter, optimizer):
    parts = ("pooler", "sop_classifier")
    train, state = begun(adapter.name, name=optimizer, frozen=parts)
    before = train.get_weights(state)
    for step, batches in enumerate(rows.steps(3, ordered=False)):
        train.train_step(state, batches, 1e-2, seed=step)
    same = {name for name, value in train.get_weights(state).items() if np.array_equal(value, before[name])}
    assert same == {name for name in before if weight_table.part(name) in parts}


def test_the_seed_of_a_step_decides_its_dropout(adapter):
    config = small(hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.2)
    part = next(rows.steps(1))
    losses = []
    for seed in (5, 5, 6):
        train, state = begun(adapter.name, config)
        losses.append(train.train_step(state, part, 0.0, seed)["loss"])
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_half_precision_trains_near_the_full_one(adapter):
    full, half = (trained(adapter.name, precision=precision)[0] for precision in ("fp32", "bf16"))
    for one, other in zip(full, half, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], abs=5e-2)
    assert [one["loss"] for one in full] != [other["loss"] for other in half]


def test_ids_outside_the_vocabulary_are_refused(adapter):
    train, state = begun(adapter.name)
    (batch,) = next(rows.steps(1))
    batch.input_ids[0, 1] = 61
    with pytest.raises(TokenIdError):
        train.train_step(state, [batch], 0.0, 0)
    with pytest.raises(TokenIdError):
        train.eval_step(state, batch)


def test_there_is_one_process_where_none_were_started(adapter):
    train = train_backend(adapter.name)
    train.init_processes()
    assert (train.rank(), train.world_size()) == (0, 1)
    assert train.broadcast(7) == 7


def test_counts_name_the_losses_of_a_step(adapter):
    train, state = begun(adapter.name)
    part = next(rows.steps(1))
    record = train.train_step(state, part, 0.0, 0)
    assert list(record) == ["loss", *part[0].items(), "gradient_norm"]
