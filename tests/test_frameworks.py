import importlib.util
import sys

import pytest

from albertkit import frameworks
from albertkit.errors import InputError, MissingDependency


@pytest.fixture
def only(monkeypatch):
    """Make it look as if only some packages were installed."""

    def restrict(*packages):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in packages else None)

    return restrict


def test_the_first_that_is_installed_is_chosen(only):
    only("torch", "jax", "flax", "optax")
    assert frameworks.installed() == ["torch", "flax"]
    assert frameworks.chosen("auto") == "torch"
    only("jax", "flax", "optax", "tensorflow")
    assert frameworks.installed() == ["flax"]
    assert frameworks.chosen("auto") == "flax"
    only()
    with pytest.raises(
        MissingDependency, match=r'needs PyTorch, TensorFlow or JAX\. .*pip install "albertkit\[torch\]"'
    ):
        frameworks.chosen("auto")


def test_a_name_is_taken_as_it_is_or_refused_with_the_nearest():
    assert frameworks.chosen("flax") == "flax"
    with pytest.raises(
        InputError, match=r"one of torch, tensorflow, flax, or auto\. Received: 'pytorch'\. Did you mean `torch`"
    ):
        frameworks.chosen("pytorch")


@pytest.mark.parametrize(("name", "package", "label"), [("torch", "torch", "PyTorch"), ("flax", "jax", "JAX and Flax")])
def test_a_room_whose_framework_is_absent_answers_with_the_command(monkeypatch, name, package, label):
    for loaded in [module for module in sys.modules if module.split(".")[:2] == ["albertkit", name]]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependency, match=rf'needs {label}\. Install it with: pip install "albertkit\[{name}\]"'):
        frameworks.room(name, "models")
