"""The head that searches for answers, of every framework: against its formulas in NumPy, step by step in float64."""

import numpy as np
import pytest

from albertkit.errors import InputError
from frameworks.common import BATCH, LENGTH, batch, random_tensors, small

HEAD = "ForQuestionAnsweringBeamSearch"
START, END, NOTHING = np.array([2, 4, 0]), np.array([5, 4, 0]), np.array([0, 0, 1])


def log_softmax(scores):
    shifted = scores - scores.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def dense(values, tensors, name):
    bias = tensors.get(f"{name}.bias", np.zeros(1))
    return values @ tensors[f"{name}.weight"].astype(np.float64).T + bias


def end_scores(tensors, states, start, epsilon):
    """(L,) of one row, given the place of a start."""
    pairs = np.concatenate([states, np.broadcast_to(states[start], states.shape)], -1)
    ends = np.tanh(dense(pairs, tensors, "end_logits.dense_0"))
    ends = (ends - ends.mean(-1, keepdims=True)) / np.sqrt(ends.var(-1, keepdims=True) + epsilon)
    ends = ends * tensors["end_logits.LayerNorm.weight"] + tensors["end_logits.LayerNorm.bias"]
    return dense(ends, tensors, "end_logits.dense_1")[:, 0]


def reference(tensors, states, closed, config):
    """For each row: log probabilities of starts (L,), a function start -> those of ends (L,), and the log odds."""
    rows = []
    for state, shut in zip(states.astype(np.float64), closed, strict=True):
        starts = log_softmax(np.where(shut, -np.inf, dense(state, tensors, "start_logits.dense")[:, 0]))
        mean = np.exp(starts) @ state
        hidden = np.tanh(dense(np.concatenate([mean, state[0]]), tensors, "answer_class.dense_0"))
        odds = dense(hidden, tensors, "answer_class.dense_1")[0]

        def ends(start, state=state, shut=shut):
            return log_softmax(np.where(shut, -np.inf, end_scores(tensors, state, start, config.layer_norm_eps)))

        rows.append((starts, ends, odds))
    return rows


def reference_loss(rows):
    """For START, END and NOTHING."""
    each = [
        (starts[start], ends(start)[end], np.log1p(np.exp(-odds if nothing else odds)))
        for (starts, ends, odds), start, end, nothing in zip(rows, START, END, NOTHING, strict=True)
    ]
    start, end, nothing = np.mean(each, axis=0)
    return -(start + end) / 2 + nothing / 2


@pytest.fixture
def given():
    """The same batch, without labels, and which places are closed: padding and two of the others."""
    inputs = batch("Model")
    p_mask = np.tile([0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0], (BATCH, 1))
    return {**inputs, "p_mask": p_mask}, (p_mask == 1) | (inputs["attention_mask"] == 0)


def made(adapter, **changes):
    config = small(hidden_act="relu", **changes)
    tensors = random_tensors(config, HEAD)
    return adapter.build(HEAD, config, tensors), tensors, config


def states_of(adapter, tensors, config, inputs):
    """What the encoder of the same weights gives (B, L, H)."""
    encoder = {name: value for name, value in tensors.items() if name.startswith("albert.")}
    pooler = {name: value for name, value in random_tensors(config, "Model").items() if name not in encoder}
    model = adapter.evaluating(adapter.build("Model", config, encoder | pooler))
    return adapter.outputs(model, {n: v for n, v in inputs.items() if n != "p_mask"})["last_hidden_state"]


def test_starts_ends_and_odds_are_those_of_the_formulas(adapter, given):
    inputs, closed = given
    model, tensors, config = made(adapter, start_n_top=3, end_n_top=2)
    rows = reference(tensors, states_of(adapter, tensors, config, inputs), closed, config)
    found = adapter.outputs(adapter.evaluating(model), inputs)
    assert list(found)[:5] == [f"{e}_top_{w}" for e in ("start", "end") for w in ("log_probs", "index")] + [
        "cls_logits"
    ]
    for row, (starts, ends, odds) in enumerate(rows):
        best = np.argsort(-starts, kind="stable")[:3]
        assert found["start_top_index"][row].tolist() == best.tolist()
        np.testing.assert_allclose(found["start_top_log_probs"][row], starts[best], atol=1e-5)
        for number, start in enumerate(best):
            chosen = np.argsort(-ends(start), kind="stable")[:2]
            part = slice(2 * number, 2 * number + 2)  # the ends of the first start stand in front
            assert found["end_top_index"][row, part].tolist() == chosen.tolist()
            np.testing.assert_allclose(found["end_top_log_probs"][row, part], ends(start)[chosen], atol=1e-5)
        np.testing.assert_allclose(found["cls_logits"][row], odds, atol=1e-5)


def test_the_loss_and_its_gradient_are_those_of_the_formulas(adapter, given):
    inputs, closed = given
    model, tensors, config = made(adapter)
    states = states_of(adapter, tensors, config, inputs)
    labels = {"start_positions": START, "end_positions": END, "is_impossible": NOTHING}
    found = adapter.outputs(model, {**inputs, **labels})
    np.testing.assert_allclose(found["loss"], reference_loss(reference(tensors, states, closed, config)), atol=1e-5)
    gradients = adapter.gradients(model, {**inputs, **labels})
    head = [name for name in tensors if not name.startswith("albert.")]
    assert np.abs(gradients["albert.encoder.embedding_hidden_mapping_in.weight"]).max() > 0
    for name in head:
        way = np.random.default_rng([3, *name.encode()]).standard_normal(tensors[name].shape)
        up, down = (
            reference_loss(reference({**tensors, name: tensors[name] + step * way}, states, closed, config))
            for step in (1e-5, -1e-5)
        )
        np.testing.assert_allclose((gradients[name] * way).sum(), (up - down) / 2e-5, atol=2e-5, err_msg=name)


def test_there_is_no_answer_where_one_starts_at_cls_unless_it_is_said(adapter, given):
    inputs, _ = given
    model, _, _ = made(adapter)
    labels = {"start_positions": START, "end_positions": END}
    said = adapter.outputs(model, {**inputs, **labels, "is_impossible": NOTHING})["loss"]
    np.testing.assert_allclose(adapter.outputs(model, {**inputs, **labels})["loss"], said, rtol=1e-6)
    other = adapter.outputs(model, {**inputs, **labels, "is_impossible": 1 - NOTHING})["loss"]
    assert abs(other - said) > 1e-3


def test_a_model_that_answers_gives_the_loss_with_its_beams(adapter, given):
    inputs, _ = given
    model, _, _ = made(adapter)
    labels = {"start_positions": START, "end_positions": END}
    trained, found = (
        adapter.outputs(model, {**inputs, **labels}),
        adapter.outputs(adapter.evaluating(model), {**inputs, **labels}),
    )
    assert list(trained) == ["loss", "cls_logits"]
    assert found["start_top_index"].shape == (BATCH, 5)
    assert found["end_top_index"].shape == (BATCH, 25)
    np.testing.assert_allclose(found["loss"], trained["loss"], rtol=1e-5)


def test_answers_stand_in_the_second_text_without_a_mask(adapter):
    inputs = batch("Model", padding=None)
    inputs["token_type_ids"] = np.array([[0] * 4 + [1] * 7, [0] * 6 + [1] * 5, [0] * 9 + [1] * 2])
    model, _, _ = made(adapter, start_n_top=11)
    model = adapter.evaluating(model)
    found = adapter.outputs(model, inputs)
    for row, first in enumerate((4, 6, 9)):
        is_open = found["start_top_log_probs"][row] > -1e3
        # [CLS], and the second text but for the [SEP] behind it.
        assert sorted(found["start_top_index"][row][is_open]) == [0, *range(first, LENGTH - 1)]


def test_a_mask_of_another_shape_is_refused_by_name(adapter, given):
    model, _, _ = made(adapter)
    with pytest.raises(InputError, match=r"`p_mask` must have the shape \(3, 11\)"):
        adapter.outputs(model, {**given[0], "p_mask": np.ones((BATCH, LENGTH - 1), np.int64)})


def test_a_text_shorter_than_the_beam_has_fewer_starts(adapter, given):
    model, _, _ = made(adapter, start_n_top=LENGTH + 9, end_n_top=LENGTH + 1)
    found = adapter.outputs(adapter.evaluating(model), given[0])
    assert found["start_top_index"].shape == (BATCH, LENGTH)
    assert found["end_top_index"].shape == (BATCH, LENGTH**2)
