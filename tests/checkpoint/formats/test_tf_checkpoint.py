import re
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from albertkit.checkpoint.formats import tf_checkpoint
from albertkit.checkpoint.formats.crc32c import crc32c, masked
from albertkit.errors import CheckpointError
from checkpoint.formats import tf_checkpoints

NAMES = st.text(string.ascii_letters + "_/0", min_size=1, max_size=30)
ARRAYS = st.sampled_from(tf_checkpoints.DTYPES).flatmap(
    lambda dtype: numbers.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5).map(
        lambda shape: np.random.default_rng(len(shape)).integers(0, 2, shape).astype(dtype)
    )
)


def one_by_one(data):
    """The definition: polynomial division, bit by bit."""
    state = 0xFFFFFFFF
    for octet in data:
        state ^= octet
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),  # RFC 3720, appendix B.4, and the check value of catalogues
    [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"", 0),
    ],
)
def test_the_checksum_is_that_of_the_standard(data, expected):
    assert crc32c(data) == expected


@given(st.binary(max_size=300))
def test_the_checksum_is_its_definition_at_every_length(data):
    assert crc32c(data) == one_by_one(data)
    assert crc32c(np.frombuffer(data, np.uint8)) == crc32c(data)


def test_the_checksum_of_more_than_a_block_is_that_of_all_its_bytes():
    data = np.random.default_rng(0).integers(0, 256, 4 * (1 << 16) + 9, np.uint8)
    assert crc32c(data) == one_by_one(data.tobytes())


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints")


@settings(max_examples=60)
@given(st.dictionaries(NAMES, ARRAYS, max_size=12), st.integers(1, 3), st.integers(1, 5))
def test_what_was_written_is_read(place, tensors, shards, entries_a_block):
    opened = tf_checkpoint.open_checkpoint(
        tf_checkpoints.write(place / "x", tensors, shards, entries_a_block=entries_a_block)
    )
    assert opened.shards == shards
    assert list(opened.entries) == sorted(tensors)
    for name, value in opened.read(tensors).items():
        assert value.dtype == tensors[name].dtype
        assert value.shape == tensors[name].shape
        assert value.tobytes() == tensors[name].tobytes()


@settings(max_examples=30)
@given(st.lists(st.sampled_from([b"abc", b"a" * 70, b"xyz" * 30, b"q", b"x" * 3000]), max_size=12))
def test_compressed_blocks_are_read(place, stretches):
    pyarrow = pytest.importorskip("pyarrow")
    entries = [
        (f"name{place:03}".encode(), tf_checkpoints.message((9, value))) for place, value in enumerate(stretches)
    ]

    def compress(data):
        return pyarrow.compress(data, "snappy", asbytes=True)

    (place / "x.index").write_bytes(tf_checkpoints.table([(b"", b""), *entries], compress=compress))
    assert list(tf_checkpoint.open_checkpoint(place / "x").entries) == [name.decode() for name, _ in entries]
    assert list(tf_checkpoint._table((place / "x.index").read_bytes()))[1:] == entries


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x05\x10hello", b"hello"),
        (b"\x0a\x00a\x15\x01\x08bcd", None),
        (b"\x08\x00a\x0d\x01", b"a" * 8),  # a copy that reaches into itself
        (b"\x06\x04ab\x0e\x02\x00", b"ababab"),  # two bytes of distance
        (b"\x06\x04ab\x0f\x02\x00\x00\x00", b"ababab"),  # four
        (b"\x02\x00a\x01\x09", None),  # from before the beginning
        (b"\x09\x10hello", None),  # too short
    ],
)
def test_snappy_is_undone(data, expected):
    if expected is None:
        with pytest.raises(ValueError, match="compressed block"):
            tf_checkpoint._snappy(data)
    else:
        assert tf_checkpoint._snappy(data) == expected


@pytest.mark.tensorflow
def test_what_tensorflow_wrote_is_read(tmp_path):
    tensorflow = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    shapes = {"a": (), "b": (3,), "c": (4, 5, 2), "empty": (0, 3)}
    tensors = {
        f"scope_{kind}/{name}": rng.integers(0, 2, shape).astype(kind)
        for kind in tf_checkpoints.DTYPES
        for name, shape in shapes.items()
    }
    for name in map(str, range(300)):  # more than one block
        tensors[f"a/long/scope/that/all/of/these/variables/share/{name}"] = rng.standard_normal((2, 3)).astype(
            np.float32
        )
    names = list(tensors)
    tensorflow.raw_ops.SaveV2(
        prefix=str(tmp_path / "x"),
        tensor_names=[*names, "text"],
        shape_and_slices=[""] * (len(names) + 1),
        tensors=[*tensors.values(), "words"],
    )
    opened = tf_checkpoint.open_checkpoint(tmp_path / "x")
    assert list(opened.entries) == sorted([*names, "text"])
    for name, value in opened.read(names).items():
        assert value.dtype == tensors[name].dtype
        assert value.shape == tensors[name].shape
        assert value.tobytes() == tensors[name].tobytes()
    with pytest.raises(CheckpointError, match=r"text in .* does not hold numbers"):
        opened.read(["text"])


def test_values_may_be_changed_and_the_file_stays(tmp_path):
    prefix = tf_checkpoints.write(tmp_path / "x", {"a": np.ones(3, np.float32)})
    tf_checkpoint.open_checkpoint(prefix).read(["a"])["a"][:] = 7
    assert tf_checkpoint.open_checkpoint(prefix).read(["a"])["a"].tolist() == [1, 1, 1]


TENSORS = {
    "bert/a": np.arange(24, dtype=np.float32).reshape(4, 6),
    "bert/b": np.arange(5, dtype=np.float16),
    "bert/ba": np.ones((2, 3), np.float64),
    "global_step": np.array(3, np.int64),
}


def read_all(prefix):
    opened = tf_checkpoint.open_checkpoint(prefix)
    return opened.read(opened.entries)


def same_or_refused(prefix):
    """Whether damage was noticed. Where it was not, nothing may differ."""
    try:
        found = read_all(prefix)
    except CheckpointError as error:
        assert str(prefix) in str(error)  # noqa: PT017
        return False
    assert {name: value.tobytes() for name, value in found.items()} == {k: v.tobytes() for k, v in TENSORS.items()}
    return True


@pytest.mark.parametrize("file", ["x.index", "x.data-00000-of-00002", "x.data-00001-of-00002"])
def test_a_file_cut_at_any_place_is_refused(tmp_path, file):
    prefix = tf_checkpoints.write(tmp_path / "x", TENSORS, shards=2, entries_a_block=2)
    whole = (tmp_path / file).read_bytes()
    for length in range(len(whole)):
        (tmp_path / file).write_bytes(whole[:length])
        assert not same_or_refused(prefix)


@settings(max_examples=300)
@given(st.sampled_from(["x.index", "x.data-00000-of-00002", "x.data-00001-of-00002"]), st.data())
def test_a_changed_bit_never_gives_other_numbers(place, file, data):
    prefix = tf_checkpoints.write(place / "x", TENSORS, shards=2, entries_a_block=2)
    content = bytearray((place / file).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    (place / file).write_bytes(content)
    assert not same_or_refused(prefix) or file == "x.index"  # where parts of the footer have no meaning


@settings(max_examples=200)
@given(st.binary(max_size=200).filter(lambda content: not content.startswith(b"version http")), st.booleans())
def test_bytes_that_are_no_index_are_refused_in_words(place, content, ends_well):
    (place / "y.index").write_bytes(content + (0xDB4775248B80FB57).to_bytes(8, "little") * ends_well)
    with pytest.raises(CheckpointError, match="must be the complete index of a TensorFlow checkpoint"):
        tf_checkpoint.open_checkpoint(place / "y")


def test_a_missing_data_file_is_named(tmp_path):
    prefix = tf_checkpoints.write(tmp_path / "x", TENSORS, shards=2)
    (tmp_path / "x.data-00001-of-00002").unlink()
    with pytest.raises(CheckpointError, match=re.escape("x.index needs x.data-00001-of-00002, which is not in")):
        read_all(prefix)


def test_a_data_file_of_another_save_is_refused(tmp_path):
    prefix = tf_checkpoints.write(tmp_path / "x", TENSORS)
    tf_checkpoints.write(tmp_path / "y", TENSORS | {"bert/a": TENSORS["bert/a"] + 1})
    (tmp_path / "y.data-00000-of-00001").replace(tmp_path / "x.data-00000-of-00001")
    with pytest.raises(
        CheckpointError, match=r"bert/a in .*x\.data-00000-of-00001 have not: the file is damaged or of"
    ):
        read_all(prefix)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (tf_checkpoints.message((1, 1), (7, b"\x0a\x00")), "is stored in parts"),
        (tf_checkpoints.message((1, 7)), "does not hold numbers"),
        (
            tf_checkpoints.message((1, 1), (2, tf_checkpoints.message((2, tf_checkpoints.message((1, 5))))), (5, 7)),
            "and 7 bytes",
        ),
    ],
)
def test_what_is_no_array_is_refused(tmp_path, entry, message):
    prefix = tf_checkpoints.write(tmp_path / "x", {}, entries=[(b"w", entry)])
    with pytest.raises(CheckpointError, match=message):
        read_all(prefix)


@pytest.mark.parametrize("shape", [(0, 2**63), (0, 2**40, 2**40), (0, *[1] * 63, 2**63), (1,) * 65])
def test_a_shape_that_no_array_can_have_is_refused_in_words(tmp_path, shape):
    value = np.zeros(int(np.prod(shape[:1])), np.float32)
    prefix = tf_checkpoints.write(tmp_path / "x", {"w": value}, shapes={"w": shape})
    with pytest.raises(CheckpointError, match=re.escape(str(prefix))) as caught:
        read_all(prefix)
    assert len(str(caught.value)) < 700


def test_a_data_file_whose_name_is_too_long_is_not_there(tmp_path):
    prefix = tmp_path / ("x" * 240)
    tf_checkpoints.write(tmp_path / "x", TENSORS)
    (tmp_path / "x.index").rename(tmp_path / f"{prefix.name}.index")
    with pytest.raises(CheckpointError, match=r"x\.index needs x+\.data-00000-of-00001, which is not in"):
        read_all(prefix)


@pytest.mark.parametrize(
    ("bound", "most"),
    [("_ENTRIES", 4), ("_ENTRIES", 6), ("_LONGEST", 5), ("_LARGEST", 250), ("_DIMENSIONS", 1)],
)
def test_an_index_that_states_too_much_is_refused(tmp_path, monkeypatch, bound, most):
    prefix = tf_checkpoints.write(tmp_path / "x", TENSORS, entries_a_block=2)  # five entries in three blocks
    read_all(prefix)
    monkeypatch.setattr(tf_checkpoint, bound, most)
    with pytest.raises(CheckpointError, match=r"x\.index (must be the complete index|may have 250 bytes at most)"):
        read_all(prefix)


def test_a_block_that_is_named_often_counts_as_often(tmp_path, monkeypatch):
    monkeypatch.setattr(tf_checkpoint, "_ENTRIES", 20)
    header, entry = tf_checkpoints.message((1, 1)), tf_checkpoints.message((1, 1))
    for times, wrong in ((3, None), (4, "more than 20 entries"), (100, "more than 20 entries")):
        pairs = [(b"", header), *((b"name%d" % number, entry) for number in range(4))]
        (tmp_path / "x.index").write_bytes(tf_checkpoints.table(pairs, entries_a_block=5, times=times))
        if wrong:
            with pytest.raises(CheckpointError, match=wrong):
                tf_checkpoint.open_checkpoint(tmp_path / "x")
        else:
            assert len(tf_checkpoint.open_checkpoint(tmp_path / "x").entries) == 4


def test_blocks_without_entries_count_too(tmp_path, monkeypatch):
    monkeypatch.setattr(tf_checkpoint, "_ENTRIES", 20)
    (tmp_path / "x.index").write_bytes(tf_checkpoints.table([], times=21))
    with pytest.raises(CheckpointError, match="more than 20 entries"):
        tf_checkpoint.open_checkpoint(tmp_path / "x")


def test_blocks_are_bounded_in_sum_and_as_they_are_uncompressed(tmp_path, monkeypatch):
    content = tf_checkpoints.table([(b"", tf_checkpoints.message((1, 1)))], times=10)
    (tmp_path / "x.index").write_bytes(content)
    tf_checkpoint.open_checkpoint(tmp_path / "x")
    monkeypatch.setattr(tf_checkpoint, "_LARGEST", 100)
    monkeypatch.setattr(tf_checkpoint.storage, "read_bytes", lambda path, limit: content)
    with pytest.raises(CheckpointError, match="or 100 bytes"):
        tf_checkpoint.open_checkpoint(tmp_path / "x")
    for stated in (b"\x05", b"\xff\x01"):  # 5 and 255 bytes, and three times 64 that one byte is repeated
        with pytest.raises(ValueError, match="compressed block is longer"):
            tf_checkpoint._snappy(stated + b"\x00a" + b"\xfe\x01\x00" * 3 + b"\x00")


def test_variables_may_not_share_bytes(tmp_path):
    tensors = {name: np.ones(4, np.float32) for name in "abc"}
    one = dict.fromkeys(tensors, 0)
    prefix = tf_checkpoints.write(tmp_path / "x", tensors, offsets=one)
    assert tf_checkpoint.open_checkpoint(prefix).read("abc")["c"].tolist() == [1, 1, 1, 1]
    (tmp_path / "x.data-00000-of-00001").write_bytes(np.ones(8, np.float32).tobytes())
    with pytest.raises(CheckpointError, match=r"Every variable must have bytes of its own\. .*x\.data-00000-of-00001"):
        tf_checkpoint.open_checkpoint(prefix).read("abc")


def test_big_endian_numbers_are_refused(tmp_path):
    (tmp_path / "x.index").write_bytes(tf_checkpoints.table([(b"", tf_checkpoints.message((1, 1), (2, 1)))]))
    with pytest.raises(CheckpointError, match="big-endian"):
        tf_checkpoint.open_checkpoint(tmp_path / "x")


def test_the_mask_is_not_the_checksum_itself():
    assert masked(crc32c(b"foo")) != crc32c(b"foo")
    assert masked(0) == 0xA282EAD8
