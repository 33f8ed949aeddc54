import dataclasses

import numpy as np
import pytest

from albertkit import weight_table
from albertkit.checkpoint import report
from albertkit.checkpoint.report import fit
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError, WeightMismatch

CONFIG = AlbertConfig(
    vocab_size=31,
    embedding_size=6,
    hidden_size=12,
    num_attention_heads=3,
    intermediate_size=20,
    num_hidden_layers=2,
    num_labels=5,
)
WORDS = "albert.embeddings.word_embeddings.weight"
QUERY = "albert.encoder.albert_layer_groups.0.albert_layers.0.attention.query.weight"


def tensors(model, config=CONFIG):
    """A different number in each tensor of a model, tied tensors left out as in a file."""
    tied = weight_table.tied(config)
    shapes = {name: shape for name, shape in weight_table.expected(config, model).items() if name not in tied}
    return {name: np.full(shape, number, np.float32) for number, (name, shape) in enumerate(shapes.items())}


def shapes(model):
    return weight_table.expected(CONFIG, model)


def fitted(model, held, config=CONFIG, **options):
    return fit(
        f"Albert{model}", weight_table.expected(config, model), weight_table.tied(config), held, "folder", **options
    )


@pytest.mark.parametrize("model", weight_table.PARTS)
def test_a_models_own_tensors_all_enter(model):
    held = tensors(model)
    chosen, what = fitted(model, held)
    assert set(chosen) == set(weight_table.expected(CONFIG, model))
    assert all(chosen[name] is held[name] for name in held)
    assert (what.missing, what.unexpected, what.mismatched, what.newly_initialized) == ((), (), (), ())
    assert what.parameters == sum(values.size for values in held.values()) == CONFIG.num_parameters(model)
    assert what.announcement() is None
    what.require_complete()


def test_tied_tensors_take_the_value_of_their_partner():
    held = tensors("ForMaskedLM")
    chosen, _ = fitted("ForMaskedLM", held)
    assert chosen["predictions.decoder.weight"] is held[WORDS]
    assert chosen["predictions.decoder.bias"] is held["predictions.bias"]


def test_the_partner_alone_is_enough():
    held = tensors("ForMaskedLM")
    words, bias = held.pop(WORDS), held.pop("predictions.bias")
    chosen, what = fitted("ForMaskedLM", held | {"predictions.decoder.weight": words, "predictions.decoder.bias": bias})
    assert chosen[WORDS] is words
    assert chosen["predictions.bias"] is bias
    assert (what.missing, what.unexpected) == ((), ())


def test_an_untied_decoder_must_be_there():
    config = CONFIG.changed(tie_word_embeddings=False)
    held = tensors("ForMaskedLM", config)
    assert fitted("ForMaskedLM", held, config)[1].missing == ()
    del held["predictions.decoder.weight"]
    assert fitted("ForMaskedLM", held, config)[1].missing == ("predictions.decoder.weight",)


def test_a_missing_head_is_announced_as_newly_initialised():
    held = tensors("Model")
    chosen, what = fitted("ForSequenceClassification", held)
    assert what.missing == what.newly_initialized == ("classifier.weight", "classifier.bias")
    assert set(chosen) == set(held)
    announced = what.announcement()
    assert "AlbertForSequenceClassification" in announced
    assert "not in folder and are newly initialised: classifier.weight, classifier.bias" in announced
    assert "Train the model" in announced
    with pytest.raises(WeightMismatch, match=r"folder lacks classifier.weight, classifier.bias.*Train this head first"):
        what.require_complete()


def test_a_missing_mlm_head_lists_no_tied_tensor():
    _, what = fitted("ForMaskedLM", tensors("Model"))
    assert what.missing == (
        "predictions.bias",
        "predictions.LayerNorm.weight",
        "predictions.LayerNorm.bias",
        "predictions.dense.weight",
        "predictions.dense.bias",
    )


def test_a_missing_pooler_is_newly_initialised():
    _, what = fitted("ForSequenceClassification", tensors("ForTokenClassification"))
    assert what.missing == ("albert.pooler.weight", "albert.pooler.bias")


def test_layers_that_a_subclass_added_to_the_encoder_are_found_or_newly_initialised():
    wanted = weight_table.expected(CONFIG, "Model") | {"albert.extra.weight": (2,)}
    held, extra = tensors("Model"), np.zeros(2, np.float32)
    chosen, what = fit("Own", wanted, {}, held | {"extra.weight": extra}, "folder")
    assert chosen["albert.extra.weight"] is extra
    assert (what.missing, what.unexpected) == ((), ())
    assert fit("Own", wanted, {}, held, "folder")[1].newly_initialized == ("albert.extra.weight",)


def test_what_the_model_has_no_use_for_is_unexpected():
    held = tensors("ForPreTraining")
    whole = held | {"predictions.decoder.weight": held[WORDS], "predictions.decoder.bias": held["predictions.bias"]}
    _, what = fitted("ForTokenClassification", whole | {"classifier.weight": np.zeros((5, 12)), "cls.x": np.ones(1)})
    unused = [name for name in whole if not name.startswith("albert.") or "pooler" in name]
    assert what.unexpected == tuple(sorted([*unused, "cls.x"]))
    assert what.missing == ("classifier.bias",)


@pytest.mark.parametrize("name", [name for name in tensors("Model") if "pooler" not in name])
def test_a_missing_encoder_tensor_is_an_error(name):
    held = tensors("Model")
    del held[name]
    with pytest.raises(WeightMismatch, match=r"must hold every tensor of the encoder. folder lacks 1") as caught:
        fitted("Model", held)
    assert f"among them {name}" in str(caught.value)
    assert isinstance(caught.value, CheckpointError)
    assert isinstance(caught.value, RuntimeError)
    assert isinstance(caught.value, OSError)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("bert.encoder.layer.0.output.dense.weight", "a BERT"),
        ("tf_bert_model/bert/encoder/layer_._0/output/dense/kernel", "a BERT"),
        ("roberta.encoder.layer.0.output.dense.weight", "a RoBERTa"),
        ("distilbert.transformer.layer.0.attention.q_lin.weight", "a DistilBERT"),
        ("deberta.encoder.layer.0.attention.self.in_proj.weight", "a DeBERTa"),
        ("electra.encoder.layer.0.output.dense.weight", "an ELECTRA"),
        ("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", "a T5"),
        ("h.0.attn.c_attn.weight", "a GPT-2"),
        ("transformer.layer.0.rel_attn.q", "an XLNet"),
        ("model.layers.0.attn.Wqkv.weight", "a ModernBERT"),
    ],
)
def test_another_kind_of_model_is_called_by_its_name(name, kind):
    held = {name: np.ones((2, 2)), "albert.embeddings.LayerNorm.weight": np.ones(6)}
    with pytest.raises(
        WeightMismatch, match=rf"lacks 22.*It holds {name[:8]}.*By its names it is {kind}, or"
    ) as caught:
        fitted("Model", held, ignore_mismatched_sizes=True)
    assert "num_hidden_groups" not in str(caught.value)


def test_names_of_no_model_at_all_do_not_blame_the_config():
    with pytest.raises(WeightMismatch, match=r"lacks 23.*None of its names is that of an ALBERT: check that") as caught:
        fitted("Model", {"net.0.weight": np.ones((2, 2))})
    assert "num_hidden_groups" not in str(caught.value)


def test_a_part_of_a_model_is_called_that():
    held = tensors("Model")
    del held[QUERY]
    with pytest.raises(WeightMismatch, match=r"lacks 1, among them .*query.*It is a part of an ALBERT: save the whole"):
        fitted("Model", held)


def test_two_models_in_one_file_are_told_by_what_they_stand_behind():
    held = {f"{holder}.{name}": tensor for name, tensor in tensors("Model").items() for holder in ("first", "second")}
    with pytest.raises(WeightMismatch, match=r"those of 2 ALBERTs, behind `first\.` and `second\.`: save the one"):
        fitted("Model", held)


def test_lora_layers_are_to_be_merged_first():
    held = {f"base_model.model.{name}": tensor for name, tensor in tensors("Model").items()}
    adapted = f"base_model.model.{QUERY.removesuffix('weight')}"
    held[f"{adapted}base_layer.weight"] = held.pop(f"{adapted}weight")
    held[f"{adapted}lora_A.default.weight"] = np.ones((2, 12))
    with pytest.raises(WeightMismatch, match=r"It has LoRA layers: merge them into the model"):
        fitted("Model", held)


def test_a_class_that_gives_its_albert_another_name_finds_it_again():
    wanted = {f"backbone.{name.removeprefix('albert.')}": shape for name, shape in shapes("Model").items()}
    chosen, what = fit("Own", wanted, {}, tensors("Model"), "folder")
    assert set(chosen) == set(wanted)
    assert (what.missing, what.unexpected) == ((), ())


def test_a_second_group_that_the_file_lacks_is_an_error():
    with pytest.raises(WeightMismatch, match=r"lacks 16, among them .*albert_layer_groups.1.*`num_hidden_groups`"):
        fitted("Model", tensors("Model"), CONFIG.changed(num_hidden_groups=2))


def test_a_wrong_shape_names_both_shapes_and_the_way_out():
    held = tensors("ForSequenceClassification")
    held["classifier.weight"] = np.zeros((2, 12), np.float32)
    with pytest.raises(WeightMismatch, match=r"ignore_mismatched_sizes=True") as caught:
        fitted("ForSequenceClassification", held)
    assert "to be loaded into AlbertForSequenceClassification" in str(caught.value)
    assert "classifier.weight: checkpoint (2, 12), model (5, 12)" in str(caught.value)


def test_a_wrong_shape_is_newly_initialised_where_that_is_asked_for():
    held = tensors("ForSequenceClassification")
    held["classifier.weight"] = np.zeros((2, 12), np.float32)
    chosen, what = fitted("ForSequenceClassification", held, ignore_mismatched_sizes=True)
    assert "classifier.weight" not in chosen
    assert what.mismatched == (("classifier.weight", (2, 12), (5, 12)),)
    assert what.newly_initialized == ("classifier.weight",)
    assert "classifier.weight" not in what.loaded
    assert "classifier.weight has the shape (2, 12) in the file and (5, 12) in the model" in what.announcement()
    assert what.parameters == CONFIG.num_parameters("ForSequenceClassification") - 5 * 12
    with pytest.raises(WeightMismatch):
        what.require_complete()


def test_another_vocabulary_is_named_as_the_cause():
    held = tensors("Model")
    held[WORDS] = np.zeros((30, 6), np.float32)
    with pytest.raises(WeightMismatch, match=r"checkpoint \(30, 6\), model \(31, 6\).*vocabulary size of config.json"):
        fitted("Model", held)


def test_a_transposed_matrix_is_a_wrong_shape():
    held = tensors("Model")
    held["albert.encoder.embedding_hidden_mapping_in.weight"] = np.zeros((6, 12), np.float32)
    with pytest.raises(WeightMismatch, match=r"checkpoint \(6, 12\), model \(12, 6\)"):
        fitted("Model", held)


def test_neither_names_nor_tensors_handed_in_are_changed():
    held = tensors("ForMaskedLM") | {"x": np.ones(1)}
    before = dict(held)
    wanted = weight_table.expected(CONFIG, "ForMaskedLM")
    kept = dict(wanted)
    fit("AlbertForMaskedLM", wanted, weight_table.tied(CONFIG), held, "folder")
    assert list(held) == list(before)
    assert wanted == kept


def test_the_text_form_lists_what_was_not_loaded():
    held = tensors("Model") | {"x": np.ones(1)}
    held["albert.pooler.bias"] = np.zeros(3)
    _, what = fitted("ForSequenceClassification", held, ignore_mismatched_sizes=True)
    lines = str(what).splitlines()
    loaded = CONFIG.num_parameters() - 12
    assert lines[0] == f"AlbertForSequenceClassification from folder: 24 tensors, {loaded:,} parameters loaded"
    assert lines[1:] == [
        "  newly initialised: classifier.weight",
        "  newly initialised: classifier.bias",
        "  newly initialised: albert.pooler.bias, (3,) read, (12,) needed",
        "  unused: 1 of x; `albertkit info --tensors` names all tensors",
    ]


def test_the_text_form_ends_with_what_was_inferred():
    what = dataclasses.replace(fitted("Model", tensors("Model"))[1], notes=("The names stood behind `model.`.",))
    assert str(what).splitlines()[-1] == "  The names stood behind `model.`."


def test_reports_are_equal_by_what_happened():
    first, second = fitted("Model", tensors("Model"))[1], fitted("Model", tensors("Model"))[1]
    assert first == second
    assert first != report.LoadReport("AlbertModel", "elsewhere", first.loaded)
    assert QUERY in first.loaded


@pytest.mark.parametrize("key", ["num_hidden_groups", "inner_group_num"])
def test_layers_that_the_config_does_not_run_are_an_error(key):
    deeper = CONFIG.changed(**{key: 2})
    held = tensors("Model", deeper)
    with pytest.raises(WeightMismatch, match=r"run every layer.*folder holds 16 tensors of other layers.*ignore_mism"):
        fitted("Model", held)
    chosen, what = fitted("Model", held, ignore_mismatched_sizes=True)
    assert set(chosen) == set(tensors("Model"))
    assert len(what.unexpected) == 16
    assert fitted("Model", held, deeper)[1].unexpected == ()


def renamed(held, prefix):
    return {f"{prefix}{name.removeprefix('albert.')}": values for name, values in held.items()}


@pytest.mark.parametrize("prefix", ["bert.", "encoder.", "model.backbone.", "albert.encoder."])
def test_an_encoder_is_found_whatever_a_checkpoint_calls_it(prefix):
    held = tensors("Model")
    chosen, what = fitted("ForSequenceClassification", renamed(held, prefix))
    assert all(chosen[name] is held[name] for name in held)
    assert what.newly_initialized == ("classifier.weight", "classifier.bias")
    assert what.unexpected == ()


@pytest.mark.parametrize("prefix", ["bert.", "encoder."])
def test_an_encoder_is_found_whatever_a_class_calls_it(prefix):
    wanted = renamed(weight_table.expected(CONFIG, "Model"), prefix) | {"head.weight": (2, 12)}
    chosen, what = fit("Own", wanted, {}, tensors("Model"), "folder")
    assert set(chosen) == set(wanted) - {"head.weight"}
    assert what.missing == ("head.weight",)


def test_an_encoder_under_another_name_must_be_whole():
    wanted = renamed(weight_table.expected(CONFIG, "Model"), "bert.")
    held = tensors("Model")
    del held[QUERY]
    with pytest.raises(WeightMismatch, match=r"lacks 1, among them bert\..*query.*self\.albert = AlbertModel"):
        fit("Own", wanted, {}, held, "folder")


def test_of_two_encoders_in_a_checkpoint_none_is_guessed():
    held = renamed(tensors("Model"), "query.") | renamed(tensors("Model"), "passage.")
    with pytest.raises(WeightMismatch, match="must hold every tensor of the encoder"):
        fitted("Model", held)


def test_a_class_that_finds_nothing_of_its_own_is_an_error():
    wanted = {"trunk.weight": (2, 2)}
    with pytest.raises(WeightMismatch, match="folder holds nothing of Own"):
        fit("Own", wanted, {}, tensors("Model"), "folder")


def test_layers_that_a_class_of_its_own_does_not_run_are_an_error():
    wanted = renamed(weight_table.expected(CONFIG, "Model"), "bert.")
    with pytest.raises(WeightMismatch, match="run every layer"):
        fit("Own", wanted, {}, tensors("Model", CONFIG.changed(num_hidden_groups=2)), "folder")


def test_a_decoder_with_other_values_than_those_that_it_is_tied_to_is_announced():
    held = tensors("ForMaskedLM") | {"predictions.decoder.weight": np.full((31, 6), 99, np.float32)}
    chosen, what = fitted("ForMaskedLM", held)
    assert chosen["predictions.decoder.weight"] is held[WORDS]
    assert what.unexpected == ("predictions.decoder.weight",)
    assert "holds predictions.decoder.weight with other values" in what.unused(None)
    assert "pass tie_word_embeddings=False" in what.unused(None)


def test_tensors_of_a_file_of_ones_own_class_that_it_does_not_use_are_announced():
    _, what = fitted("ForSequenceClassification", tensors("ForSequenceClassification") | {"extra.weight": np.ones(2)})
    assert "written by this class and holds tensors that it does not use: extra.weight" in what.unused(
        ["AlbertForSequenceClassification"]
    )
    assert what.unused(["AlbertForMaskedLM"]) is None
    assert what.unused(None) is None


def test_what_does_not_fit_is_caught_as_in_every_framework():
    assert issubclass(WeightMismatch, (RuntimeError,))
    assert issubclass(WeightMismatch, (ValueError,))
