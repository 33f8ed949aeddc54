"""Dense layers by the compiled library against products of NumPy's, at each level that is here."""

import numpy as np
import pytest

from albertkit.errors import InputError
from albertkit.kernels import library
from albertkit.kernels.dense import can_multiply, dense
from kernels.python_threads import agree

LEVELS = library.levels("fp32")
pytestmark = pytest.mark.skipif(not LEVELS, reason="has no compiled library")
EVERY_LEVEL = pytest.mark.parametrize("level", LEVELS)


def layer(inputs, outputs, rows, seed=0):
    random = np.random.default_rng(seed)
    shapes = (outputs, inputs), outputs, (rows, inputs)
    return [random.normal(size=shape).astype(np.float32) for shape in shapes]


def product(weight, bias, x):
    return x.astype(np.float64) @ weight.T.astype(np.float64) + bias


@EVERY_LEVEL
@pytest.mark.parametrize("outputs", [1, 2, 15, 16, 17, 31, 33, 100, 768])
@pytest.mark.parametrize(("inputs", "rows"), [(32, 1), (96, 13), (768, 3)])
def test_any_number_of_outputs_and_rows(level, inputs, outputs, rows):
    weight, bias, x = layer(inputs, outputs, rows)
    beside = np.full((rows + 2, outputs), 7.0, np.float32)
    beside[1:-1] = dense(weight, bias, x, 2, level=level)
    np.testing.assert_allclose(beside[1:-1], product(weight, bias, x), rtol=1e-4, atol=2e-4)


@EVERY_LEVEL
def test_without_a_bias_of_inputs_of_any_shape_and_of_none(level):
    weight, _, x = layer(64, 20, 24)
    found = dense(weight, None, x.reshape(2, 3, 4, 64), 1, level=level)
    np.testing.assert_allclose(found.reshape(24, 20), product(weight, 0, x), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(dense(weight, None, x[3], 1, level=level), found.reshape(24, 20)[3])
    assert dense(weight, None, x[:0], 2, level=level).shape == (0, 20)


@EVERY_LEVEL
def test_tanh(level):
    weight, bias, x = layer(32, 40, 50)
    found = dense(weight, bias, x, 1, has_tanh=True, level=level)
    np.testing.assert_allclose(found, np.tanh(product(weight, bias, x)), atol=2e-6)
    far = np.array([[1e4, -1e4, np.inf, -np.inf, np.nan, 1e-3] + [0.0] * 26], np.float32)
    found = dense(np.eye(6, 32, dtype=np.float32), None, np.diag(far[0]), 1, has_tanh=True, level=level)
    np.testing.assert_allclose(np.diag(found[:2, :2]), [1, -1])
    assert found[5, 5] == pytest.approx(1e-3, abs=1e-6)
    assert np.isnan(found[4, 4])


@EVERY_LEVEL
def test_a_row_is_the_same_beside_others_and_on_any_number_of_threads(level):
    weight, bias, x = layer(256, 130, 500)
    whole = dense(weight, bias, x, 1, level=level)
    for threads in (2, 5):
        np.testing.assert_array_equal(dense(weight, bias, x, threads, level=level), whole)
    for row in (0, 191, 192, 499):
        np.testing.assert_array_equal(dense(weight, bias, x[row : row + 1], 2, level=level), whole[row : row + 1])


def test_several_threads_of_python_at_once():
    weight, bias, x = layer(256, 200, 64)
    whole = dense(weight, bias, x, 2)
    assert agree(lambda: np.array_equal(dense(weight, bias, x, 2), whole))


def test_what_it_does_not_multiply():
    assert can_multiply(768)
    assert not can_multiply(40)
    weight, bias, x = layer(64, 20, 3)
    for given in ((weight, bias, x[:, :32]), (weight, bias[:3], x), (weight, bias, x[0, 0])):
        with pytest.raises(InputError, match=r"takes a weight \(N, K\).*Received: .*Pass those of one layer."):
            dense(*given, 1)
