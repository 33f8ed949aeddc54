import numpy as np
import pytest

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import tables
from albertkit.tasks.text_classification import class_weights
from albertkit.tasks.text_classification.task import ClassificationOptions as Options
from albertkit.tasks.text_classification.task import TextClassification

CLASSES = np.array([0, 0, 0, 1, 2, 2])
NAMES = ("a", "b", "c")


def test_balanced_weights_are_those_of_scikit_learn():
    utils = pytest.importorskip("sklearn.utils.class_weight")
    found = class_weights.of_classes("balanced", CLASSES, NAMES)
    assert found.dtype == np.float32
    expected = utils.compute_class_weight("balanced", classes=np.arange(3), y=CLASSES)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert np.isfinite(class_weights.of_classes("balanced", CLASSES, (*NAMES, "never seen"))).all()


def test_weights_by_name_leave_the_others_at_one():
    assert class_weights.of_classes("b=2.5, c = 4", CLASSES, NAMES).tolist() == [1, 2.5, 4]
    assert class_weights.of_classes("x=y=3", np.array([0, 1]), ("x=y", "z")).tolist() == [3, 1]


@pytest.mark.parametrize("stated", ["d=1", "a", "a=0", "a=-1", "a=nan", "a=inf", "a=x", "balance"])
def test_other_weights_are_refused(stated):
    with pytest.raises(InputError, match=r"must be balanced, or pairs such as a=2.5.*The classes are a, b, c"):
        class_weights.of_classes(stated, CLASSES, NAMES)


def test_weights_are_for_one_class_a_row():
    task = TextClassification()
    data = tables.Table("t.csv", {"text": ["x", "y", "z"], "label": ["a", "b", "a"]}, [2, 3, 4])
    examples, options = task.take(data, Options(class_weights="a=3"))
    config = AlbertConfig(**task.config_keys(examples, options))
    assert task.class_weights(examples, options, config).tolist() == [3, 1]
    assert task.class_weights(examples, Options(), config) is None
    several = Options(class_weights="a=3", problem="multi")
    with pytest.raises(InputError, match=r"for one class a row. Received them for multi_label_classification"):
        task.config_keys(examples, several)
    with pytest.raises(InputError, match=r"of a training loss. Received them for a trained model"):
        task.read("t.csv", Options(class_weights="a=3"), config)
