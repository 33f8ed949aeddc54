import copy
import inspect
import pickle
import re

import pytest

from albertkit import errors
from albertkit.errors import AlbertkitError, MissingDependency, did_you_mean

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, Exception)]
BUILT_IN = {
    errors.ConfigError: (ValueError,),
    errors.CheckpointError: (OSError,),
    errors.CheckpointNotFound: (OSError,),
    errors.UnsafeCheckpoint: (OSError,),
    errors.WeightMismatch: (OSError, RuntimeError),
    errors.InputError: (ValueError,),
    errors.TokenIdError: (ValueError, IndexError),
    errors.WrongType: (ValueError, TypeError),
    errors.UnusableRows: (ValueError,),
    errors.NoRows: (ValueError,),
    errors.NameConflict: (ValueError, AttributeError),
    errors.OutdatedDependency: (ImportError,),
    errors.TrainingError: (RuntimeError,),
    errors.MissingDependency: (ImportError,),
}


def drawn():
    """The tree in the module's docstring: {name: (parent, built-in said to be caught too)}."""
    tree, above = {}, {}
    for line in errors.__doc__.splitlines():
        if match := re.match(r"^    ([│ ]*)(?:[├└]── )?(\w+)(?:\s.*?(?:\(also (\w+)\))?)?$", line):
            depth = len(match[1]) // 4 + ("──" in line)
            tree[match[2]] = (above.get(depth - 1), match[3])
            above[depth] = match[2]
    return tree


def test_the_drawn_tree_is_the_tree_of_the_classes():
    tree = drawn()
    assert set(tree) == {cls.__name__ for cls in CLASSES}
    for cls in CLASSES:
        parent, built_in = tree[cls.__name__]
        assert cls is AlbertkitError or cls.__bases__[0].__name__ == parent
        if built_in:
            assert built_in in {base.__name__ for base in cls.__bases__}


@pytest.mark.parametrize("cls", BUILT_IN)
def test_each_class_is_caught_as_the_built_in_one(cls):
    assert issubclass(cls, AlbertkitError)
    for built_in in BUILT_IN[cls]:
        assert issubclass(cls, built_in)


def test_every_class_of_the_tree_is_tested_here():
    assert {AlbertkitError, *BUILT_IN} == set(CLASSES)


def test_a_missing_dependency_answers_with_the_command():
    missing = MissingDependency("Reading Parquet", "pyarrow", "train")
    assert str(missing) == 'Reading Parquet needs pyarrow. Install it with: pip install "albertkit[train]"'


def test_a_missing_dependency_can_be_said_of_something_else():
    missing = MissingDependency("albertkit.torch", "PyTorch", "torch").needed_by("AlbertModel")
    assert str(missing) == 'AlbertModel needs PyTorch. Install it with: pip install "albertkit[torch]"'


@pytest.mark.parametrize("move", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301
def test_errors_reach_another_process_whole(move):
    for error in (MissingDependency("AlbertModel", "PyTorch", "torch"), *(cls("why") for cls in [*BUILT_IN][:-1])):
        moved = move(error)
        assert type(moved) is type(error)
        assert str(moved) == str(error)
    assert moved.args == error.args
    assert move(errors.UnusableRows("why", {3: "a rule"})).rules == {3: "a rule"}


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        ("hiden_size", ["vocab_size", "hidden_size"], " Did you mean `hidden_size`?"),
        ("lable", ("text", "label"), " Did you mean `label`?"),
        ("xyz", ["vocab_size", "hidden_size"], ""),
        ("anything", [], ""),
    ],
)
def test_only_a_near_name_is_proposed(name, known, sentence):
    assert did_you_mean(name, known) == sentence


def test_any_iterable_of_names_will_do():
    assert did_you_mean("labl", (name for name in ["text", "label"])) == " Did you mean `label`?"


def test_what_a_message_takes_from_a_file_can_be_printed():
    error = errors.CheckpointError("a name: \x1b[31m\0\ud800é" + "x" * 10_000 + "the way out.")
    assert str(error).startswith("a name: \\x1b[31m\\x00\\ud800éxxx")
    assert str(error).endswith("xxxthe way out.")
    assert len(str(error)) < 2_100
    assert str(errors.InputError("two\nlines")) == "two\nlines"


def test_of_many_names_a_message_has_the_first():
    assert errors.few(["a", "b"]) == "a, b"
    assert errors.few(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert errors.few([]) == ""
