"""The models of every framework: parity with kept outputs, outputs and losses, masks, switches."""

import numpy as np
import pytest

from albertkit import weight_table
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, InputError, TokenIdError
from frameworks import common
from frameworks.common import BATCH, CHOICES, HEADS, LENGTH, OF_SEVERAL, PEERS, batch, difference, random_tensors, small

CASES = list(dict.fromkeys([(head, "plain") for head in PEERS] + [("ForPreTraining", axis) for axis in common.AXES]))


@pytest.fixture(scope="module")
def golden():
    from conftest import DATA

    with np.load(DATA / "golden.npz") as arrays:
        return dict(arrays)


def make(adapter, head, **changes):
    config = small(**changes)
    return adapter.build(head, config, random_tensors(config, head))


@pytest.mark.parametrize(("head", "axis"), CASES)
def test_outputs_losses_and_gradients_are_those_of_the_reference(adapter, golden, head, axis):
    model = make(adapter, head, **common.AXES[axis])
    expected = {key[len(f"{head}/{axis}/") :]: v for key, v in golden.items() if key.startswith(f"{head}/{axis}/")}
    found = adapter.outputs(model, batch(head))
    assert list(found) == [name for name in expected if not name.startswith("gradient/")]
    for name, value in found.items():
        assert difference(value, expected[name]) <= 1e-5, name
    if head == "Model":
        return
    gradients = adapter.gradients(model, batch(head))
    assert set(gradients) == {name.removeprefix("gradient/") for name in expected if name.startswith("gradient/")}
    largest = max(np.abs(gradient).max() for gradient in gradients.values())
    for name, gradient in gradients.items():
        if common.cancelled(head, name):
            assert np.abs(gradient).max() <= 1e-5 * largest
        else:
            assert difference(gradient, expected[f"gradient/{name}"]) <= 1e-4, name


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("axis", common.AXES)
def test_tensors_are_those_of_the_table(adapter, head, axis):
    config = small(**common.AXES[axis])
    model = adapter.build(head, config)
    found = {name: value.shape for name, value in adapter.tensors(model).items()}
    assert list(found.items()) == list(weight_table.expected(config, head).items())
    assert model.num_parameters() == config.num_parameters(head)


SHAPES = {
    "Model": {"last_hidden_state": (BATCH, LENGTH, 16), "pooler_output": (BATCH, 16)},
    "ForPreTraining": {"loss": (), "prediction_logits": (BATCH, LENGTH, 61), "sop_logits": (BATCH, 2)},
    "ForMaskedLM": {"loss": (), "logits": (BATCH, LENGTH, 61)},
    "ForSequenceClassification": {"loss": (), "logits": (BATCH, 3)},
    "ForMultipleChoice": {"loss": (), "logits": (BATCH, CHOICES)},
    "ForSentenceEmbedding": {"loss": (), "sentence_embedding": (BATCH, CHOICES, 16)},
    "ForTokenClassification": {"loss": (), "logits": (BATCH, LENGTH, 3)},
    "ForQuestionAnswering": {"loss": (), "start_logits": (BATCH, LENGTH), "end_logits": (BATCH, LENGTH)},
    "ForQuestionAnsweringBeamSearch": {"loss": (), "cls_logits": (BATCH,)},
}


@pytest.mark.parametrize("head", HEADS)
def test_outputs_have_their_names_order_and_shapes(adapter, head):
    model = make(adapter, head, num_labels=3, inner_group_num=2)
    rows = BATCH * CHOICES if head in OF_SEVERAL else BATCH
    found = adapter.outputs(model, batch(head), output_attentions=True, output_hidden_states=True)
    assert list(found) == [*SHAPES[head], "hidden_states", "attentions"]
    assert {name: found[name].shape for name in SHAPES[head]} == SHAPES[head]
    assert [state.shape for state in found["hidden_states"]] == [(rows, LENGTH, 16)] * 5
    assert [values.shape for values in found["attentions"]] == [(rows, 4, LENGTH, LENGTH)] * 8
    for values in found["attentions"]:
        np.testing.assert_allclose(values.sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_without_named_outputs_the_answer_is_the_tuple_of_them(adapter, head):
    model = make(adapter, head)
    named = adapter.call(model, batch(head))
    plain = adapter.call(model, batch(head), return_dict=False)
    assert isinstance(plain, tuple)
    for one, other in zip(named.to_tuple(), plain, strict=True):
        np.testing.assert_array_equal(adapter.numpy(one), adapter.numpy(other))


def test_config_decides_what_is_put_out_where_the_call_does_not(adapter):
    model = make(adapter, "Model", output_hidden_states=True, output_attentions=True)
    assert {"hidden_states", "attentions"} <= set(adapter.outputs(model, batch("Model")))
    assert "attentions" not in adapter.outputs(model, batch("Model"), output_attentions=False)
    tuples = make(adapter, "ForMaskedLM", return_dict=False)
    assert isinstance(adapter.call(tuples, batch("ForMaskedLM")), tuple)


@pytest.mark.parametrize("padding", ["left", "right"])
def test_masked_places_do_not_reach_the_others(adapter, padding):
    model = make(adapter, "Model")
    inputs = batch("Model", padding)
    keep = inputs["attention_mask"] == 1
    changed = {**inputs, "input_ids": np.where(keep, inputs["input_ids"], 60)}
    before, after = (adapter.outputs(model, b)["last_hidden_state"] for b in (inputs, changed))
    np.testing.assert_array_equal(before[keep], after[keep])
    assert np.abs(before[~keep] - after[~keep]).max() > 1e-3


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.bool_, np.float32])
def test_masks_of_every_type_and_rank_say_the_same(adapter, dtype):
    model = make(adapter, "Model")
    inputs = batch("Model")
    expected = adapter.outputs(model, inputs)["last_hidden_state"]
    flat = inputs["attention_mask"].astype(dtype)
    square = np.broadcast_to(flat[:, None, :], (BATCH, LENGTH, LENGTH)).copy()
    for mask in (flat, square, square[:, None], np.repeat(square[:, None], 4, axis=1)):
        found = adapter.outputs(model, {**inputs, "attention_mask": mask})["last_hidden_state"]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_square_mask_decides_for_each_place_what_it_sees(adapter):
    model = make(adapter, "Model")
    inputs = batch("Model", padding=None)
    causal = np.broadcast_to(np.tril(np.ones((LENGTH, LENGTH), np.int64)), (BATCH, LENGTH, LENGTH)).copy()
    inputs = {**inputs, "attention_mask": causal}
    later = {**inputs, "input_ids": np.where(np.arange(LENGTH) > 5, 60, inputs["input_ids"])}
    before, after = (adapter.outputs(model, b)["last_hidden_state"] for b in (inputs, later))
    np.testing.assert_allclose(before[:, :6], after[:, :6], atol=1e-6)
    assert np.abs(before[:, 6:] - after[:, 6:]).max() > 1e-3


def test_a_row_with_nothing_to_attend_to_stays_finite_and_attends_to_all_alike(adapter):
    model = make(adapter, "Model")
    mask = np.ones((BATCH, LENGTH), np.int64)
    mask[0] = 0
    for options in ({}, {"output_attentions": True}):
        found = adapter.outputs(model, {**batch("Model"), "attention_mask": mask}, **options)
        assert np.isfinite(found["last_hidden_state"]).all()
    for values in found["attentions"]:
        np.testing.assert_allclose(values[0], 1 / LENGTH, rtol=1e-6)


@pytest.mark.parametrize("shape", [(BATCH, LENGTH + 1), (BATCH + 1, LENGTH), (BATCH, 3, LENGTH), (LENGTH,)])
def test_a_mask_of_another_shape_is_refused_by_name(adapter, shape):
    model = make(adapter, "Model")
    with pytest.raises(InputError, match=r"`attention_mask` must have the shape .* Received: \("):
        adapter.outputs(model, {**batch("Model"), "attention_mask": np.ones(shape, np.int64)})


@pytest.mark.parametrize("options", [{}, {"output_attentions": True}])
def test_head_mask_takes_heads_out_layer_by_layer(adapter, options):
    model = make(adapter, "Model", num_hidden_groups=2)
    inputs = batch("Model")
    every = np.ones((4, 4), np.float32)
    full = adapter.outputs(model, inputs, **options)["last_hidden_state"]
    same = adapter.outputs(model, {**inputs, "head_mask": every}, **options)["last_hidden_state"]
    np.testing.assert_allclose(same, full, atol=1e-6)
    found = []
    for layer in range(4):
        mask = every.copy()
        mask[layer, 1] = 0
        found.append(adapter.outputs(model, {**inputs, "head_mask": mask}, **options)["last_hidden_state"])
    for one in range(4):
        assert np.abs(found[one] - full).max() > 1e-4
        assert all(np.abs(found[one] - found[other]).max() > 1e-5 for other in range(one))
    by_head = adapter.outputs(model, {**inputs, "head_mask": np.array([1, 0, 1, 1], np.float32)})["last_hidden_state"]
    each = np.ones((4, 4), np.float32)
    each[:, 1] = 0
    np.testing.assert_allclose(
        by_head, adapter.outputs(model, {**inputs, "head_mask": each})["last_hidden_state"], atol=1e-6
    )


def test_returned_attentions_are_masked_by_the_head_mask(adapter):
    mask = np.ones((4, 4), np.float32)
    mask[2, 3] = 0
    inputs = {**batch("Model", padding=None), "head_mask": mask}
    found = adapter.outputs(make(adapter, "Model"), inputs, output_attentions=True)["attentions"]
    assert not found[2][:, 3].any()
    assert found[1][:, 3].all()


def test_a_head_mask_of_another_shape_is_refused_by_name(adapter):
    with pytest.raises(InputError, match=r"`head_mask` must have the shape .* Received: \(3, 4\)"):
        adapter.outputs(make(adapter, "Model"), {**batch("Model"), "head_mask": np.ones((3, 4), np.float32)})


@pytest.mark.parametrize("shape", [(3,), (4, 3), (4, 1, 3, 1, 1)])
def test_a_head_mask_for_another_number_of_heads_is_refused_by_name(adapter, shape):
    with pytest.raises(InputError, match=r"`head_mask` must have the shape .* 4 heads\. Received: \("):
        adapter.outputs(make(adapter, "Model"), {**batch("Model"), "head_mask": np.ones(shape, np.float32)})


@pytest.mark.parametrize(
    "ids", [np.ones(LENGTH, np.int64), np.ones((1, 2, LENGTH), np.int64), np.ones((1, LENGTH), np.float32)]
)
def test_ids_that_are_not_rows_of_integers_are_refused_by_name(adapter, ids):
    with pytest.raises(InputError, match=r"`input_ids` must be integers of shape \(B, L\)\. Received: "):
        adapter.outputs(make(adapter, "Model"), {"input_ids": ids})


def test_embeddings_in_the_place_of_ids_give_the_same(adapter):
    model = make(adapter, "Model")
    inputs = batch("Model")
    expected = adapter.outputs(model, inputs)["last_hidden_state"]
    ids = inputs.pop("input_ids")
    table = adapter.tensors(model)["albert.embeddings.word_embeddings.weight"]
    found = adapter.outputs(model, {**inputs, "inputs_embeds": table[ids]})["last_hidden_state"]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_types_and_positions_default_to_zero_and_to_counting(adapter):
    model = make(adapter, "Model")
    ids = batch("Model", padding=None)["input_ids"]
    bare = adapter.outputs(model, {"input_ids": ids})["last_hidden_state"]
    positions = np.arange(LENGTH)
    for given in (
        {"token_type_ids": np.zeros_like(ids)},
        {"position_ids": positions},
        {"position_ids": np.tile(positions, (BATCH, 1))},
        {"attention_mask": np.ones_like(ids)},
    ):
        np.testing.assert_allclose(
            adapter.outputs(model, {"input_ids": ids, **given})["last_hidden_state"], bare, atol=1e-6
        )
    for given in ({"token_type_ids": np.ones_like(ids)}, {"position_ids": positions[::-1].copy()}):
        found = adapter.outputs(model, {"input_ids": ids, **given})["last_hidden_state"]
        assert np.abs(found - bare).max() > 1e-3


def test_a_row_alone_gives_what_it_gives_in_a_batch(adapter):
    model = make(adapter, "ForPreTraining")
    inputs = dict(batch("Model").items())
    together = adapter.outputs(model, inputs, output_hidden_states=True)
    alone = adapter.outputs(model, {key: value[1:2] for key, value in inputs.items()}, output_hidden_states=True)
    for name in ("prediction_logits", "sop_logits"):
        np.testing.assert_allclose(together[name][1:2], alone[name], atol=1e-5)
    for one, other in zip(together["hidden_states"], alone["hidden_states"], strict=True):
        np.testing.assert_allclose(one[1:2], other, atol=1e-5)


def test_choices_are_texts_with_all_that_texts_have(adapter):
    model = make(adapter, "ForMultipleChoice")
    inputs = {name: value for name, value in batch("ForMultipleChoice").items() if name != "labels"}
    inputs["position_ids"] = np.broadcast_to(np.arange(LENGTH)[::-1], inputs["input_ids"].shape).copy()
    heads = np.ones((4, 4), np.float32)
    heads[1, 2] = heads[3, 0] = 0
    inputs["head_mask"] = heads
    found = adapter.outputs(model, inputs)["logits"]
    for changed in ("position_ids", "head_mask", "token_type_ids", "attention_mask"):
        other = adapter.outputs(model, {name: value for name, value in inputs.items() if name != changed})["logits"]
        assert np.abs(found - other).max() > 1e-6, changed
    for choice in range(CHOICES):
        one = {name: value[:, choice : choice + 1] for name, value in inputs.items() if name != "head_mask"}
        alone = adapter.outputs(model, {**one, "head_mask": heads})["logits"]
        np.testing.assert_allclose(alone[:, 0], found[:, choice], atol=1e-6)
    table = adapter.tensors(model)["albert.embeddings.word_embeddings.weight"]
    embedded = {**inputs, "inputs_embeds": table[inputs["input_ids"]]}
    del embedded["input_ids"]
    np.testing.assert_allclose(adapter.outputs(model, embedded)["logits"], found, atol=1e-6)


def test_a_batch_of_no_rows_has_an_answer_of_no_rows(adapter):
    found = adapter.outputs(make(adapter, "Model"), {"input_ids": np.ones((0, LENGTH), np.int64)})
    assert found["last_hidden_state"].shape == (0, LENGTH, 16)


@pytest.mark.parametrize("head", ["Model", "ForMultipleChoice"])
def test_ids_and_embeddings_exclude_each_other(adapter, head):
    model = make(adapter, head)
    ids = batch(head)["input_ids"]
    embeds = np.zeros((*ids.shape, 8), np.float32)
    with pytest.raises(ValueError, match=r"as `inputs_embeds`\. Received: both"):
        adapter.outputs(model, {"input_ids": ids, "inputs_embeds": embeds})
    with pytest.raises(ValueError, match="tokens as `input_ids` or as `inputs_embeds`"):
        adapter.outputs(model, {})


@pytest.mark.parametrize("column", ["input_ids", "token_type_ids", "position_ids"])
@pytest.mark.parametrize("value", [-1, 61])
def test_an_id_outside_its_table_is_an_error_that_names_both(adapter, column, value):
    inputs = {**batch("Model"), "position_ids": np.tile(np.arange(LENGTH), (BATCH, 1))}
    inputs[column] = inputs[column].copy()
    inputs[column][1, 2] = value
    with pytest.raises(TokenIdError, match=rf"`{column}` must lie in 0\.\.\d+.*Received: .*{value}") as caught:
        adapter.outputs(make(adapter, "Model"), inputs)
    assert isinstance(caught.value, IndexError)


def test_a_sequence_longer_than_the_positions_is_an_error_with_the_way_out(adapter):
    ids = np.ones((1, 17), np.int64)
    with pytest.raises(InputError, match=r"Received: 17 tokens, 16 positions\. Truncate.*max_length=16"):
        adapter.outputs(make(adapter, "Model"), {"input_ids": ids})


def softmax_loss(logits, labels, ignored=-100):
    logits, labels = logits.reshape(-1, logits.shape[-1]).astype(np.float64), labels.reshape(-1)
    keep = labels != ignored
    logits, labels = logits[keep], labels[keep]
    logs = (
        logits
        - np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True))
        - logits.max(-1, keepdims=True)
    )
    return -logs[np.arange(len(labels)), labels].mean()


def test_pretraining_loss_is_the_sum_of_the_labels_given(adapter):
    model = make(adapter, "ForPreTraining")
    inputs = batch("ForPreTraining")
    both = adapter.outputs(model, inputs)
    words = softmax_loss(both["prediction_logits"], inputs["labels"])
    order = softmax_loss(both["sop_logits"], inputs["sentence_order_label"])
    np.testing.assert_allclose(both["loss"], words + order, rtol=1e-5)
    only_words = {key: value for key, value in inputs.items() if key != "sentence_order_label"}
    only_order = {key: value for key, value in inputs.items() if key != "labels"}
    np.testing.assert_allclose(adapter.outputs(model, only_words)["loss"], words, rtol=1e-5)
    np.testing.assert_allclose(adapter.outputs(model, only_order)["loss"], order, rtol=1e-5)
    assert "loss" not in adapter.outputs(model, batch("Model"))


@pytest.mark.parametrize("problem_type", ["single_label_classification", None])
@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_one_class_a_text_is_cross_entropy(adapter, problem_type, dtype):
    model = make(adapter, "ForSequenceClassification", num_labels=3, problem_type=problem_type)
    labels = np.array([0, 2, -100], dtype)
    found = adapter.outputs(model, {**batch("Model"), "labels": labels})
    np.testing.assert_allclose(found["loss"], softmax_loss(found["logits"], labels), rtol=1e-5)


@pytest.mark.parametrize("problem_type", ["multi_label_classification", None])
def test_several_classes_a_text_are_binary_cross_entropies(adapter, problem_type):
    model = make(adapter, "ForSequenceClassification", num_labels=3, problem_type=problem_type)
    labels = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]], np.float32)
    found = adapter.outputs(model, {**batch("Model"), "labels": labels})
    chance = 1 / (1 + np.exp(-found["logits"].astype(np.float64)))
    expected = -(labels * np.log(chance) + (1 - labels) * np.log(1 - chance)).mean()
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-5)


@pytest.mark.parametrize(("classes", "problem_type"), [(1, None), (1, "regression"), (2, "regression")])
def test_numbers_are_a_mean_squared_error(adapter, classes, problem_type):
    model = make(adapter, "ForSequenceClassification", num_labels=classes, problem_type=problem_type)
    labels = np.array([[0.5] * classes, [-1.0] * classes, [2.0] * classes], np.float32)
    labels = labels[:, 0] if classes == 1 else labels
    found = adapter.outputs(model, {**batch("Model"), "labels": labels})
    expected = np.square(found["logits"].squeeze(-1) - labels if classes == 1 else found["logits"] - labels).mean()
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-5)


def test_answer_positions_beyond_the_text_do_not_count_and_negative_ones_are_zero(adapter):
    model = make(adapter, "ForQuestionAnswering")
    inputs = batch("ForQuestionAnswering")
    found = adapter.outputs(model, inputs)
    start = softmax_loss(found["start_logits"], np.array([2, -100, 0]))
    end = softmax_loss(found["end_logits"], np.array([5, -100, 3]))
    np.testing.assert_allclose(found["loss"], (start + end) / 2, rtol=1e-5)
    column = {key: value[:, None] if key.endswith("positions") else value for key, value in inputs.items()}
    np.testing.assert_allclose(adapter.outputs(model, column)["loss"], found["loss"], rtol=1e-6)
    alone = {key: value for key, value in inputs.items() if key != "end_positions"}
    assert "loss" not in adapter.outputs(model, alone)


def test_question_answering_and_sentence_order_have_two_outputs_whatever_the_labels(adapter):
    assert adapter.outputs(make(adapter, "ForQuestionAnswering", num_labels=5), batch("ForQuestionAnswering"))
    found = adapter.outputs(make(adapter, "ForPreTraining", num_labels=5), batch("ForPreTraining"))
    assert found["sop_logits"].shape == (BATCH, 2)


@pytest.mark.parametrize(
    ("head", "changes", "labels"),
    [
        ("ForSequenceClassification", {}, np.array([1])),
        ("ForSequenceClassification", {}, np.array(1)),
        ("ForSequenceClassification", {}, np.ones((BATCH, 3), np.int64)),
        ("ForSequenceClassification", {}, np.ones(BATCH, np.float32)),
        ("ForSequenceClassification", {"problem_type": "multi_label_classification"}, np.ones(BATCH, np.float32)),
        ("ForSequenceClassification", {"problem_type": "regression"}, np.ones((BATCH, 1), np.float32)),
        ("ForSequenceClassification", {"num_labels": 1}, np.ones(1, np.float32)),
        ("ForTokenClassification", {}, np.ones((LENGTH, BATCH), np.int64)),
        ("ForMultipleChoice", {}, np.ones((BATCH, CHOICES), np.int64)),
        ("ForMaskedLM", {}, np.ones((LENGTH, BATCH), np.int64)),
        ("ForPreTraining", {}, np.ones((BATCH, LENGTH - 1), np.int64)),
    ],
)
def test_labels_of_another_shape_are_refused_by_name(adapter, head, changes, labels):
    model = make(adapter, head, **{"num_labels": 3, **changes})
    with pytest.raises(InputError, match=r"`labels` must have the shape \(3.*Received: \("):
        adapter.outputs(model, {**batch(head), "labels": labels})


@pytest.mark.parametrize("name", ["start_positions", "end_positions"])
def test_places_of_an_answer_are_one_a_text(adapter, name):
    inputs = batch("ForQuestionAnswering") | {name: np.array([1])}
    with pytest.raises(InputError, match=rf"`{name}` must have the shape \(3,\)"):
        adapter.outputs(make(adapter, "ForQuestionAnswering"), inputs)


@pytest.mark.parametrize("value", [-1, 61, -101])
@pytest.mark.parametrize(
    ("head", "name"),
    [
        *(
            (head, "labels")
            for head in HEADS
            if head not in ("Model", "ForSentenceEmbedding") and not head.startswith("ForQuestionAnswering")
        ),
        ("ForPreTraining", "sentence_order_label"),
    ],
)
def test_labels_that_are_no_class_are_refused_by_name(adapter, head, name, value):
    inputs = batch(head)
    inputs[name] = inputs[name].copy()
    inputs[name].flat[1] = value
    with pytest.raises(InputError, match=rf"`{name}` must lie in 0\.\.\d+, .*-100.* Received: .*{value}"):
        adapter.outputs(make(adapter, head), inputs)


def test_classes_may_come_as_a_column_as_floats_and_as_truth_values(adapter):
    model = make(adapter, "ForSequenceClassification", num_labels=3, problem_type="single_label_classification")
    expected = adapter.outputs(model, {**batch("Model"), "labels": np.array([0, 2, 1])})["loss"]
    for labels in (np.array([[0], [2], [1]]), np.array([0.0, 2.0, 1.0], np.float32), np.array([0, 2, 1], np.uint8)):
        assert adapter.outputs(model, {**batch("Model"), "labels": labels})["loss"] == expected
    several = make(adapter, "ForSequenceClassification", num_labels=3)
    labels = np.array([[True, False, True], [False, False, False], [True, True, True]])
    found = [
        adapter.outputs(several, {**batch("Model"), "labels": labels.astype(t)})["loss"] for t in (bool, np.float32)
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("head", "dropout"),
    [
        ("Model", {"hidden_dropout_prob": 0.5}),
        ("Model", {"attention_probs_dropout_prob": 0.5}),
        ("ForSequenceClassification", {"classifier_dropout_prob": 0.5}),
        ("ForTokenClassification", {"classifier_dropout_prob": 0.5}),
        ("ForMultipleChoice", {"classifier_dropout_prob": 0.5}),
        ("ForSequenceClassification", {"classifier_dropout_prob": None, "hidden_dropout_prob": 0.5}),
    ],
)
def test_dropout_acts_in_training_and_not_in_evaluation(adapter, head, dropout):
    model = make(adapter, head, **dropout)
    name = "last_hidden_state" if head == "Model" else "logits"
    first, second = (adapter.outputs(model, batch(head))[name] for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    model = adapter.evaluating(model)
    first, second = (adapter.outputs(model, batch(head))[name] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_embeddings_drop(adapter):
    model = make(adapter, "Model", hidden_dropout_prob=0.5)
    first, second = (
        adapter.outputs(model, batch("Model"), output_hidden_states=True)["hidden_states"] for _ in range(2)
    )
    assert np.abs(first[0] - second[0]).max() > 1e-3


def test_attention_and_feed_forward_each_drop_something_else(adapter):
    """Where both add a one to every place, and each one stays or not, states have four values."""
    config = small(hidden_dropout_prob=0.5, num_hidden_layers=1)
    ones = ("norm.weight", "LayerNorm.weight", "attention.dense.bias", "ffn_output.bias")
    tensors = {
        name: np.full_like(values, name.endswith(ones)) for name, values in random_tensors(config, "Model").items()
    }
    found = adapter.outputs(adapter.build("Model", config, tensors), batch("Model"))["last_hidden_state"]
    assert max(len(np.unique(state.round(3))) for state in found.reshape(-1, 16)) == 4


def test_every_layer_and_every_step_drops_something_else(adapter):
    model = make(adapter, "Model", attention_probs_dropout_prob=0.5, num_hidden_groups=2, inner_group_num=2)
    given = batch("Model", padding=None)
    first, second = (adapter.outputs(model, given, output_attentions=True)["attentions"] for _ in range(2))
    dropped = [values == 0 for values in (*first, *second)]
    assert len(dropped) == 16
    for number, one in enumerate(dropped):
        assert 0.4 < one.mean() < 0.6
        assert not any((one == other).mean() > 0.6 for other in dropped[:number])


def test_sentence_order_has_no_dropout_of_its_own(adapter):
    model = make(adapter, "ForPreTraining", classifier_dropout_prob=0.9)
    first, second = (adapter.outputs(model, batch("Model"))["sop_logits"] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_model_needs_a_config_and_a_valid_one(adapter):
    with pytest.raises(TypeError, match="takes an AlbertConfig"):
        adapter.build("Model", {"hidden_size": 16})
    config = small()
    config.num_attention_heads = 3
    with pytest.raises(ConfigError, match="divisible"):
        adapter.build("Model", config)


def test_fresh_weights_follow_the_rule_of_their_kind(adapter):
    config = small(hidden_size=64, intermediate_size=256, initializer_range=0.3)
    for name, value in adapter.tensors(adapter.build("ForPreTraining", config)).items():
        kind = weight_table.kind(name)
        if kind == "bias" or name.endswith(".bias"):
            assert not value.any(), name
        elif kind == "norm":
            assert (value == 1).all(), name
        else:
            assert np.abs(value).max() <= 0.6, name
            assert value.size < 500 or 0.24 < value.std() < 0.28, name
    words = adapter.tensors(adapter.build("Model", config))["albert.embeddings.word_embeddings.weight"]
    assert not words[0].any()
    assert words[1:].any(axis=1).all()


def test_an_initializer_range_of_zero_gives_zeros_and_ones(adapter):
    for name, value in adapter.tensors(adapter.build("ForPreTraining", small(initializer_range=0.0))).items():
        expected = 1 if weight_table.kind(name) == "norm" and name.endswith("weight") else 0
        assert (value == expected).all(), name


def test_a_callable_activation_is_used(adapter):
    model = make(adapter, "Model", hidden_act=lambda x: x * 0)
    other = make(adapter, "Model", hidden_act="linear")
    assert (
        np.abs(
            adapter.outputs(model, batch("Model"))["last_hidden_state"]
            - adapter.outputs(other, batch("Model"))["last_hidden_state"]
        ).max()
        > 1e-3
    )


@pytest.mark.parametrize("size", [1, 3, 100])
def test_feed_forward_in_chunks_gives_the_same(adapter, size):
    whole, chunked = (make(adapter, "Model", chunk_size_feed_forward=n) for n in (0, size))
    expected = adapter.outputs(whole, batch("Model"))["last_hidden_state"]
    np.testing.assert_allclose(adapter.outputs(chunked, batch("Model"))["last_hidden_state"], expected, atol=1e-6)


def test_config_class_is_ours(adapter):
    assert adapter.build("Model", small()).config_class is AlbertConfig
