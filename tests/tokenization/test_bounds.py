import base64
import json

import pytest

from albertkit import storage
from albertkit.errors import CheckpointError
from albertkit.tokenization import bounds, files
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
    "characters in a text of its model": {"model": {"continuing_subword_prefix": "#" * 1001}},
    "times the length by a text before": {"normalizer": {"type": "Prepend", "prepend": "x" * 1000}},
    "times the length by a template": {
        "post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}] * 1001}
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


GROWING = {"type": "Replace", "pattern": {"String": "a"}, "content": "b" * 40}
FLAGS = dict.fromkeys(("single_word", "lstrip", "rstrip", "special"), False)


def tokenizer_json(folder, added=()):
    """A tokenizer.json whose normalizer makes each `a` forty times as long."""
    model = {"type": "WordPiece", "unk_token": "u", "continuing_subword_prefix": "#", "max_input_chars_per_word": 9}
    content = {"version": "1.0", "added_tokens": list(added), "normalizer": GROWING}
    content["model"] = model | {"vocab": {"u": 0, "<unk>": 1, "<pad>": 2, "[CLS]": 3, "[SEP]": 4, "[MASK]": 5}}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return folder / "tokenizer.json"


def added(number, normalized):
    return {"content": f"{number}" + "a" * 9, "normalized": normalized, **FLAGS}


NORMALIZED = "may have 1,000 characters in all added tokens once they are normalized at most. It has 1,083"


def test_added_tokens_that_a_normalizer_makes_endless_are_refused_before_the_library_sees_them(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "TOTAL", 1000)
    file = tokenizer_json(tmp_path, [{"id": 6 + number, **added(number, True)} for number in range(3)])
    with pytest.raises(CheckpointError, match=f"json {NORMALIZED}"):
        AlbertTokenizerFast(tokenizer_file=file)
    file = tokenizer_json(tmp_path, [{"id": 6 + number, **added(number, number < 2)} for number in range(9)])
    assert AlbertTokenizerFast(tokenizer_file=file).vocab_size == 6


def test_added_tokens_of_a_folder_are_bounded_in_their_normal_form_too(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "TOTAL", 1000)
    tokenizer_json(tmp_path)
    for count, normalized in ((9, False), (2, True), (3, True)):
        decoder = {str(6 + number): added(number, normalized) for number in range(count)}
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": decoder}))
        if count * normalized == 3:
            with pytest.raises(CheckpointError, match=f"json {NORMALIZED}"):
                AlbertTokenizerFast.from_pretrained(tmp_path)
        else:
            assert len(AlbertTokenizerFast.from_pretrained(tmp_path)) == 6 + count


@pytest.mark.parametrize("where", ["added_tokens_decoder", "additional_special_tokens"])
def test_added_tokens_of_a_folder_are_bounded_together(tmp_path, monkeypatch, where):
    monkeypatch.setattr(bounds, "TOTAL", 50)
    tokens = [added(number, False) for number in range(6)]
    tokens = {str(number): token for number, token in enumerate(tokens)} if where == "added_tokens_decoder" else tokens
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({where: tokens}))
    words = r"tokenizer_config\.json may have 50 characters in all entries at most. It has 60"
    with pytest.raises(CheckpointError, match=words):
        files.read(storage.Folder(tmp_path))


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


MAP = message(2, charsmap("x" * 20))
SPIECE = {
    "an empty message that is merged with it": (message(3, MAP) + message(3, b""), "20 times"),
    "an empty message before it": (message(3, b"") + message(3, MAP), "20 times"),
    "a shorter map before it": (message(3, message(2, charsmap("x")) + MAP), "20 times"),
    "a map for decoding": (message(5, MAP), "20 times"),
    "a map for each direction": (
        message(3, message(2, charsmap("x" * 4))) + message(5, message(2, charsmap("x" * 4))),
        "16 times",
    ),
    "a long piece": (message(1, message(1, b"x" * 20)), "20 characters in one entry"),
    "a long piece before a short one": (message(1, message(1, b"x" * 20) + message(1, b"x")), "20 characters in one"),
    "long text for what is unknown": (message(2, bytes([0xE2, 2, 20]) + b"x" * 20), "20 characters in one entry"),
    "a long text that is cut to test it": (message(4, b"x" * 20), "20 characters in its self-test"),
    "a text that grows when it is cut to test it": (
        message(4, b"x" * 4) + message(3, message(2, charsmap("x" * 4))),
        "16 characters in its self-test",
    ),
}


@pytest.mark.parametrize("what", SPIECE)
def test_a_sentencepiece_model_that_makes_texts_endless_is_refused_in_any_form(monkeypatch, what):
    for bound in ("GROWTH", "LONGEST", "TOTAL"):
        monkeypatch.setattr(bounds, bound, 10)
    model, words = SPIECE[what]
    count, words = words.split(" ", 1)
    with pytest.raises(CheckpointError, match=rf"a file may have 10 {words}.* at most. It has {count}\."):
        bounds.require_spiece("a file", model)


@pytest.mark.parametrize("behind", [b"", b"\x1a\x00"])
def test_the_map_of_a_published_model_counts_whatever_stands_behind_it(data, monkeypatch, behind):
    monkeypatch.setattr(bounds, "GROWTH", 17)
    with pytest.raises(CheckpointError, match="times the length of a text once its characters are replaced"):
        bounds.require_spiece("a file", (data / "spiece.model").read_bytes() + behind)


@pytest.mark.parametrize(
    "behind",
    [
        b"\xa3\x01\xa4\x01",  # a group, which no model has
        b"\x9a\x80\x80\x80\x10\x00",  # field 3 once its bits beyond 32 are dropped
        b"\x00",  # a field without a number
        b"\x1a\x05ab",  # cut short
        b"\x1d\x05",
        b"\x1a",
        message(3, b"\x12"),  # damage within
    ],
)
def test_a_sentencepiece_model_that_cannot_be_looked_into_is_refused(tmp_path, data, behind):
    model = (data / "spiece.model").read_bytes() + behind
    (tmp_path / "spiece.model").write_bytes(model)
    with pytest.raises(CheckpointError, match=rf"must be a SentencePiece model. Reading {len(model):,} bytes failed"):
        AlbertTokenizer(tmp_path / "spiece.model")


def test_fields_of_another_kind_are_left_to_the_library(data):
    bounds.require_spiece(
        "a file", (data / "spiece.model").read_bytes() + b"\x18\x01\x28\x01" + message(3, b"\x10\x01")
    )
