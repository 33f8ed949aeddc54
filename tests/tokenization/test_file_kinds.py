"""A file that is given to another's reader is sent to its own."""

import pytest

from albertkit.errors import CheckpointError, CheckpointNotFound
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.file_kinds import own_reader
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer

READERS = {
    "AlbertTokenizer(": AlbertTokenizer,
    "AlbertTokenizerFast(tokenizer_file=": lambda path: AlbertTokenizerFast(tokenizer_file=path),
    "AlbertWordPieceTokenizer(": AlbertWordPieceTokenizer,
}


@pytest.fixture
def kinds(spiece, tokenizer_json, vocab_txt):
    return dict(zip(READERS, (spiece, tokenizer_json, vocab_txt), strict=True))


@pytest.mark.parametrize("given", READERS)
@pytest.mark.parametrize("reader", READERS)
def test_each_vocabulary_file_names_its_reader_to_the_others(kinds, given, reader):
    if given == reader:
        assert READERS[reader](kinds[given]).vocab_size
        return
    with pytest.raises(CheckpointError) as caught:
        READERS[reader](kinds[given])
    told = str(caught.value)
    assert f"{given}{str(kinds[given])!r}) reads it" in told
    assert "cut short" not in told


def test_json_beside_a_vocabulary_names_the_folder(tmp_path):
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    with pytest.raises(CheckpointError, match="reads their folder"):
        AlbertTokenizer(tmp_path / "tokenizer_config.json")


def test_the_listing_beside_a_model_names_the_model(tmp_path):
    (tmp_path / "spiece.vocab").write_text("<pad>\t0\n<unk>\t0\n▁the\t-3.2\n", "utf-8")
    for reader in READERS.values():
        with pytest.raises(CheckpointError, match=r"take the \.model file beside it"):
            reader(tmp_path / "spiece.vocab")


def test_half_a_model_is_still_said_to_be_cut_short(spiece, tmp_path):
    (tmp_path / "half.model").write_bytes(spiece.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cut short, repeat it"):
        AlbertTokenizer(tmp_path / "half.model")


def test_a_folder_is_sent_to_from_pretrained(tmp_path):
    for reader in READERS.values():
        with pytest.raises(CheckpointNotFound, match="For a folder call from_pretrained"):
            reader(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe\x00", b"{", b"[1, 2]"])
def test_nothing_is_said_of_other_content(content):
    assert own_reader("file", content) == ""
