"""What only the Keras models have: inputs in every form, fit, graphs, loops, serving, Keras' own files."""

import inspect
import logging
import subprocess
import sys
import threading
from collections import UserDict

import numpy as np
import pytest

pytest.importorskip("albertkit.tensorflow", exc_type=ImportError)

import keras
import tensorflow as tf

import albertkit
from albertkit import weight_table
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, InputError
from albertkit.outputs import SequenceClassifierOutput
from albertkit.tensorflow import infer, layers, models, train, weights
from frameworks import common
from frameworks.adapters import TensorFlow
from frameworks.common import BATCH, HEADS, LENGTH, batch, difference, random_tensors, small

pytestmark = [
    pytest.mark.tensorflow,
    # Keras reads variables in a way that NumPy 2 will drop.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]

INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids", "head_mask", "inputs_embeds")
SWITCHES = ("output_attentions", "output_hidden_states", "return_dict")
KINDS = ("bias", "weight")
LABELS = {
    "Model": (),
    "ForPreTraining": ("labels", "sentence_order_label"),
    "ForQuestionAnswering": ("start_positions", "end_positions"),
    "ForQuestionAnsweringBeamSearch": ("start_positions", "end_positions", "is_impossible"),
}
OWN_INPUTS = {"ForQuestionAnsweringBeamSearch": ("p_mask",)}


def make(head, **changes):
    config = small(**changes)
    return TensorFlow().build(head, config, random_tensors(config, head)).model


def logits(output):
    return next(value for name, value in output.items() if name != "loss").numpy()


@pytest.mark.parametrize("head", HEADS)
def test_labels_stand_after_the_switches_and_training_is_last(head):
    parameters = list(inspect.signature(getattr(models, f"TFAlbert{head}").call).parameters)[1:]
    assert tuple(parameters) == (
        *INPUTS,
        *SWITCHES,
        *LABELS.get(head, ("labels",)),
        *OWN_INPUTS.get(head, ()),
        "training",
    )


@pytest.mark.parametrize("head", HEADS)
def test_inputs_may_come_in_every_form(head):
    model, given = make(head), batch(head)
    expected = model(**given)
    ids, mask, types = (given[name] for name in ("input_ids", "attention_mask", "token_type_ids"))
    rest = {
        name: value for name, value in given.items() if name not in ("input_ids", "attention_mask", "token_type_ids")
    }
    forms = {
        "mapping": model(given),
        "another kind of mapping": model(UserDict(given)),
        "tensors": model({name: tf.constant(value) for name, value in given.items()}),
        "int32": model({name: value.astype(np.int32) for name, value in given.items()}),
        "mapping and keywords": model({"input_ids": ids, "token_type_ids": types}, attention_mask=mask, **rest),
        "by keyword": model(input_ids=given),
        "list": model([ids, mask, types], **rest),
        "positions": model(ids, mask, types, None, None, None, False, None, True, *rest.values()),
    }
    for form, found in forms.items():
        assert list(found) == list(expected), form
        for name, value in found.items():
            np.testing.assert_allclose(value, expected[name], atol=1e-6, err_msg=form)


def test_inputs_that_the_model_does_not_know_are_left_out_and_named(caplog):
    model = make("Model")
    with caplog.at_level(logging.WARNING):
        found = model({**batch("Model"), "special_tokens_mask": np.zeros((BATCH, LENGTH))})
    assert "special_tokens_mask" in caplog.text
    np.testing.assert_array_equal(found.last_hidden_state, model(batch("Model")).last_hidden_state)


def test_an_input_given_twice_is_refused():
    model, given = make("Model"), batch("Model")
    with pytest.raises(InputError, match="Received twice: attention_mask"):
        model(given["input_ids"], given["attention_mask"], attention_mask=given["attention_mask"])
    with pytest.raises(InputError, match=r"at most 10 inputs\. Received: 11"):
        model(*[given["input_ids"]] * 11)


@pytest.mark.parametrize("axis", common.AXES)
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_looped_layers_compute_what_unrolled_ones_do(axis, dropout):
    changes = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    model = make("ForPreTraining", **{**common.AXES[axis], **changes})
    head_mask = np.random.default_rng(0).random((model.config.num_hidden_layers, 4)).astype(np.float32)
    given = {name: tf.constant(value) for name, value in {**batch("ForPreTraining"), "head_mask": head_mask}.items()}

    def step(inputs):
        model.albert.seed_generator.state.assign([7, 0])
        variables = [variable.value for variable in model.trainable_weights]
        with tf.GradientTape() as tape:
            output = model(inputs, training=True)
        return output, [tf.convert_to_tensor(g) for g in tape.gradient(output.loss, variables)]

    looped = tf.function(step).get_concrete_function(given)
    assert has_loops(looped)
    found = [looped(given)]
    model.albert.encoder.loops = False
    found.append(step(given))
    (one, gradients), (other, expected) = found
    for name, value in one.items():
        assert difference(value.numpy(), other[name].numpy()) <= 1e-5, name
    for gradient, wanted in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, wanted, atol=1e-5)


def has_loops(graph):
    return any(node.op in ("While", "StatelessWhile") for node in graph.graph.as_graph_def().node)


def test_a_graph_has_no_loops_where_the_encoder_is_told_so():
    model = make("Model", num_hidden_groups=2)
    for loops in (True, False):
        model.encoder.loops = loops
        graph = tf.function(lambda inputs: model(inputs).pooler_output)
        assert has_loops(graph.get_concrete_function(batch("Model"))) == loops


@pytest.mark.parametrize("is_xla", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_graphs_loop_but_where_dropout_acts_under_xla(dropout, training, is_xla):
    model = make("Model", hidden_dropout_prob=dropout)
    graph = tf.function(lambda inputs: model(inputs, training=training).pooler_output, jit_compile=is_xla or None)
    assert has_loops(graph.get_concrete_function(batch("Model"))) == (not (dropout and training and is_xla))


@pytest.mark.parametrize("change", ["groups and chunks", "half", "ids alone"])
def test_a_loop_under_xla_has_the_gradients_of_straight_code(change):
    dropout = {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.3}
    several = {"num_hidden_groups": 2, "inner_group_num": 2, "chunk_size_feed_forward": 6}
    if change == "half":
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = make(
            "ForSequenceClassification", **dropout, **(several if "groups" in change else {"num_hidden_layers": 2})
        )
    finally:
        keras.config.set_dtype_policy("float32")
    given = {"input_ids": batch("Model")["input_ids"], "labels": batch("ForSequenceClassification")["labels"]}
    if change != "ids alone":
        given = batch("ForSequenceClassification")
        given["head_mask"] = np.random.default_rng(0).random((model.config.num_hidden_layers, 4)).astype(np.float32)
    given = {name: tf.constant(value) for name, value in given.items()}

    def step(inputs):
        model.albert.seed_generator.state.assign([7, 0])
        variables = [variable.value for variable in model.trainable_weights]
        with tf.GradientTape() as tape:
            loss = model(inputs, training=True).loss
        return [loss, *map(tf.convert_to_tensor, tape.gradient(loss, variables))]

    found = []
    for loops in (True, False):
        model.albert.encoder.loops = loops
        found.append(tf.function(step, jit_compile=True)(given))
    one, other = (np.concatenate([np.ravel(value) for value in values]) for values in found)
    assert difference(one, other) <= (0.05 if change == "half" else 1e-5)


def test_loops_read_weights_in_full_precision():
    with weights.computing_in("mixed_bfloat16"):
        model = make("Model")
    graph = tf.function(lambda ids: model(ids).pooler_output).get_concrete_function(batch("Model")["input_ids"]).graph
    (loop,) = (node for node in graph.as_graph_def().node if node.op in ("While", "StatelessWhile"))
    assert list(loop.attr["T"].list.type).count(tf.bfloat16.as_datatype_enum) == 1  # the state


def test_a_loop_under_xla_refuses_a_second_derivative():
    model, given = make("ForMaskedLM", num_hidden_layers=2), batch("ForMaskedLM")

    @tf.function(jit_compile=True, autograph=False)
    def curvature(inputs):
        variable = model.albert.encoder.embedding_hidden_mapping_in.bias.value
        with tf.GradientTape() as outer:
            with tf.GradientTape() as tape:
                loss = model(inputs, training=True).loss
            slope = tape.gradient(loss, variable)
        return outer.gradient(slope, variable)

    with pytest.raises(InputError, match=r"no second derivative.*Set `encoder\.loops` to False"):
        curvature(given)
    model.albert.encoder.loops = False
    assert np.abs(curvature(given)).max() > 0


@pytest.mark.parametrize("name", ["gelu", "gelu_new"])
def test_gelus_have_the_gradient_of_their_parts(name):
    x = tf.constant(np.linspace(-6, 6, 201), tf.float64)
    parts = {"gelu": lambda x: keras.ops.gelu(x, False), "gelu_new": lambda x: keras.ops.gelu(x, True)}[name]
    found = []
    for function in (layers.activation(name), parts):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = function(x)
            slope = tape.gradient(value, x)
        found.append((value, slope, outer.gradient(slope, x)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("name", ["gelu", "gelu_new"])
def test_gelus_are_the_same_under_xla(name):
    def value_and_slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = layers.activation(name)(x)
        return value, tape.gradient(value, x)

    x = tf.constant(np.linspace(-6, 6, 201), tf.float32)
    for one, other in zip(value_and_slope(x), tf.function(value_and_slope, jit_compile=True)(x), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)  # XLA's tanh is an approximation


def test_graphs_answer_with_the_same_classes():
    model, given = make("ForSequenceClassification"), batch("ForSequenceClassification")
    expected = model(given, output_hidden_states=True, output_attentions=True)
    found = tf.function(lambda inputs: model(inputs, output_hidden_states=True, output_attentions=True))(given)
    assert type(found) is SequenceClassifierOutput
    assert list(found) == list(expected)
    assert [len(found.hidden_states), len(found.attentions)] == [5, 4]
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_outputs_pass_through_the_trees_of_keras_and_tensorflow():
    output = make("ForSequenceClassification")(batch("ForSequenceClassification"), output_hidden_states=True)
    for doubled in (fun(lambda value: value * 2, output) for fun in (keras.tree.map_structure, tf.nest.map_structure)):
        assert type(doubled) is SequenceClassifierOutput
        assert list(doubled) == list(output)
        np.testing.assert_array_equal(doubled.logits, output.logits * 2)
        np.testing.assert_array_equal(doubled.hidden_states[3], output.hidden_states[3] * 2)


@pytest.mark.parametrize("training", [False, True])
def test_xla_gives_the_same(training):
    model, given = make("ForMaskedLM"), batch("ForMaskedLM")

    def losses(inputs):
        return model(inputs, training=training).loss

    compiled = tf.function(losses, jit_compile=True, autograph=False)
    np.testing.assert_allclose(compiled(given), losses(given), rtol=1e-5)


@pytest.mark.parametrize("chunk", [0, 4])
def test_one_graph_serves_every_length(chunk):
    model, traces = make("ForSequenceClassification", chunk_size_feed_forward=chunk), []

    def forward(inputs):
        traces.append(1)
        return model(inputs).logits

    graph = infer.with_free_shapes(forward)
    for rows, length in ((3, 11), (1, 5), (2, 16)):
        ids = np.random.default_rng(length).integers(1, 61, (rows, length))
        np.testing.assert_allclose(graph({"input_ids": ids}), model(ids).logits, atol=1e-5)
    assert len(traces) == 1


@pytest.mark.parametrize("is_frozen", [False, True])
def test_a_model_stands_inside_a_functional_one_and_in_its_file(is_frozen, tmp_path):
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in ("input_ids", "attention_mask")}
    encoder = models.TFAlbertModel(small(), name="reader")
    encoder.trainable = not is_frozen
    whole = keras.Model(inputs, keras.layers.Dense(2)(encoder(inputs).pooler_output))
    given = {name: batch("Model")[name].astype(np.int32) for name in inputs}
    expected = whole.layers[-1](encoder(given).pooler_output)
    np.testing.assert_allclose(whole(given), expected, atol=1e-6)
    whole.save(tmp_path / "whole.keras")
    loaded = keras.saving.load_model(tmp_path / "whole.keras")
    np.testing.assert_array_equal(loaded(given), whole(given))
    assert loaded.get_layer("reader").trainable != is_frozen
    assert len(loaded.trainable_weights) == len(whole.trainable_weights)
    assert (len(loaded.trainable_weights) == 2) == is_frozen


def test_seeds_of_all_places_differ():
    seed = tf.constant([5, 0], tf.int64)
    places = {
        tuple(layers.fold(layers.fold(layers.fold(tf.stack([seed[0], seed[1] + call]), layer), inner), site).numpy())
        for call in range(3)
        for layer in range(24)
        for inner in range(4)
        for site in range(3)
    }
    assert len(places) == 3 * 24 * 4 * 3
    assert layers.fold(None, 1) is None


def test_dropout_repeats_from_a_seed_and_goes_on_inside_a_graph():
    model, given = make("ForMaskedLM", hidden_dropout_prob=0.3), batch("ForMaskedLM")
    step = tf.function(lambda inputs: model(inputs, training=True).loss)
    drawn = []
    for _ in range(2):
        model.albert.seed_generator.state.assign([3, 0])
        drawn.append([float(step(given)) for _ in range(3)])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 3


@pytest.mark.parametrize("is_graph", [False, True])
def test_gradient_checkpointing_changes_no_gradient(is_graph, monkeypatch):
    changes = {"num_hidden_groups": 2, "inner_group_num": 2, "hidden_dropout_prob": 0.2}
    model, given = make("ForPreTraining", **changes), batch("ForPreTraining")
    given["head_mask"] = np.random.default_rng(0).random((4, 4)).astype(np.float32)
    calls = []
    run = layers.AlbertLayerGroup.call
    monkeypatch.setattr(
        layers.AlbertLayerGroup, "call", lambda self, *args, **kw: (calls.append(1), run(self, *args, **kw))[1]
    )

    def gradients():
        model.albert.seed_generator.state.assign([3, 0])
        with tf.GradientTape() as tape:
            loss = model(given, training=True).loss
        found = tape.gradient(loss, [variable.value for variable in model.trainable_weights])
        return [tf.convert_to_tensor(gradient) for gradient in found]

    model.albert.encoder.loops = False
    expected = gradients()
    assert len(calls) == 4
    model.albert.encoder.loops = None
    model.gradient_checkpointing_enable()
    assert model.is_gradient_checkpointing
    found = (tf.function(gradients) if is_graph else gradients)()
    assert len(calls) >= 12  # Four layers, then four again and once more going back.
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    model.gradient_checkpointing_disable()
    assert not model.is_gradient_checkpointing
    assert make("ForMaskedLM", gradient_checkpointing=True).is_gradient_checkpointing


def targets(head):
    wanted = LABELS.get(head, ("labels",))
    return {name: value for name, value in batch(head).items() if name in wanted}


def inputs_of(head):
    return {name: value for name, value in batch(head).items() if name not in targets(head)}


@pytest.mark.parametrize("head", [head for head in HEADS if head != "Model"])
@pytest.mark.parametrize("form", ["inside x", "as y", "tf.data"])
def test_fit_without_a_loss_uses_the_models_own(head, form):
    model = make(head)
    expected = float(model(batch(head)).loss)
    # As a graph for each head and for each form: what a form or a head is made of, a graph or none, is the same code.
    is_eager = form != "tf.data" and head != "ForSequenceClassification"
    model.compile(keras.optimizers.SGD(0.05), jit_compile=False, run_eagerly=is_eager)
    y = targets(head)
    y = y if len(y) > 1 else next(iter(y.values()))
    if form == "inside x":
        given = {"x": batch(head), "batch_size": BATCH}
    elif form == "as y":
        given = {"x": inputs_of(head), "y": y, "batch_size": BATCH}
    else:
        given = {"x": tf.data.Dataset.from_tensor_slices((inputs_of(head), y)).batch(BATCH)}
    losses = model.fit(**given, epochs=3, shuffle=False, verbose=0).history["loss"]
    assert losses[0] == pytest.approx(expected, rel=1e-5)
    assert losses[2] < losses[1] < losses[0]
    assert model.evaluate(**given, verbose=0) < losses[2]
    answers = model.predict({**batch(head)} if form != "tf.data" else given["x"], batch_size=None, verbose=0)
    np.testing.assert_allclose(logits_of(answers), logits(model(inputs_of(head))), atol=1e-5)
    assert "loss" not in answers


def logits_of(output):
    return next(iter(output.values()))


def test_fit_with_a_loss_and_metrics_of_keras():
    model, given = make("ForSequenceClassification"), batch("ForSequenceClassification")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    expected = float(model(given).loss)
    model.compile(keras.optimizers.Adam(1e-2), loss=loss, metrics=["accuracy"])
    for data in ({"x": given}, {"x": inputs_of("ForSequenceClassification"), "y": given["labels"]}):
        assert model.evaluate(**data, verbose=0)[0] == pytest.approx(expected, rel=1e-5)
    history = model.fit(given, epochs=8, verbose=0).history
    assert history["accuracy"][-1] == 1
    weighted = model.evaluate(
        inputs_of("ForSequenceClassification"), given["labels"], sample_weight=np.zeros(BATCH), verbose=0
    )
    assert weighted[0] == 0


def test_own_loss_and_metrics_of_keras_go_together():
    model, given = make("ForSequenceClassification"), batch("ForSequenceClassification")
    model.compile("adam", metrics=["accuracy"], jit_compile=False)
    right = (logits(model(given)).argmax(-1) == given["labels"]).mean()
    assert model.evaluate(given, verbose=0) == pytest.approx([float(model(given).loss), right], rel=1e-5)


def test_own_loss_and_what_layers_add_to_it_go_together():
    model, given = make("ForSequenceClassification"), batch("ForSequenceClassification")
    kernel = model.classifier.kernel
    kernel.regularizer = keras.regularizers.L2(3.0)
    model.compile("adam", jit_compile=False)
    expected = float(model(given).loss) + 3 * np.square(kernel.numpy()).sum()
    assert model.evaluate(given, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_heads_with_two_labels_take_a_loss_for_each():
    model, given = make("ForQuestionAnswering"), batch("ForQuestionAnswering")
    positions = {"start_positions": np.array([2, 1, 0]), "end_positions": np.array([5, 4, 3])}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss=dict.fromkeys(positions, loss), jit_compile=False)
    found = model.evaluate(inputs_of("ForQuestionAnswering"), positions, verbose=0, return_dict=True)["loss"]
    assert found == pytest.approx(2 * float(model({**given, **positions}).loss), rel=1e-5)


def test_batches_train_and_evaluate_and_encodings_are_taken():
    model, given = make("ForSequenceClassification"), UserDict(batch("ForSequenceClassification"))
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    before = model.test_on_batch(given)
    assert model.train_on_batch(given) == pytest.approx(before, rel=1e-5)
    assert model.fit(given, verbose=0).history["loss"][0] < before
    assert model.predict_on_batch(given).logits.shape == (BATCH, 2)


def test_encodings_are_taken_to_validate_on():
    model, given = make("ForSequenceClassification"), UserDict(batch("ForSequenceClassification"))
    inputs = UserDict(inputs_of("ForSequenceClassification"))
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    for held_out in ((inputs, given["labels"]), [inputs, UserDict(labels=given["labels"])], given):
        found = model.fit(inputs, given["labels"], validation_data=held_out, verbose=0).history["val_loss"][0]
        assert found == pytest.approx(float(model(given).loss), rel=1e-5)


@pytest.mark.parametrize("name", ["fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"])
def test_methods_of_keras_keep_their_signatures(name):
    ours, theirs = getattr(models.TFAlbertModel, name), getattr(keras.Model, name)
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert ours.__doc__ == theirs.__doc__


def test_a_config_that_wants_tuples_trains_too():
    model, given = make("ForSequenceClassification", return_dict=False), batch("ForSequenceClassification")
    model.compile(keras.optimizers.SGD(0.1), metrics=["accuracy"], jit_compile=False)
    assert model.evaluate(given, verbose=0)[0] == pytest.approx(float(model(given)[0]), rel=1e-5)
    model.fit(given, verbose=0)


def test_fit_says_what_it_lacks():
    model = make("ForSequenceClassification")
    model.compile("adam", run_eagerly=True)
    with pytest.raises(InputError, match=r"needs labels\. Received: none\. Give them as y or inside x \(`labels`\)"):
        model.fit(inputs_of("ForSequenceClassification"), verbose=0)
    answering = make("ForQuestionAnswering")
    answering.compile("adam", run_eagerly=True)
    with pytest.raises(InputError, match=r"Received: start_positions\. .*`start_positions` and `end_positions`"):
        answering.fit(inputs_of("ForQuestionAnswering"), {"start_positions": np.ones(BATCH)}, verbose=0)
    with pytest.raises(InputError, match=r"Received: weights of rows or classes\. Give a loss to compile"):
        model.fit(
            inputs_of("ForSequenceClassification"),
            batch("ForSequenceClassification")["labels"],
            sample_weight=np.ones(BATCH),
            verbose=0,
        )
    given, ones = batch("ForSequenceClassification"), np.ones(BATCH)
    for call in (
        lambda: model.fit(given, sample_weight=ones, verbose=0),
        lambda: model.fit(given, class_weight={0: 1.0, 1: 2.0, 2: 1.0}, verbose=0),
        lambda: model.train_on_batch(given, None, ones),
        lambda: model.fit(given, validation_data=(given, None, ones), verbose=0),
    ):
        with pytest.raises(InputError, match=r"Received: weights of rows or classes\. Give a loss to compile"):
            call()
    with pytest.raises(InputError, match=r"Received: one of them without y, and no `labels` by name inside x"):
        model.fit(inputs_of("ForSequenceClassification"), sample_weight=ones, verbose=0)


def test_labels_among_the_inputs_are_weighted_by_a_given_loss():
    given = batch("ForSequenceClassification")
    weights = np.array([0.0, 2.0, 0.0])
    model = make("ForSequenceClassification")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, weighted_metrics=["accuracy"], run_eagerly=True)
    inside = model.test_on_batch(given, sample_weight=weights)
    apart = model.test_on_batch(inputs_of("ForSequenceClassification"), given["labels"], weights)
    np.testing.assert_allclose(inside, apart, rtol=1e-6)
    by_class = {0: 1.0, 1: 3.0, 2: 0.5}
    expected = loss(
        given["labels"],
        model(inputs_of("ForSequenceClassification")).logits,
        [by_class[int(one)] for one in given["labels"]],
    )
    found = model.fit(given, class_weight=by_class, batch_size=BATCH, shuffle=False, verbose=0).history["loss"][0]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    held_out = (given, None, weights)
    history = model.fit(given, sample_weight=weights, validation_data=held_out, verbose=0).history
    assert {"loss", "val_loss", "val_accuracy"} <= history.keys()


@pytest.mark.parametrize("metric", ["accuracy", keras.metrics.SparseCategoricalAccuracy(name="accuracy")])
def test_one_metric_counts_for_each_of_several_outputs(metric):
    model, given = make("ForQuestionAnswering"), batch("ForQuestionAnswering")
    given |= {"start_positions": np.array([2, 3, 4]), "end_positions": np.array([5, 5, 5])}
    model.compile("sgd", metrics=[metric], run_eagerly=True)
    found = model.test_on_batch(given, return_dict=True)
    answer = model(inputs_of("ForQuestionAnswering"))
    for name, scores in {"start_positions": answer.start_logits, "end_positions": answer.end_logits}.items():
        assert found[f"{name}_accuracy"] == pytest.approx((scores.numpy().argmax(-1) == given[name]).mean())


class Table:
    """What the library `datasets` calls a Dataset, as far as it is asked for here."""

    def __init__(self, **columns):
        self.columns, self.column_names = columns, list(columns)

    def __len__(self):
        return len(next(iter(self.columns.values())))

    def __getitem__(self, rows):
        return {name: [values[row] for row in rows] for name, values in self.columns.items()}


def test_a_table_becomes_batches_of_inputs_and_labels_that_fit_takes():
    model = make("ForSequenceClassification")
    ids = batch("ForSequenceClassification")["input_ids"].tolist()
    table = Table(input_ids=ids, text=["a", "b", "c"], idx=[0, 1, 2], label=[1, 0, 1])
    found = list(model.prepare_tf_dataset(table, batch_size=2, shuffle=False))
    assert [sorted(x) for x, _ in found] == [["input_ids"], ["input_ids"]]
    assert [y.numpy().tolist() for _, y in found] == [[1, 0], [1]]
    assert found[0][0]["input_ids"].numpy().tolist() == ids[:2]
    shuffled = [y.numpy().tolist() for _, y in model.prepare_tf_dataset(table, batch_size=2)]
    assert [len(y) for y in shuffled] == [2]  # what fills no batch is left out where the order is random
    model.compile("sgd", jit_compile=False)
    assert np.isfinite(
        model.fit(model.prepare_tf_dataset(table, batch_size=2), shuffle=False, verbose=0).history["loss"]
    )


def test_a_table_of_rows_of_several_lengths_is_padded_by_the_tokenizer(data):
    from albertkit import AlbertTokenizerFast

    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    model = make("ForTokenClassification", vocab_size=len(tokenizer))
    rows = [tokenizer(text)["input_ids"] for text in ("a", "a longer text", "b")]
    table = Table(input_ids=rows)
    found = next(iter(model.prepare_tf_dataset(table, batch_size=3, shuffle=False, tokenizer=tokenizer)))
    assert found["input_ids"].shape == found["attention_mask"].shape == (3, max(map(len, rows)))
    assert found["attention_mask"].numpy().sum(1).tolist() == [len(row) for row in rows]
    with pytest.raises(InputError, match=r"column `input_ids` with rows of several. .*pass tokenizer="):
        model.prepare_tf_dataset(table, batch_size=3)
    with pytest.raises(InputError, match=r"must have a column that the model takes.*Received: text"):
        model.prepare_tf_dataset(Table(text=["a"]))


def test_the_old_name_of_the_encoder_is_a_layer_that_answers():
    layer = albertkit.TFAlbertMainLayer(small(), name="albert")
    assert layer(inputs_of("Model")).last_hidden_state.shape == (BATCH, LENGTH, 16)
    assert isinstance(layer, albertkit.TFAlbertModel)


def test_a_replaced_layer_is_counted_no_more():
    model = make("ForSequenceClassification")
    before = model.num_parameters()
    model.classifier = keras.layers.Dense(2)
    model(inputs_of("ForSequenceClassification"))
    assert model.num_parameters() == before


def test_what_is_served_of_an_answer_has_no_tuples():
    model = make("ForSequenceClassification")
    answer = model(inputs_of("ForSequenceClassification"), output_hidden_states=True)
    assert set(model.serving_output(answer)) == {"logits", *(f"hidden_states_{n}" for n in range(5))}


@pytest.mark.parametrize("loss", [None, keras.losses.SparseCategoricalCrossentropy(from_logits=True)])
def test_labels_under_a_wrong_name_are_refused(loss):
    model, y = make("ForSequenceClassification"), batch("ForSequenceClassification")["labels"]
    model.compile("adam", loss=loss, run_eagerly=True)
    with pytest.raises(InputError, match=r"among: labels\. Received: label\. Did you mean `labels`\?"):
        model.fit(inputs_of("ForSequenceClassification"), {"label": y}, verbose=0)
    if loss is None:
        bare = make("Model")
        bare.compile("adam", run_eagerly=True)
        with pytest.raises(InputError, match=r"Received: target\."):
            bare.fit(inputs_of("Model"), {"target": y}, verbose=0)


@pytest.mark.parametrize("head", HEADS)
def test_keras_sums_a_model_up(head):
    lines = []
    make(head).summary(expand_nested=True, print_fn=lambda text, **_: lines.append(text))
    assert f"{make(head).num_parameters():,}" in "".join(lines)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16", "float16"])
def test_half_precision_stays_near_and_finite(policy):
    expected = make("ForMaskedLM")(batch("ForMaskedLM"))
    with weights.computing_in(policy):
        model = make("ForMaskedLM")
    found = model(batch("ForMaskedLM"))
    half = policy.removeprefix("mixed_")
    assert found.logits.dtype == half
    assert model.dtype == ("float32" if policy.startswith("mixed") else half)
    assert model.albert.encoder.albert_layer_groups[0].albert_layers[0].ffn.compute_dtype == half
    assert found.loss.dtype == "float32"
    assert difference(found.logits.numpy().astype(np.float32), expected.logits.numpy()) < 3e-2
    assert keras.config.dtype_policy().name == "float32"
    alone = model({**batch("Model"), "attention_mask": np.zeros((BATCH, LENGTH))})
    assert np.isfinite(alone.logits.numpy().astype(np.float32)).all()


def test_mixed_precision_trains_in_fit():
    with weights.computing_in("mixed_float16"):
        model = make("ForSequenceClassification")
    model.compile(keras.optimizers.SGD(0.05), jit_compile=False)
    losses = model.fit(batch("ForSequenceClassification"), epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("head", HEADS)
def test_an_exported_model_serves_the_same_numbers(head, tmp_path):
    model = make(head)
    model.save_pretrained(tmp_path, saved_model=True, version=2)
    assert (tmp_path / "model.safetensors").is_file()
    served = tf.saved_model.load(str(tmp_path / "saved_model" / "2")).signatures["serving_default"]
    signature = served.structured_input_signature[1]
    rank = 3 if head == "ForMultipleChoice" else 2
    assert {name: (spec.dtype, spec.shape.rank) for name, spec in signature.items()} == dict.fromkeys(
        INPUTS[:3], (tf.int32, rank)
    )
    for cut in (LENGTH, 7):
        given = {name: inputs_of(head)[name][1:, ..., :cut].astype(np.int32) for name in INPUTS[:3]}
        given = {name: array if array.ndim == rank else array[:, 0] for name, array in given.items()}
        found, expected = served(**{name: tf.constant(value) for name, value in given.items()}), model(given)
        assert set(found) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, atol=1e-5)


def test_export_by_keras_own_name_serves_hidden_states_by_number(tmp_path):
    model = make("Model", output_hidden_states=True)
    model.export(tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served"))
    given = {name: tf.constant(batch("Model")[name], tf.int32) for name in INPUTS[:3]}
    np.testing.assert_allclose(served.serve(given)["hidden_states_4"], model(given).hidden_states[4], atol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_a_keras_file_keeps_the_whole_model(head, tmp_path):
    changes = {"num_labels": 3, "num_hidden_layers": 2, "num_hidden_groups": 2}
    model = make(head, **changes, id2label={0: "a", 1: "b", 2: "c"})
    if head != "Model":
        model.compile("adam", run_eagerly=True)
        model.train_on_batch(batch(head))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    if head != "Model":
        assert loaded.optimizer.iterations == 1
    assert type(loaded) is type(model)
    assert loaded.config == model.config
    np.testing.assert_array_equal(logits(loaded(inputs_of(head))), logits(model(inputs_of(head))))


def test_a_keras_file_keeps_precision_and_a_missing_pooler(tmp_path):
    with weights.computing_in("mixed_bfloat16"):
        model = models.TFAlbertModel(small(), add_pooling_layer=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.dtype_policy.name == "mixed_bfloat16"
    assert list(loaded(batch("Model"))) == ["last_hidden_state"]
    np.testing.assert_array_equal(loaded(batch("Model")).last_hidden_state, model(batch("Model")).last_hidden_state)


def test_a_keras_file_keeps_what_is_frozen(tmp_path):
    model = make("ForMaskedLM", num_hidden_groups=2)
    model.albert.trainable = model.predictions.bias.trainable = False
    model.albert.encoder.albert_layer_groups[1].trainable = True
    model.compile("adam", run_eagerly=True)
    model.fit(batch("ForMaskedLM"), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert weights.frozen(loaded) == weights.frozen(model)
    assert "albert.encoder.albert_layer_groups.0" in weights.frozen(loaded)
    assert [v.trainable for v in loaded.weights] == [v.trainable for v in model.weights]
    assert len(loaded.optimizer.variables) == len(model.optimizer.variables)
    loaded.albert.trainable = True
    assert weights.frozen(loaded) == ["predictions.bias"]


def test_a_function_as_activation_is_not_put_into_a_file(tmp_path):
    model = models.TFAlbertModel(small(hidden_act=keras.ops.tanh))
    with pytest.raises(ConfigError, match="`hidden_act` must be a name to be written to a file"):
        model.save(tmp_path / "model.keras")


def test_config_goes_in_and_out_as_keras_asks():
    model = make("ForMaskedLM", num_labels=3)
    for config in (model.get_config(), model.config.to_dict(), model.config):
        assert models.TFAlbertForMaskedLM.from_config(config).config.num_labels == 3
    ours, copy = model.get_weights(), models.TFAlbertForMaskedLM(model.config)
    copy.set_weights(ours)
    np.testing.assert_array_equal(copy(batch("Model")).logits, model(batch("Model")).logits)


def test_a_fresh_model_has_the_precision_asked_for_and_a_config_of_its_own():
    config = small()
    model = models.TFAlbertModel._from_config(config, dtype="mixed_bfloat16")
    assert model.dtype_policy.name == "mixed_bfloat16"
    assert model.config == config
    assert model.config is not config


@pytest.mark.parametrize("is_stated", [True, False])
def test_the_precision_of_a_file_can_be_asked_for(is_stated, tmp_path):
    with weights.computing_in("bfloat16"):
        make("Model").save_pretrained(tmp_path)
    config = AlbertConfig.from_pretrained(tmp_path)
    assert config.dtype == "bfloat16"
    config = config if is_stated else config.changed(dtype=None)
    assert models.TFAlbertModel.from_pretrained(tmp_path, config=config, dtype="auto").dtype == "bfloat16"
    assert models.TFAlbertModel.from_pretrained(tmp_path).dtype == "float32"


def test_values_given_to_save_are_those_that_are_written(tmp_path):
    model = make("ForMaskedLM")
    doubled = {name: 2 * value for name, value in weights.extract(model, "").items()}
    model.save_pretrained(tmp_path, state_dict=doubled)
    found = weights.extract(models.TFAlbertForMaskedLM.from_pretrained(tmp_path), "")
    for name, value in found.items():
        np.testing.assert_array_equal(value, doubled[name], err_msg=name)


def test_loading_takes_old_keywords_precisions_and_overrides(tmp_path, caplog):
    make("ForMaskedLM").save_pretrained(tmp_path)
    load = models.TFAlbertForSequenceClassification.from_pretrained
    with caplog.at_level(logging.WARNING):
        model, info = load(tmp_path, from_pt=True, num_labels=5, output_loading_info=True, attn_implementation="eager")
    assert "classifier.weight" in caplog.text
    assert model.config.num_labels == 5
    assert info["missing_keys"] == [
        "albert.pooler.bias",
        "albert.pooler.weight",
        "classifier.bias",
        "classifier.weight",
    ]
    assert load(tmp_path, from_tf=True, dtype="bfloat16").dtype == "bfloat16"
    assert load(tmp_path, dtype="auto").dtype == "float32"
    for dtype in (tf.bfloat16, np.dtype("float16"), keras.DTypePolicy("mixed_float16")):
        found = load(tmp_path, dtype=dtype)
        assert found.compute_dtype == getattr(dtype, "compute_dtype", getattr(dtype, "name", ""))
    assert keras.config.dtype_policy().name == "float32"
    model.save_pretrained(tmp_path / "five")
    with pytest.raises(RuntimeError, match=r"classifier\.weight"):
        load(tmp_path / "five", num_labels=4)
    smaller = load(tmp_path / "five", num_labels=4, ignore_mismatched_sizes=True)
    assert smaller(batch("Model")).logits.shape == (BATCH, 4)
    arrays = weights.extract(model, "")
    again = load(None, config=model.config, state_dict=arrays)
    np.testing.assert_array_equal(again(batch("Model")).logits, model(batch("Model")).logits)
    with pytest.raises(InputError, match="safetensors only"):
        model.save_pretrained(tmp_path, safe_serialization=False)


@keras.saving.register_keras_serializable("tests")
class Scorer(models.TFAlbertPreTrainedModel):
    """A model that someone else wrote on top."""

    def __init__(self, config):
        super().__init__(config)
        self.albert = models.TFAlbertModel(config, name="albert")
        self.scorer = keras.layers.Dense(5, name="scorer")
        self.post_init()

    def call(self, input_ids=None, attention_mask=None, token_type_ids=None, training=False):
        return self.scorer(self.albert(input_ids, attention_mask, token_type_ids).pooler_output)


def test_a_subclass_with_a_layer_of_its_own_saves_and_loads(tmp_path, caplog):
    model = Scorer(small())
    assert model.scorer.kernel.shape == (16, 5)
    model.save_pretrained(tmp_path / "scorer")
    with caplog.at_level(logging.WARNING):
        loaded = Scorer.from_pretrained(tmp_path / "scorer")
    assert not caplog.records
    np.testing.assert_array_equal(loaded(batch("Model")), model(batch("Model")))
    make("ForMaskedLM").save_pretrained(tmp_path / "mlm")
    with caplog.at_level(logging.WARNING):
        begun = Scorer.from_pretrained(tmp_path / "mlm")
    assert "scorer.weight" in caplog.text
    assert begun.scorer.kernel.numpy().std() > 0


@keras.saving.register_keras_serializable("tests")
class Rescored(models.TFAlbertForSequenceClassification):
    """A finished model that someone else added a layer to, and whose inputs are handed on."""

    def __init__(self, config):
        super().__init__(config)
        self.rescorer = keras.layers.Dense(3, name="rescorer")

    def call(self, *args, **kwargs):
        return self.rescorer(super().call(*args, **kwargs).logits)


def test_a_subclass_of_a_finished_model_adds_a_layer_and_trains_saves_loads_and_serves(tmp_path):
    inputs, labels = batch("Model"), np.arange(BATCH) % 3
    model = Rescored(small())
    model.save_pretrained(tmp_path / "folder")  # before anything has asked for the layer's variables
    loaded = Rescored.from_pretrained(tmp_path / "folder")
    assert "rescorer.weight" in loaded.load_report.loaded
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    model.compile("sgd", jit_compile=False)
    with pytest.raises(InputError, match="Rescored, which answers"):
        model.train_on_batch(inputs, labels)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=["accuracy"], jit_compile=False)
    before = model.rescorer.kernel.numpy()
    model.fit(inputs, labels, verbose=0)
    assert not np.array_equal(model.rescorer.kernel, before)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(inputs), model(inputs))
    model.export(tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    given = {name: tf.constant(value, tf.int32) for name, value in inputs.items()}
    np.testing.assert_allclose(served(**given)["output"], model(inputs), atol=1e-5)


class TwoNorms(keras.layers.Layer):
    """A layer two of whose variables would go by one name."""

    def build(self, input_shape=None):
        self.gamma, self.kernel = self.add_weight((2,), name="gamma"), self.add_weight((2, 3), name="kernel")
        self.built = True


class Collector(models.TFAlbertPreTrainedModel):
    """A model that holds layers and variables in every way that Keras follows."""

    def __init__(self, config):
        super().__init__(config)
        self.albert = models.TFAlbertModel(config, name="albert")
        self.extra = keras.Sequential([keras.Input((16,)), keras.layers.Dropout(0.1), keras.layers.Dense(4)])
        inputs = keras.Input((4,))
        self.graph = keras.Model(inputs, keras.layers.Dense(4)(inputs))
        self.norm = keras.layers.BatchNormalization()
        self.pair = (keras.layers.Dense(4), keras.layers.Dense(4))
        self.by_name = {"one": keras.layers.Dense(4)}
        self._private = [keras.layers.Dense(4)]
        self.mixer = keras.layers.MultiHeadAttention(2, 2)
        self.scale = self.add_weight(shape=(4,), initializer="ones", name="scale")
        self.both = TwoNorms()
        self.both.build()
        self.post_init()

    def call(self, input_ids=None, attention_mask=None, training=False):
        x = self.graph(self.extra(self.albert(input_ids, attention_mask).pooler_output))
        for layer in (self.norm, *self.pair, *self.by_name.values(), *self._private):
            x = layer(x)
        return self.mixer(x[:, None], x[:, None]) * self.scale


def test_a_subclass_keeps_every_variable(tmp_path):
    model, generator = Collector(small()), np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(generator.normal(size=variable.shape))
    model.save_pretrained(tmp_path)
    loaded = Collector.from_pretrained(tmp_path)
    assert len(loaded.load_report.loaded) == len(model.weights)
    assert not loaded.load_report.missing + loaded.load_report.unexpected
    for one, other in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    as_torch = {"extra.1.weight", "norm.running_mean", "norm.weight", "pair.1.bias", "by_name.one.weight", "scale"}
    assert as_torch | {"_private.0.weight", "mixer._query_dense.bias"} <= set(loaded.load_report.loaded)
    assert loaded.load_report.loaded.count("both.weight") == 1


@pytest.mark.parametrize("head", ["ForPreTraining", "ForMaskedLM"])
def test_a_tied_tensor_has_no_variable_of_its_own(head):
    model = make(head)
    assert model.predictions.decoder is None
    assert model.get_output_embeddings() is model.get_input_embeddings()
    untied = make(head, tie_word_embeddings=False)
    assert len(untied.weights) == len(model.weights) + 1
    assert untied.get_output_embeddings() is untied.predictions.decoder
    assert untied.get_output_embeddings().kernel.shape == (8, 61)
    assert untied.predictions.decoder.bias is None
    with pytest.raises(InputError, match="Call set_input_embeddings"):
        model.set_output_embeddings(untied.predictions.decoder)


def test_an_untied_decoder_can_be_replaced_by_one_without_a_bias():
    model, other = make("ForMaskedLM", tie_word_embeddings=False), layers.Linear(8, 61, "decoder", use_bias=False)
    model.set_output_embeddings(other)
    assert model.get_output_embeddings() is other
    found = model(batch("Model")).logits.numpy()
    np.testing.assert_allclose(found, np.broadcast_to(model.predictions.bias.numpy(), found.shape), atol=1e-6)
    with pytest.raises(InputError, match="use_bias=False"):
        model.set_output_embeddings(layers.Linear(8, 61, "decoder"))


def test_old_ways_to_ask_for_parts_answer():
    model = make("ForMaskedLM")
    assert isinstance(model.get_input_embeddings(), keras.layers.Layer)
    assert model.get_input_embeddings()(np.array([[1, 2]])).shape == (1, 2, 8)
    assert model.get_lm_head() is model.predictions
    assert model.get_bias() == {"bias": model.predictions.bias}
    bare = make("Model")
    assert (bare.get_lm_head(), bare.get_bias(), bare.get_output_embeddings()) == (None, None, None)
    with pytest.raises(InputError, match="TFAlbertModel has no masked-language-model head"):
        bare.set_output_embeddings(model.get_input_embeddings())
    assert model.framework == "tf"
    assert not model.can_generate()
    assert "CPU" in model.device or "GPU" in model.device
    assert {name: value.shape for name, value in make("ForMultipleChoice").dummy_inputs.items()} == {
        "input_ids": (1, 2, 2)
    }
    with pytest.raises(ConfigError, match="flash"):
        model.set_attn_implementation("flash_attention_2")
    tables = (61 + 16 + 2) * 8
    assert model.num_parameters() - model.num_parameters(exclude_embeddings=True) == tables
    model.albert.embeddings.trainable = False
    assert model.num_parameters(only_trainable=True) == model.num_parameters() - tables - 16


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("size", [40, 80])
def test_resizing_changes_embeddings_decoder_bias_and_config_together(size, tied, tmp_path):
    model = make("ForMaskedLM", tie_word_embeddings=tied)
    before, kept = weights.extract(model, ""), min(size, 61)
    returned = model.resize_token_embeddings(size)
    assert returned is model.get_input_embeddings()
    assert model.config.vocab_size == size
    after = weights.extract(model, "")
    assert {name: value.shape for name, value in after.items()} == weight_table.expected(model.config, "ForMaskedLM")
    for name in ("albert.embeddings.word_embeddings.weight", "predictions.decoder.weight", "predictions.bias"):
        np.testing.assert_array_equal(after[name][:kept], before[name][:kept])
    assert not after["predictions.bias"][61:].any()
    mean = before["predictions.decoder.weight"].mean(0)
    rows = after["predictions.decoder.weight"][61:]
    np.testing.assert_allclose(rows, np.broadcast_to(mean, rows.shape), atol=1e-3)
    ids = np.array([[1, size - 1, 2]])
    variables = [variable.value for variable in model.trainable_weights]
    assert len(variables) == len(make("ForMaskedLM", tie_word_embeddings=tied).trainable_weights)
    with tf.GradientTape() as tape:
        output = model(ids, labels=ids)
    assert output.logits.shape == (1, 3, size)
    assert all(gradient is not None for gradient in tape.gradient(output.loss, variables))
    model.save_pretrained(tmp_path)
    loaded = models.TFAlbertForMaskedLM.from_pretrained(tmp_path)
    np.testing.assert_array_equal(loaded(ids).logits, output.logits)


def test_new_rows_stand_at_the_mean_of_the_old_ones_or_are_fresh():
    model = make("Model", initializer_range=0.5)
    mean = model.get_input_embeddings().embeddings.numpy().mean(0)
    rows = model.resize_token_embeddings(80).embeddings.numpy()[61:]
    np.testing.assert_allclose(rows, np.broadcast_to(mean, rows.shape), atol=1e-3)
    assert len(np.unique(rows, axis=0)) == 19
    model = make("Model", initializer_range=0.5)
    fresh = model.resize_token_embeddings(3000, mean_resizing=False).embeddings.numpy()[61:]
    assert abs(fresh.std() - 0.5) < 0.02


def test_predictions_know_the_new_size():
    model = make("ForMaskedLM")
    assert model.predict({"input_ids": np.full((1, 3), 60)}, verbose=0).logits.shape == (1, 3, 61)
    model.resize_token_embeddings(80)
    assert model.predict({"input_ids": np.full((1, 3), 79)}, verbose=0).logits.shape == (1, 3, 80)


def test_resizing_rounds_up_and_a_fitted_model_fits_on():
    model = make("ForMaskedLM")
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    model.fit(batch("ForMaskedLM"), verbose=0)
    assert model.resize_token_embeddings(pad_to_multiple_of=64).input_dim == 64
    assert model.resize_token_embeddings() is model.get_input_embeddings()
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    model.fit({**batch("ForMaskedLM"), "input_ids": np.full((BATCH, LENGTH), 63)}, verbose=0)


def test_what_was_frozen_when_it_was_resized_can_be_trained_again():
    model = make("ForMaskedLM")
    embeddings = model.get_input_embeddings()
    embeddings.trainable = model.predictions.bias.trainable = False
    model.resize_token_embeddings(80)
    assert not {(80, 8), (80,)} & {tuple(variable.shape) for variable in model.trainable_weights}
    embeddings.trainable = model.predictions.bias.trainable = True
    assert {(80, 8), (80,)} <= {tuple(variable.shape) for variable in model.trainable_weights}


def test_other_embeddings_can_take_the_place():
    model = make("Model")
    other = layers.Embedding(70, 8, "word_embeddings")
    model.set_input_embeddings(other)
    assert model.get_input_embeddings() is other
    assert not weights.extract(model, "albert.")["albert.embeddings.word_embeddings.weight"].any()
    assert model(np.full((1, 3), 69)).last_hidden_state.shape == (1, 3, 16)


def test_the_seed_of_keras_decides_fresh_weights():
    drawn = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        drawn.append(models.TFAlbertModel(small()).pooler.kernel.numpy())
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_a_model_draws_fresh_weights_while_another_thread_loads_one():
    drawn = []
    with weights.skip_init():
        thread = threading.Thread(target=lambda: drawn.append(models.TFAlbertModel(small())))
        thread.start()
        thread.join()
        assert not models.TFAlbertModel(small()).pooler.kernel.numpy().any()
    assert drawn[0].pooler.kernel.numpy().any()


def test_building_a_model_leaves_the_callers_config_as_it_is():
    config = small()
    models.TFAlbertModel(config)
    assert config._attn_implementation is None


def test_without_a_pooler_the_dictionary_lacks_it_and_the_tuple_keeps_its_place():
    model = models.TFAlbertModel(small(), add_pooling_layer=False)
    assert list(model(batch("Model"))) == ["last_hidden_state"]
    plain = model(batch("Model"), return_dict=False, output_hidden_states=True)
    assert plain[1] is None
    assert len(plain) == 3


def test_gradient_reaches_the_head_mask():
    mask = tf.Variable(tf.ones((4, 4)))
    model = make("Model")
    with tf.GradientTape() as tape:
        value = model({**batch("Model"), "head_mask": mask}).last_hidden_state[0, 0, 0]
    assert (tf.reduce_sum(tf.abs(tape.gradient(value, mask)), 1).numpy() > 0).all()


def test_variables_are_found_by_their_names():
    paths = [variable.path for variable in make("ForMaskedLM").weights]
    assert "albert/encoder/albert_layer_groups_0/albert_layers_0/attention/query/kernel" in paths
    assert any(path.endswith("predictions/LayerNorm/gamma") for path in paths)
    assert len(set(paths)) == len(paths)


def run(code, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


@pytest.mark.parametrize("lacks", ["", "import sys; sys.modules['keras'] = None; "])
def test_another_backend_is_refused_with_the_way_out_also_where_its_own_package_is_missing(lacks):
    found = run(lacks + "import albertkit.tensorflow", KERAS_BACKEND="numpy")
    assert found.returncode == 1
    assert "Received: Keras on numpy. Set the environment variable KERAS_BACKEND=tensorflow" in found.stderr


def test_an_absent_package_is_answered_with_the_command_and_a_present_one_in_silence():
    found = run("import sys; sys.modules['tensorflow'] = None; import albertkit.tensorflow")
    assert 'albertkit.tensorflow needs TensorFlow. Install it with: pip install "albertkit[tensorflow]"' in found.stderr
    ours = "from albertkit.tensorflow import models; from albertkit.config import AlbertConfig as C; "
    found = run(ours + "print(models.TFAlbertModel(C(61, 8, 16, 1, 1, 2, 8))([[1, 2]]).pooler_output.shape)")
    assert found.stdout == "(1, 16)\n"
    # TensorFlow itself says the rest before it can be told to be silent.
    own = ("oneDNN", "absl::InitializeLog", "Unable to register cu")
    said = [line for line in found.stderr.splitlines() if not any(words in line for words in own)]
    assert said == []


def test_a_config_is_needed():
    with pytest.raises(TypeError, match=r"TFAlbertModel\(config\) takes an AlbertConfig"):
        models.TFAlbertModel({"hidden_size": 16})
    assert isinstance(models.TFAlbertModel(small()).config, AlbertConfig)


def test_training_refuses_to_be_one_of_several_processes(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"one process\. Received: WORLD_SIZE 2"):
        train.init_processes()
    monkeypatch.setenv("WORLD_SIZE", "1")
    train.init_processes()
