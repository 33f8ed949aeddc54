import importlib
import importlib.util
import sys

import pytest

from albertkit import backends
from albertkit.errors import InputError, MissingDependency


@pytest.fixture
def only(monkeypatch):
    """Make it look as if only some packages were installed."""

    def restrict(*packages):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in packages else None)

    return restrict


def test_the_first_that_is_installed_is_chosen(only):
    only("torch", "jax", "flax", "optax")
    assert backends.installed() == ["torch", "flax"]
    assert backends.resolve("auto") == "torch"
    only("jax", "flax", "optax", "tensorflow")
    assert backends.installed() == ["flax"]
    assert backends.resolve("auto") == "flax"
    only()
    with pytest.raises(
        MissingDependency, match=r'needs PyTorch, TensorFlow or JAX\. .*pip install "albertkit\[torch\]"'
    ):
        backends.resolve("auto")


def test_numpy_answers_where_no_framework_is_installed_and_trains_nowhere(only, caplog):
    only()
    assert backends.resolve_for_answers("auto") == "numpy"
    assert "no framework is installed" in caplog.text
    only("torch")
    assert backends.resolve_for_answers("auto") == "torch"
    assert backends.resolve_for_answers("numpy") == "numpy"
    with pytest.raises(InputError, match=r"one of torch, tensorflow, flax, or auto\. Received: 'numpy'"):
        backends.resolve("numpy")


def test_a_name_is_taken_as_it_is_or_refused_with_the_nearest():
    assert backends.resolve("flax") == "flax"
    with pytest.raises(
        InputError, match=r"one of torch, tensorflow, flax, or auto\. Received: 'pytorch'\. Did you mean `torch`"
    ):
        backends.resolve("pytorch")


@pytest.mark.parametrize(("name", "package", "label"), [("torch", "torch", "PyTorch"), ("flax", "jax", "JAX and Flax")])
def test_a_room_whose_framework_is_absent_answers_with_the_command(monkeypatch, name, package, label):
    for loaded in [module for module in sys.modules if module.split(".")[:2] == ["albertkit", name]]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependency, match=rf'needs {label}\. Install it with: pip install "albertkit\[{name}\]"'):
        importlib.import_module(f"albertkit.{name}.models")
