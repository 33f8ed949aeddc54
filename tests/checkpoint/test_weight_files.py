import json
import os
import struct
import zipfile

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from albertkit import weight_table
from albertkit.checkpoint import files, weight_files
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError

QUERY = "albert.encoder.albert_layer_groups.0.albert_layers.0.attention.query.weight"
FILE = "model.safetensors"


@pytest.fixture
def config():
    return AlbertConfig(
        vocab_size=30, embedding_size=6, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=8
    )


@pytest.fixture
def tensors(config):
    draw = np.random.default_rng(0)
    shapes = weight_table.expected(config, "Model")
    return {name: draw.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def payload(file):
    """Where the tensors of a safetensors file begin."""
    return 8 + struct.unpack("<Q", file.read_bytes()[:8])[0]


def flip(file, place):
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def sealed(file, tensors, **metadata):
    """Write a file whose checksum is right, whatever its metadata says."""
    safetensors.numpy.save_file(tensors, file, {"format": "pt", "checksum": f"xxh3_128:{'0' * 32}", **metadata})
    weight_files._seal(file)


def test_any_damage_to_the_values_is_noticed(tmp_path, config, tensors):
    files.save(tmp_path, config, tensors, "AlbertModel")
    file = tmp_path / FILE
    whole, start = file.read_bytes(), payload(file)
    for place in np.random.default_rng(1).integers(start, len(whole), 40).tolist():
        file.write_bytes(whole)
        flip(file, place)
        with pytest.raises(CheckpointError, match=r"model\.safetensors must have the checksum that was written"):
            _ = files.load(tmp_path).tensors
    file.write_bytes(whole)
    assert files.load(tmp_path).tensors.keys() == tensors.keys()


def test_damage_to_any_shard_is_noticed(tmp_path, config, tensors):
    files.save(tmp_path, config, tensors, "AlbertModel", max_shard_size=1000)
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 2
    for shard in shards:
        flip(shard, payload(shard))
        with pytest.raises(CheckpointError, match=shard.name):
            _ = files.load(tmp_path).tensors
        flip(shard, payload(shard))


def test_the_checksum_is_of_names_dtypes_shapes_places_and_values():
    values = np.arange(8, dtype=np.uint8)
    layouts = [
        [("a", "F16", [2], 0), ("b", "F32", [1], 4)],
        [("b", "F16", [2], 0), ("a", "F32", [1], 4)],
        [("a", "BF16", [2], 0), ("b", "F32", [1], 4)],
        [("a", "F16", [1, 2], 0), ("b", "F32", [1], 4)],
        [("a", "F16", [2], 4), ("b", "F32", [1], 0)],
    ]
    sums = [weight_files.checksum(layout, values) for layout in layouts]
    sums += [weight_files.checksum(layouts[0], other) for other in (values[::-1].copy(), values[:7].copy())]
    assert len(set(sums)) == len(sums)
    assert sums[0] == weight_files.checksum(reversed(layouts[0]), values.copy())


def test_tensors_without_a_value_do_not_trouble_the_checksum(tmp_path):
    tensors = {name: np.ones(size, np.float32) for name, size in (("z", 0), ("b", 3), ("y", 0), ("a", 0), ("c", 1))}
    weight_files.write_safetensors(tmp_path / FILE, tensors)
    stored = weight_files.read_safetensors(tmp_path / FILE)
    assert stored.check()
    assert stored.tensors.keys() == tensors.keys()


@pytest.mark.parametrize("shape", [[0, 2**63], [0, 2**40, 2**40], [1] * 70], ids=["long", "large", "many axes"])
def test_a_shape_that_no_array_has_is_refused(tmp_path, config, shape):
    config.save_pretrained(tmp_path)
    content = bytes(0 if 0 in shape else 4)
    header = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, len(content)]}}).encode()
    (tmp_path / FILE).write_bytes(struct.pack("<Q", len(header)) + header + content)
    with pytest.raises(CheckpointError, match=r"must be a complete safetensors file\. Reading its \d+ bytes failed"):
        files.load(tmp_path)


def test_equal_models_are_equal_files(tmp_path, config, tensors):
    for number in range(8):
        weight_files.write_safetensors(tmp_path / str(number), tensors, notes=["one", "two"])
    assert len({(tmp_path / str(number)).read_bytes() for number in range(8)}) == 1
    stored = weight_files.read_safetensors(tmp_path / "0")
    assert stored.notes == ("one", "two")
    stored.check()


def test_values_that_are_not_finite_are_noticed_without_a_checksum_too(tmp_path, config, tensors):
    config.save_pretrained(tmp_path)
    tensors[QUERY][0, 0] = np.nan
    safetensors.numpy.save_file(tensors, tmp_path / FILE, {"format": "pt"})
    with pytest.raises(CheckpointError, match=rf"Not finite in .*: {QUERY}\."):
        _ = files.load(tmp_path).tensors


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ml_dtypes.bfloat16])
def test_values_are_looked_at_whatever_the_metadata_says(tmp_path, config, tensors, dtype, monkeypatch):
    monkeypatch.setattr(weight_files, "_PIECE", 64, raising=False)
    tensors = {name: tensor.astype(dtype) for name, tensor in tensors.items()}
    files.save(tmp_path, config, tensors, "AlbertModel")
    assert files.load(tmp_path).tensors.keys() == tensors.keys()
    tensors[QUERY][-1, -1] = -np.inf
    sealed(tmp_path / FILE, tensors)
    with pytest.raises(CheckpointError, match=rf"Not finite in .*: {QUERY}\."):
        _ = files.load(tmp_path).tensors


def test_a_flag_in_older_files_is_passed_over(tmp_path, config, tensors):
    config.save_pretrained(tmp_path)
    sealed(tmp_path / FILE, tensors, not_finite="true")
    assert files.load(tmp_path).tensors.keys() == tensors.keys()


def test_a_file_without_a_checksum_or_with_one_of_another_kind_is_read(tmp_path, config, tensors):
    files.save(tmp_path, config, tensors, "AlbertModel")
    for metadata in ({"format": "pt"}, {"format": "pt", "checksum": "sha512:00"}, None):
        safetensors.numpy.save_file(tensors, tmp_path / FILE, metadata)
        assert files.load(tmp_path).tensors.keys() == tensors.keys()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_named(tmp_path, config, tensors, dtype, value):
    tensors = {name: tensor.astype(dtype) for name, tensor in tensors.items()}
    tensors[QUERY][3, 4] = value
    files.save(tmp_path, config, tensors, "AlbertModel")
    with pytest.raises(CheckpointError, match=rf"must be finite numbers. Not finite in .*{FILE}: {QUERY}\."):
        _ = files.load(tmp_path).tensors


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_numbers_are_finite(dtype, sign):
    largest = sign * np.full((64, 64), ml_dtypes.finfo(dtype).max, dtype)
    weight_files.require_finite({QUERY: largest, "albert.pooler.bias": largest[:0]}, "a file")


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8, np.bool_])
def test_weights_of_whole_numbers_are_refused(tmp_path, config, tensors, dtype):
    files.save(tmp_path, config, tensors | {QUERY: np.ones((12, 12), dtype)}, "AlbertModel")
    with pytest.raises(CheckpointError, match=rf"must be of floating point numbers\. {QUERY} in .* is of .*quantised"):
        files.load(tmp_path)


@pytest.mark.parametrize("name", ["../outside.safetensors", "/outside.safetensors", "a/b.safetensors", 3, None, [], ""])
def test_an_index_names_plain_files_of_its_folder_alone(tmp_path, config, tensors, name):
    folder = tmp_path / "model"
    files.save(folder, config, tensors, "AlbertModel", max_shard_size=1000)
    safetensors.numpy.save_file({}, tmp_path / "outside.safetensors")
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"][QUERY] = name
    index.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="must be a plain name inside its folder"):
        files.load(folder)


def test_an_index_names_files_of_its_own_form_alone(tmp_path, config, tensors):
    files.save(tmp_path, config, tensors, "AlbertModel", max_shard_size=1000)
    index = tmp_path / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"][QUERY] = "config.json"
    index.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"must name files that end in \.safetensors. It names 'config\.json'"):
        files.load(tmp_path)


def test_a_weight_that_two_shards_hold_differently_is_refused(tmp_path, config, tensors):
    files.save(tmp_path, config, tensors, "AlbertModel", max_shard_size=1000)
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    held = safetensors.numpy.load_file(shards[0])
    name = next(iter(held))
    more = safetensors.numpy.load_file(shards[1]) | {name: held[name] + 1}
    safetensors.numpy.save_file(more, shards[1])
    with pytest.raises(CheckpointError, match=f"must be stored once, or twice the same.*{name}"):
        files.load(tmp_path)


def test_a_weight_under_two_spellings_that_differ_is_refused(tmp_path, config, tensors):
    files.save(tmp_path, config, tensors, "AlbertModel")
    tensors = tensors | {f"module.{QUERY}": tensors[QUERY] + 1}
    safetensors.numpy.save_file(tensors, tmp_path / FILE)
    with pytest.raises(CheckpointError, match="must be stored once"):
        files.load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="FIFOs of POSIX")
@pytest.mark.parametrize("name", [FILE, "config.json", "pytorch_model.bin", "model.safetensors.index.json"])
def test_a_fifo_in_the_place_of_a_file_is_refused_and_not_waited_for(tmp_path, config, tensors, name):
    files.save(tmp_path, config, tensors, "AlbertModel")
    if name in ("pytorch_model.bin", "model.safetensors.index.json"):
        (tmp_path / FILE).unlink()
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(CheckpointError, match=f"{name} must be a file. It is a FIFO"):
        files.load(tmp_path)


@pytest.mark.torch
def test_a_pickle_is_held_to_the_checksums_in_it(tmp_path, config, tensors):
    torch = pytest.importorskip("torch")
    config.save_pretrained(tmp_path)
    file = tmp_path / "pytorch_model.bin"
    torch.save({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, file)
    assert files.load(tmp_path).tensors.keys() == tensors.keys()
    whole = file.read_bytes()
    place = whole.index(tensors[QUERY].tobytes())
    flip(file, place)
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin must be a complete PyTorch file. It is damaged"):
        files.load(tmp_path)


@pytest.mark.torch
@pytest.mark.parametrize("how", ["compressed", "named twice"])
def test_a_pickle_whose_records_are_larger_than_the_file_is_refused(tmp_path, config, how):
    torch = pytest.importorskip("torch")
    config.save_pretrained(tmp_path)
    whole, file = tmp_path / "whole.bin", tmp_path / "pytorch_model.bin"
    torch.save({QUERY: torch.zeros(1000)}, whole)
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for record in archive.infolist():
            kind = zipfile.ZIP_DEFLATED if how == "compressed" else zipfile.ZIP_STORED
            packed.writestr(record.filename, archive.read(record), kind)
        if how == "named twice":
            packed.filelist += [packed.getinfo("whole/data/0")] * 2
    with pytest.raises(CheckpointError, match=r"PyTorch file.*records state more bytes than the file has"):
        files.load(tmp_path)


@pytest.mark.torch
def test_a_pickle_whose_checksums_were_left_out_is_read(tmp_path, config, tensors):
    torch = pytest.importorskip("torch")
    config.save_pretrained(tmp_path)
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, tmp_path / "pytorch_model.bin")
    finally:
        torch.serialization.set_crc32_options(before)
    with zipfile.ZipFile(tmp_path / "pytorch_model.bin") as archive:
        assert {record.CRC for record in archive.infolist()} == {0}
    assert files.load(tmp_path).tensors.keys() == tensors.keys()


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("kind", ["sparse", "meta", "float8", "complex", "quantised", "repeated", "whole", "axes"])
def test_a_pickle_of_other_tensors_is_refused_in_words(tmp_path, config, tensors, kind):
    torch = pytest.importorskip("torch")
    config.save_pretrained(tmp_path)
    one = torch.ones(12, 12)
    other = {
        "sparse": lambda: one.to_sparse(),
        "meta": lambda: one.to("meta"),
        "float8": lambda: one.to(torch.float8_e4m3fn),
        "complex": lambda: one.to(torch.complex64),
        "quantised": lambda: torch.quantize_per_tensor(one, 0.1, 0, torch.qint8),
        "repeated": lambda: torch.ones(1).expand(12, 12),
        "whole": lambda: one.to(torch.int64),
        "axes": lambda: torch.ones([1] * 70),
    }[kind]()
    stored = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()} | {QUERY: other}
    torch.save(stored, tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=rf"floating point numbers\. {QUERY} in .*pytorch_model\.bin is|Reading"):
        files.load(tmp_path)


def test_an_h5_file_of_text_or_of_other_files_is_refused(tmp_path, config):
    h5py = pytest.importorskip("h5py")
    config.save_pretrained(tmp_path)
    (tmp_path / "outside").write_bytes(bytes(4))
    made = {
        "holds object, not numbers": lambda file: file.create_dataset("w", data="text"),
        "keeps its values in other files": lambda file: file.create_dataset(
            "w", (1,), np.float32, external=[(str(tmp_path / "outside"), 0, 4)]
        ),
        "of which the file holds 0": lambda file: file.create_dataset("w", (10**9, 10**6), np.float32),
    }
    for words, make in made.items():
        with h5py.File(tmp_path / "tf_model.h5", "w") as file:
            make(file)
        with pytest.raises(CheckpointError, match=rf"tf_model\.h5 must be a complete HDF5 file.*{words}"):
            files.load(tmp_path)
