"""What docs/migration.md says of the TensorFlow classes of Transformers 4.57. Run by `make oracle-frameworks`."""

import os

import numpy as np
import pytest

os.environ["TF_USE_LEGACY_KERAS"] = "1"
tensorflow = pytest.importorskip("tensorflow")
pytest.importorskip("tf_keras")
transformers = pytest.importorskip("transformers")

from frameworks.common import SMALL, random_tensors, small  # noqa: E402
from migration_page import Claims  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.tensorflow]

claims = Claims("From the TensorFlow and Flax classes")
IDS = np.array([[2, 17, 9, 31, 3], [2, 5, 40, 3, 0]])


def made(head, **changes):
    keys = {**SMALL, "initializer_range": 0.5, **changes}
    return getattr(transformers, f"TFAlbert{head}")(transformers.AlbertConfig(**keys))


@claims("Keras 2 through tf_keras")
def test_models_are_those_of_keras_2():
    import tf_keras

    assert isinstance(made("Model"), tf_keras.Model)
    assert tf_keras.__version__.startswith("2.")


@claims("TF: no head mask")
def test_head_masks_are_not_implemented():
    with pytest.raises((NotImplementedError, ValueError)):
        made("Model")(IDS, head_mask=np.ones((4, 4), np.float32))


@claims("TF: no several labels at once")
def test_several_labels_at_once_fail():
    model = made("ForSequenceClassification", problem_type="multi_label_classification", num_labels=3)
    with pytest.raises((ValueError, tensorflow.errors.InvalidArgumentError)):
        model(IDS, labels=np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]], np.float32))


@claims("TF: no clamped answer positions")
def test_an_answer_beyond_the_text_is_an_error_or_not_a_number():
    labels = {"start_positions": np.array([2, 9]), "end_positions": np.array([1, 1])}
    try:
        loss = made("ForQuestionAnswering")(IDS, **labels).loss.numpy()
    except tensorflow.errors.InvalidArgumentError:
        return
    assert np.isnan(loss).any()


@claims("TF: a loss a row")
def test_a_loss_is_given_for_each_row():
    assert made("ForSequenceClassification")(IDS, labels=np.array([0, 1])).loss.shape == (2,)


@claims("TF: masked scores get -10000")
def test_masked_places_are_lowered_by_ten_thousand():
    model = made("Model")
    layer = model.albert.encoder.albert_layer_groups[0].albert_layers[0]
    for projection in (layer.attention.query, layer.attention.key):
        model(IDS)
        kernel, bias = projection.get_weights()
        projection.set_weights([kernel * 1e4, bias])
    hidden = np.array([[1, 1, 1, 1, 0]] * 2)
    found = model(IDS, attention_mask=hidden, output_attentions=True).attentions
    assert any(np.any(probabilities[..., 4]) for probabilities in found)


@claims("TF: `tie_word_embeddings=False` ignored, a second unused bias")
def test_untied_weights_are_tied_and_a_bias_is_unused():
    tied, untied = (made("ForMaskedLM", tie_word_embeddings=tie) for tie in (True, False))
    for model in (tied, untied):
        model(IDS)
    assert tied.count_params() == untied.count_params()
    assert sorted(tied.predictions.get_bias()) == ["bias", "decoder_bias"]


@claims("TF: cannot read PyTorch's safetensors")
def test_safetensors_of_pytorch_are_not_read(tmp_path):
    from albertkit.checkpoint import files

    config = small()
    files.save(tmp_path, config, random_tensors(config, "ForMaskedLM"), "AlbertForMaskedLM")
    with pytest.raises((TypeError, OSError, ImportError)):
        transformers.TFAlbertForMaskedLM.from_pretrained(tmp_path)


def test_every_row_has_a_check():
    mine = [row for row in claims.unchecked() if row.startswith(("TF:", "Keras"))]
    assert mine == []
