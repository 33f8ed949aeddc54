"""Signatures of every public class against Transformers 4.57, and what docs/migration.md says of those that differ.

TensorFlow and Flax need not be there: the source of both sides is compared.
"""

import importlib.util
from pathlib import Path

import pytest
from torch import nn

pytest.importorskip("transformers")

import albertkit
from migration_page import names_in, table
from oracle.signatures import MAGIC, accepts, attributes, classes, methods, signature

pytestmark = [pytest.mark.oracle, pytest.mark.torch]

OURS = Path(albertkit.__file__).parent
THEIRS = Path(importlib.util.find_spec("transformers").origin).parent
PREFIXES = {"Albert": "torch", "TFAlbert": "tensorflow", "FlaxAlbert": "flax"}
HEADS = ("ForPreTraining", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification")
HEADS += ("ForQuestionAnswering", "ForMultipleChoice", "Model", "PreTrainedModel")
GIVEN_BY_A_FRAMEWORK = {
    "Albert": set(dir(nn.Module)),
    "TFAlbert": {"compile", "evaluate", "fit", "predict", "predict_on_batch", "test_on_batch", "train_on_batch"},
    "FlaxAlbert": set(),
}
"""What our models have from the class of the framework above them, whose source is not read."""

PARTS = ("models/albert/*.py", "*_utils*.py", "utils/hub.py")
peers = classes([path for part in PARTS for path in sorted(THEIRS.glob(part))])
shared = classes([path for path in OURS.rglob("*.py") if path.parent.name not in PREFIXES.values()])
tables = {prefix: {**shared, **classes(sorted((OURS / room).glob("*.py")))} for prefix, room in PREFIXES.items()}
CLASSES = {prefix + head: (prefix, head) for prefix in PREFIXES for head in HEADS}
CLASSES |= {name: ("Albert", name) for name in ("AlbertConfig", "AlbertTokenizer", "AlbertTokenizerFast")}


def differing(name):
    ours, theirs = methods(name, tables[CLASSES[name][0]]), methods(name, peers)
    together = ours.keys() & theirs.keys()
    assert together
    return {method for method in together if not accepts(signature(ours[method]), signature(theirs[method]))}


def stated(name):
    """The methods of a class, or of the class that stands for its kind, for which the page states a difference."""
    rows = (names_in(row[0])[0].rpartition(".") for row in table("Signatures that differ"))
    return {method for owner, _, method in rows if owner == kind(name).removesuffix("Fast")}


@pytest.mark.parametrize("name", CLASSES)
def test_the_page_states_every_signature_that_differs(name):
    known = stated(name)
    if name == "FlaxAlbertPreTrainedModel":
        known -= {"__call__"}  # that of its models
    assert differing(name) == known


def kind(name):
    """The class by which the page speaks of one: of its framework's models, or itself."""
    prefix, head = CLASSES[name]
    return f"{prefix}PreTrainedModel" if head in HEADS else name


def absent(name):
    prefix, head = CLASSES[name]
    ours = attributes(name, tables[prefix]) | (GIVEN_BY_A_FRAMEWORK[prefix] if head in HEADS else set())
    return methods(name, peers).keys() - ours - set(MAGIC)


@pytest.mark.parametrize("name", sorted({kind(name) for name in CLASSES}))
def test_the_page_names_every_method_that_is_absent(name):
    listed = {names_in(row[0])[0]: names_in(row[1]) for row in table("What is not here", number=1)}
    assert sorted(set().union(*(absent(one) for one in CLASSES if kind(one) == name))) == listed[name]
