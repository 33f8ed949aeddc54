"""How much of a text a vocabulary does not know, and what is said about it."""

import numpy as np
import pytest

from albertkit.config import AlbertConfig
from albertkit.tasks import registry
from albertkit.tasks.features import Features
from albertkit.tasks.unknown import UnknownTotals
from albertkit.tokenization import train
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.unknown import likely_cause
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer


@pytest.fixture(scope="module")
def tokenizer(data):
    return AlbertTokenizerFast(data / "spiece.model")


def counts(tokenizer, texts, **options):
    encoded = tokenizer(texts, **options)
    return Features(encoded["input_ids"], encoded["token_type_ids"]).unknown(tokenizer, len(texts))


def test_pieces_of_each_text_are_counted_without_what_every_text_has(tokenizer):
    found = counts(tokenizer, ["the cat", "这部电影,很好看.", "the 电影", "", "  ", "[MASK]", "电影 [MASK]"])
    assert found.unknown.tolist() == [0, 2, 1, 0, 0, 0, 1]
    assert found.pieces.tolist() == [len(tokenizer.tokenize("the cat")), 2, 2, 0, 0, 1, 1]
    assert found.unreadable.tolist() == [False, True, False, True, True, False, True]
    assert [bool(found.warning(number)) for number in range(7)] == found.unreadable.tolist()
    assert "2 of 2 pieces" in found.warning(1)
    dated = counts(tokenizer, ["电影很好看 2023", "2023", "the 2023"])
    assert dated.unreadable.tolist() == [True, False, False]  # digits say nothing of whether a language is known
    assert "empty" in found.warning(3)


def test_padding_and_windows_of_one_text_count_for_that_text(tokenizer):
    encoded = tokenizer(["the cat sat", "电影"], padding=True)
    features = Features(encoded["input_ids"], encoded["token_type_ids"], example=[1, 1])
    found = features.unknown(tokenizer, 3)
    pieces = [piece for piece in tokenizer.tokenize("the cat sat") if piece != "▁"]
    assert found.pieces.tolist() == [0, len(pieces) + 1, 0]
    assert found.unknown.tolist() == [0, 1, 0]


def test_rows_of_arrays_are_counted_alike(tokenizer):
    encoded = tokenizer(["the cat", "电影"])
    features = Features([np.array(row) for row in encoded["input_ids"]], encoded["token_type_ids"])
    assert features.unknown(tokenizer, 2).unknown.tolist() == [0, 1]


def test_totals_add_up_and_are_large_where_a_tenth_is_unknown(tokenizer):
    few, many = counts(tokenizer, ["the cat sat on the mat"] * 9).totals(), counts(tokenizer, ["电影", ""]).totals()
    assert not few.is_large
    assert many.is_large
    both = few + many
    assert (both.texts, both.unreadable, both.unknown) == (11, 2, 1)
    assert not UnknownTotals().is_large
    assert "2 of 11 texts" in both.describe(tokenizer)


def test_the_likely_cause_is_the_language_where_the_vocabulary_has_no_accents(tokenizer):
    assert "another language" in likely_cause(tokenizer)


def test_the_likely_cause_is_the_taking_apart_of_syllables_that_the_vocabulary_has(tmp_path):
    syllables = ["영", "화", "가", "좋", "다"]
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *syllables, "##화", "##다"]), "utf-8")
    apart = AlbertWordPieceTokenizer(path)
    assert counts(apart, ["영화 가 좋다"]).unreadable.all()
    assert "strip_accents=False" in likely_cause(apart)
    whole = AlbertWordPieceTokenizer(path, strip_accents=False)
    assert not counts(whole, ["영화 가 좋다"]).unknown.any()
    assert "another language" in likely_cause(whole)


def test_the_likely_cause_in_a_sentencepiece_vocabulary_with_accents(tmp_path):
    lines = [f"éü öä{'éüöäàò'[number % 6]} üö" for number in range(30)]
    whole = train.train(lines, 30, tmp_path / "t", keep_accents=True, exact=False)
    assert not counts(whole, ["éü öä"]).unknown.any()
    assert "another language" in likely_cause(whole)
    apart = AlbertTokenizerFast(tmp_path / "t" / "spiece.model")
    assert counts(apart, ["éü öä"]).unreadable.all()
    assert "keep_accents=True" in likely_cause(apart)


def test_what_rows_of_an_example_share_counts_once(tokenizer):
    text, foreign = "the cat sat on the mat again and again", "电影"
    given = {
        "token-classification": [text, f"{text} {foreign}"],
        "question-answering": [{"question": foreign, "context": text}, {"question": "who", "context": text}],
        "multiple-choice": [{"context": text, "question": "", "choices": [foreign, "b", "c"]}],
    }
    once = len(tokenizer.tokenize(text))
    for name, inputs in given.items():
        task = registry.get(name)
        examples, _ = task.examples(inputs)
        options = task.options(max_length=16)
        found = task.encode(tokenizer, AlbertConfig(), examples, options).unknown(tokenizer, len(examples))
        assert sum(found.unknown) == 1, name
        assert max(found.pieces) <= once + 4, name
