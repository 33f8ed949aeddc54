import numpy as np
import pytest
from hypothesis import assume, given

from tokenization.common import words


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("hello world", "[CLS] hello world[SEP]"),
        ("hello [MASK] a", "[CLS] hello[MASK] a[SEP]"),
        ("[MASK][MASK]", "[CLS][MASK][MASK][SEP]"),
        ("", "[CLS][SEP]"),
        ("2,000, 1, (a)", "[CLS] 2,000, 1, (a)[SEP]"),
    ],
)
def test_special_tokens_are_written_as_they_are(slow, text, decoded):
    assert slow.decode(slow(text)["input_ids"]) == decoded


def test_text_behind_the_last_special_token_follows_directly(slow):
    assert slow.convert_tokens_to_string(slow.tokenize("hello world[MASK] x")) == "hello world[MASK]x"
    assert slow.convert_tokens_to_string(["[MASK]", "▁a", "[MASK]"]) == "[MASK] a[MASK]"
    assert slow.convert_tokens_to_string([]) == ""


@given(text=words.map(" ".join))
def test_text_comes_back_cleaned(slow, text):
    ids = slow(text)["input_ids"]
    assume(slow.unk_token_id not in ids)
    expected = " ".join(text.replace("[MASK]", " ").replace("é", "e").lower().split())
    assert slow.decode(ids, skip_special_tokens=True).replace(" ", "") == expected.replace(" ", "")
    if "[MASK]" not in text:
        assert slow.decode(ids, skip_special_tokens=True) == expected


def test_added_tokens_are_set_off_by_spaces(make):
    tokenizer = make()
    tokenizer.add_tokens("newtok")
    ids = tokenizer("thenewtokthe")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "the newtok the"
    assert "thenewtokthe" in tokenizer.decode(ids, spaces_between_special_tokens=False).replace(" ", "")


def test_ids_may_come_as_arrays_or_one_by_one(tokenizer):
    encoded = tokenizer(["the cat", "a"], padding=True, return_tensors="np")
    rows = tokenizer.batch_decode(encoded["input_ids"], skip_special_tokens=True)
    assert rows == [tokenizer.decode(row.tolist(), skip_special_tokens=True) for row in encoded["input_ids"]]
    sep = tokenizer.sep_token_id
    assert tokenizer.decode(sep) == tokenizer.decode(np.int64(sep)) == tokenizer.decode([sep]) == "[SEP]"


@pytest.mark.torch
def test_ids_may_come_as_tensors(slow):
    torch = pytest.importorskip("torch")
    assert slow.decode(torch.tensor([2, 14])) == slow.decode([2, 14])
    padded = slow.pad([{"input_ids": torch.tensor([2, 14])}, {"input_ids": torch.tensor([2])}], return_tensors="pt")
    assert padded["input_ids"].tolist() == [[2, 14], [2, 0]]


def test_spaces_before_punctuation_may_be_cleaned_up(make):
    tokenizer = make(clean_up_tokenization_spaces=True)
    plain = make(clean_up_tokenization_spaces=False)
    tokens = "a . b ? c ! d , do n't I 'm he 's we 've you 're x ' y"
    ids = plain.convert_tokens_to_ids(["[SEP]"])
    plain.convert_tokens_to_string = tokenizer.convert_tokens_to_string = lambda _: tokens
    assert plain.decode(ids) == tokens
    expected = "a. b? c! d, don't I'm he's we've you're x'y"
    assert tokenizer.decode(ids) == plain.decode(ids, clean_up_tokenization_spaces=True) == expected
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == tokens
