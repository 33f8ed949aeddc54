"""Weight files of Transformers' TensorFlow and Flax models. Golden ones come from tests/data/make_legacy.py."""

import json
import shutil
import sys

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from albertkit import weight_table
from albertkit.checkpoint import files, framework_names
from albertkit.checkpoint.formats import legacy
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError, MissingDependency

GOLDEN = {
    "tensorflow": "tf_model.h5",
    "tensorflow_safetensors": "model.safetensors",
    "flax": "flax_model.msgpack",
    "flax_safetensors": "model.safetensors",
}
NEEDS = {"tensorflow": "h5py", "flax": "msgpack"}


def small(**changes):
    keys = {"vocab_size": 31, "embedding_size": 6, "hidden_size": 12, "num_attention_heads": 3, "intermediate_size": 20}
    return AlbertConfig(**{**keys, "max_position_embeddings": 9, "num_hidden_layers": 4, **changes})


def drawn(config, model, dtype=np.float32):
    rng = np.random.default_rng(0)
    tensors = {name: rng.standard_normal(s).astype(dtype) for name, s in weight_table.expected(config, model).items()}
    return tensors | {name: tensors[other] for name, other in weight_table.tied(config).items() if name in tensors}


def same(found, expected):
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        assert found[name].flags.c_contiguous
        assert found[name].tobytes() == np.ascontiguousarray(tensor).tobytes()


@pytest.fixture(params=GOLDEN)
def golden(request, data):
    """The folder of a model that its own library wrote."""
    pytest.importorskip(NEEDS.get(request.param, "numpy"))
    return data / "legacy" / request.param


@pytest.mark.torch
def test_a_model_computes_what_it_computed_where_it_was_written(golden):
    torch = pytest.importorskip("torch")
    from albertkit.torch.models import AlbertForPreTraining

    expected = np.load(golden.with_name(golden.name.removesuffix("_safetensors")) / "outputs.npz")
    model = AlbertForPreTraining.from_pretrained(golden)
    assert not model.load_report.missing
    assert not model.load_report.unexpected
    with torch.inference_mode():
        outputs = model(torch.from_numpy(expected["input_ids"]))
    for name in ("prediction_logits", "sop_logits"):
        assert np.abs(outputs[name].numpy() - expected[name]).max() < 1e-5 * np.abs(expected[name]).max()


def test_a_golden_file_gives_the_whole_model_under_canonical_names(golden):
    checkpoint = files.load(golden)
    wanted = weight_table.expected(checkpoint.config, "ForPreTraining")
    tied = weight_table.tied(checkpoint.config)
    assert checkpoint.source == golden / GOLDEN[golden.name]
    assert checkpoint.tensors.keys() >= wanted.keys() - tied.keys()
    assert checkpoint.tensors.keys() <= wanted.keys()
    for name, tensor in checkpoint.tensors.items():
        assert tensor.shape == wanted[name]
        assert tensor.flags.c_contiguous
    assert set(checkpoint.renamed.values()) <= set(checkpoint.tensors)
    assert not checkpoint.skipped


def test_both_files_of_a_framework_give_the_same_bits(data):
    for module, one in (("h5py", "tensorflow"), ("msgpack", "flax")):
        pytest.importorskip(module)
        same(files.load(data / "legacy" / one).tensors, files.load(data / "legacy" / f"{one}_safetensors").tensors)


def test_of_two_biases_of_a_tensorflow_head_the_decoders_counts(data):
    held = safetensors.numpy.load_file(data / "legacy" / "tensorflow_safetensors" / "model.safetensors")
    found = files.load(data / "legacy" / "tensorflow_safetensors").tensors
    assert not np.array_equal(held["predictions/bias:0"], held["predictions/decoder/bias:0"])
    assert np.array_equal(found["predictions.bias"], held["predictions/decoder/bias:0"])


@settings(max_examples=40)
@given(st.data())
def test_a_golden_file_cut_at_any_place_is_refused(data, tmp_path_factory, draw):
    folder = tmp_path_factory.mktemp("cut")
    kind = draw.draw(st.sampled_from(sorted(GOLDEN)))
    pytest.importorskip(NEEDS.get(kind, "numpy"))
    shutil.copytree(data / "legacy" / kind, folder, dirs_exist_ok=True)
    file = folder / GOLDEN[kind]
    content = file.read_bytes()
    file.write_bytes(content[: draw.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(CheckpointError, match=r"must be a complete (HDF5|msgpack|safetensors) file") as caught:
        files.load(folder)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(("kind", "module"), NEEDS.items())
def test_a_missing_reader_answers_with_its_command(data, monkeypatch, kind, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependency, match=rf'{module}. Install it with: pip install "albertkit\[legacy\]"'):
        files.load(data / "legacy" / kind)


PLACES = [(0, 0), (0, 1), (3, 0), (12, 17)]
NAMES = [row.name.format(g=g, j=j) for row in weight_table.TABLE for g, j in PLACES]
MODELS = ["", "tf_albert_model/", "albert/tf_albert_for_masked_lm/", "model_weights/classifier/tf_albert_for_x_1/"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("suffix", ["", ":0"])
def test_every_name_goes_to_tensorflow_and_back(model, suffix):
    for name in NAMES:
        assert framework_names.canonical_name(model + framework_names.keras_name(name) + suffix) == name
        assert framework_names.canonical_name(framework_names.keras_name(name).removeprefix("albert/")) == name


@pytest.mark.parametrize("separator", ["/", "."])
@pytest.mark.parametrize("root", ["", "params"])
def test_every_name_goes_to_flax_and_back(root, separator):
    for name in NAMES:
        stored = f"{root}/{framework_names.flax_name(name)}".removeprefix("/").replace("/", separator)
        assert framework_names.canonical_name(stored) == name


def test_names_are_those_that_the_libraries_wrote():
    layer = "albert.encoder.albert_layer_groups.1.albert_layers.0."
    assert framework_names.keras_name(layer + "attention.query.weight") == (
        "albert/encoder/albert_layer_groups_._1/albert_layers_._0/attention/query/kernel"
    )
    assert (
        framework_names.keras_name("albert.embeddings.word_embeddings.weight")
        == "albert/embeddings/word_embeddings/weight"
    )
    assert framework_names.keras_name("albert.embeddings.LayerNorm.weight") == "albert/embeddings/LayerNorm/gamma"
    assert framework_names.keras_name("albert.embeddings.position_embeddings.weight").endswith(
        "position_embeddings/embeddings"
    )
    assert (
        framework_names.flax_name(layer + "ffn.bias") == "albert/encoder/albert_layer_groups/1/albert_layers/0/ffn/bias"
    )
    assert framework_names.flax_name("predictions.LayerNorm.weight") == "predictions/LayerNorm/scale"


@given(st.text("abz/._:0", max_size=30))
def test_other_names_are_not_known(name):
    assert framework_names.canonical_name(name) is None


@pytest.mark.parametrize("name", ["dropout/seed", "bert/encoder/layer_0/kernel", "albert/encoder/kernel", "kernel"])
def test_names_of_other_weights_are_not_known(name):
    assert framework_names.canonical_name(name) is None


@pytest.mark.parametrize(
    ("stated", "stored", "foreign"),
    [
        ("tf", "predictions.bias", True),
        ("flax", "predictions.bias", True),
        ("pt", "layers/kernel", False),
        (None, "predictions/bias", True),
        (None, "bias:0", True),
        (None, "albert.pooler.kernel", True),
        (None, "albert.embeddings.LayerNorm.scale", True),
        (None, "albert.embeddings.word_embeddings.embedding", True),
        (None, "albert.embeddings.word_embeddings.weight", False),
        (None, "albert.embeddings.LayerNorm.gamma", False),
        ("mlx", "albert.pooler.kernel", True),
    ],
)
def test_the_metadata_tells_the_framework_else_the_names(stated, stored, foreign):
    assert framework_names.is_foreign(stated, [stored]) is foreign


def keras_named(tensors):
    """{variable name: value} as a TensorFlow model holds it."""
    return {
        framework_names.keras_name(name): value.T if weight_table.kind(name) == "dense" else value
        for name, value in tensors.items()
    }


def flax_named(tensors):
    return {
        framework_names.flax_name(name): value.T if weight_table.kind(name) == "dense" else value
        for name, value in tensors.items()
    }


def write_h5(file, variables):
    h5py = pytest.importorskip("h5py")
    with h5py.File(file, "w") as opened:
        for name, value in variables.items():
            opened.create_dataset(name, data=value)


def write_msgpack(file, flat, chunk=None):
    """As flax.serialization does; with `chunk`, arrays of more elements are stored in parts."""
    msgpack = pytest.importorskip("msgpack")

    def packed(array):
        return msgpack.ExtType(1, msgpack.packb((array.shape, array.dtype.name, array.tobytes()), use_bin_type=True))

    tree = {}
    for path, value in flat.items():
        *parents, leaf = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = packed(value)
        if chunk and value.size > chunk:
            parts = [value.reshape(-1)[start : start + chunk] for start in range(0, value.size, chunk)]
            node[leaf] = {
                "__msgpack_chunked_array__": True,
                "shape": {str(axis): size for axis, size in enumerate(value.shape)},
                "chunks": {str(number): packed(part) for number, part in enumerate(parts)},
            }
    file.write_bytes(msgpack.packb(tree, strict_types=True))


CONFIGS = [{}, {"num_hidden_groups": 2, "inner_group_num": 2}, {"tie_word_embeddings": False}]


@pytest.mark.parametrize("changes", CONFIGS)
@pytest.mark.parametrize("model", weight_table.PARTS)
@pytest.mark.parametrize("kind", ["h5", "msgpack", "tf", "flax"])
def test_every_model_is_read(tmp_path, model, changes, kind):
    config = small(**changes)
    tensors = drawn(config, model)
    config.save_pretrained(tmp_path)
    if kind == "h5":
        write_h5(tmp_path / "tf_model.h5", keras_named(tensors))
    elif kind == "msgpack":
        write_msgpack(tmp_path / "flax_model.msgpack", flax_named(tensors))
    else:
        stored = keras_named(tensors) if kind == "tf" else flax_named(tensors)
        rename = (lambda name: f"{name}:0") if kind == "tf" else (lambda name: name.replace("/", "."))
        stored = {rename(name): np.ascontiguousarray(value) for name, value in stored.items()}
        for metadata in ({"format": kind}, None):
            safetensors.numpy.save_file(stored, tmp_path / "model.safetensors", metadata)
            same(files.load(tmp_path).tensors, tensors)
    same(files.load(tmp_path).tensors, tensors)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("chunk", [None, 10])
def test_half_precision_and_chunked_arrays_of_flax_are_read(tmp_path, dtype, chunk):
    tensors = drawn(small(), "Model", dtype)
    small().save_pretrained(tmp_path)
    write_msgpack(tmp_path / "flax_model.msgpack", flax_named(tensors), chunk)
    same(files.load(tmp_path).tensors, tensors)


@pytest.mark.parametrize("kind", ["tf_model.h5", "flax_model.msgpack", "model.safetensors"])
def test_shards_are_read_and_a_missing_one_is_named(tmp_path, kind):
    tensors = drawn(small(), "ForMaskedLM")
    small().save_pretrained(tmp_path)
    stored = flax_named(tensors) if kind == "flax_model.msgpack" else keras_named(tensors)
    stem, suffix = kind.split(".")
    shards = [f"{stem}-0000{number}-of-00002.{suffix}" for number in (1, 2)]
    weight_map = {name: shards[place % 2] for place, name in enumerate(stored)}
    for shard in shards:
        part = {name: np.ascontiguousarray(value) for name, value in stored.items() if weight_map[name] == shard}
        if suffix == "h5":
            write_h5(tmp_path / shard, part)
        elif suffix == "msgpack":
            write_msgpack(tmp_path / shard, part)
        else:
            safetensors.numpy.save_file(part, tmp_path / shard, {"format": "tf"})
    (tmp_path / f"{kind}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    same(files.load(tmp_path).tensors, tensors)
    (tmp_path / shards[1]).unlink()
    with pytest.raises(CheckpointError, match=f"Missing from .*: {shards[1]}"):
        files.load(tmp_path)


def test_one_shard_that_tells_the_framework_is_enough(tmp_path):
    tensors = drawn(small(), "Model")
    small().save_pretrained(tmp_path)
    stored = {name.replace("/", "."): np.ascontiguousarray(value) for name, value in flax_named(tensors).items()}
    telling = {name for name in stored if not name.endswith(".bias")}
    for order in (telling, stored.keys() - telling), (stored.keys() - telling, telling):
        shards = {f"model-0000{number}-of-00002.safetensors": part for number, part in enumerate(order, start=1)}
        for shard, part in shards.items():
            safetensors.numpy.save_file({name: stored[name] for name in part}, tmp_path / shard)
        weight_map = {name: shard for shard, part in shards.items() for name in part}
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
        same(files.load(tmp_path).tensors, tensors)


def test_files_are_taken_in_the_stated_order(tmp_path, data):
    pytest.importorskip("h5py")
    pytest.importorskip("msgpack")
    for kind in ("original", "flax", "tensorflow", "tensorflow_safetensors"):
        shutil.copytree(data / "legacy" / kind, tmp_path, dirs_exist_ok=True)
    found = []
    while source := files.load(tmp_path).source:
        found.append(source.name)
        if source.name == "model.ckpt-best":
            break
        source.unlink()
    assert found == ["model.safetensors", "tf_model.h5", "flax_model.msgpack", "model.ckpt-best"]


def test_the_state_of_an_optimizer_is_left_out(tmp_path):
    tensors = drawn(small(), "Model")
    small().save_pretrained(tmp_path)
    variables = keras_named(tensors)
    moments = {f"optimizer_weights/Adam/m/{name}": value + 1 for name, value in variables.items()}
    write_h5(tmp_path / "tf_model.h5", {f"model_weights/{name}": v for name, v in variables.items()} | moments)
    same(files.load(tmp_path).tensors, tensors)


def flax_folder(folder):
    """A small Flax model in a folder: its tensors, its file, and the tree in it with arrays as they are stored."""
    msgpack = pytest.importorskip("msgpack")
    tensors = drawn(small(), "Model")
    small().save_pretrained(folder)
    file = folder / "flax_model.msgpack"
    write_msgpack(file, flax_named(tensors))
    return tensors, file, msgpack.unpackb(file.read_bytes(), ext_hook=msgpack.ExtType)


def test_a_state_of_training_gives_the_weights_and_not_their_moments(tmp_path):
    msgpack = pytest.importorskip("msgpack")
    tensors, file, tree = flax_folder(tmp_path)
    moments = {"0": {"mu": tree, "nu": tree}}
    state = {"step": 3, "params": tree, "batch_stats": None, "opt_state": moments}
    file.write_bytes(msgpack.packb(state))
    found = files.load(tmp_path)
    same(found.tensors, tensors)
    assert len(found.skipped) == 2 * len(tensors)
    file.write_bytes(msgpack.packb({"opt": {"mu": tree}}))
    assert files.load(tmp_path).tensors == {}


def test_weights_of_whole_numbers_are_refused(tmp_path):
    small().save_pretrained(tmp_path)
    write_msgpack(tmp_path / "flax_model.msgpack", {"albert/pooler/bias": np.zeros(12, np.int8)})
    with pytest.raises(CheckpointError, match=r"albert/pooler/bias in .*\.msgpack is of int8: a quantised model"):
        files.load(tmp_path)


def test_unknown_tensors_keep_their_names(tmp_path):
    tensors = drawn(small(), "Model")
    small().save_pretrained(tmp_path)
    write_h5(tmp_path / "tf_model.h5", {**keras_named(tensors), "my_head/kernel:0": np.ones((2, 3), np.float32)})
    assert set(files.load(tmp_path).tensors) == {*tensors, "my_head/kernel:0"}


def test_a_number_of_numpy_is_read_as_an_array(tmp_path):
    msgpack = pytest.importorskip("msgpack")
    tensors, file, tree = flax_folder(tmp_path)
    number = msgpack.ExtType(3, msgpack.packb(((), "int32", np.int32(7).tobytes()), use_bin_type=True))
    file.write_bytes(msgpack.packb({**tree, "step": number}))
    same(files.load(tmp_path).tensors, {**tensors, "step": np.array(7, np.int32)})


def test_two_models_in_one_file_are_refused(tmp_path):
    small().save_pretrained(tmp_path)
    bias = {f"{model}/albert/pooler/bias:0": np.full(12, place, np.float32) for place, model in enumerate("ab")}
    write_h5(tmp_path / "tf_model.h5", bias)
    with pytest.raises(CheckpointError, match=r"are both albert.pooler.bias and differ. Save the model anew"):
        files.load(tmp_path)


@pytest.mark.parametrize("content", [[1, 2], {"albert": {"pooler": {"bias": [0.5, 0.5]}}}, 3, {"a": 3}, {"a": "b"}])
def test_a_msgpack_of_something_else_is_refused(tmp_path, content):
    msgpack = pytest.importorskip("msgpack")
    small().save_pretrained(tmp_path)
    (tmp_path / "flax_model.msgpack").write_bytes(msgpack.packb(content))
    with pytest.raises(CheckpointError, match="must be a complete msgpack file of Flax"):
        files.load(tmp_path)


def test_a_message_about_a_damaged_file_does_not_hold_the_file(tmp_path):
    pytest.importorskip("msgpack")
    small().save_pretrained(tmp_path)
    (tmp_path / "flax_model.msgpack").write_bytes(b"\x01" + b"x" * 10_000)
    with pytest.raises(CheckpointError, match=r"complete msgpack file of Flax\. Reading its 10,001 bytes") as caught:
        files.load(tmp_path)
    assert len(str(caught.value)) < 600


def test_arrays_that_a_file_states_but_does_not_hold_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    for chunks, stored in (((100,), 0), (None, 0), ((50,), 200)):
        with h5py.File(tmp_path / "x.h5", "w") as opened:
            dataset = opened.create_dataset("a", shape=(100,), dtype="f4", chunks=chunks)
            if stored:
                dataset[:50] = 1
        with pytest.raises(CheckpointError, match=f"a states 400 bytes, of which the file holds {stored}"):
            legacy.read_h5(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        opened.create_dataset("a", shape=(100,), dtype="f4", chunks=(100,), compression="gzip")
    with pytest.raises(CheckpointError, match="a states 400 bytes, of which the file holds 0"):
        legacy.read_h5(tmp_path / "x.h5")


@pytest.mark.parametrize("many", [{"length": 3000}, {"length": 1, "maxshape": (None,), "chunks": (3000,)}])
def test_all_arrays_of_a_file_share_one_bound(tmp_path, monkeypatch, many):
    """Each of them alone, or what it holds of a chunk, is within it."""
    h5py = pytest.importorskip("h5py")
    monkeypatch.setattr(legacy, "_PACKED", 2)
    length = many.pop("length")
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        for number in range(50):
            opened.create_dataset(f"{number:02}", data=np.zeros(length, np.float32), compression="gzip", **many)
    last = 2 * (tmp_path / "x.h5").stat().st_size // 12000
    with pytest.raises(CheckpointError, match=f"its arrays up to {last:02} state more bytes than a file of this size"):
        legacy.read_h5(tmp_path / "x.h5")


def test_compressed_arrays_and_empty_ones_are_read(tmp_path):
    h5py = pytest.importorskip("h5py")
    expected = {"a": np.arange(100, dtype=np.float32), "empty": np.zeros((0, 3), np.float32), "one": np.float32(7)}
    with h5py.File(tmp_path / "x.h5", "w") as opened:
        opened.create_dataset("a", data=expected["a"], compression="gzip")
        opened.create_dataset("empty", data=expected["empty"])
        opened.create_dataset("one", data=expected["one"])
    found = legacy.read_h5(tmp_path / "x.h5")
    assert {name: value.tolist() for name, value in found.items()} == {k: v.tolist() for k, v in expected.items()}
