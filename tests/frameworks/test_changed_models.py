"""A model that a person changed is saved as it computes, or refused: reading never answers otherwise in silence."""

import json

import numpy as np
import pytest
import safetensors.numpy

from albertkit.config import AlbertConfig
from albertkit.errors import InputError, WeightMismatch
from frameworks.common import batch, random_tensors, small

EMBEDDINGS = ("word_embeddings", "position_embeddings", "token_type_embeddings")


def make(adapter, head, **changes):
    config = small(**changes)
    return adapter.evaluating(adapter.build(head, config, random_tensors(config, head)))


def bare(model):
    """The model itself: that of Keras stands behind its mode."""
    return getattr(model, "model", model)


def inputs(head):
    names = ("input_ids", "attention_mask", "token_type_ids")
    return {name: value for name, value in batch(head).items() if name in names}


def assert_comes_back(adapter, model, head, folder):
    """Saved and read the model answers the same; gives its stored config."""
    before = adapter.outputs(model, inputs(head))
    adapter.save(model, folder)
    after = adapter.outputs(adapter.load(head, folder), inputs(head))
    assert before.keys() == after.keys()
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, atol=2e-6, err_msg=name)
    return AlbertConfig.from_pretrained(folder)


def test_a_classifier_for_another_number_of_classes_decides_the_config(adapter, tmp_path, caplog):
    model = make(adapter, "ForSequenceClassification")
    bare(model).classifier = adapter.linear(16, 5)
    assert adapter.outputs(model, inputs("ForSequenceClassification"))["logits"].shape == (3, 5)
    assert assert_comes_back(adapter, model, "ForSequenceClassification", tmp_path).num_labels == 5
    assert "num_labels 5 (the config: 2)" in caplog.text


def test_a_number_of_classes_that_is_set_without_a_classifier_for_them_is_not_saved(adapter, tmp_path, caplog):
    model = make(adapter, "ForTokenClassification")
    model.config.num_labels = 7
    assert assert_comes_back(adapter, model, "ForTokenClassification", tmp_path).num_labels == 2
    assert "num_labels 2 (the config: 7)" in caplog.text


@pytest.mark.parametrize("tied", [True, False])
def test_a_new_decoder_is_saved_untied(adapter, tmp_path, tied):
    model = make(adapter, "ForMaskedLM", tie_word_embeddings=tied)
    if adapter.name == "tensorflow":
        with pytest.raises(ValueError, match="already built"):  # Keras takes no new part into a built layer
            bare(model).predictions.decoder = adapter.linear(8, 61)
        return
    before = adapter.outputs(model, inputs("ForMaskedLM"))["logits"]
    bare(model).predictions.decoder = adapter.linear(8, 61)
    assert np.abs(adapter.outputs(model, inputs("ForMaskedLM"))["logits"] - before).max() > 0.01
    assert assert_comes_back(adapter, model, "ForMaskedLM", tmp_path).tie_word_embeddings is False


@pytest.mark.parametrize("tied", [True, False])
def test_a_config_that_is_tied_or_untied_afterwards_changes_no_saved_model(adapter, tmp_path, tied):
    model = make(adapter, "ForMaskedLM", tie_word_embeddings=tied)
    model.config.tie_word_embeddings = not tied
    assert_comes_back(adapter, model, "ForMaskedLM", tmp_path)


@pytest.mark.parametrize("size", [61, 70])
def test_new_word_embeddings_take_the_head_with_them(adapter, tmp_path, size):
    model = make(adapter, "ForMaskedLM")
    bare(model).set_input_embeddings(adapter.embedding(size, 8))
    assert adapter.outputs(model, inputs("ForMaskedLM"))["logits"].shape[-1] == size
    config = assert_comes_back(adapter, model, "ForMaskedLM", tmp_path)
    assert (config.vocab_size, config.tie_word_embeddings, model.config.vocab_size) == (size, True, size)


def test_the_encoder_inside_a_masked_lm_is_not_resized_alone(adapter, tmp_path):
    model = make(adapter, "ForMaskedLM")
    for call in (
        lambda: model.albert.resize_token_embeddings(70),
        lambda: model.albert.set_input_embeddings(adapter.embedding(70, 8)),
    ):
        with pytest.raises(InputError, match=r"change together\. Received: 70 .* Call the same method of the whole"):
            call()
    assert model.config.vocab_size == 61
    bare(model).resize_token_embeddings(70)
    assert assert_comes_back(adapter, model, "ForMaskedLM", tmp_path).vocab_size == 70


def test_the_encoder_inside_a_classifier_is_resized_with_the_config(adapter, tmp_path):
    model = make(adapter, "ForSequenceClassification")
    model.albert.resize_token_embeddings(70)
    assert assert_comes_back(adapter, model, "ForSequenceClassification", tmp_path).vocab_size == 70


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "relu"},
        {"layer_norm_eps": 0.1},
        {"num_hidden_layers": 2},
        {"num_attention_heads": 2},
        {"num_hidden_groups": 2},
        {"vocab_size": 62},
        {"max_position_embeddings": 12},
    ],
)
def test_a_config_that_is_changed_afterwards_changes_no_saved_model(adapter, tmp_path, changes, caplog):
    model = make(adapter, "Model")
    for key, value in changes.items():
        setattr(model.config, key, value)
    config = assert_comes_back(adapter, model, "Model", tmp_path)
    for key in changes:
        assert getattr(config, key) == getattr(small(), key)
        assert key in caplog.text


def test_an_activation_that_has_a_name_is_saved_by_it_and_another_is_refused(adapter, tmp_path):
    model, other = make(adapter, "Model"), make(adapter, "Model", hidden_act="relu")
    layer, given = (m.encoder.albert_layer_groups[0].albert_layers[0] for m in (model, other))
    layer.activation = given.activation
    assert assert_comes_back(adapter, model, "Model", tmp_path).hidden_act == "relu"
    layer.activation = abs
    with pytest.raises(ValueError, match="`hidden_act` must be a name to be written to a file"):
        adapter.save(model, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_norm_that_differs_from_the_others_is_refused(adapter, tmp_path):
    model = make(adapter, "Model")
    norm = model.embeddings.LayerNorm
    setattr(norm, "eps" if adapter.name == "torch" else "epsilon", 0.5)
    with pytest.raises(WeightMismatch, match=r"`layer_norm_eps` once for all layers.*0\.5"):
        adapter.save(model, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_an_encoder_that_is_replaced_comes_back(adapter, tmp_path):
    model = make(adapter, "ForMaskedLM")
    bare(model).albert = bare(make(adapter, "Model"))
    assert_comes_back(adapter, model, "ForMaskedLM", tmp_path)


@pytest.mark.parametrize("name", ["bert", "encoder", "backbone"])
def test_an_encoder_under_any_name_is_loaded_and_comes_back(adapter, tmp_path, name):
    encoder = make(adapter, "Model")
    adapter.save(encoder, tmp_path / "base")
    own = adapter.class_with(name)
    model = own.from_pretrained(tmp_path / "base")
    expected = adapter.outputs(encoder, inputs("Model"))["last_hidden_state"]

    def answer(found):
        return adapter.outputs(adapter.evaluating(_moded(adapter, getattr(found, name))), inputs("Model"))

    np.testing.assert_allclose(answer(model)["last_hidden_state"], expected, atol=1e-6)
    assert set(model.load_report.newly_initialized) == {"head.weight", "head.bias"}
    assert model.base_model is getattr(model, name)
    model.save_pretrained(tmp_path / "own")
    again = own.from_pretrained(tmp_path / "own")
    assert again.load_report.newly_initialized == ()
    np.testing.assert_allclose(answer(again)["last_hidden_state"], expected, atol=1e-6)
    back = adapter.outputs(adapter.load("Model", tmp_path / "own"), inputs("Model"))
    np.testing.assert_allclose(back["last_hidden_state"], expected, atol=1e-6)


@pytest.mark.parametrize("head", ["ForMaskedLM", "ForSequenceClassification"])
def test_a_model_with_a_head_inside_ones_own_class_is_loaded_and_comes_back(adapter, tmp_path, head):
    inner = make(adapter, head)
    adapter.save(inner, tmp_path / "base")
    own = adapter.class_with("inside", head)
    expected = adapter.outputs(inner, inputs(head))["logits"]

    def answer(found):
        return adapter.outputs(adapter.evaluating(_moded(adapter, found.inside)), inputs(head))["logits"]

    model = own.from_pretrained(tmp_path / "base")
    assert set(model.load_report.newly_initialized) == {"head.weight", "head.bias"}
    np.testing.assert_allclose(answer(model), expected, atol=1e-6)
    model.save_pretrained(tmp_path / "own")
    stored = safetensors.numpy.load_file(tmp_path / "own" / "model.safetensors")
    assert not [name for name in stored if ".decoder." in name]  # what is tied is stored once
    again = own.from_pretrained(tmp_path / "own")
    assert again.load_report.newly_initialized == again.load_report.unexpected == ()
    np.testing.assert_allclose(answer(again), expected, atol=1e-6)
    back = adapter.outputs(adapter.load(head, tmp_path / "own"), inputs(head))
    np.testing.assert_allclose(back["logits"], expected, atol=1e-6)


def test_a_head_inside_ones_own_class_that_the_file_lacks_is_drawn_as_any_head(adapter, tmp_path):
    adapter.save(make(adapter, "Model"), tmp_path)
    model = adapter.class_with("inside", "ForMaskedLM").from_pretrained(tmp_path)
    assert "inside.predictions.decoder.weight" not in model.load_report.newly_initialized  # it is the word embeddings
    held = adapter.tensors(_moded(adapter, model))
    assert 0.01 < held["inside.predictions.dense.weight"].std() < 0.03
    assert not held["inside.predictions.bias"].any()
    assert (held["inside.predictions.LayerNorm.weight"] == 1).all()
    if adapter.name == "torch":
        assert model.inside.predictions.decoder.weight is model.inside.get_input_embeddings().weight


def _moded(adapter, model):
    from frameworks.adapters import _Mode

    return _Mode(model, False) if adapter.name == "tensorflow" else model


def test_layers_that_were_added_are_announced_when_saved_and_when_read(adapter, tmp_path, caplog):
    model = make(adapter, "ForSequenceClassification")
    bare(model).extra = adapter.linear(16, 4)
    if adapter.name == "tensorflow":
        bare(model).extra.build((None, 16))
    adapter.save(model, tmp_path)
    assert "will not read again: extra.weight, extra.bias" in caplog.text
    caplog.clear()
    adapter.load("ForSequenceClassification", tmp_path)
    assert "holds tensors that it does not use: extra.bias, extra.weight" in caplog.text


def test_a_layer_of_another_kind_is_refused_before_anything_is_written(adapter, tmp_path):
    model = make(adapter, "ForSequenceClassification")
    adapter.save(model, tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    bare(model).classifier = _block(adapter)
    with pytest.raises(WeightMismatch, match=r"lacks classifier\.weight, classifier\.bias.*write a subclass"):
        adapter.save(model, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text()) == stored


def _block(adapter):
    layers = adapter.linear(16, 16), adapter.linear(16, 2)
    if adapter.name == "torch":
        return adapter.torch.nn.Sequential(*layers)
    if adapter.name == "tensorflow":
        import keras

        return keras.Sequential([keras.Input((16,)), *layers])
    from flax import nnx

    return nnx.Sequential(*layers)


def test_more_groups_than_layers_run_as_the_original_does_and_keep_the_others(adapter, tmp_path):
    model = make(adapter, "ForMaskedLM", num_hidden_layers=4, num_hidden_groups=12)
    assert list(model.albert.encoder.group_of_layer) == [0, 3, 6, 9]
    before = adapter.tensors(model)
    config = assert_comes_back(adapter, model, "ForMaskedLM", tmp_path)
    assert (config.num_hidden_layers, config.num_hidden_groups) == (4, 12)
    after = adapter.tensors(adapter.load("ForMaskedLM", tmp_path))
    assert sum(".albert_layer_groups.11." in name for name in after) == 16
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values, err_msg=name)


def test_a_model_of_two_encoders_gives_each_its_own_weights(adapter, tmp_path):
    if adapter.name != "torch":
        pytest.skip("the rule is that of `report.fit`, which all share; memory is shared in PyTorch alone")
    models, nn = adapter.models, adapter.torch.nn

    class Towers(models.AlbertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.query, self.passage = models.AlbertModel(config), models.AlbertModel(config)
            self.head = nn.Linear(config.hidden_size, 1)
            self.post_init()

    adapter.save(make(adapter, "Model"), tmp_path / "base")
    towers = Towers.from_pretrained(tmp_path / "base")
    first, second = (tower.embeddings.word_embeddings.weight for tower in (towers.query, towers.passage))
    assert adapter.torch.equal(first, second)
    assert first.data_ptr() != second.data_ptr()
    with adapter.torch.no_grad():
        second.add_(1)
    towers.save_pretrained(tmp_path / "towers")
    again = Towers.from_pretrained(tmp_path / "towers")
    assert adapter.torch.equal(again.query.embeddings.word_embeddings.weight, first)
    assert adapter.torch.equal(again.passage.embeddings.word_embeddings.weight, second)
    with pytest.raises(WeightMismatch, match="must hold every tensor of the encoder"):
        models.AlbertModel.from_pretrained(tmp_path / "towers")
