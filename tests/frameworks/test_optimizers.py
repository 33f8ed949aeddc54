"""The optimizers of every framework against the rules in NumPy, and what they remember."""

import os
import subprocess
import sys

import numpy as np
import pytest

from albertkit import weight_table
from albertkit.backends import OptimizerSettings
from albertkit.batches import PaddedBatch
from albertkit.errors import ConfigError
from albertkit.training.backends import train_backend
from frameworks import reference_optimizers as reference
from frameworks.common import batch, difference, random_tensors, small

STEPS = 25
LAYER = "albert.encoder.albert_layer_groups.0.albert_layers.0"
SHAPES = {
    "albert.embeddings.word_embeddings.weight": (61, 8),
    "albert.embeddings.position_embeddings.weight": (5, 3),
    "albert.embeddings.LayerNorm.weight": (8,),
    "albert.embeddings.LayerNorm.bias": (8,),
    "albert.encoder.embedding_hidden_mapping_in.weight": (1, 9),
    f"{LAYER}.full_layer_layer_norm.weight": (16,),
    f"{LAYER}.ffn.weight": (33, 64),
    f"{LAYER}.ffn.bias": (33,),
    "albert.pooler.weight": (4, 4),
    "predictions.bias": (61,),
    "classifier.weight": (1, 1),
}
WITHOUT_VALUE = ("albert.pooler.weight", "predictions.bias")
WITHOUT_GRADIENT = ("albert.embeddings.position_embeddings.weight", "predictions.bias", f"{LAYER}.ffn.bias")
HABITS = [("adamw", True), ("adamw", False), ("lamb", False), ("lamb", True), ("muon", True)]

TOLERANCES = {"muon": 2e-3}
"""Of weights after a few steps, else 1e-4: Muon takes small parts of a gradient, rounding too, 480 times at most."""


def torch_course(optimizer, weights, gradients, rates, **options):
    import torch

    from albertkit.torch import optimizers

    parameters = {name: torch.nn.Parameter(torch.from_numpy(value.copy())) for name, value in weights.items()}
    made = optimizers.create(OptimizerSettings(optimizer, **options), parameters)
    for gradient, rate in zip(gradients, rates, strict=True):
        for name, parameter in parameters.items():
            parameter.grad = torch.from_numpy(gradient[name])
        for group in made.param_groups:
            group["lr"] = rate
        made.step()
    return {name: parameter.detach().numpy() for name, parameter in parameters.items()}


def tensorflow_course(optimizer, weights, gradients, rates, **options):
    import tensorflow as tf

    from albertkit.tensorflow import optimizers

    parameters = {name: tf.Variable(value) for name, value in weights.items()}
    made = optimizers.create(OptimizerSettings(optimizer, **options), parameters)
    step = tf.function(made.step)
    for gradient, rate in zip(gradients, rates, strict=True):
        step([tf.constant(gradient[name]) for name in parameters], tf.constant(rate, tf.float32))
    return {name: parameter.numpy() for name, parameter in parameters.items()}


def flax_course(optimizer, weights, gradients, rates, **options):
    import jax

    from albertkit.flax import optimizers

    def leaf(name):
        at = {"dense": "kernel", "embedding": "embedding", "norm": "scale", "bias": "bias"}
        return at[weight_table.kind(name)]

    made = optimizers.create(OptimizerSettings(optimizer, **options), weights)
    parameters = {name: {leaf(name): value} for name, value in weights.items()}
    memory = made.transformation.init(parameters)
    step = jax.jit(made.step)
    for gradient, rate in zip(gradients, rates, strict=True):
        changes = {name: {leaf(name): gradient[name]} for name in weights}
        parameters, memory = step(parameters, memory, changes, np.float32(rate))
    return {name: np.asarray(parameters[name][leaf(name)]) for name in weights}


COURSES = {"torch": torch_course, "tensorflow": tensorflow_course, "flax": flax_course}


@pytest.fixture(scope="module")
def course():
    """Weights of several sizes, gradients of several scales, and a rate that rises and falls."""
    rng = np.random.default_rng(3)
    weights = {
        name: rng.standard_normal(shape).astype(np.float32) * (name not in WITHOUT_VALUE) * 0.3
        for name, shape in SHAPES.items()
    }
    gradients = [
        {
            name: (rng.standard_normal(shape) * rng.choice([1e-3, 1e-2, 1.0]) * (name not in WITHOUT_GRADIENT)).astype(
                np.float32
            )
            for name, shape in SHAPES.items()
        }
        for _ in range(STEPS)
    ]
    weights = {name: value.astype(np.float32) for name, value in weights.items()}
    return weights, gradients, [0.02 * min(step + 1, STEPS - step) / STEPS for step in range(STEPS)]


@pytest.mark.parametrize("weight_decay", [0.1, 0.0])
@pytest.mark.parametrize(("optimizer", "bias_correction"), HABITS)
def test_many_steps_follow_the_rules(adapter, course, optimizer, bias_correction, weight_decay):
    numbers = {"weight_decay": weight_decay, "betas": (0.9, 0.98), "epsilon": 1e-5, "bias_correction": bias_correction}
    expected = reference.train(optimizer, *course, **numbers)
    found = COURSES[adapter.name](optimizer, *course, **numbers)
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-5, atol=2e-6, err_msg=name)
    still = {name for name, value in found.items() if np.array_equal(value, course[0][name])}
    resting = {name for name in WITHOUT_GRADIENT if not weight_decay or any(part in name for part in reference.SPARED)}
    assert still == resting


@pytest.mark.parametrize(("optimizer", "habit"), [("adamw", True), ("lamb", False)])
def test_the_numbers_of_the_original_are_the_usual_ones(adapter, course, optimizer, habit):
    expected = reference.train(
        optimizer, *course, weight_decay=0.01, betas=(0.9, 0.999), epsilon=1e-6, bias_correction=habit
    )
    for name, value in COURSES[adapter.name](optimizer, *course).items():
        np.testing.assert_allclose(value, expected[name], rtol=2e-5, atol=2e-6, err_msg=name)


def test_another_optimizer_is_refused_and_the_nearest_named():
    with pytest.raises(ConfigError, match=r"`optimizer` must be one of adamw, lamb, muon. Received: 'lam'.*`lamb`"):
        OptimizerSettings("lam")


def without_labels_of_padding(given):
    """A batch as tasks make them: what stands at padding is no token, and has no state in packed rows."""
    return PaddedBatch(**{**given, "labels": np.where(given["attention_mask"] == 1, given["labels"], -100)})


@pytest.mark.parametrize(("optimizer", "bias_correction"), HABITS[1:])
def test_a_model_in_training_follows_the_rules_and_goes_on_where_it_was(adapter, optimizer, bias_correction):
    """Names, layouts and the table that input and output share are those of a whole model."""
    config, head, rates = small(num_hidden_layers=2, num_hidden_groups=2), "ForPreTraining", [0.01, 0.02, 0.005]
    numbers = {"weight_decay": 0.1, "betas": (0.9, 0.999), "epsilon": 1e-3, "bias_correction": bias_correction}
    train = train_backend(adapter.name)
    tied = weight_table.tied(config)
    start = {name: value for name, value in random_tensors(config, head).items() if name not in tied}
    parts = [without_labels_of_padding(batch(head, seed=seed)) for seed in range(len(rates))]

    def begun():
        settings = OptimizerSettings(optimizer, max_gradient_norm=0.0, **numbers)
        return train.init_state(config, head, random_tensors(config, head), settings)

    state, gradients = begun(), []
    for number, (part, rate) in enumerate(zip(parts, rates, strict=True)):
        current = train.get_weights(state)
        found = adapter.gradients(adapter.build(head, config, complete(current, tied)), part.arguments())
        gradients.append({name: found[name] for name in start})
        if number == 2:
            other = begun()
            train.set_weights(other, current)
            train.set_optimizer(other, train.get_optimizer(state))
        train.train_step(state, [part], rate, seed=number)
    weights = train.get_weights(state)
    expected = reference.train(optimizer, start, gradients, rates, **numbers)
    for name, value in expected.items():
        assert difference(weights[name], value) <= TOLERANCES.get(optimizer, 1e-4), name
    train.train_step(other, [parts[2]], rates[2], seed=2)
    for name, value in weights.items():
        np.testing.assert_array_equal(train.get_weights(other)[name], value, err_msg=name)
    for name, value in train.get_optimizer(state).items():
        np.testing.assert_array_equal(train.get_optimizer(other)[name], value, err_msg=name)


@pytest.mark.parametrize("optimizer", ["adamw", "lamb", "muon"])
def test_what_is_remembered_goes_from_pytorch_to_another_framework_and_back(adapter, optimizer):
    pytest.importorskip("torch")
    config, head = small(), "ForSequenceClassification"
    parts = [PaddedBatch(**batch(head, seed=seed)) for seed in range(3)]

    def begun(framework):
        train = train_backend(framework)
        tensors = random_tensors(config, head)
        return train, train.init_state(
            config, head, tensors, OptimizerSettings(optimizer, epsilon=1e-3, bias_correction=True)
        )

    torch_train, first = begun("torch")
    for seed, part in enumerate(parts[:2]):
        torch_train.train_step(first, [part], 1e-2, seed)
    train, between = begun(adapter.name)
    train.set_weights(between, torch_train.get_weights(first))
    train.set_optimizer(between, torch_train.get_optimizer(first))
    _, last = begun("torch")
    torch_train.set_weights(last, train.get_weights(between))
    torch_train.set_optimizer(last, train.get_optimizer(between))
    for where, one in ((torch_train, first), (train, between), (torch_train, last)):
        where.train_step(one, [parts[2]], 1e-2, 2)
    expected = torch_train.get_weights(first)
    for name, value in expected.items():
        np.testing.assert_array_equal(torch_train.get_weights(last)[name], value, err_msg=name)
        assert difference(train.get_weights(between)[name], value) <= TOLERANCES.get(optimizer, 1e-4), name


SPREAD = """
import jax, numpy as np
from albertkit.backends import OptimizerSettings
from albertkit.flax import optimizers

rng = np.random.default_rng(0)
draw = lambda: {"a": {"kernel": rng.standard_normal((8, 6), np.float32)}, "b": {"scale": np.ones(4, np.float32)}}
weights, gradients = draw(), [draw() for _ in range(5)]
mesh = jax.make_mesh((2,), ("devices",), (jax.sharding.AxisType.Auto,))
over = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("devices"))
made = optimizers.create(OptimizerSettings("lamb"), weights)

def course(place):
    parameters = place(weights)
    memory = made.transformation.init(parameters)
    for gradient in gradients:
        parameters, memory = jax.jit(made.step)(parameters, memory, place(gradient), np.float32(0.1))
    return parameters

whole, spread = course(lambda tree: tree), course(lambda tree: jax.device_put(tree, over))
assert len(spread["a"]["kernel"].sharding.device_set) == 2
for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(spread), strict=True):
    np.testing.assert_allclose(one, other, atol=1e-6)
"""


@pytest.mark.flax
def test_a_ratio_is_that_of_the_whole_tensor_where_jax_spreads_it_over_devices():
    """In a process of its own, for the number of devices is fixed when JAX starts."""
    pytest.importorskip("albertkit.flax", exc_type=ImportError)
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=2"
    devices = {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", SPREAD], env={**os.environ, **devices}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def complete(tensors, tied):
    return {**tensors, **{name: tensors[other] for name, other in tied.items() if other in tensors}}
