"""Three frameworks, one silhouette: the same files, classes, methods and arguments, in the same order."""

import ast
from pathlib import Path

import pytest

import albertkit
from albertkit import backends

PACKAGE = Path(albertkit.__file__).parent
FILES = (
    *("activations", "layers", "encoder", "heads", "answer_heads", "losses", "weights", "private_api"),
    *("module", "pretrained", "base_model", "model_with_head", "models", "optimizers", "train", "infer"),
)
HOOKS = ("__init__", "_add_head", "_encode", "_apply_head")
"""Methods that belong to the shape of a class though they are not public."""
OTHERS = [name for name in backends.PACKAGES if name != "torch"]
CALLS = {"forward": "call", "__call__": "call"}

ONLY_TORCH = {
    # Their models tie by having no second parameter, and their layers draw by initializers of their own.
    "module": {"tie_weights", "init_weights"},
    "model_with_head": {"tie_weights"},
    # What Transformers calls by this name gives weights to a model of PyTorch.
    "pretrained": {"load_tf_weights_in_albert"},
    # JAX has public functions for it, and no hooks on modules.
    "private_api": {
        "register_outputs",
        "is_transformed",
        "has_global_hooks",
        "has_bfloat16_products",
        "has_int8_products",
        "pack_for_onednn",
        "onednn_linear",
        "onednn_linear_and_sum",
        "has_fbgemm",
        "pack_for_fbgemm",
        "fbgemm_linear",
    },
    # Precisions of CPUs are PyTorch's alone, and what looks into a model for them builds it itself.
    "infer": {"build"},
    "weights": {"to_torch"},
    # Memory of training steps goes where training ends, which a module of PyTorch is told.
    "encoder": {"train"},
    # A module is what PyTorch spreads over processes.
    "train": {"Objective"},
    # In JAX an optimizer is its numbers, and what it remembers is handed to it.
    "optimizers": {"__init__"},
}
"""What makes no sense elsewhere, by file."""

ONLY_THERE = {
    # Tools that replace layers go by torch's own types. The others do not compute packed sequences: their graphs want
    # rows of one shape. Nor do they train the head after every layer.
    "torch": {"compiled_training", "early_exit", "fused_cross_entropy", "packed_sequences", "plain_layers"},
    # A loop is told what it keeps; Keras calls models with inputs in any form, and trains them itself.
    "tensorflow": {"remat", "call_inputs", "keras_training", "table_data", "typing"},
    # JAX is told where every value lies, compiles for a config, and takes parameters as a tree.
    "flax": {"devices", "static_config", "params", "typing"},
}
"""Files that one framework has beside those of all."""


def outline(framework: str, file: str) -> dict[str, list[str]]:
    """The public functions and the classes of a file, each class with its public methods and HOOKS."""
    tree = ast.parse((PACKAGE / framework / f"{file}.py").read_text(encoding="utf-8"))
    prefix = backends.PREFIXES[framework]
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            found[node.name] = []
        elif isinstance(node, ast.ClassDef):
            methods = [m.name for m in node.body if isinstance(m, ast.FunctionDef)]
            methods = [CALLS.get(name, name) for name in methods]
            name = node.name.replace(prefix, "Albert", 1) if node.name.startswith(prefix) else node.name
            found[name] = list(dict.fromkeys(m for m in methods if m in HOOKS or not m.startswith("_")))
    return found


ONLY_ARGUMENTS = {
    "torch": {"attn_implementation", "dtype", "save_function"},  # the last is what scripts for Accelerate pass
    # Keras names its layers; dropout is told by `training`, and what it draws by a seed.
    "tensorflow": {"name", "training", "seed", "saved_model", "version", "word_embeddings", "dtype"},
    # Modules are functions of everything: parameters, precision, keys, and whether dropout acts.
    "flax": {
        *("dtype", "input_shape", "seed", "_do_init", "params", "dropout_rng", "train", "deterministic", "key"),
        *("implementation", "length", "word_embeddings", "attn_implementation", "state_dict"),
    },
}
"""Arguments that an idiom needs, by framework: elsewhere they make no sense."""

OWN_ORDER = {"call", "from_pretrained", "save_pretrained"}
"""Public methods whose arguments stand where the classes that people come from have them: their set is the same."""

OWN_SHAPE = {"AdamW.__init__", "AdamW.step", "Lamb.__init__", "Lamb.step", "Muon.step", "to_numpy"}
"""What is the framework's own: optimizers have the form of its optimizers."""


def signatures(framework: str, file: str) -> dict[str, list[str]]:
    """The arguments of public functions and methods and of HOOKS, without `self` and ONLY_ARGUMENTS."""
    tree = ast.parse((PACKAGE / framework / f"{file}.py").read_text(encoding="utf-8"))
    prefix, own = backends.PREFIXES[framework], ONLY_ARGUMENTS[framework]
    found = {}
    for node in tree.body:
        inside = [node] if isinstance(node, ast.FunctionDef) else node.body if isinstance(node, ast.ClassDef) else []
        for function in inside:
            if not isinstance(function, ast.FunctionDef):
                continue
            name = CALLS.get(function.name, function.name)
            if name.startswith("_") and name not in HOOKS:
                continue
            if isinstance(node, ast.ClassDef):
                owner = node.name.replace(prefix, "Albert", 1) if node.name.startswith(prefix) else node.name
                name = f"{owner}.{name}"
            given = function.args
            names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            found[name] = [one for one in names if one not in own and one not in ("self", "cls")]
    return found


def assert_same_order(expected: list[str], found: list[str], absent: set[str], where: str) -> None:
    wanted = [name for name in expected if name not in absent]
    assert [name for name in found if name in set(wanted)] == wanted, where


@pytest.mark.parametrize("framework", backends.PACKAGES)
def test_a_framework_has_the_same_files(framework):
    assert {path.stem for path in (PACKAGE / framework).glob("*.py")} == {
        "__init__",
        *FILES,
        *ONLY_THERE.get(framework, ()),
    }


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("framework", OTHERS)
def test_classes_and_methods_stand_in_the_same_order(framework, file):
    absent = ONLY_TORCH.get(file, set())
    expected, found = outline("torch", file), outline(framework, file)
    assert_same_order(list(expected), list(found), absent, file)
    for name, methods in expected.items():
        if name not in absent:
            assert_same_order(methods, found[name], absent, f"{file}.{name}")


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("framework", OTHERS)
def test_functions_and_methods_take_the_same_arguments(framework, file):
    own = ONLY_ARGUMENTS["torch"] | ONLY_ARGUMENTS[framework]
    expected, found = signatures("torch", file), signatures(framework, file)
    for name in expected.keys() & found.keys() - OWN_SHAPE:
        wanted, given = ([one for one in names[name] if one not in own] for names in (expected, found))
        if name.rpartition(".")[2] in OWN_ORDER:
            wanted, given = sorted(wanted), sorted(given)
        assert given == wanted, name


@pytest.mark.parametrize("framework", backends.PACKAGES)
def test_the_contract_of_a_backend_is_fulfilled_argument_by_argument(framework):
    tree = ast.parse((PACKAGE / "backends.py").read_text(encoding="utf-8"))
    for contract, file in (("TrainBackend", "train"), ("InferBackend", "infer"), ("FrameworkBackend", "infer")):
        protocol = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == contract)
        offered = ast.parse((PACKAGE / framework / f"{file}.py").read_text(encoding="utf-8"))
        functions = {node.name: node for node in offered.body if isinstance(node, ast.FunctionDef)}
        for method in protocol.body:
            if isinstance(method, ast.FunctionDef):
                wanted = [one.arg for one in method.args.args if one.arg != "self"]
                assert [one.arg for one in functions[method.name].args.args] == wanted, method.name


def test_every_head_is_public_in_every_framework():
    heads = [name.removeprefix("Albert") for name in outline("torch", "models") if name.startswith("AlbertFor")]
    assert len(heads) == 8
    for framework, prefix in backends.PREFIXES.items():
        for name in ("Model", "PreTrainedModel", *heads):
            assert albertkit._MODULES[prefix + name] == f"albertkit.{framework}.models"
        assert f"{prefix}ForPreTrainingOutput" in albertkit.__all__


@pytest.mark.parametrize("framework", backends.PACKAGES)
def test_a_head_says_what_it_reads_its_layer_and_its_loss_and_no_more(framework):
    heads = {name: methods for name, methods in outline(framework, "models").items() if name.startswith("AlbertFor")}
    for name, methods in heads.items():
        reads = ["_encode"] if name in ("AlbertForMultipleChoice", "AlbertForSentenceEmbedding") else []
        assert methods == ["_add_head", *reads, "_apply_head"], name
