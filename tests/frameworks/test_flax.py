"""What only the Flax models have: parameters as a tree, transformations of JAX, the scan over layers, shardings."""

import copy
import inspect
import logging
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

jax = pytest.importorskip("jax")
pytest.importorskip("albertkit.flax", exc_type=ImportError)

import jax.numpy as jnp  # noqa: E402
from flax import nnx  # noqa: E402

from albertkit import weight_table  # noqa: E402
from albertkit.backends import OptimizerSettings  # noqa: E402
from albertkit.batches import PaddedBatch  # noqa: E402
from albertkit.checkpoint import files, init  # noqa: E402
from albertkit.errors import ConfigError, InputError, WeightMismatch  # noqa: E402
from albertkit.flax import infer, models, train, weights  # noqa: E402
from frameworks.adapters import Flax  # noqa: E402
from frameworks.common import HEADS, LENGTH, batch, difference, random_tensors, small  # noqa: E402

pytestmark = pytest.mark.flax


def make(head, **changes):
    """A model in evaluation mode."""
    config = small(**changes)
    return Flax().evaluating(Flax().build(head, config, random_tensors(config, head)))


def same(one, other, **options):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **options), one, other)


@pytest.mark.parametrize("head", ["Model", "ForMultipleChoice"])
def test_lists_are_taken_for_arrays(head):
    model, inputs = make(head), {name: value for name, value in batch(head).items() if name != "labels"}
    lists = {name: value.tolist() for name, value in inputs.items()}
    jax.tree.map(np.testing.assert_array_equal, dict(model(**lists)), dict(model(**inputs)))


@pytest.mark.parametrize("head", HEADS)
def test_arguments_stand_in_the_order_of_transformers_and_new_ones_are_keywords(head):
    parameters = inspect.signature(getattr(models, f"FlaxAlbert{head}").__call__).parameters
    assert list(parameters)[1:11] == [
        *("input_ids", "attention_mask", "token_type_ids", "position_ids", "params", "dropout_rng", "train"),
        *("output_attentions", "output_hidden_states", "return_dict"),
    ]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in list(parameters.values())[11:])
    built = inspect.signature(getattr(models, f"FlaxAlbert{head}").__init__).parameters
    assert list(built)[1:6] == ["config", "input_shape", "seed", "dtype", "_do_init"]


def test_parameters_are_nested_dicts_under_the_old_names():
    model = make("ForMaskedLM", num_hidden_groups=2)
    params = model.params
    query = params["albert"]["encoder"]["albert_layer_groups"]["1"]["albert_layers"]["0"]["attention"]["query"]
    assert {name: value.shape for name, value in query.items()} == {"kernel": (16, 16), "bias": (16,)}
    expected = random_tensors(model.config, "ForMaskedLM")
    name = "albert.encoder.albert_layer_groups.1.albert_layers.0.attention.query.weight"
    np.testing.assert_array_equal(query["kernel"], expected[name].T)
    assert set(params["predictions"]) == {"bias", "LayerNorm", "dense"}
    assert set(make("ForMaskedLM", tie_word_embeddings=False).params["predictions"]["decoder"]) == {"kernel"}
    assert set(make("Model").params) == {"embeddings", "encoder", "pooler"}
    assert ("albert", "embeddings", "LayerNorm", "scale") in model.required_params
    shapes = model.params_shape_tree
    assert jax.tree.map(lambda one, other: one.shape == other.shape, shapes, params) == jax.tree.map(
        lambda _: True, params
    )


def test_parameters_can_be_set_and_given_in_a_call():
    model, inputs = make("ForMaskedLM"), batch("Model")
    doubled = jax.tree.map(lambda value: value * 2, model.params)
    before = model(**inputs).logits
    given = model(**inputs, params=doubled).logits
    np.testing.assert_array_equal(model(**inputs).logits, before)
    assert np.abs(given - before).max() > 1e-3
    model.params = doubled
    np.testing.assert_allclose(model(**inputs).logits, given, rtol=1e-6)


@pytest.mark.parametrize("head", HEADS)
def test_every_part_of_a_head_takes_the_parameters_of_a_call(head):
    model, other, inputs = make(head), getattr(models, f"FlaxAlbert{head}")(small(), seed=5), batch(head)
    jax.tree.map(np.testing.assert_array_equal, dict(model(**inputs, params=other.params)), dict(other(**inputs)))


@pytest.mark.parametrize("way", ["set", "call"])
def test_parameters_that_do_not_fit_are_refused_by_name(way):
    model = make("ForTokenClassification")

    def use(params):
        if way == "set":
            model.params = params
        else:
            model(**batch("Model"), params=params)

    lacking, misshapen = model.params, model.params
    del lacking["classifier"]["kernel"]
    with pytest.raises(ValueError, match=r"parameters are missing: classifier/kernel"):
        use(lacking)
    misshapen["classifier"]["bias"] = jnp.zeros(7)
    with pytest.raises(ValueError, match=r"classifier/bias of shape \(7,\) in the place of \(2,\)"):
        use(misshapen)


def test_a_model_without_parameters_takes_them_from_each_call():
    model, bare = make("ForMaskedLM"), models.FlaxAlbertForMaskedLM(small(), _do_init=False)
    for refused in (lambda: bare.params, lambda: bare(**batch("Model")), lambda: setattr(bare, "params", model.params)):
        with pytest.raises(ValueError, match=r"_do_init=False.*model\(\.\.\., params=params\)"):
            refused()
    expected = model(**batch("Model")).logits
    np.testing.assert_array_equal(bare(**batch("Model"), params=model.params).logits, expected)
    assert bare.required_params == model.required_params
    fresh = bare.init_weights(jax.random.key(1), (1, 1))
    assert np.isfinite(bare(**batch("Model"), params=fresh).logits).all()
    other = bare.init_weights(jax.random.key(2), (1, 1))
    assert (other["predictions"]["dense"]["kernel"] != fresh["predictions"]["dense"]["kernel"]).any()
    partly = {"predictions": model.params["predictions"]}
    filled = bare.init_weights(jax.random.key(1), (1, 1), params=partly)
    same(filled["predictions"], model.params["predictions"], rtol=0)
    same(filled["albert"], fresh["albert"], rtol=0)
    assert "pooler" not in models.FlaxAlbertModel(small(), add_pooling_layer=False).init_weights(jax.random.key(0))


def test_the_seed_decides_fresh_weights_as_in_every_framework():
    config = small()
    expected = init.initialize(weight_table.expected(config, "ForPreTraining"), config, 3)
    for name, value in Flax().tensors(models.FlaxAlbertForPreTraining(config, seed=3)).items():
        if name not in weight_table.tied(config):
            np.testing.assert_array_equal(value, expected[name], err_msg=name)
    one, other = (models.FlaxAlbertModel(config, seed=seed).pooler.kernel.get_value() for seed in (3, 4))
    assert (one != other).any()


def test_casts_change_all_parameters_or_those_of_a_mask():
    model = make("Model")
    half = model.to_bf16(model.params)
    assert {value.dtype for value in jax.tree.leaves(half)} == {jnp.dtype(jnp.bfloat16)}
    assert {value.dtype for value in jax.tree.leaves(model.to_fp16(half))} == {jnp.dtype(jnp.float16)}
    assert {value.dtype for value in jax.tree.leaves(model.to_fp32(half))} == {jnp.dtype(jnp.float32)}
    mask = jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", model.params)
    mixed = model.to_bf16(model.params, mask)
    assert mixed["pooler"]["kernel"].dtype == jnp.bfloat16
    assert mixed["pooler"]["bias"].dtype == jnp.float32
    assert model.params["pooler"]["kernel"].dtype == jnp.float32


def test_a_checkpoint_gives_a_model_or_a_model_and_its_parameters(tmp_path, caplog):
    model = make("ForMaskedLM")
    model.save_pretrained(tmp_path)
    assert files.load(tmp_path).config.architectures == ["AlbertForMaskedLM"]
    with caplog.at_level(logging.WARNING):
        loaded = models.FlaxAlbertForMaskedLM.from_pretrained(tmp_path, from_pt=True)
        bare, params = models.FlaxAlbertForMaskedLM.from_pretrained(tmp_path, _do_init=False)
    assert not caplog.records
    expected = model(**batch("Model")).logits
    np.testing.assert_array_equal(loaded(**batch("Model")).logits, expected)
    np.testing.assert_array_equal(bare(**batch("Model"), params=params).logits, expected)
    with pytest.raises(ValueError, match="_do_init=False"):
        bare(**batch("Model"))
    assert loaded.load_report.missing == ()


def test_a_missing_head_starts_fresh_from_the_seed_and_is_announced(tmp_path, caplog):
    make("ForMaskedLM").save_pretrained(tmp_path)
    load = models.FlaxAlbertForTokenClassification.from_pretrained
    with caplog.at_level(logging.WARNING):
        one, info = load(tmp_path, seed=5, num_labels=4, output_loading_info=True)
    assert "newly initialised: classifier.weight, classifier.bias" in caplog.text
    assert info["missing_keys"] == ["classifier.bias", "classifier.weight"]
    expected = init.initialize({"classifier.weight": (4, 16)}, one.config, 5)["classifier.weight"]
    np.testing.assert_array_equal(one.params["classifier"]["kernel"], expected.T)
    with pytest.raises(WeightMismatch, match=r"lacks classifier\.weight"):
        infer.compile(small(), "ForTokenClassification", files.load(tmp_path).tensors)


def test_parameters_given_to_save_are_those_that_are_written(tmp_path):
    model = make("ForMaskedLM")
    changed = model.init_weights(jax.random.key(1))
    model.save_pretrained(tmp_path, params=changed)
    loaded = models.FlaxAlbertForMaskedLM.from_pretrained(tmp_path)
    same(loaded.params, changed, rtol=0)
    with pytest.raises(InputError, match="safetensors only"):
        model.save_pretrained(tmp_path, safe_serialization=False)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_parameters_keep_the_precision_of_the_file_and_dtype_is_that_of_the_computation(dtype, tmp_path):
    model = make("ForMaskedLM")
    half = (model.to_fp16 if dtype == jnp.float16 else model.to_bf16)(model.params)
    model.save_pretrained(tmp_path, params=half)
    for computed in (jnp.float32, dtype):
        loaded = models.FlaxAlbertForMaskedLM.from_pretrained(tmp_path, dtype=computed)
        same(loaded.params, half, rtol=0)
        assert {value.dtype for value in jax.tree.leaves(loaded.params)} == {jnp.dtype(dtype)}
        assert loaded.dtype == loaded(**batch("Model")).logits.dtype == computed
    loaded.save_pretrained(tmp_path / "again")
    files_written = [(folder / "model.safetensors").read_bytes() for folder in (tmp_path, tmp_path / "again")]
    assert files_written[0] == files_written[1]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, "float16", np.dtype("float16")])
def test_half_precision_stays_near_and_finite(dtype):
    config = small()
    expected = make("ForMaskedLM")(**batch("Model")).logits
    model = models.FlaxAlbertForMaskedLM(config, dtype=dtype)
    weights.load(model, "", config, random_tensors(config, "ForMaskedLM"), "the test")
    assert model.params["predictions"]["bias"].dtype == jnp.float32
    found = model(**batch("Model")).logits
    assert found.dtype == dtype
    assert difference(np.asarray(found, np.float32), np.asarray(expected)) < 3e-2
    nothing = model(batch("Model")["input_ids"], np.zeros((3, LENGTH), np.int64)).logits
    assert np.isfinite(np.asarray(nothing, np.float32)).all()


def test_double_precision_is_read_in_the_widest_that_jax_is_set_to(tmp_path):
    double = {name: value.astype(np.float64) for name, value in random_tensors(small(), "Model").items()}
    files.save(tmp_path, small(), double, "AlbertModel")
    loaded = models.FlaxAlbertModel.from_pretrained(tmp_path)
    assert {value.dtype for value in jax.tree.leaves(loaded.params)} == {jnp.dtype(jnp.float32)}


def test_a_precision_that_is_none_is_refused():
    with pytest.raises(InputError, match="Received: 'int8'"):
        models.FlaxAlbertModel(small(), dtype="int8")


@pytest.mark.parametrize("head", HEADS)
def test_jit_over_parameters_and_over_the_module_gives_the_same(head):
    model, inputs = make(head), batch(head)
    expected = model(**inputs)
    found = jax.jit(lambda params, inputs: model(**inputs, params=params))(model.params, inputs)
    assert type(found) is type(expected)
    assert list(found) == list(expected)
    same(found, expected, rtol=2e-4, atol=1e-6)
    same(nnx.jit(lambda model, inputs: model(**inputs))(model, inputs), expected, rtol=2e-4, atol=1e-6)


def test_splitting_and_merging_gives_the_same_model():
    model = make("ForMaskedLM", num_hidden_groups=2)
    expected = model(**batch("ForMaskedLM"))
    merged = nnx.merge(*nnx.split(model))
    for twin in (merged, nnx.clone(model), copy.deepcopy(model), jax.tree.map(lambda value: value, model)):
        same(twin(**batch("ForMaskedLM")), expected, rtol=0)
    # A merged module has lost the order of its attributes, a checkpoint must not.
    assert list(Flax().tensors(merged)) == list(weight_table.expected(model.config, "ForMaskedLM"))
    assert hash(nnx.graphdef(model)) == hash(nnx.graphdef(make("ForMaskedLM", num_hidden_groups=2)))


def test_gradients_of_module_and_tree_are_the_same_and_reach_every_parameter():
    model, inputs = make("ForPreTraining"), batch("ForPreTraining")
    by_tree = jax.grad(lambda params: model(**inputs, params=params).loss)(model.params)
    by_module = nnx.grad(lambda model: model(**inputs).loss)(model)
    found = {tuple(map(str, path)): value.get_value() for path, value in nnx.to_flat_state(by_module)}
    for path, value in weights.flat(by_tree):
        np.testing.assert_allclose(found[path], value, rtol=1e-4, atol=1e-6)
        assert np.abs(value).sum() > 0, path


def test_gradient_reaches_the_head_mask():
    model = make("Model")
    gradient = jax.grad(lambda mask: model(**batch("Model"), head_mask=mask).last_hidden_state[0, 0, 0])(
        jnp.ones((4, 4))
    )
    assert (np.abs(gradient).sum(1) > 0).all()


def test_vmap_over_texts_gives_the_batch():
    model, inputs = make("Model"), batch("Model")
    expected = model(**inputs).last_hidden_state
    one = jax.vmap(lambda inputs: model(**{name: value[None] for name, value in inputs.items()}).last_hidden_state[0])
    np.testing.assert_allclose(one(jax.tree.map(jnp.asarray, inputs)), expected, rtol=1e-4, atol=1e-6)


def test_checkpointing_a_whole_call_changes_no_gradient():
    model, inputs = make("ForMaskedLM"), batch("ForMaskedLM")

    def loss(params):
        return model(**inputs, params=params).loss

    same(jax.grad(jax.checkpoint(loss))(model.params), jax.grad(loss)(model.params), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("layers", [4, 5])
def test_gradient_checkpointing_keeps_less_and_changes_no_gradient(layers):
    model = make("ForPreTraining", num_hidden_groups=2, inner_group_num=2, num_hidden_layers=layers)
    inputs = batch("ForPreTraining")

    def bytes_and_gradient():
        """The bytes that the gradient needs beside its inputs and outputs, and the gradient."""
        gradient = jax.jit(jax.grad(lambda params: model(**inputs, params=params).loss))
        compiled = gradient.lower(model.params).compile()
        return compiled.memory_analysis().temp_size_in_bytes, compiled(model.params)

    assert not model.is_gradient_checkpointing
    before, expected = bytes_and_gradient()
    model.gradient_checkpointing_enable({"policy": jax.checkpoint_policies.nothing_saveable})
    assert model.is_gradient_checkpointing
    after, found = bytes_and_gradient()
    assert after < 0.8 * before
    same(found, expected, rtol=1e-4, atol=1e-6)
    model.gradient_checkpointing_disable()
    assert not model.is_gradient_checkpointing
    model.enable_gradient_checkpointing()
    assert model.is_gradient_checkpointing
    assert make("Model", gradient_checkpointing=True).is_gradient_checkpointing


def test_options_of_gradient_checkpointing_reach_jax():
    model, asked = make("ForMaskedLM"), []
    model.gradient_checkpointing_enable({"policy": lambda *_, **__: bool(asked.append(1))})
    jax.make_jaxpr(jax.grad(lambda params: model(**batch("ForMaskedLM"), params=params).loss))(model.params)
    assert asked


@pytest.mark.parametrize("groups", [1, 2])
def test_what_is_compiled_does_not_grow_with_the_number_of_layers(groups):
    def program(layers):
        model = make("ForPreTraining", num_hidden_layers=layers, num_hidden_groups=groups)
        loss = jax.value_and_grad(lambda params, inputs: model(**inputs, params=params).loss)
        return str(jax.make_jaxpr(loss)(model.params, batch("ForPreTraining"))).count(" = ")

    assert program(4) == program(24)


SHARDED = """
import jax, numpy as np
from jax.sharding import NamedSharding, PartitionSpec as P
from albertkit.config import AlbertConfig
from albertkit.flax import models

config = AlbertConfig(vocab_size=64, embedding_size=8, hidden_size=16, num_hidden_layers=3, num_attention_heads=4,
                      intermediate_size=24, max_position_embeddings=16, classifier_dropout_prob=0.0)
model = models.FlaxAlbertForSequenceClassification(config)
rng = np.random.default_rng(0)
batch = {"input_ids": rng.integers(1, 64, (8, 11)), "labels": rng.integers(0, 2, 8)}
step = jax.jit(jax.value_and_grad(lambda params, batch: model(**batch, params=params).loss))
expected = step(model.params, batch)

mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
def place(path, value):
    spec = {"ffn": P(None, "model"), "ffn_output": P("model", None)}.get(path[-2].key, P())
    return jax.device_put(value, NamedSharding(mesh, spec if path[-1].key == "kernel" else P()))
params = jax.tree_util.tree_map_with_path(place, model.params)
inputs = {name: jax.device_put(array, NamedSharding(mesh, P("data"))) for name, array in batch.items()}
found = step(params, inputs)
assert len(jax.tree.leaves(found)[1].sharding.device_set) == 8
jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6), found, expected)
model.params = params
same = model(**inputs).loss
np.testing.assert_allclose(same, expected[0], rtol=1e-5)
print("equal")
"""


def test_batch_and_parameters_may_be_spread_over_devices():
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    source = str(Path(models.__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    ran = subprocess.run([sys.executable, "-c", SHARDED], capture_output=True, text=True, env=environment, check=False)
    assert ran.stdout.strip() == "equal", ran.stderr


def test_models_start_without_dropout_and_train_or_the_mode_bring_it():
    model, inputs = models.FlaxAlbertModel(small(hidden_dropout_prob=0.5)), batch("Model")
    rest = model(**inputs).last_hidden_state
    np.testing.assert_array_equal(model(**inputs, dropout_rng=jax.random.key(0)).last_hidden_state, rest)
    key = jax.random.PRNGKey(0)
    one, again = (model(**inputs, dropout_rng=key, train=True).last_hidden_state for _ in range(2))
    np.testing.assert_array_equal(one, again)
    other = model(**inputs, dropout_rng=jax.random.PRNGKey(1), train=True).last_hidden_state
    assert np.abs(one - rest).max() > 1e-3
    assert np.abs(one - other).max() > 1e-3
    model.train()
    np.testing.assert_array_equal(model(**inputs, dropout_rng=key).last_hidden_state, one)
    np.testing.assert_array_equal(model(**inputs, train=False).last_hidden_state, rest)
    first, second = (model(**inputs).last_hidden_state for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    draw = nnx.jit(lambda model: model(**inputs).last_hidden_state)
    first, second = draw(model), draw(model)
    assert np.abs(first - second).max() > 1e-3


def test_every_layer_has_its_own_dropout():
    config = small(hidden_dropout_prob=0.5, num_hidden_layers=3)
    model, inputs = models.FlaxAlbertModel(config), batch("Model")
    # With all weights zero but the norms' biases, what a layer answers shows nothing but its dropout.
    params = jax.tree_util.tree_map_with_path(
        lambda path, value: jnp.ones_like(value) if path[-1].key in ("scale", "bias") else value * 0, model.params
    )
    found = model(**inputs, params=params, dropout_rng=jax.random.key(0), train=True, output_hidden_states=True)
    _, first, second, third = (np.asarray(state) for state in found.hidden_states)
    assert (first != second).any()
    assert (second != third).any()


def test_a_captured_model_cannot_draw_inside_jit_and_says_how_to():
    model, inputs = models.FlaxAlbertModel(small(hidden_dropout_prob=0.5)), batch("Model")
    with pytest.raises(InputError, match="Pass `dropout_rng`"):
        jax.jit(lambda inputs: model(**inputs, train=True).last_hidden_state)(inputs)
    head = models.FlaxAlbertForMaskedLM(small(hidden_dropout_prob=0.5))
    with pytest.raises(InputError, match="encoder inside a head"):
        head.albert(**inputs, train=True)


def test_jit_sees_what_changes_in_a_config_and_keeps_those_of_two_models_apart():
    one, two = make("ForSequenceClassification"), make("ForSequenceClassification")
    config = two.config
    config.problem_type = "regression"
    inputs = {**batch("ForSequenceClassification"), "labels": jnp.eye(one.config.num_labels)[:2]}
    inputs["input_ids"] = inputs["input_ids"][:2]
    inputs = {name: value[:2] for name, value in inputs.items()}
    expected = [model(**inputs).loss for model in (one, two)]
    assert abs(expected[0] - expected[1]) > 1e-3
    for transform in (nnx.jit, jax.jit):
        compiled = transform(lambda model: model(**inputs).loss)
        np.testing.assert_allclose([compiled(one), compiled(two)], expected, rtol=1e-5)
    assert two.config is config
    assert (one.config.problem_type, two.config.problem_type) == (None, "regression")
    outputs = nnx.jit(lambda model: model(input_ids=inputs["input_ids"]))
    assert "hidden_states" not in outputs(one)
    one.config.output_hidden_states = True
    assert "hidden_states" in outputs(one)
    one.config.id2label[0] = "first"
    outputs(one)
    assert two.config.id2label[0] == "LABEL_0"


def test_jit_compiles_once_for_models_of_one_kind_and_again_for_another_way_of_attention(tmp_path):
    for seed in (1, 2):
        models.FlaxAlbertModel(small(), seed=seed).save_pretrained(tmp_path / str(seed))
    several = [models.FlaxAlbertModel.from_pretrained(tmp_path / str(seed), seed=seed) for seed in (1, 2)]
    traced = []

    def pooled(model):
        traced.append(model.config._attn_implementation)
        return model(jnp.ones((1, 4), int)).pooler_output

    compiled = jax.jit(pooled)
    apart = [compiled(model) for model in several]
    assert traced == ["sdpa"]
    together = jax.tree.map(lambda *values: jnp.stack(values), *several)
    np.testing.assert_allclose(jax.vmap(pooled)(together), jnp.stack(apart), rtol=1e-5, atol=1e-6)
    several[0].set_attn_implementation("eager")
    compiled(several[0])
    assert traced[-1] == "eager"
    assert [model.seed for model in several] == [1, 2]
    assert all(model.load_report.missing == () for model in several)


@pytest.mark.parametrize("copied", [nnx.clone, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])  # noqa: S301
def test_a_copy_has_a_config_of_its_own_that_head_and_encoder_share(copied):
    model = make("ForMaskedLM")
    model.config.problem_type = "regression"
    twin = copied(model)
    model.config.problem_type = None
    assert twin.config is twin.albert.config
    assert twin.config.problem_type == "regression"
    twin.resize_token_embeddings(70)
    assert (model.config.vocab_size, twin.config.vocab_size, twin.albert.config.vocab_size) == (61, 70, 70)
    assert model(jnp.ones((1, 3), int)).logits.shape == (1, 3, 61)
    twin.config = small(vocab_size=70, problem_type="multi_label_classification")
    assert twin.albert.config.problem_type == "multi_label_classification"


def test_what_jit_cannot_see_of_bad_ids_and_labels_gives_nan_and_no_answer():
    model = make("ForTokenClassification")
    ids = jnp.ones((2, 5), jnp.int32)
    compiled = jax.jit(lambda ids, labels: model(ids, labels=labels).loss)
    assert np.isfinite(compiled(ids, ids * 0))
    assert np.isfinite(compiled(ids, (ids * -100).at[0, 0].set(1)))
    for bad in (-1, 7):
        assert np.isnan(compiled(ids, ids * bad))
        assert np.isnan(compiled(ids * (-1 if bad < 0 else 61), ids * 0))


@pytest.mark.parametrize("base", [models.FlaxAlbertModel, models.FlaxAlbertForMaskedLM])
def test_a_subclass_keeps_what_it_adds(base, tmp_path):
    class Own(base):
        def __init__(self, config, *args, **kwargs):
            super().__init__(config, *args, **kwargs)
            self.extra = nnx.Sequential(nnx.Linear(2, 4, rngs=nnx.Rngs(0)))
            self.norm = nnx.BatchNorm(2, rngs=nnx.Rngs(0))
            self.post_init()

    model = Own(small())
    model.extra.layers[0].kernel.set_value(jnp.full((2, 4), 7.0))
    model.norm.mean.set_value(jnp.full((2,), 5.0))
    model.save_pretrained(tmp_path)
    loaded, info = Own.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    assert (loaded.extra.layers[0].kernel.get_value() == 7).all()
    assert (loaded.norm.mean.get_value() == 5).all()
    with pytest.raises(ValueError, match="keeps no parameters"):
        _ = Own(small(), _do_init=False).params
    _, params, info = Own.from_pretrained(tmp_path, _do_init=False, output_loading_info=True)
    assert params["extra"]["layers"]["0"]["kernel"][0, 0] == 7
    assert info["missing_keys"] == []


@pytest.mark.parametrize("padding", ["left", "right", None])
def test_both_ways_of_attention_agree(padding):
    model, inputs = make("ForPreTraining"), batch("ForPreTraining", padding=padding)
    expected = model(**inputs)
    model.set_attn_implementation("eager")
    same(model(**inputs), expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(ConfigError, match=r'must be "sdpa" or "eager"\. Received: \'flash_attention_2\''):
        model.set_attn_implementation("flash_attention_2")


def test_the_way_of_attention_is_chosen_when_a_model_is_read(tmp_path):
    make("Model").save_pretrained(tmp_path)
    load = models.FlaxAlbertModel.from_pretrained
    assert load(tmp_path).config._attn_implementation == "sdpa"
    assert load(tmp_path, attn_implementation="eager").config._attn_implementation == "eager"


def test_only_masked_language_models_have_output_embeddings():
    for head in HEADS:
        decoder = make(head).get_output_embeddings()
        assert (decoder is not None) == (head in ("ForPreTraining", "ForMaskedLM"))
    with pytest.raises(InputError, match="FlaxAlbertModel has no masked-language-model head"):
        make("Model").set_output_embeddings(None)
    tied, untied = make("ForMaskedLM"), make("ForMaskedLM", tie_word_embeddings=False)
    assert tied.get_output_embeddings() is tied.get_input_embeddings()
    assert untied.get_output_embeddings() is untied.predictions.decoder
    table = nnx.Embed(61, 8, rngs=nnx.Rngs(0))
    tied.set_output_embeddings(table)
    assert tied.get_input_embeddings() is table
    for model in (tied, untied):
        own = nnx.Linear(8, 61, use_bias=False, rngs=nnx.Rngs(0))
        model.set_output_embeddings(own)
        assert model.get_output_embeddings() is own
        assert np.isfinite(model(**batch("ForMaskedLM")).loss)
        with pytest.raises(InputError, match="use_bias=False"):
            model.set_output_embeddings(nnx.Linear(8, 61, rngs=nnx.Rngs(0)))
        with pytest.raises(InputError, match=r"which is for 61 tokens\. Received: a layer for 70"):
            model.set_output_embeddings(nnx.Linear(8, 70, use_bias=False, rngs=nnx.Rngs(0)))
        with pytest.raises(InputError, match=r"takes a dense layer\. Received: a table of words"):
            model.set_output_embeddings(table)
        assert model.get_output_embeddings() is own


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("size", [40, 80])
def test_resizing_changes_embeddings_decoder_bias_and_config_together(size, tied, tmp_path):
    model = make("ForMaskedLM", tie_word_embeddings=tied)
    before = {name: value.copy() for name, value in Flax().tensors(model).items()}
    kept = min(size, 61)
    assert model.resize_token_embeddings(size) is model.get_input_embeddings()
    assert model.config.vocab_size == model.get_input_embeddings().num_embeddings == size
    after = Flax().tensors(model)
    for name in ("albert.embeddings.word_embeddings.weight", "predictions.decoder.weight", "predictions.bias"):
        assert after[name].shape[0] == size
        np.testing.assert_array_equal(after[name][:kept], before[name][:kept])
    assert not after["predictions.bias"][61:].any()
    mean = before["predictions.decoder.weight"].mean(0)
    rows = after["predictions.decoder.weight"][61:]
    np.testing.assert_allclose(rows, np.broadcast_to(mean, rows.shape), atol=1e-3)
    ids = np.array([[1, size - 1, 2]])
    assert model(ids).logits.shape == (1, 3, size)
    model.save_pretrained(tmp_path)
    loaded = models.FlaxAlbertForMaskedLM.from_pretrained(tmp_path)
    np.testing.assert_array_equal(loaded(ids).logits, model(ids).logits)
    assert nnx.graphdef(make("ForMaskedLM", tie_word_embeddings=tied)) != nnx.graphdef(model)


def test_new_rows_stand_at_the_mean_of_the_old_ones_or_are_fresh():
    model = make("Model", initializer_range=0.5)
    mean = np.asarray(model.get_input_embeddings().embedding.get_value()).mean(0)
    rows = np.asarray(model.resize_token_embeddings(80).embedding.get_value())[61:]
    np.testing.assert_allclose(rows, np.broadcast_to(mean, rows.shape), atol=1e-3)
    assert len(np.unique(rows, axis=0)) == 19
    fresh = make("Model", initializer_range=0.5).resize_token_embeddings(3000, mean_resizing=False)
    assert abs(np.asarray(fresh.embedding.get_value())[61:].std() - 0.5) < 0.02
    assert make("Model").resize_token_embeddings(pad_to_multiple_of=64).num_embeddings == 64
    unchanged = make("Model")
    assert unchanged.resize_token_embeddings() is unchanged.get_input_embeddings()


def test_parameters_can_be_counted_in_part():
    model = make("ForMaskedLM")
    assert model.num_parameters() - model.num_parameters(exclude_embeddings=True) == (61 + 16 + 2) * 8


def test_without_a_pooler_the_dictionary_lacks_it_and_the_tuple_keeps_its_place():
    model = models.FlaxAlbertModel(small(), add_pooling_layer=False)
    assert list(model(**batch("Model"))) == ["last_hidden_state"]
    plain = model(**batch("Model"), return_dict=False, output_hidden_states=True)
    assert plain[1] is None
    assert len(plain) == 3


class FlaxScorer(models.FlaxAlbertPreTrainedModel):
    """A model that someone else wrote on top."""

    def __init__(self, config, **options):
        super().__init__(config, **options)
        self.albert = models.FlaxAlbertModel(config, **options)
        self.scorer = nnx.Linear(config.hidden_size, 5, rngs=nnx.Rngs(self.seed))
        self.post_init()

    def __call__(self, *args, **options):
        return self.scorer(self.albert(*args, **options).pooler_output)


def test_a_subclass_with_a_layer_of_its_own_saves_and_loads(tmp_path, caplog):
    model = FlaxScorer(small())
    model.save_pretrained(tmp_path / "scorer")
    with caplog.at_level(logging.WARNING):
        loaded = FlaxScorer.from_pretrained(tmp_path / "scorer")
    assert not caplog.records
    np.testing.assert_array_equal(loaded(**batch("Model")), model(**batch("Model")))
    make("ForSequenceClassification").save_pretrained(tmp_path / "other")
    with caplog.at_level(logging.WARNING):
        begun = FlaxScorer.from_pretrained(tmp_path / "other")
    assert "scorer.weight" in caplog.text
    assert np.isfinite(begun(**batch("Model"))).all()


def padded_batch(length, head="ForQuestionAnswering"):
    rng = np.random.default_rng(length)
    inputs = {"input_ids": rng.integers(1, 61, (2, length)), "token_type_ids": np.zeros((2, length), np.int64)}
    positions = {name: np.array([1, length + 2]) for name in ("start_positions", "end_positions")}
    return inputs | (positions if head == "ForQuestionAnswering" else {})


@pytest.mark.parametrize("head", ["ForQuestionAnswering", "ForTokenClassification", "ForMaskedLM"])
def test_rounding_the_length_changes_no_loss_no_output_and_compiles_less(head):
    config = small(max_position_embeddings=64)
    tensors = random_tensors(config, head)
    state = train.init_state(config, head, tensors)
    model = Flax().build(head, config, tensors)
    model.eval()
    compiled = infer._forward._cache_size()
    for length in (57, 60, 64):
        given = padded_batch(length, head)
        if head != "ForQuestionAnswering":
            given["labels"] = np.where(given["input_ids"] % 3 == 0, given["input_ids"] % 2, -100)
        expected, found = model(**given), train.eval_step(state, PaddedBatch(**given))
        assert list(found) == list(expected)
        for name, value in found.items():
            assert difference(value, np.asarray(expected[name])) <= 1e-5, name
    assert infer._forward._cache_size() == compiled + 1


def test_few_shapes_are_compiled_for_texts_of_any_length_and_number():
    config = small(max_position_embeddings=64)
    forward = infer.compile(config, "ForSequenceClassification", random_tensors(config, "ForSequenceClassification"))
    compiled, draw = infer._forward._cache_size(), np.random.default_rng(0)
    for rows in (9, 10, 13, 16, 5, 7, 8, 3, 4):
        ids = [draw.integers(5, 61, draw.integers(9, 16)).tolist() for _ in range(rows)]
        batch = PaddedBatch.of_rows(ids, [[0] * len(row) for row in ids], 0)
        found = forward(batch)["logits"]
        assert len(found) == rows
        np.testing.assert_allclose(
            found[-1], forward(PaddedBatch.of_rows(ids[-1:], [[0] * len(ids[-1])], 0))["logits"][0], atol=1e-5
        )
    assert infer._forward._cache_size() == compiled + 4  # 16, 8, 4 rows, and 1


def test_rates_seeds_and_steps_compile_nothing_new():
    config = small(hidden_dropout_prob=0.1)
    tensors = init.initialize(weight_table.expected(config, "ForQuestionAnswering"), config, seed=1)
    state = train.init_state(config, "ForQuestionAnswering", tensors)
    train.train_step(state, [PaddedBatch(**padded_batch(9))], 1e-3, seed=0)
    counts = train._gradient._cache_size(), train._update._cache_size()
    for step in range(3):
        train.train_step(state, [PaddedBatch(**padded_batch(10 + step))], 1e-3 * step, seed=step)
    assert (train._gradient._cache_size(), train._update._cache_size()) == counts
    other = train.init_state(config, "ForQuestionAnswering", tensors)
    train.train_step(other, [PaddedBatch(**padded_batch(9))], 1e-3, seed=0)
    assert (train._gradient._cache_size(), train._update._cache_size()) == counts


def test_only_dense_and_embedding_weights_decay():
    config = small()
    tensors = random_tensors(config, "ForQuestionAnswering")
    state = train.init_state(
        config, "ForQuestionAnswering", tensors, OptimizerSettings(weight_decay=10.0, max_gradient_norm=0.0)
    )
    train.train_step(state, [PaddedBatch(**padded_batch(9))], 0.0, seed=0)
    same(train.get_weights(state), {name: tensors[name] for name in train.get_weights(state)}, rtol=0)
    # So large an epsilon leaves nothing of Adam's part of the step.
    state = train.init_state(config, "ForQuestionAnswering", tensors, OptimizerSettings(weight_decay=10.0, epsilon=1e3))
    train.train_step(state, [PaddedBatch(**padded_batch(9))], 1e-2, seed=0)
    for name, value in train.get_weights(state).items():
        share = 0.9 if weight_table.kind(name) in ("dense", "embedding") else 1.0
        np.testing.assert_allclose(value, tensors[name] * share, atol=1e-4, err_msg=name)


def test_what_the_optimizer_remembers_has_the_layout_of_checkpoints():
    config = small(num_hidden_groups=2)
    tensors = random_tensors(config, "ForQuestionAnswering")
    state = train.init_state(config, "ForQuestionAnswering", tensors)
    train.train_step(state, [PaddedBatch(**padded_batch(9))], 1e-2, seed=0)
    memory = train.get_optimizer(state)
    assert int(memory.pop("all/step")) == 1
    for name, value in tensors.items():
        for what in ("exp_avg", "exp_avg_sq"):
            assert memory[f"{name}/{what}"].shape == value.shape
            assert memory[f"{name}/{what}"].flags.c_contiguous
    assert len(memory) == 2 * len(tensors)
