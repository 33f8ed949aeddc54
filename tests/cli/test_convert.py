"""albertkit convert, and the function behind it."""

import json
import shutil

import ml_dtypes
import numpy as np
import pytest

from albertkit import weight_table
from albertkit.checkpoint import files
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError, InputError, WeightMismatch
from albertkit.tools.convert import convert, read_config
from terminal import albertkit

SOURCES = ["tensorflow", "tensorflow_safetensors", "flax", "flax_safetensors", "original"]
WORDS = "albert.embeddings.word_embeddings.weight"


def small(**changes):
    keys = {"vocab_size": 31, "embedding_size": 6, "hidden_size": 12, "num_attention_heads": 3, "intermediate_size": 20}
    return AlbertConfig(**{**keys, "max_position_embeddings": 9, "num_hidden_layers": 2, **changes})


def drawn(config, model):
    rng = np.random.default_rng(0)
    shapes = weight_table.expected(config, model)
    tensors = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    return tensors | {name: tensors[other] for name, other in weight_table.tied(config).items() if name in tensors}


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def copy_of(source, folder):
    """A folder with the files of another, which is returned."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(params=SOURCES)
def source(request, data):
    pytest.importorskip({"tensorflow": "h5py", "flax": "msgpack"}.get(request.param, "numpy"))
    return data / "legacy" / request.param


def test_a_checkpoint_becomes_a_folder_of_today(source, tmp_path):
    before = files.load(source)
    done = convert(source, tmp_path / "new")
    after = files.load(tmp_path / "new")
    assert listing(tmp_path / "new") == ["config.json", "model.safetensors"]
    assert after.tensors.keys() == before.tensors.keys() - weight_table.tied(before.config).keys()
    for name, tensor in after.tensors.items():
        assert tensor.dtype == before.tensors[name].dtype
        assert tensor.tobytes() == before.tensors[name].tobytes()
    assert after.config.architectures == ["AlbertForPreTraining"]
    assert after.config.num_hidden_groups == 2
    assert done.report.model == "AlbertForPreTraining"
    assert f"{len(after.tensors)} tensors loaded" in str(done)


def test_a_model_of_sentence_vectors_keeps_how_they_are_pooled(tmp_path):
    config = small(sentence_pooling="max", sentence_special_tokens=True, sentence_normalize=True)
    files.save(tmp_path / "old", config, drawn(config, "ForSentenceEmbedding"), "AlbertForSentenceEmbedding")
    convert(tmp_path / "old", tmp_path / "new")
    assert listing(tmp_path / "new") == listing(tmp_path / "old")
    assert files.load(tmp_path / "new").config.sentence_pooling == "max"
    files.save(tmp_path / "other", small(), drawn(small(), "Model"), "AlbertModel")
    convert(tmp_path / "other", tmp_path / "new", overwrite=True)
    assert "modules.json" not in listing(tmp_path / "new")


def test_the_command_explains_itself():
    done = albertkit("convert", "--help")
    assert done.returncode == 0
    assert "--architecture" in done.stdout


def test_the_command_prints_what_became_of_each_tensor(data, tmp_path):
    done = albertkit("convert", data / "legacy" / "original", tmp_path / "new", "--dtype", "bfloat16")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].endswith(f"model.ckpt-best -> {tmp_path / 'new'}, AlbertForPreTraining")
    assert "  renamed: bert/pooler/dense/kernel -> albert.pooler.weight" in lines
    assert "  skipped: global_step" in lines
    assert "80 tensors loaded, 80 renamed, 5 skipped, 0 missing, 0 unexpected." in lines
    assert lines[-1] == "Written as bfloat16 and read back: every bit is the same."
    checkpoint = files.load(tmp_path / "new")
    assert checkpoint.config.dtype == "bfloat16"
    assert checkpoint.tensors[WORDS].dtype == ml_dtypes.bfloat16


def test_what_was_inferred_stays_with_the_folder_until_the_model_is_saved_anew(data, tmp_path):
    folder = copy_of(data / "legacy" / "original", tmp_path / "old")
    done = convert(folder, tmp_path / "new")
    assert done.notes
    assert files.load(tmp_path / "new").notes == files.load(folder).notes == done.notes
    for place in (folder, tmp_path / "new"):
        shown = " ".join(albertkit("info", place).stdout.split())
        assert all(note in shown for note in done.notes)
    again = convert(tmp_path / "new", tmp_path / "again", architecture="AlbertModel")
    assert files.load(tmp_path / "again").notes == again.notes == done.notes
    checkpoint = files.load(tmp_path / "new")
    files.save(tmp_path / "saved", checkpoint.config, checkpoint.tensors, "AlbertForPreTraining")
    assert files.load(tmp_path / "saved").notes == ()


def test_the_command_takes_an_architecture_and_a_config(data, tmp_path):
    folder = copy_of(data / "legacy" / "original", tmp_path / "old")
    (folder / "albert_config.json").replace(tmp_path / "sizes.json")
    options = ("--architecture", "AlbertForMaskedLM", "--config", tmp_path / "sizes.json")
    done = albertkit("convert", folder / "model.ckpt-best", tmp_path / "new", *options)
    assert done.returncode == 0, done.stderr
    checkpoint = files.load(tmp_path / "new")
    assert checkpoint.config.hidden_act == "gelu_new"
    assert checkpoint.config.architectures == ["AlbertForMaskedLM"]
    assert "albert.pooler.weight" not in checkpoint.tensors
    assert "  unexpected: albert.pooler.weight, left out" in done.stdout.splitlines()
    again = albertkit("convert", folder / "model.ckpt-best", tmp_path / "new", *options)
    assert again.returncode == 1
    assert "holds files already. Overwrite with --overwrite." in again.stderr
    assert albertkit("convert", folder / "model.ckpt-best", tmp_path / "new", *options, "--overwrite").returncode == 0


@pytest.mark.parametrize(
    ("model", "stated", "chosen"),
    [
        ("Model", None, "Model"),
        ("ForPreTraining", None, "ForPreTraining"),
        ("ForMaskedLM", None, "ForMaskedLM"),
        ("ForQuestionAnswering", None, "ForQuestionAnswering"),
        ("ForQuestionAnsweringBeamSearch", None, "ForQuestionAnsweringBeamSearch"),
        ("ForSequenceClassification", None, "ForSequenceClassification"),
        ("ForTokenClassification", None, "ForTokenClassification"),
        ("ForMultipleChoice", "AlbertForMultipleChoice", "ForMultipleChoice"),
        ("ForTokenClassification", "TFAlbertForTokenClassification", "ForTokenClassification"),
        ("ForMaskedLM", "AlbertForPreTraining", "ForMaskedLM"),  # what is stated is not there
        ("ForMaskedLM", "BertForMaskedLM", "ForMaskedLM"),
    ],
)
def test_the_architecture_is_the_stated_one_or_that_of_the_tensors(tmp_path, model, stated, chosen):
    config = small(num_labels=1 if model == "ForMultipleChoice" else 3)
    files.save(tmp_path / "old", config, drawn(config, model), stated or "")
    keys = json.loads((tmp_path / "old" / "config.json").read_text())
    keys["architectures"] = [stated] if stated else None
    (tmp_path / "old" / "config.json").write_text(json.dumps(keys))
    done = convert(tmp_path / "old", tmp_path / "new")
    assert done.report.model == f"Albert{chosen}"
    assert bool(done.notes) == (chosen == "ForSequenceClassification")
    assert not done.report.unexpected


def test_a_pooler_that_the_head_does_not_use_is_kept_unless_an_architecture_is_asked_for(tmp_path):
    tensors = drawn(small(), "ForMaskedLM") | drawn(small(), "Model")
    files.save(tmp_path / "old", small(), {**tensors, "my.tensor": np.ones(3, np.float32)}, "AlbertForMaskedLM")
    done = convert(tmp_path / "old", tmp_path / "kept")
    assert "albert.pooler.weight" in files.load(tmp_path / "kept").tensors
    assert "unexpected: albert.pooler.bias (kept, though AlbertForMaskedLM does not use it)" in str(done)
    assert "unexpected: my.tensor, left out" in str(done)
    convert(tmp_path / "old", tmp_path / "exact", architecture="TFAlbertForMaskedLM")
    wanted = weight_table.expected(small(), "ForMaskedLM").keys() - weight_table.tied(small()).keys()
    assert files.load(tmp_path / "exact").tensors.keys() == wanted


@pytest.mark.parametrize("tie", [True, False])
def test_an_untied_head_survives(tmp_path, tie):
    config = small(tie_word_embeddings=False)
    tensors = drawn(config, "ForMaskedLM")
    files.save(tmp_path / "old", config, tensors, "AlbertForMaskedLM")
    if tie:
        with pytest.raises(CheckpointError, match=r"Tied tensors must be equal.*\"tie_word_embeddings\": false"):
            convert(tmp_path / "old", tmp_path / "new", config=small())
        return
    convert(tmp_path / "old", tmp_path / "new")
    found = files.load(tmp_path / "new").tensors
    assert found.keys() == tensors.keys()
    assert all(np.array_equal(found[name], tensor) for name, tensor in tensors.items())


def test_what_is_incomplete_is_refused_and_nothing_is_written(data, tmp_path):
    with pytest.raises(CheckpointError, match=r"must be complete.*lacks classifier.weight, classifier.bias of Albert"):
        convert(data / "legacy" / "original", tmp_path / "new", architecture="AlbertForTokenClassification")
    broken = copy_of(data / "legacy" / "original", tmp_path / "old")
    (broken / "model.ckpt-best.data-00001-of-00002").write_bytes(b"")
    with pytest.raises(CheckpointError, match="have not: the file is damaged"):
        convert(broken, tmp_path / "new")
    with pytest.raises(WeightMismatch, match="The vocabulary size of config"):
        convert(data / "legacy" / "tensorflow_safetensors", tmp_path / "new", config=small(vocab_size=30))
    assert not (tmp_path / "new").exists()


def test_a_folder_that_holds_something_is_only_overwritten_on_request(data, tmp_path):
    (tmp_path / "new").mkdir()
    convert(data / "legacy" / "original", tmp_path / "new")  # an empty one is new
    old = (tmp_path / "new" / "model.safetensors").read_bytes()
    with pytest.raises(InputError, match="holds files already"):
        convert(data / "legacy" / "flax_safetensors", tmp_path / "new")
    assert (tmp_path / "new" / "model.safetensors").read_bytes() == old
    convert(data / "legacy" / "flax_safetensors", tmp_path / "new", overwrite=True)
    assert (tmp_path / "new" / "model.safetensors").read_bytes() != old


def test_what_reads_back_otherwise_never_takes_its_place(data, tmp_path, monkeypatch):
    convert(data / "legacy" / "original", tmp_path / "new")
    old = (tmp_path / "new" / "model.safetensors").read_bytes()
    write = files.write

    def flawed(folder, *args, **kwargs):
        write(folder, *args, **kwargs)
        content = bytearray((folder / "model.safetensors").read_bytes())
        content[-1] ^= 1
        (folder / "model.safetensors").write_bytes(content)

    monkeypatch.setattr(files, "write", flawed)
    with pytest.raises(CheckpointError, match=r"must read back the same|must have the checksum"):
        convert(data / "legacy" / "flax_safetensors", tmp_path / "new", overwrite=True)
    assert (tmp_path / "new" / "model.safetensors").read_bytes() == old
    assert listing(tmp_path / "new") == ["config.json", "model.safetensors"]


def test_a_value_too_large_for_half_precision_is_refused(tmp_path):
    tensors = drawn(small(), "Model")
    tensors[WORDS][3, 3] = 1e6
    files.save(tmp_path / "old", small(), tensors, "AlbertModel")
    with pytest.raises(CheckpointError, match=f"{WORDS} holds values that are too large for float16"):
        convert(tmp_path / "old", tmp_path / "new", dtype="float16")
    convert(tmp_path / "old", tmp_path / "new", dtype="bfloat16")
    assert files.load(tmp_path / "new").tensors[WORDS].dtype == ml_dtypes.bfloat16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "int8"}, "`dtype` must be one of float32, bfloat16, float16. Received: 'int8'"),
        ({"architecture": "AlbertForMaskLM"}, "Did you mean `AlbertForMaskedLM`"),
    ],
)
def test_an_argument_that_means_nothing_is_refused(data, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        convert(data / "legacy" / "original", tmp_path / "new", **options)


@pytest.mark.parametrize(
    ("held", "written"),
    [
        (["spiece.model"], ["spiece.model"]),
        (["30k-clean.model", "30k-clean.vocab"], ["spiece.model"]),
        (["wiki-ja.model"], ["spiece.model"]),
        (["vocab_chinese.txt"], ["vocab.txt"]),
        (["tokenizer.json", "tokenizer_config.json", "spiece.model"],) * 2,
        (["one.model", "two.model"], []),
    ],
)
def test_the_tokenizer_comes_along(data, tmp_path, held, written):
    folder = copy_of(data / "legacy" / "original", tmp_path / "old")
    for name in held:
        (folder / name).write_text(name)
    done = convert(folder, tmp_path / "new")
    assert sorted(done.copied) == sorted(written)
    assert listing(tmp_path / "new") == sorted(["config.json", "model.safetensors", *written])
    assert ("no files found" in str(done)) == (not written)


def test_the_vocabulary_of_a_saved_model_lies_in_its_assets(data, tmp_path):
    source, folder = data / "legacy" / "original", tmp_path / "module"
    (folder / "assets").mkdir(parents=True)
    (folder / "variables").mkdir()
    (folder / "saved_model.pb").write_bytes(b"")
    for file in source.glob("model.ckpt-best.*"):
        shutil.copy(file, folder / "variables" / file.name.replace("model.ckpt-best", "variables"))
    shutil.copy(source / "albert_config.json", folder / "assets")
    shutil.copy(data / "spiece.model", folder / "assets" / "30k-clean.model")
    convert(folder, tmp_path / "new")
    assert listing(tmp_path / "new") == ["config.json", "model.safetensors", "spiece.model"]
    from albertkit.tokenization.fast import AlbertTokenizerFast

    assert AlbertTokenizerFast.from_pretrained(tmp_path / "new").tokenize("hello")


def test_an_old_tokenizer_does_not_stay_beside_a_new_one(data, tmp_path):
    folder = copy_of(data / "legacy" / "original", tmp_path / "old")
    (folder / "spiece.model").write_text("new")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "tokenizer.json").write_text("old")
    (tmp_path / "new" / "README.md").write_text("mine")
    convert(folder, tmp_path / "new", overwrite=True)
    assert listing(tmp_path / "new") == ["README.md", "config.json", "model.safetensors", "spiece.model"]


def test_a_config_is_a_file_or_a_model(data, tmp_path):
    small().save_pretrained(tmp_path)
    assert read_config(str(tmp_path)) == small()
    assert read_config(str(tmp_path / "config.json")) == small()
    assert read_config(str(data / "legacy" / "original" / "albert_config.json")).hidden_act == "gelu_new"
