import json
import re

import ml_dtypes
import numpy as np
import pytest

from albertkit import weight_table
from albertkit.checkpoint import files
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError, CheckpointNotFound
from albertkit.tools import summary as summary_module
from albertkit.tools.summary import Part, summarise

WORDS = "albert.embeddings.word_embeddings.weight"
QUERY = "albert.encoder.albert_layer_groups.0.albert_layers.0.attention.query.weight"


def small(**changes):
    keys = {"vocab_size": 31, "embedding_size": 6, "hidden_size": 12, "num_attention_heads": 3, "intermediate_size": 20}
    return AlbertConfig(**{**keys, "max_position_embeddings": 9, "num_hidden_layers": 2, **changes})


def ones(config, model):
    return {name: np.ones(shape, np.float32) for name, shape in weight_table.expected(config, model).items()}


def summary(folder, config, model, tensors=None):
    files.save(folder, config, ones(config, model) if tensors is None else tensors, f"Albert{model}")
    return summarise(folder)


def usable(found):
    """The classes that the summary says the checkpoint holds."""
    return re.findall(r"Albert\w+", next(note for note in found.notes if note.startswith("Holds")))


@pytest.mark.parametrize(
    ("size", "total"), [("base", 11_813_810), ("large", 17_847_474), ("xlarge", 59_021_490), ("xxlarge", 223_158_450)]
)
def test_a_published_size_is_summed_up_without_files(size, total):
    found = summarise(size)
    assert found.title == f"ALBERT {size}, with the heads of pre-training"
    assert found.total == Part("total", 32, total)
    assert [part.name for part in found.parts] == [
        "embeddings",
        "encoder layers",
        "pooler",
        "predictions",
        "sop_classifier",
    ]


def test_the_parts_of_the_base_model():
    parts = {part.name: (part.tensors, part.parameters) for part in summarise("base").parts}
    assert parts["embeddings"] == (5, (30000 + 512 + 2 + 2) * 128)
    assert parts["pooler"] == (2, 768 * 769)
    assert parts["sop_classifier"] == (2, 2 * 769)
    assert parts["predictions"] == (5, 30000 + 2 * 128 + 128 * 769)
    assert parts["encoder layers"][0] == 18


@pytest.mark.parametrize("model", weight_table.PARTS)
@pytest.mark.parametrize("changes", [{}, {"tie_word_embeddings": False}, {"num_hidden_groups": 2}])
def test_the_total_of_a_folder_counts_shared_tensors_once(tmp_path, model, changes):
    config = small(**changes)
    found = summary(tmp_path, config, model)
    assert found.total.parameters == config.num_parameters(model)
    assert found.title == str(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("model", "classes"),
    [
        ("Model", ["AlbertModel"]),
        ("ForPreTraining", ["AlbertModel", "AlbertForPreTraining", "AlbertForMaskedLM"]),
        ("ForMaskedLM", ["AlbertForMaskedLM"]),
        ("ForSequenceClassification", ["AlbertModel", "AlbertForSequenceClassification"]),
        ("ForMultipleChoice", ["AlbertModel", "AlbertForMultipleChoice"]),
        ("ForTokenClassification", ["AlbertForTokenClassification"]),
        ("ForQuestionAnswering", ["AlbertForQuestionAnswering"]),
    ],
)
def test_the_classes_that_a_folder_is_complete_for(tmp_path, model, classes):
    assert usable(summary(tmp_path, small(num_labels=3), model)) == [*classes, "AlbertForSentenceEmbedding"]


@pytest.mark.parametrize(
    ("lost", "classes"),
    [
        ("predictions.dense.bias", ["AlbertModel", "AlbertForSentenceEmbedding"]),
        ("albert.pooler.bias", ["AlbertForMaskedLM", "AlbertForSentenceEmbedding"]),
        (QUERY, []),
    ],
)
def test_a_model_that_lacks_one_tensor_is_not_complete(tmp_path, lost, classes):
    tensors = ones(small(), "ForPreTraining")
    del tensors[lost]
    assert usable(summary(tmp_path, small(), "ForPreTraining", tensors)) == classes


def test_a_folder_of_something_else_holds_no_complete_model(tmp_path):
    found = summary(tmp_path, small(), "Model", {"bert.embeddings.word_embeddings.weight": np.ones((2, 2))})
    assert "Holds no complete model." in found.notes
    assert found.total == Part("total", 1, 4)


def test_values_that_are_not_finite_are_named(tmp_path):
    tensors = ones(small(), "Model")
    tensors[QUERY][0, 0] = np.nan
    tensors["albert.pooler.bias"] = np.full(12, np.inf, ml_dtypes.bfloat16)
    with pytest.raises(CheckpointError, match=rf"Not finite in .*: {QUERY}, albert\.pooler\.bias\."):
        summary(tmp_path, small(), "Model", tensors)


def test_shapes_that_do_not_fit_the_config_are_named(tmp_path):
    tensors = ones(small(), "Model") | {WORDS: np.ones((30, 6), np.float32)}
    found = summary(tmp_path, small(), "Model", tensors)
    assert f"Shapes that do not fit config.json: {WORDS}." in found.notes
    assert usable(found) == []


def test_a_sound_model_gets_no_complaint(tmp_path):
    notes = " ".join(summary(tmp_path, small(), "Model").notes)
    assert "finite" not in notes
    assert "fit" not in notes


def test_what_is_said_about_a_checkpoint(tmp_path):
    config = small(
        num_hidden_groups=2,
        inner_group_num=2,
        id2label={0: "bad", 1: "good"},
        problem_type="single_label_classification",
    )
    notes = summary(tmp_path, config, "ForSequenceClassification").notes
    assert notes[0] == "Stored as float32."
    assert notes[1] == (
        "4 layers run 4 sets of weights; hidden size 12, 3 heads, embedding size 6, vocabulary 31, at most 9 tokens."
    )
    assert "Saved from AlbertForSequenceClassification." in notes
    assert "single_label_classification: bad, good." in notes


def test_one_shared_set_of_weights_is_said_in_the_singular():
    assert summarise("base").notes[0].startswith("12 layers run 1 set of weights;")
    assert "vocabulary 30,000" in summarise("base").notes[0]


def test_the_arithmetic_of_the_base_model():
    assert "22.4 GFLOP for 128 tokens and 96.7 GFLOP for 512 tokens" in summarise("base").notes[1]


@pytest.mark.torch
def test_the_arithmetic_is_what_torch_counts():
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from albertkit.torch.models import AlbertModel

    config = small(num_hidden_groups=2, inner_group_num=3, attn_implementation="eager")
    model = AlbertModel(config, add_pooling_layer=False)
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 7, dtype=torch.long))
    assert summary_module.forward_flops(config, 7) == counter.get_total_flops()


def test_a_length_that_the_model_cannot_read_is_not_spoken_of(tmp_path):
    note = summary(tmp_path, small(), "Model").notes[2]
    assert note.startswith("Forward pass of the encoder: ")
    assert "GFLOP for 9 tokens" in note
    assert "128" not in note
    assert " 0 GFLOP" not in note


def test_the_precision_is_that_of_the_file_whatever_the_config_states(tmp_path):
    config = small()
    halves = {name: values.astype(np.float16) for name, values in ones(config, "Model").items()}
    files.save(tmp_path, config, halves, "AlbertModel")
    stated = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(stated | {"dtype": "float32"}))
    assert summarise(tmp_path).notes[0] == "Stored as float16."


def test_heads_of_one_shape_are_both_named_where_the_config_names_none(tmp_path):
    config = small(num_labels=3)
    files.save(tmp_path, config, ones(config, "ForSequenceClassification"), "SomeoneElsesModel")
    assert (
        "Holds all weights of AlbertModel. Holds a classifier of 3 classes: of AlbertForSequenceClassification or of "
        "AlbertForTokenClassification, which config.json does not say." in summarise(tmp_path).notes
    )


def test_groups_that_never_run_are_told_from_those_that_do(tmp_path):
    notes = summary(tmp_path, small(num_hidden_layers=4, num_hidden_groups=12), "Model").notes
    assert any(note.startswith("4 layers run 4 sets of weights, and 8 more never run; ") for note in notes)


def test_an_encoder_under_another_name_is_complete_where_it_can_be_read(tmp_path):
    held = {f"bert.{name.removeprefix('albert.')}": values for name, values in ones(small(), "Model").items()}
    found = summary(tmp_path, small(), "Model", held)
    assert usable(found) == ["AlbertModel"]
    assert [part.name for part in found.parts] == ["embeddings", "encoder layers", "pooler"]


def test_sizes_are_said_in_mebibytes():
    assert Part("x", 1, 2**20).size(4) == "4.0 MiB"


def test_an_unknown_name_is_not_found(tmp_path):
    with pytest.raises(CheckpointNotFound):
        summarise(tmp_path / "nowhere")


def test_layers_that_the_config_does_not_run_are_named(tmp_path):
    tensors = ones(small(num_hidden_groups=2), "Model")
    found = summary(tmp_path, small(), "Model", tensors)
    other = "albert.encoder.albert_layer_groups.1"
    assert any(note.startswith(f"Layers that config.json does not run: 16 tensors, {other}") for note in found.notes)
