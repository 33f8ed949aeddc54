"""Which config is saved with a model, by its names and shapes alone; with layers see frameworks/test_changed_models."""

import numpy as np
import pytest

from albertkit import weight_table
from albertkit.checkpoint.saved_config import settle
from albertkit.config import AlbertConfig
from albertkit.errors import WeightMismatch

CONFIG = AlbertConfig(
    vocab_size=31,
    embedding_size=6,
    hidden_size=12,
    num_attention_heads=3,
    intermediate_size=20,
    num_hidden_layers=2,
    max_position_embeddings=9,
)
WORDS = "albert.embeddings.word_embeddings.weight"
QUERY = "albert.encoder.albert_layer_groups.0.albert_layers.0.attention.query"


def held(model, config=CONFIG):
    """A model's tensors, tied ones under both names, each with values of its own."""
    shapes = weight_table.expected(config, model)
    values = {name: np.full(shape, number + 1, np.float32) for number, (name, shape) in enumerate(shapes.items())}
    return {name: values[weight_table.tied(config).get(name, name)] for name in values}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("model", weight_table.PARTS)
def test_a_model_that_nobody_changed_is_saved_as_it_is(model, tied, caplog):
    config = CONFIG.changed(tie_word_embeddings=tied)
    tensors = held(model, config)
    found, kept = settle(f"Albert{model}", config, tensors, {}, {})
    assert found is config
    assert kept == tensors
    assert caplog.text == ""


def test_a_state_dict_without_tied_tensors_stays_tied():
    tensors = held("ForMaskedLM")
    del tensors["predictions.decoder.weight"], tensors["predictions.decoder.bias"]
    found, kept = settle("AlbertForMaskedLM", CONFIG, tensors, {}, {})
    assert found is CONFIG
    assert kept["predictions.bias"] is tensors["predictions.bias"]


def test_a_decoder_and_its_bias_are_those_that_act():
    decoder, bias = np.full((31, 6), 7, np.float32), np.full(31, 8, np.float32)
    changed = {"predictions.decoder.weight": decoder, "predictions.decoder.bias": bias}
    found, kept = settle("AlbertForMaskedLM", CONFIG, held("ForMaskedLM") | changed, {}, {})
    assert found.tie_word_embeddings is False
    assert kept["predictions.decoder.weight"] is decoder
    assert kept["predictions.bias"] is bias


def test_equal_values_in_two_places_are_still_tied():
    tensors = held("ForMaskedLM")
    tensors["predictions.decoder.weight"] = tensors[WORDS].copy()
    assert settle("AlbertForMaskedLM", CONFIG, tensors, {}, {})[0] is CONFIG


def test_weights_that_have_become_nan_are_still_tied():
    tensors = held("ForMaskedLM")
    tensors[WORDS] = np.full((31, 6), np.nan, np.float32)
    for other in (tensors[WORDS][:], tensors[WORDS].copy()):
        tensors["predictions.decoder.weight"] = other
        assert settle("AlbertForMaskedLM", CONFIG, tensors, {}, {})[0] is CONFIG


def test_an_untied_decoder_of_equal_values_stays_untied():
    config = CONFIG.changed(tie_word_embeddings=False)
    tensors = held("ForMaskedLM", config)
    tensors["predictions.decoder.weight"] = tensors[WORDS]
    assert settle("AlbertForMaskedLM", config, tensors, {}, {})[0] is config


@pytest.mark.parametrize(
    ("model", "name", "shape", "words"),
    [
        ("ForMaskedLM", WORDS, (40, 6), r"31 in predictions\.bias"),
        ("ForMultipleChoice", "classifier.weight", (2, 12), r"2 in classifier\.weight"),
        ("ForQuestionAnswering", "qa_outputs.weight", (3, 12), r"3 in qa_outputs\.weight"),
        ("Model", f"{QUERY}.weight", (14, 12), r"14 in .*query\.weight"),
        ("ForSequenceClassification", "classifier.bias", (3,), r"3 in classifier\.bias"),
        ("Model", f"{QUERY}.weight", (12,), r"must have 2 axes\. Received: shape \(12,\)"),
    ],
)
def test_sizes_that_contradict_each_other_are_refused(model, name, shape, words):
    tensors = held(model) | {name: np.zeros(shape, np.float32)}
    with pytest.raises(WeightMismatch, match=words):
        settle(f"Albert{model}", CONFIG, tensors, {}, {})


def test_sizes_that_no_config_allows_are_refused():
    tensors = held("Model", CONFIG.changed(hidden_size=14, num_attention_heads=7))
    with pytest.raises(WeightMismatch, match=r"hidden_size 14 \(the config: 12\).*must be divisible"):
        settle("AlbertModel", CONFIG, tensors, {}, {})


def test_a_part_of_a_model_is_refused():
    tensors = held("ForSequenceClassification")
    del tensors[f"{QUERY}.weight"]
    with pytest.raises(WeightMismatch, match=r"It lacks .*query\.weight\. A layer was replaced"):
        settle("AlbertForSequenceClassification", CONFIG, tensors, {}, {})


def test_a_layer_with_tensors_beside_its_own_is_refused():
    tensors = held("Model") | {f"{QUERY}.lora_A": np.zeros((2, 12), np.float32)}
    with pytest.raises(WeightMismatch, match=r"its layers no others\. It has .*query\.lora_A.*merge adapters"):
        settle("AlbertModel", CONFIG, tensors, {}, {})


def test_an_encoder_without_a_pooler_may_be_saved():
    tensors = {name: values for name, values in held("Model").items() if "pooler" not in name}
    assert settle("AlbertModel", CONFIG, tensors, {}, {}) == (CONFIG, tensors)


def test_of_someones_own_class_only_the_encoder_is_known(caplog):
    own = {"classifier.0.weight": np.zeros((4, 12), np.float32), "classifier.bias": np.zeros(9, np.float32)}
    tensors = held("Model") | own
    assert settle("PoetryScorer", CONFIG, tensors, {"hidden_act": ["gelu_new", abs]}, {}) == (CONFIG, tensors)
    assert caplog.text == ""
    longer = tensors | {"albert.embeddings.position_embeddings.weight": np.zeros((20, 6), np.float32)}
    assert settle("PoetryScorer", CONFIG, longer, {}, {})[0].max_position_embeddings == 20


def test_layers_of_another_type_are_announced(caplog):
    settle("AlbertModel", CONFIG, held("Model"), {}, {"pooler": "ScaledLinear"})
    assert "layers of other kinds than reading builds: pooler (ScaledLinear)" in caplog.text


def test_layers_in_another_order_than_a_config_can_state_are_refused():
    config = CONFIG.changed(num_hidden_groups=2)
    layers = {"num_hidden_layers": [2], "num_hidden_groups": [2], "group_of_layer": [(1, 0)]}
    with pytest.raises(WeightMismatch, match=r"group_of_layer \(1, 0\) .*in equal parts, in order"):
        settle("AlbertModel", config, held("Model", config), layers, {})
