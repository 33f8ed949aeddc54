import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit.errors import CheckpointError, CheckpointNotFound, InputError
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer

# Text on which the two files of a vocabulary differ: the digit-comma rule is only emulated in tokenizer.json.
DIFFERENT = "5,"


@given(st.text("aThe, 15é(漢[MASK]\u200b\t", max_size=20))
def test_ids_from_the_vocabulary_are_those_of_the_slow_tokenizer(slow, exact, text):
    mine, theirs = exact(text), slow(text)
    assert dict(mine) == dict(theirs)
    assert mine.tokens() == theirs.tokens()
    assert mine[0].offsets == theirs[0].offsets


def test_a_file_is_needed():
    with pytest.raises(InputError, match=r"needs a `vocab_file` \(spiece.model\) or a `tokenizer_file`"):
        AlbertTokenizerFast()


def test_the_two_files_differ_on_the_text_of_these_tests(exact, library):
    assert exact(DIFFERENT)["input_ids"] != library(DIFFERENT)["input_ids"]


@pytest.fixture
def both(spiece, tokenizer_json, tmp_path):
    """A folder with both vocabulary files."""
    shutil.copy(spiece, tmp_path / "spiece.model")
    shutil.copy(tokenizer_json, tmp_path / "tokenizer.json")
    return tmp_path


def test_tokenizer_json_is_used_where_both_files_are(both, library):
    tokenizer = AlbertTokenizerFast.from_pretrained(both)
    assert tokenizer(DIFFERENT)["input_ids"] == library(DIFFERENT)["input_ids"]
    assert tokenizer.can_save_slow_tokenizer
    assert AlbertTokenizer.from_pretrained(both).tokenize(DIFFERENT) != tokenizer.tokenize(DIFFERENT)


def test_one_file_is_enough(both, library, exact):
    (both / "spiece.model").rename(both / "aside")
    tokenizer = AlbertTokenizerFast.from_pretrained(both)
    assert tokenizer(DIFFERENT)["input_ids"] == library(DIFFERENT)["input_ids"]
    assert not tokenizer.can_save_slow_tokenizer
    (both / "tokenizer.json").unlink()
    (both / "aside").rename(both / "spiece.model")
    assert AlbertTokenizerFast.from_pretrained(both)(DIFFERENT)["input_ids"] == exact(DIFFERENT)["input_ids"]


def test_a_folder_saved_from_the_vocabulary_stays_exact(exact, tmp_path):
    exact.save_pretrained(tmp_path)
    assert (tmp_path / "tokenizer.json").is_file()
    for _ in range(2):
        tokenizer = AlbertTokenizerFast.from_pretrained(tmp_path)
        assert tokenizer(DIFFERENT)["input_ids"] == exact(DIFFERENT)["input_ids"]
        tokenizer.save_pretrained(tmp_path)
    (tmp_path / "spiece.model").unlink()
    assert AlbertTokenizerFast.from_pretrained(tmp_path)(DIFFERENT)["input_ids"] != exact(DIFFERENT)["input_ids"]


def test_a_folder_saved_from_tokenizer_json_stays_with_it(both, library, tmp_path):
    tokenizer = AlbertTokenizerFast.from_pretrained(both)
    written = tokenizer.save_pretrained(tmp_path / "new")
    assert sorted(path.rsplit("/", 1)[1] for path in written) == [
        "special_tokens_map.json",
        "spiece.model",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    again = AlbertTokenizerFast.from_pretrained(tmp_path / "new")
    assert again(DIFFERENT)["input_ids"] == library(DIFFERENT)["input_ids"]


def test_a_vocabulary_that_is_not_at_hand_is_not_left_over_from_before(library, exact, tmp_path):
    exact.save_pretrained(tmp_path)
    library.save_pretrained(tmp_path)
    assert not (tmp_path / "spiece.model").exists()
    assert AlbertTokenizerFast.from_pretrained(tmp_path)(DIFFERENT)["input_ids"] == library(DIFFERENT)["input_ids"]


def test_the_slow_tokenizer_reads_what_the_fast_one_saved(exact, tmp_path):
    exact.save_pretrained(tmp_path)
    tokenizer = AlbertTokenizer.from_pretrained(tmp_path)
    assert type(tokenizer) is AlbertTokenizer
    assert tokenizer(DIFFERENT)["input_ids"] == exact(DIFFERENT)["input_ids"]


def test_the_backend_is_an_object_of_the_library(exact, library):
    for tokenizer in (exact, library):
        backend = tokenizer.backend_tokenizer
        assert backend.encode("the cat").ids == tokenizer("the cat")["input_ids"]
        assert backend.get_vocab_size() == len(tokenizer)


def test_special_tokens_beyond_the_published_are_saved(makers, tmp_path):
    tokenizer = makers["exact"](unk_token="[UNK]", cls_token=None, sep_token=None)
    tokenizer.save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    assert [token["content"] for token in stored["added_tokens"]][-1] == "[UNK]"
    assert stored["model"]["unk_id"] == 1


@pytest.mark.parametrize("content", [b"", b"{}", b'{"version": "1.0"', b"\xff\xfe"])
def test_what_is_no_tokenizer_json_is_refused(content, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"must come from a file that its library can use. It failed over .*tokenizer\.json"
    ):
        AlbertTokenizerFast(tokenizer_file=path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(CheckpointNotFound, match=r"`tokenizer_file` must be a file. Received: .*nowhere.json"):
        AlbertTokenizerFast(tokenizer_file=tmp_path / "nowhere.json")
    with pytest.raises(CheckpointNotFound, match=r"SentencePiece model"):
        AlbertTokenizerFast.from_pretrained(tmp_path)


def test_a_folder_with_a_vocab_txt_gives_the_wordpiece_tokenizer(vocab_txt):
    assert type(AlbertTokenizerFast.from_pretrained(vocab_txt.parent)) is AlbertWordPieceTokenizer


def test_added_tokens_survive_in_either_file(makers, tmp_path):
    for kind in ("exact", "library"):
        tokenizer = makers[kind]()
        tokenizer.add_tokens(["NewTok"])
        tokenizer.add_special_tokens({"additional_special_tokens": ["<e>"]})
        tokenizer.save_pretrained(tmp_path / kind)
        again = AlbertTokenizerFast.from_pretrained(tmp_path / kind)
        text = "a newtok<e> NEWTOK b"
        assert again(text)["input_ids"] == tokenizer(text)["input_ids"]
        assert again(text)["input_ids"].count(600) == 2
        assert again.additional_special_tokens == ["<e>"]
