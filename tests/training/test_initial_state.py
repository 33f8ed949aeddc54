"""What a run takes from a model that was fine-tuned before: the encoder, and the classifier where classes agree."""

import numpy as np
import pytest

pytest.importorskip("torch")

from albertkit.checkpoint import files
from albertkit.tasks import registry
from albertkit.training import initial_state
from albertkit.training.recipe import FinetuneRecipe
from training import common
from training.test_finetune import run

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """A model that tells neg from pos."""
    folder = tmp_path_factory.mktemp("earlier")
    run(common.recipe(folder, training__max_steps=2, training__keep_state=False), folder / "m")
    return folder / "m"


def begun(earlier, *names, **changes):
    """What a run on classes of these names starts with, from the earlier model."""
    recipe = FinetuneRecipe.load(None, {"model.name": str(earlier), "data.max_length": 32})
    keys = {"id2label": dict(enumerate(names)), "problem_type": "single_label_classification", **changes}
    state = initial_state.initial_state(recipe, registry.get("text-classification"), keys, [])
    return state, files.load(earlier).tensors


ENCODER = "albert.embeddings.word_embeddings.weight"


@pytest.mark.parametrize("names", [("neg", "pos"), ("pos", "neg")])
def test_a_classifier_goes_on_where_classes_are_called_the_same_in_their_new_order(earlier, names):
    state, before = begun(earlier, *names)
    order = [("neg", "pos").index(name) for name in names]
    for one in ("classifier.weight", "classifier.bias"):
        np.testing.assert_array_equal(state.tensors[one], before[one][order])
    assert any("is taken, too: its classes are called the same" in told for told in state.provenance)


@pytest.mark.parametrize(
    ("names", "changes"),
    [
        (("entailment", "not_entailment"), {}),
        (("neg", "odd", "pos"), {}),
        (("neg", "pos"), {"problem_type": "multi_label_classification"}),
    ],
)
def test_a_classifier_of_other_classes_is_new_and_the_encoder_is_taken(earlier, names, changes):
    state, before = begun(earlier, *names, **changes)
    np.testing.assert_array_equal(state.tensors[ENCODER], before[ENCODER])
    assert state.tensors["classifier.weight"].shape == (len(names), 32)
    assert not np.isin(state.tensors["classifier.weight"][:2], before["classifier.weight"]).any()
    assert any("The classifier is new: that of" in told and "(neg, pos)" in told for told in state.provenance)


@pytest.mark.parametrize(
    ("task", "keys"),
    [("multiple-choice", {}), ("token-classification", {"id2label": {0: "neg", 1: "pos"}})],
)
def test_a_classifier_of_another_task_is_new_and_the_encoder_is_taken(earlier, task, keys):
    recipe = FinetuneRecipe.load(None, {"model.name": str(earlier), "data.max_length": 32})
    state = initial_state.initial_state(recipe, registry.get(task), keys, [])
    before = files.load(earlier).tensors
    np.testing.assert_array_equal(state.tensors[ENCODER], before[ENCODER])
    assert not np.isin(state.tensors["classifier.weight"], before["classifier.weight"]).any()
    assert any("The classifier is new" in told and "ForSequenceClassification" in told for told in state.provenance)
