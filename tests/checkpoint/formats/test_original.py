"""Checkpoints of the original code and of TF-Hub: files of `tf_checkpoints`, and a golden one that TensorFlow wrote."""

import json
import logging
import re
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit import weight_table
from albertkit.checkpoint import files, report
from albertkit.checkpoint.formats import original
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError, CheckpointNotFound, WeightMismatch
from checkpoint.formats import tf_checkpoints

SMALL = {
    "vocab_size": 31,
    "embedding_size": 6,
    "hidden_size": 12,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 9,
    "num_hidden_layers": 4,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
}


def drawn(model, **changes):
    config = AlbertConfig(**{**SMALL, **changes})
    rng = np.random.default_rng(0)
    shapes = weight_table.expected(config, model)
    return {
        name: rng.standard_normal(shape).astype(np.float32)
        for name, shape in shapes.items()
        if name not in weight_table.tied(config)
    }


def variables(tensors):
    """{variable: value} as the original code stores them."""
    stored = {name: original.variable_name(name) for name in tensors}
    return {stored[name]: value.T if stored[name].endswith("/kernel") else value for name, value in tensors.items()}


def write(folder, stored, name="model.ckpt-best", config=None, **options):
    folder.mkdir(parents=True, exist_ok=True)
    if config is not None:
        (folder / "albert_config.json").write_text(json.dumps({**SMALL, **config}))
    return tf_checkpoints.write(
        folder / name, {key: np.ascontiguousarray(value) for key, value in stored.items()}, **options
    )


def same(found, expected):
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert found[name].shape == tensor.shape
        assert found[name].flags.c_contiguous
        assert found[name].tobytes() == np.ascontiguousarray(tensor).tobytes()


@pytest.mark.torch
def test_the_golden_checkpoint_computes_what_its_model_computed(data):
    torch = pytest.importorskip("torch")
    from albertkit.torch.models import AlbertForPreTraining

    expected = np.load(data / "legacy" / "tensorflow" / "outputs.npz")
    model = AlbertForPreTraining.from_pretrained(data / "legacy" / "original")
    assert not model.load_report.missing
    assert not model.load_report.unexpected
    with torch.inference_mode():
        outputs = model(torch.from_numpy(expected["input_ids"]))
    for name in ("prediction_logits", "sop_logits"):
        assert np.abs(outputs[name].numpy() - expected[name]).max() < 1e-5 * np.abs(expected[name]).max()


def test_the_golden_checkpoint_has_the_bits_of_its_other_forms(data):
    checkpoint = files.load(data / "legacy" / "original")
    others = files.load(data / "legacy" / "tensorflow_safetensors").tensors
    same(checkpoint.tensors, {name: value for name, value in others.items() if name != "predictions.decoder.bias"})
    norm = "bert/embeddings/LayerNorm"
    assert set(checkpoint.skipped) == {
        *(f"{norm}/{leaf}/{slot}" for leaf in ("beta", "gamma") for slot in ("adam_m", "adam_v")),
        "global_step",
    }
    assert checkpoint.source == data / "legacy" / "original" / "model.ckpt-best"


@pytest.mark.parametrize("place", ["", "model.ckpt-best", "model.ckpt-best.index"])
def test_a_checkpoint_is_found_by_its_folder_prefix_or_index(data, place):
    folder = data / "legacy" / "original"
    assert files.load(folder / place).source == folder / "model.ckpt-best"


@pytest.mark.parametrize("file", ["index", "data-00000-of-00002", "data-00001-of-00002"])
def test_the_golden_checkpoint_cut_never_gives_other_numbers(data, tmp_path, file):
    shutil.copytree(data / "legacy" / "original", tmp_path, dirs_exist_ok=True)
    expected = files.load(tmp_path).tensors
    expected = {name: value.copy() for name, value in expected.items()}
    path = tmp_path / f"model.ckpt-best.{file}"
    whole = path.read_bytes()
    for length in np.random.default_rng(0).integers(0, len(whole), 25):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"model\.ckpt-best"):
            same(files.load(tmp_path).tensors, expected)


PLACES = [(0, 0), (0, 1), (3, 0), (12, 17)]
NAMES = [row.name.format(g=g, j=j) for row in weight_table.TABLE for g, j in PLACES if "decoder" not in row.name]


@pytest.mark.parametrize("module", ["", "module/"])
def test_every_name_goes_to_the_original_code_and_back(module):
    for name in NAMES:
        assert original.canonical_name(module + original.variable_name(name)) == name


def test_names_are_those_of_published_checkpoints():
    layer, scope = (
        "albert.encoder.albert_layer_groups.0.albert_layers.0",
        "bert/encoder/transformer/group_0/inner_group_0",
    )
    for name, stored in {
        f"{layer}.attention.query.weight": f"{scope}/attention_1/self/query/kernel",
        f"{layer}.attention.dense.bias": f"{scope}/attention_1/output/dense/bias",
        f"{layer}.attention.LayerNorm.weight": f"{scope}/LayerNorm/gamma",
        f"{layer}.full_layer_layer_norm.bias": f"{scope}/LayerNorm_1/beta",
        f"{layer}.ffn.weight": f"{scope}/ffn_1/intermediate/dense/kernel",
        f"{layer}.ffn_output.bias": f"{scope}/ffn_1/intermediate/output/dense/bias",
        "albert.embeddings.word_embeddings.weight": "bert/embeddings/word_embeddings",
        "albert.encoder.embedding_hidden_mapping_in.weight": "bert/encoder/embedding_hidden_mapping_in/kernel",
        "albert.pooler.weight": "bert/pooler/dense/kernel",
        "predictions.bias": "cls/predictions/output_bias",
        "predictions.LayerNorm.weight": "cls/predictions/transform/LayerNorm/gamma",
        "sop_classifier.classifier.weight": "cls/seq_relationship/output_weights",
        "classifier.bias": "output_bias",
    }.items():
        assert original.variable_name(name) == stored
    assert original.variable_name("predictions.decoder.weight") is None


@pytest.mark.parametrize("number", ["", "_25"])
def test_norms_that_keras_numbered_are_known_outside_the_layers(number):
    for scope, module in {
        "bert/embeddings": "albert.embeddings.LayerNorm",
        "cls/predictions/transform": "predictions.LayerNorm",
    }.items():
        assert original.canonical_name(f"{scope}/layer_normalization{number}/gamma") == f"{module}.weight"


@pytest.mark.parametrize(
    ("name", "slot"),
    [
        ("bert/pooler/dense/kernel/adam_m", True),
        ("bert/pooler/dense/kernel/adam_v", True),
        ("bert/pooler/dense/kernel/lamb_v", True),
        ("bert/pooler/dense/kernel/Adam", True),
        ("bert/pooler/dense/kernel/Adam_1", True),
        ("bert/pooler/dense/kernel/AdamWeightDecayOptimizer_1", True),
        ("bert/pooler/dense/kernel/Momentum", True),
        ("global_step", True),
        ("beta1_power", True),
        ("loss_scale", True),
        ("save_counter/.ATTRIBUTES/VARIABLE_VALUE", True),
        ("_CHECKPOINTABLE_OBJECT_GRAPH", True),
        ("bert/pooler/dense/kernel", False),
        ("start_logits/dense/kernel", False),
        ("output_bias", False),
    ],
)
def test_what_belongs_to_the_training_is_told_from_weights(name, slot):
    assert original.is_training_state(name) is slot


@pytest.mark.parametrize("model", weight_table.PARTS)
@pytest.mark.parametrize("changes", [{}, {"num_hidden_groups": 2, "inner_group_num": 2}])
@pytest.mark.parametrize("module", ["", "module/"])
def test_every_model_is_read(tmp_path, model, changes, module):
    tensors = drawn(model, **changes)
    stored = {module + name: value for name, value in variables(tensors).items()}
    prefix = write(tmp_path, stored | {"global_step": np.array(5, np.int64)}, config=changes, shards=2)
    checkpoint = files.load(prefix)
    same(checkpoint.tensors, tensors)
    assert checkpoint.skipped == ("global_step",)
    assert checkpoint.renamed == {stored: original.canonical_name(stored) for stored in stored}
    _, what = report.fit(
        model,
        weight_table.expected(checkpoint.config, model),
        weight_table.tied(checkpoint.config),
        checkpoint.tensors,
        "x",
    )
    assert not what.missing
    assert not what.unexpected


def test_slots_are_not_even_read(tmp_path):
    tensors = drawn("Model")
    stored = variables(tensors)
    slots = {f"{name}/adam_v": value for name, value in stored.items()}
    write(tmp_path, stored | slots, config={}, shards=2 * len(stored))  # in order, every second file holds a slot alone
    for name, entry in original.tf_checkpoint.open_checkpoint(tmp_path / "model.ckpt-best").entries.items():
        if original.is_training_state(name):
            (tmp_path / f"model.ckpt-best.data-{entry.shard:05}-of-{2 * len(stored):05}").unlink()
    same(files.load(tmp_path).tensors, tensors)


def test_gelu_of_the_original_code_is_its_tanh_form(tmp_path):
    write(tmp_path, variables(drawn("Model")), config={})
    checkpoint = files.load(tmp_path)
    assert checkpoint.config.hidden_act == "gelu_new"
    assert "gelu_new, its tanh form" in " ".join(checkpoint.notes)
    AlbertConfig(**SMALL).save_pretrained(tmp_path)  # written by Transformers, where gelu is the exact form
    assert files.load(tmp_path).config.hidden_act == "gelu_new"
    (tmp_path / "albert_config.json").unlink()
    assert files.load(tmp_path).config.hidden_act == "gelu"


def test_a_config_may_be_named_after_its_size(tmp_path):
    write(tmp_path, variables(drawn("Model")), config={})
    (tmp_path / "albert_config.json").rename(tmp_path / "albert_config_tiny_google.json")
    assert files.load(tmp_path).config.hidden_size == 12


@pytest.mark.parametrize("classes", [1, 2, 5])
def test_the_number_of_classes_is_read_from_the_head(tmp_path, classes):
    write(tmp_path, variables(drawn("ForSequenceClassification", num_labels=classes)), config={})
    assert files.load(tmp_path).config.num_labels == classes


def test_question_answering_heads_of_two_versions(tmp_path):
    tensors = drawn("ForQuestionAnswering")
    write(tmp_path / "v1", variables(tensors), config={})
    same(files.load(tmp_path / "v1").tensors, tensors)
    # What the graph of the original code for SQuAD 2.0 is given by its scopes and layers.
    shapes = {
        "start_logits/dense/kernel": (12, 1),
        "start_logits/dense/bias": (1,),
        "end_logits/dense_0/kernel": (24, 12),
        "end_logits/dense_0/bias": (12,),
        "end_logits/LayerNorm/gamma": (12,),
        "end_logits/LayerNorm/beta": (12,),
        "end_logits/dense_1/kernel": (12, 1),
        "end_logits/dense_1/bias": (1,),
        "answer_class/dense_0/kernel": (24, 12),
        "answer_class/dense_0/bias": (12,),
        "answer_class/dense_1/kernel": (12, 1),
    }
    beams = {name: np.random.default_rng(1).standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    stored = {name: value for name, value in variables(tensors).items() if "squad" not in name} | beams
    write(tmp_path / "v2", stored | {"cls/squad/output_bias": np.ones(1, np.float32)}, config={})
    checkpoint = files.load(tmp_path / "v2")
    expected = weight_table.expected(checkpoint.config, "ForQuestionAnsweringBeamSearch")
    assert set(checkpoint.tensors) == {*expected, "cls/squad/output_bias"}
    assert {name: checkpoint.tensors[name].shape for name in expected} == expected
    kernel = checkpoint.tensors["end_logits.dense_0.weight"]
    np.testing.assert_array_equal(kernel, beams["end_logits/dense_0/kernel"].T)


@pytest.mark.parametrize("name", ["cls/squad/output_bias", "cls/squad/output_weights", "output_weights"])
def test_a_head_that_is_one_number_is_no_head_of_a_model(tmp_path, name):
    stored = variables(drawn("Model")) | {name: np.array(0.5, np.float32)}
    write(tmp_path, stored, config={}, shapes={name: ()})
    checkpoint = files.load(tmp_path)
    canonical = "classifier.weight" if name == "output_weights" else name
    assert checkpoint.tensors[canonical].shape == ()
    if name == "output_weights":
        expected = weight_table.expected(checkpoint.config, "ForSequenceClassification")
        with pytest.raises(WeightMismatch, match=r"classifier\.weight.*checkpoint \(\)"):
            report.fit("AlbertForSequenceClassification", expected, {}, checkpoint.tensors, "x")


@pytest.mark.parametrize(
    "name", ["group_0/layer_normalization_{}/gamma", "group_{}/inner_group_0/ffn_1/intermediate/dense/kernel"]
)
def test_a_number_in_a_name_that_is_longer_than_any_name_is_refused(tmp_path, name):
    extra = {f"bert/encoder/transformer/{name.format('9' * 5000)}": np.zeros((12, 20), np.float32)}
    write(tmp_path, loose(drawn("Model"), 1, 1, 4) | extra, config={})
    with pytest.raises(CheckpointError, match="a name in it has more than 1,000 bytes"):
        files.load(tmp_path)


def test_a_vocabulary_that_the_config_does_not_state_stays_an_error(tmp_path):
    write(tmp_path, variables(drawn("Model")), config={"vocab_size": 30})
    checkpoint = files.load(tmp_path)
    with pytest.raises(WeightMismatch, match=r"checkpoint \(31, 6\), model \(30, 6\)"):
        report.fit("AlbertModel", weight_table.expected(checkpoint.config, "Model"), {}, checkpoint.tensors, "x")


def test_of_several_checkpoints_the_newest_is_read(tmp_path):
    for step in (10, 20, 30):
        write(tmp_path, variables(drawn("Model")), f"model.ckpt-{step}", config={})
    (tmp_path / "checkpoint").write_text(
        'model_checkpoint_path: "gs://bucket/run/model.ckpt-20"\nall_model_checkpoint_paths: "model.ckpt-30"\n'
    )
    assert files.load(tmp_path).source.name == "model.ckpt-20"
    assert files.load(tmp_path / "model.ckpt-10").source.name == "model.ckpt-10"
    alone = write(tmp_path / "alone", variables(drawn("Model")), config={})
    shutil.copy(tmp_path / "checkpoint", tmp_path / "alone")  # which names one that was not copied with it
    assert files.load(tmp_path / "alone").source == alone
    (tmp_path / "checkpoint").unlink()
    with pytest.raises(
        CheckpointError, match=r"holds model.ckpt-10, model.ckpt-20, model.ckpt-30\. Give the path of one"
    ):
        files.load(tmp_path)


def test_only_safetensors_were_asked_for(tmp_path):
    prefix = write(tmp_path, variables(drawn("Model")), config={})
    for place in (tmp_path, prefix):
        with pytest.raises(CheckpointNotFound):
            files.load(place, use_safetensors=True)
    assert files.load(tmp_path, use_safetensors=False).source == prefix


def test_a_saved_model_of_the_hub_is_read(tmp_path):
    tensors = drawn("ForMaskedLM")
    write(tmp_path / "variables", variables(tensors), "variables")
    (tmp_path / "saved_model.pb").write_bytes(b"")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "albert_config.json").write_text(json.dumps(SMALL))
    checkpoint = files.load(tmp_path)
    same(checkpoint.tensors, tensors)
    assert checkpoint.config.num_hidden_layers == 4
    (tmp_path / "assets" / "albert_config.json").unlink()
    with pytest.raises(CheckpointNotFound, match=re.escape(f"into {tmp_path}, or pass `config`.")):
        files.load(tmp_path)
    assert files.load(tmp_path, config=AlbertConfig(**SMALL)).config.hidden_act == "gelu"


@pytest.mark.parametrize("size", ["base", "large"])
def test_without_a_config_a_published_size_is_recognised_and_said(tmp_path, caplog, size):
    config = getattr(AlbertConfig, size)(vocab_size=40, max_position_embeddings=16)
    tensors = {name: np.zeros(shape, np.float32) for name, shape in weight_table.expected(config, "Model").items()}
    write(tmp_path, variables(tensors))
    with caplog.at_level(logging.WARNING):
        checkpoint = files.load(tmp_path)
    assert f"the shapes are those of the size {size}, taken for {config.num_hidden_layers} layers" in caplog.text
    assert checkpoint.notes[0] in caplog.text
    assert checkpoint.config == config


def test_only_the_width_of_published_embeddings_tells_a_size(tmp_path):
    config = AlbertConfig.base(vocab_size=40, max_position_embeddings=16, embedding_size=64)
    tensors = {name: np.zeros(shape, np.float32) for name, shape in weight_table.expected(config, "Model").items()}
    write(tmp_path, variables(tensors))
    with pytest.raises(CheckpointNotFound, match="needs a config, and its shapes are of no published size"):
        files.load(tmp_path)


def loose(tensors, groups, inner, layers):
    """Variables of code that makes its LayerNorms with Keras: numbered, and its own in each layer."""
    stored = {name: value for name, value in variables(tensors).items() if "/LayerNorm" not in name}
    stored |= {
        f"bert/embeddings/layer_normalization/{leaf}": np.full(6, n, np.float32)
        for n, leaf in enumerate(("gamma", "beta"))
    }
    number = 1
    for layer in range(layers):
        group = layer * groups // layers
        scope = f"group_{group}" + (f"_{layer % (layers // groups)}" if layer % (layers // groups) else "")
        for place in range(inner):
            for _ in ("attention", "feed-forward"):
                path = (
                    f"bert/encoder/transformer/{scope}/layer_{layer}/inner_group_{place}/layer_normalization_{number}"
                )
                stored |= {
                    f"{path}/{leaf}": np.full(12, number + half, np.float32)
                    for leaf, half in (("gamma", 0), ("beta", 0.5))
                }
                number += 1
    return stored


@pytest.mark.parametrize(("groups", "inner"), [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)])
def test_layer_norms_that_are_not_shared_make_each_layer_a_group(tmp_path, groups, inner):
    changes = {"num_hidden_groups": groups, "inner_group_num": inner}
    tensors = drawn("Model", **changes)
    write(tmp_path, loose(tensors, groups, inner, 4), config=changes)
    checkpoint = files.load(tmp_path)
    assert checkpoint.config.num_hidden_groups == 4
    _, what = report.fit("AlbertModel", weight_table.expected(checkpoint.config, "Model"), {}, checkpoint.tensors, "x")
    assert not what.missing
    assert not what.unexpected
    number = 1
    for layer in range(4):
        for place in range(inner):
            ours = f"albert.encoder.albert_layer_groups.{layer}.albert_layers.{place}"
            theirs = f"albert.encoder.albert_layer_groups.{layer * groups // 4}.albert_layers.{place}"
            assert np.array_equal(checkpoint.tensors[f"{ours}.ffn.weight"], tensors[f"{theirs}.ffn.weight"])
            for norm in ("attention.LayerNorm", "full_layer_layer_norm"):
                assert (checkpoint.tensors[f"{ours}.{norm}.weight"] == number).all()
                assert (checkpoint.tensors[f"{ours}.{norm}.bias"] == number + 0.5).all()
                number += 1
    assert "layer_norm_eps" in " ".join(checkpoint.notes)
    shared = "albert.encoder.albert_layer_groups.{}.albert_layers.0.ffn.weight"
    assert not np.shares_memory(checkpoint.tensors[shared.format(0)], checkpoint.tensors[shared.format(1)])


def test_layer_norms_that_are_numbered_but_shared_are_placed(tmp_path):
    tensors = drawn("Model")
    stored = {
        re.sub(r"LayerNorm(_1)?", lambda match: f"layer_normalization{match[1] or ''}", name): value
        for name, value in variables(tensors).items()
    }
    write(tmp_path, stored, config={})
    checkpoint = files.load(tmp_path)
    same(checkpoint.tensors, tensors)
    assert checkpoint.config.num_hidden_groups == 1


def test_layer_norms_that_do_not_count_up_are_refused(tmp_path):
    stored = loose(drawn("Model"), 1, 1, 4)
    stored = {name: value for name, value in stored.items() if "layer_normalization_8" not in name}
    write(tmp_path, stored, config={})
    with pytest.raises(CheckpointError, match=r"must be two for each of 4 layers.* has 7"):
        files.load(tmp_path)


def test_the_layout_of_albert_zh_is_refused_with_the_way_out(tmp_path):
    stored = {"bert/embeddings/word_embeddings": (31, 6), "bert/embeddings/word_embeddings_2": (6, 12)}
    stored |= {"bert/encoder/layer_shared/intermediate/dense/kernel": (12, 20)}
    write(tmp_path, {name: np.zeros(shape, np.float32) for name, shape in stored.items()}, config={})
    with pytest.raises(CheckpointError, match=r"that of the repository albert_zh.*albert_tiny_zh_google"):
        files.load(tmp_path)


@pytest.mark.parametrize("name", ["transformer/self_attention/key/kernel", "cls/predictions/output_bias", "x"])
def test_variables_of_other_models_are_refused(tmp_path, name):
    write(tmp_path, {name: np.zeros(3, np.float32)}, config={})
    with pytest.raises(CheckpointError, match=f"must hold the variables of ALBERT's original code.*holds {name}"):
        files.load(tmp_path)


@given(st.text("abglou_/10", max_size=30))
def test_other_names_are_not_known(name):
    assert original.canonical_name(name) is None
