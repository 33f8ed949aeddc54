"""Training in every framework: the same batches, the same losses, and weights that go from one to another."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from albertkit import backends
from albertkit.backends import OptimizerSettings
from albertkit.batches import MaskedBatch, PaddedBatch
from albertkit.errors import InputError, TokenIdError
from albertkit.inference.backends import infer_backend
from albertkit.training.backends import train_backend
from frameworks.adapters import ADAPTERS
from frameworks.common import difference, random_tensors, small

HEAD = "ForSequenceClassification"
STEPS = 8


def batches(seed=0, count=STEPS, parts=1):
    """Batches of several lengths, padded where rows differ, in parts of unequal size."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        lengths = rng.integers(3, 15, 6)
        mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
        whole = {
            "input_ids": rng.integers(1, 61, mask.shape) * mask,
            "token_type_ids": np.zeros_like(mask),
            "attention_mask": mask,
            "labels": rng.integers(0, 2, 6),
        }
        cuts = np.array_split(np.arange(6), [2]) if parts == 2 else [np.arange(6)]
        yield [PaddedBatch(**{name: array[cut] for name, array in whole.items()}) for cut in cuts]


def begun(framework, **options):
    config = small(num_hidden_groups=2)
    tensors = random_tensors(config, HEAD)
    precision = options.pop("precision", "fp32")
    train = train_backend(framework)
    return train, train.init_state(config, HEAD, tensors, OptimizerSettings(weight_decay=0.1, **options), precision)


@functools.cache
def _kept(framework, **options):
    train, state = begun(framework, **options)
    return train, state, train.get_weights(state), train.get_optimizer(state)


def at_the_start(framework, **options):
    """As `begun`, for a test of one state: that of TensorFlow is put back, for its graphs take long to trace."""
    if framework != "tensorflow":
        return begun(framework, **options)
    train, state, weights, memory = _kept(framework, **options)
    train.set_weights(state, weights)
    train.set_optimizer(state, memory)
    return train, state


def trained(framework, parts=1, rate=1e-2, **options):
    """The losses, norms and weights of a few steps."""
    adapter, state = at_the_start(framework, **options)
    records = [
        adapter.train_step(state, part, rate * (step + 1) / STEPS, seed=step)
        for step, part in enumerate(batches(parts=parts))
    ]
    return records, adapter.get_weights(state)


@pytest.fixture(scope="module")
def reference():
    pytest.importorskip("torch")
    return trained("torch")


@pytest.mark.parametrize("parts", [1, 2])
def test_losses_norms_and_weights_follow_one_course(adapter, reference, parts):
    records, weights = trained(adapter.name, parts)
    for found, expected in zip(records, reference[0], strict=True):
        assert found["loss"] == pytest.approx(expected["loss"], abs=1e-4)
        assert found["gradient_norm"] == pytest.approx(expected["gradient_norm"], rel=1e-3)
    assert list(weights) == list(reference[1])
    for name, value in weights.items():
        assert value.dtype == np.float32
        assert np.abs(value - reference[1][name]).max() <= 2e-3, name
    assert records[0]["loss"] != pytest.approx(records[-1]["loss"], abs=1e-3)


def test_a_state_put_together_again_goes_on_as_if_nothing_had_happened(adapter):
    train, state = at_the_start(adapter.name)
    *first, last = batches()
    for step, part in enumerate(first):
        train.train_step(state, part, 1e-2, seed=step)
    weights, memory = train.get_weights(state), train.get_optimizer(state)
    expected = train.train_step(state, last, 1e-2, seed=99)
    _, other = begun(adapter.name)
    train.set_weights(other, weights)
    train.set_optimizer(other, memory)
    found = train.train_step(other, last, 1e-2, seed=99)
    assert found == expected
    for name, value in train.get_weights(other).items():
        np.testing.assert_array_equal(value, train.get_weights(state)[name], err_msg=name)


@pytest.mark.parametrize("optimizer", ["adamw", "lamb"])
def test_groups_of_layers_that_never_run_stay_as_they_are(adapter, optimizer):
    config = small(num_hidden_layers=2, num_hidden_groups=3)
    assert config.group_of_layer == [0, 1]
    tensors = random_tensors(config, HEAD)
    train = train_backend(adapter.name)
    state = train.init_state(config, HEAD, tensors, OptimizerSettings(name=optimizer, weight_decay=0.1))
    for step, part in enumerate(batches(count=2)):
        assert np.isfinite(train.train_step(state, part, 1e-2, seed=step)["gradient_norm"])
    for name, values in train.get_weights(state).items():
        is_idle = ".albert_layer_groups.2." in name
        assert np.array_equal(values, tensors[name]) == is_idle, name
    train.set_optimizer(state, train.get_optimizer(state))


def test_the_arrays_that_training_begins_with_stay_as_they_are(adapter):
    config = small()
    given = random_tensors(config, HEAD)
    train = train_backend(adapter.name)
    state = train.init_state(config, HEAD, given)
    for step, part in enumerate(batches(count=2)):
        train.train_step(state, part, 1e-2, seed=step)
    train.set_weights(state, {name: values + 1 for name, values in train.get_weights(state).items()})
    assert all(np.array_equal(values, given[name]) for name, values in random_tensors(config, HEAD).items())


def test_what_is_taken_out_does_not_change_with_the_next_step(adapter):
    train, state = at_the_start(adapter.name)
    part = next(batches())
    train.train_step(state, part, 1e-2, seed=0)
    taken = {**train.get_weights(state), **train.get_optimizer(state)}
    kept = {name: value.copy() for name, value in taken.items()}
    train.train_step(state, part, 1e-2, seed=1)
    for name, value in kept.items():
        np.testing.assert_array_equal(taken[name], value, err_msg=name)


def test_a_step_that_is_not_finite_changes_nothing(adapter):
    train, state = at_the_start(adapter.name)
    part = next(batches())
    train.train_step(state, part, 1e-2, seed=0)
    weights = train.get_weights(state)
    name = "classifier.weight"
    broken = {**weights, name: np.full_like(weights[name], np.nan)}
    train.set_weights(state, broken)
    memory = train.get_optimizer(state)
    record = train.train_step(state, part, 1e-2, seed=1)
    assert not np.isfinite(record["loss"])
    for key, value in train.get_weights(state).items():
        np.testing.assert_array_equal(value, broken[key], err_msg=key)
    for key, value in train.get_optimizer(state).items():
        np.testing.assert_array_equal(value, memory[key], err_msg=key)


def test_a_step_above_the_highest_norm_changes_nothing(adapter):
    train, state = at_the_start(adapter.name)
    part = next(batches())
    train.train_step(state, part, 1e-2, seed=0)
    weights, memory = train.get_weights(state), train.get_optimizer(state)
    norm = train.train_step(state, part, 1e-2, 1, 1e-3)["gradient_norm"]
    assert norm > 1e-3
    for key, value in train.get_weights(state).items():
        np.testing.assert_array_equal(value, weights[key], err_msg=key)
    for key, value in train.get_optimizer(state).items():
        np.testing.assert_array_equal(value, memory[key], err_msg=key)
    train.train_step(state, part, 1e-2, 1, norm * 1.01)
    assert any((value != weights[key]).any() for key, value in train.get_weights(state).items())


def test_the_seed_of_a_step_decides_its_dropout(adapter):
    config = small(hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.2, classifier_dropout_prob=0.3)
    tensors = random_tensors(config, HEAD)
    train = train_backend(adapter.name)
    part = next(batches())
    losses = [
        train.train_step(train.init_state(config, HEAD, tensors), part, 0.0, seed=seed)["loss"] for seed in (5, 5, 6)
    ]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_evaluation_has_no_dropout_and_gives_losses_and_logits(adapter):
    config = small(hidden_dropout_prob=0.5)
    tensors = random_tensors(config, HEAD)
    train = train_backend(adapter.name)
    state = train.init_state(config, HEAD, tensors)
    (part,) = next(batches())
    first, second = train.eval_step(state, part), train.eval_step(state, part)
    assert first["logits"].shape == (6, 2)
    np.testing.assert_array_equal(first["logits"], second["logits"])
    assert float(first["loss"]) == float(second["loss"])
    assert set(train.eval_step(state, replace(part, labels=None))) == {"logits"}


def test_gradients_are_clipped_to_the_norm_that_is_asked_for(adapter):
    for limit in (0.05, 0.0):
        train, state = at_the_start(adapter.name, max_gradient_norm=limit)
        norm = train.train_step(state, next(batches()), 1e-3, 0)["gradient_norm"]
        assert norm > 0.1
        # After one step the first moment is a tenth of the gradient that the optimizer was given.
        moments = [v for name, v in train.get_optimizer(state).items() if name.endswith("exp_avg")]
        given = 10 * np.sqrt(sum(float(np.square(values).sum()) for values in moments))
        assert given == pytest.approx(limit or norm, rel=1e-3)


def test_half_precision_trains_near_the_full_one(adapter):
    full, half = (trained(adapter.name, precision=precision)[0] for precision in ("fp32", "bf16"))
    for one, other in zip(full, half, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], abs=2e-2)
    assert [one["loss"] for one in full] != [other["loss"] for other in half]


def test_inference_gives_the_outputs_of_evaluation(adapter):
    train, state = at_the_start(adapter.name)
    (part,) = next(batches())
    inputs = replace(part, labels=None)
    forward = infer_backend(adapter.name).compile(small(num_hidden_groups=2), HEAD, train.get_weights(state))
    found, expected = forward(inputs), train.eval_step(state, inputs)
    assert list(found) == list(expected)
    assert difference(found["logits"], expected["logits"]) <= 1e-5


def test_inference_cuts_outputs_to_the_length_of_the_input(adapter):
    config = small()
    tensors = random_tensors(config, "ForTokenClassification")
    forward = infer_backend(adapter.name).compile(config, "ForTokenClassification", tensors)
    (part,) = next(batches())
    assert forward(PaddedBatch(part.input_ids))["logits"].shape == (*part.input_ids.shape, 2)


def test_inference_scores_the_places_that_are_asked_for(adapter):
    config = small()
    forward = infer_backend(adapter.name).compile(config, "ForMaskedLM", random_tensors(config, "ForMaskedLM"))
    (part,) = next(batches())
    inputs = replace(part, labels=None)
    everywhere = forward(inputs)["logits"]
    for places in ([[0, 2], [2, 0], [2, 1]], [[5, 1]]):
        found = forward(MaskedBatch(**vars(inputs), positions=np.array(places)))
        assert set(found) == {"logits"}
        assert difference(found["logits"], everywhere[tuple(zip(*places, strict=True))]) <= 1e-5


def test_inference_refuses_ids_and_lengths_that_the_model_has_no_weights_for(adapter):
    config = small()
    forward = infer_backend(adapter.name).compile(config, "Model", random_tensors(config, "Model"))
    with pytest.raises(TokenIdError, match=r"`input_ids` must lie in 0\.\.60"):
        forward(PaddedBatch(np.array([[1, 61]])))
    with pytest.raises(InputError, match="Received: 17 tokens"):
        forward(PaddedBatch(np.ones((1, 17), np.int64)))
    with pytest.raises((TokenIdError, InputError), match=r"17 tokens|`position_ids` must lie in 0\.\.15"):
        forward(PaddedBatch(np.ones((1, 2), np.int64), position_ids=np.array([[0, 16]])))


def test_every_framework_is_here():
    assert list(ADAPTERS) == list(backends.PACKAGES)


@pytest.mark.parametrize(("parts", "smoothing"), [(1, 0.0), (2, 0.2)])
def test_weights_of_classes_and_smoothed_labels_have_the_loss_of_torch(adapter, parts, smoothing):
    torch = pytest.importorskip("torch")
    weights = np.array([0.05, 0.3], np.float32)
    train, state = at_the_start(adapter.name)
    part = next(batches(parts=parts))
    logits = np.concatenate([train.eval_step(state, one)["logits"] for one in part])
    labels = np.concatenate([one.labels for one in part])
    loss = torch.nn.CrossEntropyLoss(weight=torch.from_numpy(weights), label_smoothing=smoothing)
    expected = float(loss(torch.from_numpy(logits), torch.from_numpy(labels)))
    whole = next(batches())[0].arguments()
    asked = ADAPTERS["torch"]()
    model = asked.build(HEAD, small(num_hidden_groups=2), random_tensors(small(num_hidden_groups=2), HEAD))
    gradients = asked.gradients(model, whole, lambda found: loss(found.logits, torch.from_numpy(labels)))
    norm = np.sqrt(sum(float((values**2).sum()) for values in gradients.values()))
    weighted = [one.with_class_targets(2, smoothing, weights) for one in part]
    found = train.train_step(state, weighted, 1e-2, seed=0)
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    assert found["gradient_norm"] == pytest.approx(norm, rel=1e-4)
    plain = train.train_step(at_the_start(adapter.name)[1], part, 1e-2, seed=0)
    assert plain["loss"] != pytest.approx(expected, rel=1e-3)


def test_weights_that_are_all_alike_change_nothing_and_an_evaluation_counts_none(adapter):
    train, state = at_the_start(adapter.name)
    part = next(batches(parts=2))
    alike = [one.with_class_targets(2, 0.0, np.full(2, 0.25)) for one in part]
    assert train.eval_step(state, alike[0])["loss"] == pytest.approx(train.eval_step(state, part[0])["loss"])
    plain, other = begun(adapter.name)
    found, expected = train.train_step(state, alike, 1e-2, seed=0), plain.train_step(other, part, 1e-2, seed=0)
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_loss_of_a_span_does_not_depend_on_how_far_rows_are_padded(adapter):
    """Scores of padding would take part in it: the same rows would learn something else in another batch."""
    config, head = small(), "ForQuestionAnswering"
    mask = (np.arange(9) < np.array([[5], [9], [7]])).astype(np.int64)
    rows = {"input_ids": mask * 7, "token_type_ids": mask * 0, "attention_mask": mask}
    ends = {"start_positions": np.array([1, 0, 3]), "end_positions": np.array([2, 8, 6])}
    longer = {name: np.pad(array, ((0, 0), (0, 4))) for name, array in rows.items()}
    train = train_backend(adapter.name)
    losses = []
    for inputs in (rows, longer):
        state = train.init_state(config, head, random_tensors(config, head))
        batch = PaddedBatch(**inputs, **ends)
        losses += [train.eval_step(state, batch)["loss"], train.train_step(state, [batch], 1e-3, seed=0)["loss"]]
    alone = [
        PaddedBatch(**{name: array[row : row + 1, : mask[row].sum()] for name, array in rows.items()})
        for row in range(3)
    ]
    logits = [train.eval_step(train.init_state(config, head, random_tensors(config, head)), one) for one in alone]
    each = [
        np.log(np.exp(one[f"{side}_logits"][0]).sum()) - one[f"{side}_logits"][0, ends[f"{side}_positions"][row]]
        for row, one in enumerate(logits)
        for side in ("start", "end")
    ]
    np.testing.assert_allclose(losses, np.mean(each), rtol=1e-5)


def test_smoothed_labels_of_padded_tokens_have_the_loss_of_torch(adapter):
    torch = pytest.importorskip("torch")
    head, config, train = "ForTokenClassification", small(), train_backend(adapter.name)
    state = train.init_state(config, head, random_tensors(config, head))
    part = next(batches())[0]
    batch = replace(part, labels=np.where(part.attention_mask == 1, part.input_ids % 3 - 1, -100))
    batch = replace(batch, labels=np.where(batch.labels == -1, -100, batch.labels))
    logits = torch.tensor(train.eval_step(state, batch)["logits"]).flatten(0, 1)
    expected = torch.nn.functional.cross_entropy(logits, torch.from_numpy(batch.labels).flatten(), label_smoothing=0.1)
    found = train.train_step(state, [batch.with_class_targets(2, 0.1)], 1e-2, seed=0)
    assert found["loss"] == pytest.approx(float(expected), abs=1e-6)
