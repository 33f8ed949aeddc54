"""What we use of the frameworks that is not public is still there, and stands in one file for each of them."""

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest

import albertkit
from albertkit import backends

PACKAGE = Path(albertkit.__file__).parent
NAMES = {
    "torch": [
        *("torch.utils._pytree.register_pytree_node", "torch._C._are_functorch_transforms_active"),
        "torch.nn.modules.module._has_any_global_hook",
    ],
    "tensorflow": [
        *("keras.src.backend.common.variables.AutocastScope", "keras.src.models.functional.Functional"),
        *("keras.Layer._flatten_layers", "keras.Layer._open_name_scope", "keras.src.utils.tracking.Tracker.unlock"),
        *("keras.src.utils.tracking.Tracker.untrack", "keras.src.utils.tracking.Tracker.lock"),
        *("keras.Model._aggregate_additional_loss", "keras.Model._default_save_signature"),
        "tensorflow.python.ops.control_flow_util.GraphOrParentsInXlaContext",
    ],
    "flax": [
        *("flax.nnx.Module._graph_node_flatten", "flax.nnx.Module._graph_node_clear"),
        *("flax.nnx.Module._graph_node_init", "flax.nnx.Module._pytree__flatten"),
        *("flax.nnx.Module._pytree__flatten_with_paths", "flax.nnx.Module.__getstate__"),
    ],
}
"""By framework, what its `private_api` uses."""
MODULES = ("torch.utils._pytree", "torch._C", "keras.src", "tensorflow.python", "flax.nnx.graph", "jax._src")
ATTRIBUTES = {
    *(
        "_C",
        "_pytree",
        "_tracker",
        "_flatten_layers",
        "_open_name_scope",
        "_compile_loss",
        "_aggregate_additional_loss",
    ),
    *("_buffers", "_parameters", "_kernel", "_embeddings", "_graph_node_flatten", "_pytree__flatten"),
}


def found(name):
    """What a dotted name stands for; AttributeError or ImportError where it is gone."""
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            if cut == 1:
                raise
            continue
        for part in parts[cut:]:
            value = getattr(value, part)
        return value
    raise ImportError(name)


@pytest.mark.parametrize(
    ("framework", "name"),
    [
        pytest.param(framework, name, marks=getattr(pytest.mark, framework))
        for framework, names in NAMES.items()
        for name in names
    ],
)
def test_a_private_name_is_still_there(framework, name):
    if framework not in backends.installed():
        pytest.skip(f"{framework} is not installed")
    if framework == "tensorflow":
        import albertkit.tensorflow  # noqa: F401  (which chooses the backend of Keras)
    try:
        found(name)
    except (AttributeError, ImportError):
        pytest.fail(
            f"This release of {framework} has no {name}, which albertkit/{framework}/private_api.py builds on. Find "
            "what took its place, or lower the upper bound of the release in pyproject.toml."
        )


@pytest.mark.tensorflow
def test_keras_keeps_what_a_layer_holds_where_we_look_for_it():
    pytest.importorskip("albertkit.tensorflow", exc_type=ImportError)
    import keras

    dense, table = keras.layers.Dense(2), keras.layers.Embedding(3, 2)
    dense.build((None, 2))
    table.build(None)
    held = {"_kernel": vars(dense), "_tracker": vars(dense), "_embeddings": vars(table)}
    held["_compile_loss"] = dir(keras.Sequential())
    gone = [name for name, where in held.items() if name not in where]
    assert not gone, f"Keras has no {', '.join(gone)}, which albertkit/tensorflow/private_api.py builds on"


@pytest.mark.parametrize("framework", backends.PACKAGES)
def test_no_other_file_of_a_framework_uses_what_is_private(framework):
    for path in (PACKAGE / framework).glob("*.py"):
        if path.stem == "private_api":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                imported = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            private = [name for name in imported if name.startswith(MODULES)]
            if isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES:
                private.append(node.attr)
            assert not private, f"{path.name} uses {', '.join(private)}: that belongs into private_api.py"


@pytest.mark.parametrize("framework", NAMES)
def test_what_is_not_public_is_used_below_an_upper_bound(framework):
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = {name.split(".")[0] for name in NAMES[framework]}
    bounds = {re.match(r"[\w-]+", line)[0]: line for line in project["optional-dependencies"][framework]}
    assert packages <= set(bounds)
    assert all("<" in bounds[package] for package in packages)
