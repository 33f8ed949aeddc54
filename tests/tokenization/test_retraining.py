"""Tokenizers trained anew on other texts, with the settings and special tokens of the first."""

import pytest

from albertkit.errors import InputError, WrongType
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.retraining import each_text

SIZE = 120


@pytest.fixture(scope="module")
def lines(data):
    return (data / "text.txt").read_text(encoding="utf-8").splitlines()[:80]


@pytest.fixture(params=["exact", "library", "wordpiece"])
def one(request, makers):
    options = {"model_max_length": 77, "additional_special_tokens": ["<old>"]}
    return makers[request.param](**options)


def test_another_vocabulary_with_the_same_settings(one, lines, tmp_path):
    options = {} if one.vocab_file and one.vocab_file.endswith("spiece.model") else {"show_progress": False}
    made = one.train_new_from_iterator(iter(lines), SIZE, **options)
    assert type(made) is type(one)
    assert 100 <= made.vocab_size <= SIZE
    assert made.special_tokens_map == one.special_tokens_map
    assert made.model_max_length == 77
    assert made(lines[0])["input_ids"][0] == made.cls_token_id
    assert made.unk_token_id not in made(lines[0])["input_ids"]
    assert set(made.get_vocab()) != set(one.get_vocab())
    made.save_pretrained(tmp_path)
    again = type(one).from_pretrained(tmp_path)
    assert again(lines[:9]).data == made(lines[:9]).data
    assert again.special_tokens_map == made.special_tokens_map


def test_special_tokens_are_renamed_and_joined(one, lines):
    batches = [lines[start : start + 10] for start in range(0, len(lines), 10)]
    renamed = {one.cls_token: "<cls>", one.unk_token: "<unknown>"}
    made = one.train_new_from_iterator(batches, SIZE, new_special_tokens=["<new>"], special_tokens_map=renamed)
    assert (made.cls_token, made.unk_token, made.sep_token) == ("<cls>", "<unknown>", one.sep_token)
    assert made.additional_special_tokens == ["<old>", "<new>"]
    assert made.convert_ids_to_tokens(made("the <new>")["input_ids"])[0] == "<cls>"
    assert made("the <new>")["input_ids"].count(made.convert_tokens_to_ids("<new>")) == 1
    assert one.cls_token not in made.get_vocab()


def test_options_of_no_trainer_are_refused(one, lines):
    with pytest.raises(WrongType, match="nonsense"):
        one.train_new_from_iterator(lines, SIZE, nonsense=3)


def test_texts_that_cannot_fill_the_vocabulary_are_refused(exact):
    with pytest.raises(InputError, match="must be able to fill the vocabulary"):
        exact.train_new_from_iterator(["a b", "b a"], 500)


def test_texts_come_alone_or_in_batches():
    assert list(each_text(["a", ["b", "c"], []])) == ["a", "b", "c"]


def test_a_tokenizer_of_the_library_is_copied(library):
    backend = library.backend_tokenizer
    made = AlbertTokenizerFast(tokenizer_object=backend)
    made.add_tokens(["newtok"])
    assert made("the cat").data == library("the cat").data
    assert backend.token_to_id("newtok") is None
    with pytest.raises(WrongType, match=r"must be a tokenizers.Tokenizer"):
        AlbertTokenizerFast(tokenizer_object="x")
