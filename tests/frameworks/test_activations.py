"""Every name of `hidden_act`, in every framework, against its formula."""

import importlib
import math

import numpy as np
import pytest

from albertkit.config_keys import ACTIVATIONS

X = np.linspace(-12, 12, 481, dtype=np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def tanh_gelu(x):
    return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


FORMULAS = {
    "gelu": gelu,
    "gelu_new": tanh_gelu,
    "gelu_pytorch_tanh": tanh_gelu,
    "gelu_fast": tanh_gelu,
    "gelu_10": lambda x: np.clip(gelu(x), -10, 10),
    "quick_gelu": lambda x: x * sigmoid(1.702 * x),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "relu2": lambda x: np.maximum(x, 0) ** 2,
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "silu": lambda x: x * sigmoid(x),
    "swish": lambda x: x * sigmoid(x),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "linear": lambda x: x,
}


def test_every_name_has_a_formula_here():
    assert set(FORMULAS) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_name_stands_for_its_function(adapter, name):
    function = importlib.import_module(f"albertkit.{adapter.name}.layers").activation(name)
    found = np.asarray(function(adapter.arrays({"x": X})["x"]))
    np.testing.assert_allclose(found, FORMULAS[name](X.astype(np.float64)), atol=2e-6, rtol=1e-5)
