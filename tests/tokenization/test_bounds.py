import base64
import json

import pytest

from albertkit.errors import CheckpointError
from albertkit.tokenization import bounds
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer


def charsmap(*replacements):
    """A precompiled character map with an empty search tree."""
    return bytes(4) + b"\0".join(text.encode() for text in replacements) + b"\0"


def message(number, content):
    """A field of bytes of a protocol-buffer message, of under 128 bytes or of under 2**14."""
    size = len(content)
    return bytes([number << 3 | 2, *([size] if size < 128 else [size & 127 | 128, size >> 7])]) + content


TOO_MUCH = {
    "ids": {"model": {"vocab": {"a": 2**24}}},
    "ids of added tokens": {"added_tokens": [{"id": 2**31, "content": "x"}]},
    "characters in one entry": {"model": {"vocab": [["x" * 1001, 0.0]]}},
    "characters in one entry of added tokens": {"added_tokens": [{"id": 1, "content": "x" * 1001}]},
    "characters in a word of its model": {"model": {"max_input_chars_per_word": 1001}},
    "steps": {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKD"}] * 101}},
    "characters in a text of a step": {"normalizer": {"type": "Prepend", "prepend": "x" * 1001}},
    "times the length": {"normalizer": {"type": "Replace", "pattern": {"Regex": "a"}, "content": "x" * 1000}},
    "times the length by a map": {
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap("x" * 1001)).decode()}
    },
    "times the length by two steps": {
        "normalizer": {
            "type": "Sequence",
            "normalizers": [{"type": "Replace", "pattern": {"String": "a"}, "content": "x" * 40}] * 2,
        }
    },
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_a_tokenizer_that_asks_for_too_much_is_refused_before_its_library_sees_it(tmp_path, monkeypatch, what):
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(TOO_MUCH[what]))
    words = what.split(" of added")[0].split(" by ")[0]
    with pytest.raises(CheckpointError, match=rf"tokenizer\.json may have [\d,]+ {words}.* at most. It has [\d,]+"):
        AlbertTokenizerFast(tokenizer_file=file)


def test_what_is_of_the_wrong_kind_is_left_to_the_library(tmp_path):
    for content in ({"model": 3}, {"model": {"vocab": 3}, "added_tokens": [3, {}]}, {"normalizer": [3]}, {}):
        bounds.require_tokenizer("a file", content)


def test_published_tokenizers_lie_within_the_bounds(data):
    bounds.require_tokenizer("a file", json.loads((data / "tokenizer.json").read_text(encoding="utf-8")))
    bounds.require_spiece("a file", (data / "spiece.model").read_bytes())


def test_a_vocabulary_with_endless_words_is_refused(tmp_path):
    file = tmp_path / "vocab.txt"
    file.write_text("[UNK]\n" + "x" * 1001)
    with pytest.raises(
        CheckpointError, match=r"vocab\.txt may have 1,000 characters in one entry at most. It has 1,001"
    ):
        AlbertWordPieceTokenizer(file)


def test_a_character_map_that_makes_texts_endless_is_refused(tmp_path):
    file = tmp_path / "spiece.model"
    file.write_bytes(message(3, message(2, charsmap("x" * 1001))))
    with pytest.raises(CheckpointError, match=r"spiece\.model may have 1,000 times the length of a text.*It has 1,001"):
        AlbertTokenizer(file)
