import math

import pytest

from albertkit import weight_table
from albertkit.config import AlbertConfig

SMALL = {
    "vocab_size": 31,
    "embedding_size": 6,
    "hidden_size": 12,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 9,
    "type_vocab_size": 3,
    "num_hidden_layers": 4,
    "num_labels": 5,
}
AXES = [{}, {"num_hidden_groups": 2}, {"inner_group_num": 2}, {"num_hidden_groups": 4, "inner_group_num": 3}]
LAYER = "albert.encoder.albert_layer_groups.0.albert_layers.0"
BASE = {
    "albert.embeddings.word_embeddings.weight": (30000, 128),
    "albert.embeddings.position_embeddings.weight": (512, 128),
    "albert.embeddings.token_type_embeddings.weight": (2, 128),
    "albert.embeddings.LayerNorm.weight": (128,),
    "albert.embeddings.LayerNorm.bias": (128,),
    "albert.encoder.embedding_hidden_mapping_in.weight": (768, 128),
    "albert.encoder.embedding_hidden_mapping_in.bias": (768,),
    f"{LAYER}.full_layer_layer_norm.weight": (768,),
    f"{LAYER}.full_layer_layer_norm.bias": (768,),
    f"{LAYER}.attention.query.weight": (768, 768),
    f"{LAYER}.attention.query.bias": (768,),
    f"{LAYER}.attention.key.weight": (768, 768),
    f"{LAYER}.attention.key.bias": (768,),
    f"{LAYER}.attention.value.weight": (768, 768),
    f"{LAYER}.attention.value.bias": (768,),
    f"{LAYER}.attention.dense.weight": (768, 768),
    f"{LAYER}.attention.dense.bias": (768,),
    f"{LAYER}.attention.LayerNorm.weight": (768,),
    f"{LAYER}.attention.LayerNorm.bias": (768,),
    f"{LAYER}.ffn.weight": (3072, 768),
    f"{LAYER}.ffn.bias": (3072,),
    f"{LAYER}.ffn_output.weight": (768, 3072),
    f"{LAYER}.ffn_output.bias": (768,),
    "albert.pooler.weight": (768, 768),
    "albert.pooler.bias": (768,),
    "predictions.bias": (30000,),
    "predictions.LayerNorm.weight": (128,),
    "predictions.LayerNorm.bias": (128,),
    "predictions.dense.weight": (128, 768),
    "predictions.dense.bias": (128,),
    "predictions.decoder.weight": (30000, 128),
    "predictions.decoder.bias": (30000,),
    "sop_classifier.classifier.weight": (2, 768),
    "sop_classifier.classifier.bias": (2,),
}


def test_the_rows_of_the_table_have_different_names():
    assert len(weight_table.TABLE) == 49
    assert len({row.name for row in weight_table.TABLE}) == 49


def test_the_names_and_shapes_of_the_published_base_model():
    assert weight_table.expected(AlbertConfig.base(), "ForPreTraining") == BASE
    assert list(weight_table.expected(AlbertConfig.base(), "ForPreTraining")) == list(BASE)


def test_groups_and_inner_layers_multiply_the_layer_alone():
    config = AlbertConfig(**SMALL, num_hidden_groups=2, inner_group_num=2)
    found = weight_table.expected(config, "Model")
    assert len(found) == 73
    for g in (0, 1):
        for j in (0, 1):
            layer = f"albert.encoder.albert_layer_groups.{g}.albert_layers.{j}."
            assert sum(name.startswith(layer) for name in found) == 16


@pytest.mark.torch
@pytest.mark.parametrize("model", weight_table.PARTS)
@pytest.mark.parametrize("changes", AXES)
def test_the_table_is_what_the_model_has(model, changes):
    pytest.importorskip("torch")
    from albertkit.torch import models

    config = AlbertConfig(**SMALL, **changes)
    prefix = "albert." if model == "Model" else ""
    state = getattr(models, f"Albert{model}")(config).state_dict()
    assert weight_table.expected(config, model) == {
        prefix + name: tuple(tensor.shape) for name, tensor in state.items()
    }


@pytest.mark.parametrize(
    ("model", "heads"),
    [
        ("Model", {"albert.pooler"}),
        ("ForPreTraining", {"albert.pooler", "predictions", "sop_classifier"}),
        ("ForMaskedLM", {"predictions"}),
        ("ForSequenceClassification", {"albert.pooler", "classifier"}),
        ("ForMultipleChoice", {"albert.pooler", "classifier"}),
        ("ForTokenClassification", {"classifier"}),
        ("ForQuestionAnswering", {"qa_outputs"}),
        ("ForQuestionAnsweringBeamSearch", {"start_logits", "end_logits", "answer_class"}),
        ("ForSentenceEmbedding", set()),
    ],
)
def test_each_model_has_the_encoder_and_its_own_parts(model, heads):
    found = weight_table.expected(AlbertConfig(**SMALL), model)
    beyond = {name for name in found if not name.startswith(("albert.embeddings.", "albert.encoder."))}
    assert len(found) - len(beyond) == 23
    assert {head for head in heads for name in beyond if name.startswith(f"{head}.")} == heads
    assert all(any(name.startswith(f"{head}.") for head in heads) for name in beyond)


@pytest.mark.parametrize(
    ("model", "name", "shape"),
    [
        ("ForSequenceClassification", "classifier.weight", (5, 12)),
        ("ForTokenClassification", "classifier.bias", (5,)),
        ("ForMultipleChoice", "classifier.weight", (1, 12)),
        ("ForMultipleChoice", "classifier.bias", (1,)),
        ("ForQuestionAnswering", "qa_outputs.weight", (2, 12)),
        ("ForQuestionAnsweringBeamSearch", "start_logits.dense.weight", (1, 12)),
        ("ForQuestionAnsweringBeamSearch", "end_logits.dense_0.weight", (12, 24)),
        ("ForPreTraining", "sop_classifier.classifier.weight", (2, 12)),
        ("Model", "albert.embeddings.token_type_embeddings.weight", (3, 6)),
    ],
)
def test_heads_have_the_widths_that_their_task_asks_for(model, name, shape):
    assert weight_table.expected(AlbertConfig(**SMALL), model)[name] == shape


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("albert.embeddings.word_embeddings.weight", "embedding"),
        ("albert.embeddings.LayerNorm.bias", "norm"),
        ("albert.encoder.albert_layer_groups.11.albert_layers.10.ffn_output.weight", "dense"),
        ("albert.encoder.albert_layer_groups.0.albert_layers.0.full_layer_layer_norm.weight", "norm"),
        ("albert.pooler.bias", "bias"),
        ("predictions.bias", "bias"),
        ("predictions.decoder.weight", "dense"),
    ],
)
def test_kinds_are_found_by_name(name, kind):
    assert weight_table.kind(name) == kind


@pytest.mark.parametrize(
    "name", ["albert.embeddings.word_embeddings", "pooler.weight", "x", "albert.pooler.dense.weight"]
)
def test_names_outside_the_table_have_no_kind(name):
    with pytest.raises(KeyError):
        weight_table.kind(name)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("albert.embeddings.LayerNorm.weight", "encoder"),
        ("albert.encoder.embedding_hidden_mapping_in.bias", "encoder"),
        ("albert.pooler.weight", "pooler"),
        ("predictions.decoder.bias", "predictions"),
        ("sop_classifier.classifier.weight", "sop_classifier"),
        ("classifier.weight", "classifier"),
    ],
)
def test_parts_are_found_by_name(name, part):
    assert weight_table.part(name) == part


def test_the_decoder_is_tied_to_the_embeddings_and_its_bias_to_the_heads():
    bias = {"predictions.decoder.bias": "predictions.bias"}
    weight = {"predictions.decoder.weight": "albert.embeddings.word_embeddings.weight"}
    assert weight_table.tied(AlbertConfig(**SMALL)) == bias | weight
    assert weight_table.tied(AlbertConfig(**SMALL, tie_word_embeddings=False)) == bias


def test_untying_adds_the_decoder_to_the_count():
    tied, untied = (
        weight_table.count(AlbertConfig(**SMALL, tie_word_embeddings=tie), "ForMaskedLM") for tie in (True, False)
    )
    assert untied - tied == 31 * 6


def disguises(name):
    """A canonical name as older files and wrappers write it."""
    old = name
    if "LayerNorm" in name or "layer_norm" in name:
        old = name.removesuffix("weight").removesuffix("bias") + ("gamma" if name.endswith("weight") else "beta")
    bare = name.removeprefix("albert.")
    yield from (name, old, bare, old.removeprefix("albert."))
    yield from (f"module.{name}", f"_orig_mod.{name}", f"_orig_mod.module.{bare}", f"module._orig_mod.{old}")
    yield name.replace(".albert_layers", "._orig_mod.albert_layers")


@pytest.mark.parametrize("model", weight_table.PARTS)
def test_every_disguise_of_every_name_is_seen_through(model):
    for name in weight_table.expected(AlbertConfig(**SMALL, num_hidden_groups=2, inner_group_num=2), model):
        for disguise in disguises(name):
            assert weight_table.canonical_name(disguise) == name


@pytest.mark.parametrize(
    "name",
    [
        "albert.embeddings.position_ids",
        "embeddings.position_ids",
        "embeddings.token_type_ids",
        "module.albert.embeddings.position_ids",
    ],
)
def test_buffers_carry_no_weight(name):
    assert weight_table.canonical_name(name) is None


@pytest.mark.parametrize("name", ["classifier.weight", "bert.pooler.weight", "gamma_ray.bias", "lm_head.module.weight"])
def test_other_names_stay(name):
    assert weight_table.canonical_name(name) == name


PAPER = {  # tables 3 and 4 of the paper, in millions: by E, what the layers share
    64: {"none": 87, "all": 10},
    128: {"none": 89, "attention": 64, "ffn": 38, "all": 12},
    256: {"none": 93, "all": 16},
    768: {"none": 108, "attention": 83, "ffn": 57, "all": 31},
}


@pytest.mark.parametrize(("width", "sharing"), [(width, what) for width, row in PAPER.items() for what in row])
def test_the_counts_of_the_paper_come_out(width, sharing):
    config = AlbertConfig.base(embedding_size=width)
    sizes = {name: math.prod(shape) for name, shape in weight_table.expected(config, "Model").items()}
    layer = {name: size for name, size in sizes.items() if ".albert_layers." in name}
    attention = sum(size for name, size in layer.items() if ".attention." in name)
    repeated = {"all": 0, "none": sum(layer.values()), "attention": sum(layer.values()) - attention, "ffn": attention}
    millions = (sum(sizes.values()) + 11 * repeated[sharing]) / 1e6
    assert abs(millions - PAPER[width][sharing]) < (1.7 if (width, sharing) == (768, "none") else 0.95)
    if sharing == "none":
        apart = AlbertConfig.base(embedding_size=width, num_hidden_groups=12)
        assert apart.num_parameters() == round(millions * 1e6)
