import contextlib
import errno
import itertools
import json
import os
import re
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from albertkit import storage, weight_table
from albertkit.checkpoint import files, framework_names, layout
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError, CheckpointNotFound, ConfigError, InputError, UnsafeCheckpoint
from albertkit.tools import convert

WORDS = "albert.embeddings.word_embeddings.weight"


@pytest.fixture(autouse=True, scope="module")
def quick():
    """Nothing here depends on what survives a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


def small(**changes):
    keys = {"vocab_size": 31, "embedding_size": 6, "hidden_size": 12, "num_attention_heads": 3, "intermediate_size": 20}
    return AlbertConfig(**{**keys, "max_position_embeddings": 9, "num_hidden_layers": 2, **changes})


def drawn(config, model, seed=0, dtype=np.float32):
    """Random values for every tensor of a model, tied ones equal."""
    rng = np.random.default_rng(seed)
    shapes = weight_table.expected(config, model)
    tensors = {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}
    return tensors | {name: tensors[other] for name, other in weight_table.tied(config).items() if name in tensors}


def stored(config, tensors):
    """What a file holds: with tied embeddings each tied tensor once, else all."""
    return {
        name: tensor
        for name, tensor in tensors.items()
        if not (config.tie_word_embeddings and name in weight_table.tied(config))
    }


def same(found, expected):
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        assert found[name].tobytes() == np.ascontiguousarray(tensor).tobytes()


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("model", weight_table.PARTS)
@pytest.mark.parametrize(
    "changes", [{}, {"num_hidden_groups": 2, "inner_group_num": 2}, {"tie_word_embeddings": False}]
)
def test_a_saved_model_is_read_back(tmp_path, model, changes):
    config = small(**changes)
    tensors = drawn(config, model)
    files.save(tmp_path, config, tensors, f"Albert{model}")
    checkpoint = files.load(tmp_path)
    same(checkpoint.tensors, stored(config, tensors))
    assert checkpoint.config == config.changed(architectures=[f"Albert{model}"], dtype="float32")
    assert checkpoint.source == tmp_path / "model.safetensors"
    assert listing(tmp_path) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_every_precision_is_kept(tmp_path, dtype):
    tensors = drawn(small(), "Model", dtype=dtype)
    files.save(tmp_path, small(), tensors, "AlbertModel")
    checkpoint = files.load(tmp_path)
    same(checkpoint.tensors, tensors)
    assert checkpoint.config.dtype == np.dtype(dtype).name


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_a_file_may_keep_half_of_the_precision_that_the_config_states(tmp_path, dtype):
    tensors = {"albert.pooler.bias": np.arange(4).astype(dtype), "counter": np.arange(3)}
    files.save(tmp_path, AlbertConfig(dtype="float32"), tensors, "AlbertModel")
    stated = AlbertConfig.from_pretrained(tmp_path).changed(dtype="float32")
    found = files.load(tmp_path, config=stated).tensors
    assert {name: tensor.dtype for name, tensor in found.items()} == {
        "albert.pooler.bias": np.float32,
        "counter": np.int64,
    }
    np.testing.assert_array_equal(found["albert.pooler.bias"], np.arange(4))
    assert files.load(tmp_path, config=stated.changed(dtype="float16")).tensors["albert.pooler.bias"].dtype == dtype


def test_mixed_precision_is_kept_and_the_config_names_none(tmp_path):
    tensors = drawn(small(), "Model")
    tensors["albert.pooler.weight"] = tensors["albert.pooler.weight"].astype(np.float16)
    files.save(tmp_path, small(), tensors, "AlbertModel")
    checkpoint = files.load(tmp_path)
    same(checkpoint.tensors, tensors)
    assert checkpoint.config.dtype is None


def test_a_view_is_written_as_it_reads(tmp_path):
    tensors = drawn(small(), "Model")
    name = "albert.encoder.embedding_hidden_mapping_in.weight"
    tensors[name] = np.asfortranarray(tensors[name])
    tensors[WORDS] = np.repeat(tensors[WORDS], 2, axis=0)[::2]
    files.save(tmp_path, small(), tensors, "AlbertModel")
    same(files.load(tmp_path).tensors, tensors)


def test_the_file_holds_tied_tensors_once_in_the_layout_of_transformers(tmp_path):
    files.save(tmp_path, small(), drawn(small(), "ForPreTraining"), "AlbertForPreTraining")
    with safetensors.safe_open(tmp_path / "model.safetensors", framework="np") as file:
        metadata = file.metadata()
        assert metadata.pop("checksum").startswith("xxh3_128:")
        assert metadata == {"format": "pt"}
        assert set(file.keys()) == set(weight_table.expected(small(), "ForPreTraining")) - set(
            weight_table.tied(small())
        )


def test_a_bare_encoder_is_written_without_its_prefix(tmp_path):
    files.save(tmp_path, small(), drawn(small(), "Model"), "AlbertModel")
    held = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    assert set(held) == {name.removeprefix("albert.") for name in weight_table.expected(small(), "Model")}


@pytest.mark.parametrize("tie", [True, False])
def test_a_tied_tensor_whose_partner_is_not_given_is_written_in_its_place(tmp_path, tie):
    config = small(tie_word_embeddings=tie)
    tensors = drawn(config, "ForMaskedLM")
    given = {name: tensor for name, tensor in tensors.items() if name not in weight_table.tied(config).values()}
    files.save(tmp_path, config, given, "AlbertForMaskedLM")
    same(files.load(tmp_path).tensors, stored(config, tensors))


def test_an_untied_head_is_written_with_its_bias_under_both_names(tmp_path):
    config = small(tie_word_embeddings=False)
    tensors = drawn(config, "ForMaskedLM")
    once = {name: tensor for name, tensor in tensors.items() if name != "predictions.decoder.bias"}
    files.save(tmp_path, config, once, "AlbertForMaskedLM")
    same(safetensors.numpy.load_file(tmp_path / "model.safetensors"), tensors)


def test_of_two_biases_of_a_head_the_decoders_counts():
    config = small(tie_word_embeddings=False)
    tensors = drawn(config, "ForMaskedLM")
    tensors["predictions.decoder.bias"] = tensors["predictions.bias"] + 1
    found = files.canonical_tensors(tensors)
    assert np.array_equal(found["predictions.bias"], tensors["predictions.decoder.bias"])


def test_the_config_and_the_tensors_handed_in_are_not_changed(tmp_path):
    config, tensors = small(), drawn(small(), "ForMaskedLM")
    before = dict(tensors)
    files.save(tmp_path, config, tensors, "AlbertForMaskedLM")
    assert config == small()
    assert list(tensors) == list(before)
    assert all(tensors[name] is before[name] for name in before)


def test_a_config_that_cannot_be_written_leaves_the_old_model(tmp_path):
    tensors = drawn(small(), "Model")
    files.save(tmp_path, small(), tensors, "AlbertModel")
    with pytest.raises(ConfigError, match="`hidden_act` must be a name"):
        files.save(tmp_path, small(hidden_act=abs), drawn(small(), "Model", seed=1), "AlbertModel")
    same(files.load(tmp_path).tensors, tensors)
    assert listing(tmp_path) == ["config.json", "model.safetensors"]


def test_another_config_can_take_the_place_of_the_folders_own(tmp_path):
    files.save(tmp_path, small(), drawn(small(), "Model"), "AlbertModel")
    other = small(num_labels=7)
    assert files.load(tmp_path, config=other).config is other
    (tmp_path / "config.json").unlink()
    assert files.load(tmp_path, config=other).config is other


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("shards")


@settings(max_examples=25)
@given(st.integers(1, 12_000), st.sampled_from(["Model", "ForMaskedLM"]), st.sampled_from([None, "fp16"]))
def test_shards_hold_everything_once_within_the_limit(place, limit, model, variant):
    tensors = drawn(small(), model)
    files.save(place, small(), tensors, f"Albert{model}", max_shard_size=limit, variant=variant)
    checkpoint = files.load(place, variant=variant)
    same(checkpoint.tensors, stored(small(), tensors))
    dot = f".{variant}" if variant else ""
    shards = sorted(place.glob(f"model{dot}-*-of-*.safetensors"))
    if not shards:
        assert sum(tensor.nbytes for tensor in checkpoint.tensors.values()) <= limit
        assert checkpoint.source.name == f"model{dot}.safetensors"
        return
    assert checkpoint.source == place
    assert [shard.name for shard in shards] == [
        f"model{dot}-{number:05}-of-{len(shards):05}.safetensors" for number in range(1, len(shards) + 1)
    ]
    index = storage.read_json(place / (f"model.safetensors.index{dot}.json"))
    held = {shard.name: safetensors.numpy.load_file(shard) for shard in shards}
    assert index["weight_map"] == {name: shard for shard, contents in held.items() for name in contents}
    for contents in held.values():
        assert len(contents) == 1 or sum(tensor.nbytes for tensor in contents.values()) <= limit
    assert index["metadata"] == {
        "total_parameters": sum(tensor.size for tensor in checkpoint.tensors.values()),
        "total_size": sum(tensor.nbytes for tensor in checkpoint.tensors.values()),
    }


@pytest.mark.parametrize("variant", [None, "fp16"])
@pytest.mark.parametrize("limits", list(itertools.product([2000, 4000, "5GB"], repeat=2)))
def test_a_save_leaves_nothing_of_the_model_before(tmp_path, limits, variant):
    for seed, limit in enumerate(limits):
        tensors = drawn(small(), "Model", seed)
        files.save(tmp_path, small(), tensors, "AlbertModel", max_shard_size=limit, variant=variant)
        same(files.load(tmp_path, variant=variant).tensors, tensors)
    files.save(tmp_path / "alone", small(), tensors, "AlbertModel", max_shard_size=limits[1], variant=variant)
    assert [name for name in listing(tmp_path) if name != "alone"] == listing(tmp_path / "alone")


def test_variants_live_side_by_side(tmp_path):
    whole, half = drawn(small(), "Model"), drawn(small(), "Model", dtype=np.float16)
    files.save(tmp_path, small(), whole, "AlbertModel")
    files.save(tmp_path, small(), half, "AlbertModel", variant="fp16")
    same(files.load(tmp_path).tensors, whole)
    same(files.load(tmp_path, variant="fp16").tensors, half)
    assert listing(tmp_path) == ["config.json", "model.fp16.safetensors", "model.safetensors"]


def test_other_files_of_the_folder_stay(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "tokenizer.json").write_text("{}")
    files.save(tmp_path, small(), drawn(small(), "Model"), "AlbertModel")
    assert (tmp_path / "README.md").read_text() == "mine"
    assert (tmp_path / "tokenizer.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (123, 123),
        ("5GB", 5 * 10**9),
        ("5 GB", 5 * 10**9),
        ("200MiB", 200 * 2**20),
        ("1.5kb", 1500),
        ("2GIB", 2**31),
        (".5KiB", 512),
        ("7mb", 7 * 10**6),
    ],
)
def test_sizes_are_understood(size, expected):
    assert layout.parse_size(size) == expected


@pytest.mark.parametrize("size", ["5", "GB", "five GB", "5XB", "", "-1GB", "1.2.3MB"])
def test_other_sizes_are_refused(size):
    with pytest.raises(InputError, match='`max_shard_size` must be bytes or a size such as "5GB"') as caught:
        layout.parse_size(size)
    assert repr(size) in str(caught.value)


def write_raw(folder, tensors, name="model.safetensors"):
    """A checkpoint as others write it."""
    small().save_pretrained(folder)
    safetensors.numpy.save_file(tensors, folder / name)


@pytest.mark.parametrize(
    "disguise",
    [
        lambda name: name,
        lambda name: f"module.{name}",
        lambda name: f"_orig_mod.{name}",
        lambda name: name.removeprefix("albert."),
        lambda name: re.sub("LayerNorm.weight$", "LayerNorm.gamma", re.sub("LayerNorm.bias$", "LayerNorm.beta", name)),
    ],
    ids=["plain", "wrapped", "compiled", "bare", "gamma and beta"],
)
def test_names_of_older_files_are_understood(tmp_path, disguise):
    tensors = drawn(small(), "Model")
    buffers = {"embeddings.position_ids": np.arange(9)[None]}
    write_raw(tmp_path, {disguise(name): tensor for name, tensor in tensors.items()} | buffers)
    same(files.load(tmp_path).tensors, tensors)


def save_bin(path, tensors, new=True):
    import torch

    def as_torch(array):
        if array.dtype == ml_dtypes.bfloat16:
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(array)

    torch.save({name: as_torch(array) for name, array in tensors.items()}, path, _use_new_zipfile_serialization=new)


@pytest.mark.torch
@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_a_pickled_model_is_read(tmp_path, new, dtype):
    pytest.importorskip("torch")
    tensors = drawn(small(), "ForMaskedLM", dtype=dtype)
    small().save_pretrained(tmp_path)
    save_bin(tmp_path / "pytorch_model.bin", tensors, new)
    checkpoint = files.load(tmp_path)
    same(checkpoint.tensors, tensors)
    assert checkpoint.source == tmp_path / "pytorch_model.bin"


@pytest.mark.torch
def test_a_pickled_model_in_shards_is_read(tmp_path):
    pytest.importorskip("torch")
    tensors = drawn(small(), "Model")
    small().save_pretrained(tmp_path)
    weight_map = {name: f"pytorch_model-0000{1 + number % 2}-of-00002.bin" for number, name in enumerate(tensors)}
    for shard in set(weight_map.values()):
        save_bin(tmp_path / shard, {name: tensors[name] for name in tensors if weight_map[name] == shard})
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    same(files.load(tmp_path).tensors, tensors)


@pytest.mark.torch
def test_parameters_and_a_trainers_wrapping_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    tensors = drawn(small(), "Model")
    state = {f"module.{name}": torch.nn.Parameter(torch.from_numpy(array)) for name, array in tensors.items()}
    small().save_pretrained(tmp_path)
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "pytorch_model.bin")
    same(files.load(tmp_path).tensors, tensors)


HOLDERS = ["model.", "module.", "_forward_module.", "model.module.", "_forward_module.model.", "net.encoder_model."]


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("head", ["Model", "ForMaskedLM", "ForSequenceClassification"])
@pytest.mark.parametrize("bare", [False, True], ids=["with albert", "without"])
def test_what_all_names_stand_behind_is_taken_off_and_told(tmp_path, holder, head, bare):
    tensors = stored(small(), drawn(small(), head))
    named = {holder + (name.removeprefix("albert.") if bare else name): tensor for name, tensor in tensors.items()}
    write_raw(tmp_path, named | {"loss.weight": np.ones(3, np.float32), f"{holder}own.bias": np.ones(2, np.float32)})
    checkpoint = files.load(tmp_path)
    same({name: checkpoint.tensors[name] for name in tensors}, tensors)
    assert checkpoint.tensors.keys() - tensors.keys() == {"loss.weight", f"{holder.removeprefix('module.')}own.bias"}
    assert checkpoint.notes == (f"The names in {checkpoint.source} stood behind `{holder}`, which was taken off.",)


@pytest.mark.parametrize("wrapper", ["", "module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod."])
def test_a_head_beside_a_model_with_one_of_its_name_keeps_its_own_values(tmp_path, wrapper):
    tensors = {f"inside.{name}": tensor for name, tensor in drawn(small(), "ForSequenceClassification").items()}
    tensors |= {"classifier.weight": np.ones((5, 16), np.float32), "classifier.bias": np.ones(5, np.float32)}
    write_raw(tmp_path, {wrapper + name: tensor for name, tensor in tensors.items()})
    checkpoint = files.load(tmp_path)
    same(checkpoint.tensors, tensors)
    assert checkpoint.notes == ()


def test_what_stands_outside_a_holder_collides_with_nothing_but_what_is_behind_it():
    held = {f"model.{name}": tensor for name, tensor in drawn(small(), "Model").items()}
    diverged = held | {"loss.weight": np.full(3, np.nan, np.float32)}
    assert "albert.pooler.bias" in framework_names.translate_torch(diverged).tensors


def test_two_models_in_one_file_keep_their_names(tmp_path):
    tensors = drawn(small(), "Model")
    write_raw(tmp_path, {f"{side}.{name}": tensor for name, tensor in tensors.items() for side in ("left", "right")})
    checkpoint = files.load(tmp_path)
    assert set(checkpoint.tensors) == {f"{side}.{name}" for name in tensors for side in ("left", "right")}
    assert checkpoint.notes == ()


@pytest.mark.parametrize("wrapper", ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"])
def test_what_stands_inside_of_names_is_taken_off(tmp_path, wrapper):
    tensors = drawn(small(), "Model")
    write_raw(tmp_path, {name.replace("albert.", f"albert.{wrapper}."): tensor for name, tensor in tensors.items()})
    same(files.load(tmp_path).tensors, tensors)


@pytest.mark.torch
@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "module"])
@pytest.mark.parametrize("name", ["last.ckpt", "epoch=3.pt", "weights.pth", "pytorch_model.bin"])
def test_a_checkpoint_of_a_trainer_is_read_by_its_own_name(tmp_path, key, name):
    torch = pytest.importorskip("torch")
    tensors = drawn(small(), "Model")
    state = {f"model.{one}": torch.from_numpy(array) for one, array in tensors.items()}
    torch.save({key: state, "epoch": 3, "optimizer_states": [{"state": {}}]}, tmp_path / name)
    with pytest.raises(CheckpointNotFound, match=r"Weights need a config\.json beside them"):
        files.load(tmp_path / name)
    same(files.load(tmp_path / name, config=small()).tensors, tensors)
    small().save_pretrained(tmp_path)
    checkpoint = files.load(tmp_path / name)
    same(checkpoint.tensors, tensors)
    assert checkpoint.source == tmp_path / name
    if name != "pytorch_model.bin":
        with pytest.raises(CheckpointNotFound, match=rf"To read one of these files, name it: .*{re.escape(name)}\."):
            files.load(tmp_path)


@pytest.mark.parametrize(
    "names", [["model.onnx"], ["openvino_model.bin", "openvino_model.xml"]], ids=["ONNX", "OpenVINO"]
)
def test_exports_of_another_program_are_no_weights(tmp_path, names):
    small().save_pretrained(tmp_path)
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(CheckpointNotFound, match=rf"{names[-1]} is an export that another program made"):
        files.load(tmp_path)


def test_a_safetensors_file_of_any_name_is_read_and_nothing_else_where_only_those_are_wanted(tmp_path):
    tensors = drawn(small(), "Model")
    write_raw(tmp_path, tensors, "best.safetensors")
    same(files.load(tmp_path / "best.safetensors", use_safetensors=True).tensors, tensors)
    with pytest.raises(CheckpointNotFound, match="which is a file"):
        files.load(tmp_path / "best.safetensors", use_safetensors=False)


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.torch
@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("shards", [False, True])
def test_a_pickle_that_wants_to_run_code_is_refused_and_does_not_run(tmp_path, new, shards):
    torch = pytest.importorskip("torch")
    small().save_pretrained(tmp_path)
    name = "pytorch_model-00001-of-00001.bin" if shards else "pytorch_model.bin"
    torch.save({"x": Hostile(tmp_path / "ran")}, tmp_path / name, _use_new_zipfile_serialization=new)
    if shards:
        (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"x": name}}))
    with pytest.raises(UnsafeCheckpoint, match=r"must hold tensors alone.*refused\. Ask its author for") as caught:
        files.load(tmp_path)
    assert not (tmp_path / "ran").exists()
    assert isinstance(caught.value, OSError)
    assert name in str(caught.value)
    assert "mkdir" in str(caught.value)
    assert "weights_only" not in str(caught.value), "no hint at how to run the code after all"


@pytest.mark.torch
@pytest.mark.parametrize("content", [[1, 2], {"w": "text"}, {"state_dict": {"w": 3}}])
def test_a_pickle_of_something_else_is_refused(tmp_path, content):
    torch = pytest.importorskip("torch")
    small().save_pretrained(tmp_path)
    torch.save(content, tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"holds a list|w in .*pytorch_model.bin is a (str|int)"):
        files.load(tmp_path)


@pytest.mark.torch
@pytest.mark.parametrize("new", [True, False])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_damaged_pickle_is_refused_in_words(tmp_path, new):
    pytest.importorskip("torch")
    small().save_pretrained(tmp_path)
    path = tmp_path / "pytorch_model.bin"
    save_bin(path, {"embeddings.word_embeddings.weight": np.ones((31, 6), np.float32)}, new)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [whole[:length] for length in range(0, len(whole) - 1, 37)] + [b"hello", b"\x80\x04]", b"PK\x03\x04" * 9]
    for _ in range(100):
        content = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 600), 3):
            content[place] = rng.integers(256)
        damaged.append(bytes(content))
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            files.load(tmp_path)
        except CheckpointError as error:
            assert str(path) in str(error)  # noqa: PT017
            refused += 1
    assert refused > len(damaged) * 0.7  # a changed value or name is not to be noticed


@pytest.mark.torch
def test_safetensors_are_preferred_and_either_can_be_asked_for(tmp_path):
    pytest.importorskip("torch")
    safe, pickled = drawn(small(), "Model", 1), drawn(small(), "Model", 2)
    write_raw(tmp_path, safe)
    save_bin(tmp_path / "pytorch_model.bin", pickled)
    same(files.load(tmp_path).tensors, safe)
    same(files.load(tmp_path, use_safetensors=True).tensors, safe)
    same(files.load(tmp_path, use_safetensors=False).tensors, pickled)
    (tmp_path / "model.safetensors").unlink()
    same(files.load(tmp_path).tensors, pickled)
    with pytest.raises(CheckpointNotFound, match=r"must have a file of weights: model\.safetensors, or shards"):
        files.load(tmp_path, use_safetensors=True)


def test_a_folder_without_weights_says_what_it_holds(tmp_path):
    small().save_pretrained(tmp_path)
    (tmp_path / "model.tflite").write_text("")
    with pytest.raises(
        CheckpointNotFound, match=r"must have a file of weights: model\.safetensors or pytorch_model\.bin"
    ) as caught:
        files.load(tmp_path)
    assert f"{tmp_path} holds config.json, model.tflite." in str(caught.value)


@pytest.mark.parametrize("place", ["checkpoints/step-00000200", "checkpoint-200"])
def test_the_folder_of_a_run_that_has_not_ended_names_its_newest_checkpoint(tmp_path, place):
    for age, folder in enumerate((tmp_path / place.replace("200", "100"), tmp_path / place)):
        files.save(folder, small(), drawn(small(), "Model"), "AlbertModel")
        os.utime(folder / "model.safetensors", (1_000_000 + age, 1_000_000 + age))
    with pytest.raises(CheckpointNotFound, match=f"The newest model below it is {tmp_path / place}: name that."):
        files.load(tmp_path)


def test_a_folder_that_may_be_entered_but_not_listed_is_said_to_lack_the_file(tmp_path, monkeypatch):
    """As one of another user with the mode 0711."""
    small().save_pretrained(tmp_path)

    def closed(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", closed)
    monkeypatch.setattr(os, "listdir", closed)
    with pytest.raises(CheckpointNotFound, match=r"must have a file of weights: model\.safetensors .* has none\."):
        files.load(tmp_path)
    with pytest.raises(CheckpointError, match=r"Writing .* failed: .*Permission denied"):
        convert.convert(tmp_path, tmp_path)


def test_a_variant_that_is_not_there_is_not_found(tmp_path):
    files.save(tmp_path, small(), drawn(small(), "Model"), "AlbertModel")
    with pytest.raises(CheckpointNotFound, match=r"model\.fp16\.safetensors or pytorch_model\.fp16\.bin"):
        files.load(tmp_path, variant="fp16")


@pytest.mark.parametrize("length", [248, 250, 255, 256])
def test_a_name_of_any_length_is_not_found_in_words(tmp_path, length):
    """A file system takes names of 255 characters, and what is looked for has an ending of its own."""
    for name in ("x" * length, tmp_path / ("x" * length)):
        for read in (files.load, convert.read_config):
            with pytest.raises(CheckpointNotFound, match=r"A model is a folder|neither a folder|not a folder"):
                read(name)


def test_a_folder_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(CheckpointNotFound, match="no such folder") as caught:
        files.load(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(caught.value)


def test_weights_without_a_config_are_not_loaded(tmp_path):
    files.save(tmp_path, small(), drawn(small(), "Model"), "AlbertModel")
    (tmp_path / "config.json").unlink()
    with pytest.raises(CheckpointNotFound, match=r"need a config\.json beside them.*Write it there with"):
        files.load(tmp_path)


def test_every_cut_of_a_safetensors_file_is_refused(tmp_path):
    write_raw(tmp_path, {"pooler.bias": np.ones(12, np.float32), "pooler.weight": np.ones((2, 3), np.float16)})
    path = tmp_path / "model.safetensors"
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"must be a complete safetensors file.*cut short, repeat") as caught:
            files.load(tmp_path)
        assert f"{path} " in str(caught.value)
        assert f"{length:,} bytes" in str(caught.value)


def test_a_file_is_mapped_and_changes_stay_in_memory(tmp_path):
    config = small()
    tensors = drawn(config, "Model")
    files.save(tmp_path, config, tensors, "AlbertModel")
    found = files.load(tmp_path).tensors[WORDS]
    assert found.flags.writeable
    assert not found.flags.owndata
    found += 1
    same(files.load(tmp_path).tensors, tensors)


@pytest.mark.parametrize("padding", range(4))
def test_a_file_whose_tensors_lie_at_odd_addresses_is_read(tmp_path, padding):
    values = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.zeros((0, 4), np.int64), "c": np.float64(7)}
    content = safetensors.numpy.save({name: np.asarray(value) for name, value in values.items()})
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length].rstrip() + b" " * padding
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + content[8 + length :])
    AlbertConfig().save_pretrained(tmp_path)
    found = files.load(tmp_path).tensors
    same(found, {name: np.asarray(value) for name, value in values.items()})
    assert all(array.flags.aligned for array in found.values())


def test_a_dtype_that_numpy_lacks_is_refused(tmp_path):
    header = b'{"a": {"dtype": "F8_E8M0", "shape": [2], "data_offsets": [0, 2]}}'
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"12")
    AlbertConfig().save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="must be a complete safetensors file"):
        files.load(tmp_path)


def test_a_shard_that_is_not_there_is_named(tmp_path):
    files.save(tmp_path, small(), drawn(small(), "Model"), "AlbertModel", max_shard_size=1000)
    shard = sorted(tmp_path.glob("model-*"))[1]
    shard.unlink()
    with pytest.raises(CheckpointError, match=f"Missing from {tmp_path}: {shard.name}. Repeat the download") as caught:
        files.load(tmp_path)
    assert "model.safetensors.index.json" in str(caught.value)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ('{"weight_map": {}}', "All shards that model.safetensors.index.json names must be there.*: all"),
        ("{}", "must hold a `weight_map`"),
        ('{"weight_map": ["a"]}', "must hold a `weight_map`"),
        ('{"weight_map": {"x": "model-0', "must be JSON text"),
        ("[]", "must hold a JSON object. It holds a list"),
    ],
)
def test_a_damaged_index_is_refused(tmp_path, index, words):
    small().save_pretrained(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(CheckpointError, match=words):
        files.load(tmp_path)


@pytest.mark.parametrize("limit", ["5GB", 1000])
def test_a_disk_without_room_leaves_the_old_model(tmp_path, limit):
    resource = pytest.importorskip("resource")
    tensors = drawn(small(), "Model")
    files.save(tmp_path, small(), tensors, "AlbertModel")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, before[1]))
    try:
        with pytest.raises(CheckpointError, match=r"failed: .*too large.*untouched"):
            files.save(tmp_path, small(), drawn(small(), "Model", 1), "AlbertModel", max_shard_size=limit)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    same(files.load(tmp_path).tensors, tensors)
    assert listing(tmp_path) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        safetensors.SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_said_and_leaves_the_old_model(tmp_path, monkeypatch, error):
    tensors = drawn(small(), "Model")
    files.save(tmp_path, small(), tensors, "AlbertModel")

    def full(contents, path, metadata):
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(safetensors.numpy, "save_file", full)
    with pytest.raises(CheckpointError, match=r"the disk is full. What was there before is untouched"):
        files.save(tmp_path, small(), drawn(small(), "Model", 1), "AlbertModel")
    same(files.load(tmp_path).tensors, tensors)
    assert listing(tmp_path) == ["config.json", "model.safetensors"]


class Death(BaseException):
    """The process ended."""


@pytest.mark.parametrize("limits", [("5GB", "5GB"), (4000, "5GB"), ("5GB", 4000), (3000, 4000)])
def test_a_folder_loads_as_the_old_or_the_new_model_after_a_death_at_any_move(tmp_path, monkeypatch, limits):
    old, new = small(num_labels=3), small(num_labels=4)
    moves = {name: getattr(os, name) for name in ("replace", "rename", "unlink", "rmdir")}
    seen = []
    for steps in itertools.count():
        folder = tmp_path / str(steps)
        files.save(folder, old, drawn(old, "Model", 1), "AlbertModel", max_shard_size=limits[0])
        left = steps

        def mortal(move, *args, **kwargs):
            nonlocal left
            if left == 0:
                raise Death
            left -= 1
            return move(*args, **kwargs)

        with monkeypatch.context() as patch:
            for name, move in moves.items():
                patch.setattr(os, name, lambda *args, move=move, **kwargs: mortal(move, *args, **kwargs))
            with contextlib.suppress(Death):
                files.save(folder, new, drawn(new, "Model", 2), "AlbertModel", max_shard_size=limits[1])
        finished = left > 0
        checkpoint = files.load(folder)
        assert checkpoint.config.num_labels in (3, 4)
        same(
            checkpoint.tensors, drawn(*((old, "Model", 1) if checkpoint.config.num_labels == 3 else (new, "Model", 2)))
        )
        seen.append(checkpoint.config.num_labels)
        if finished:
            break
    assert seen == sorted(seen)
    assert set(seen) == {3, 4}


def test_a_model_is_read_through_the_hubs_cache(tmp_path):
    sha = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--org--name"
    tensors = drawn(small(), "Model")
    files.save(repository / "snapshots" / sha / "inner", small(), tensors, "AlbertModel", max_shard_size=1000)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(sha)
    options = {"cache_dir": tmp_path, "local_files_only": True}
    checkpoint = files.load("org/name", subfolder="inner", **options)
    same(checkpoint.tensors, tensors)
    assert checkpoint.source == repository / "snapshots" / sha / "inner"
    with pytest.raises(CheckpointNotFound, match=r"a file of weights: model.safetensors.* org/name has none\."):
        files.load("org/name", **options)
    with pytest.raises(CheckpointNotFound, match="nor in the local cache"):
        files.load("org/name", revision="v2", **options)
