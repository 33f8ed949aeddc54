"""Special tokens by role, by id and without a role, as attributes that can be set."""

import copy
import pickle

import pytest

from albertkit.errors import InputError
from tokenization.common import PAD, SPECIAL


def test_an_id_sets_the_token(make):
    tokenizer = make()
    tokenizer.pad_token_id = tokenizer.sep_token_id
    assert tokenizer.pad_token == tokenizer.sep_token == "[SEP]"
    padded = tokenizer(["a", "a cat sat"], padding=True)["input_ids"][0]
    assert padded[-1] == tokenizer.sep_token_id
    tokenizer.pad_token_id = None
    assert (tokenizer.pad_token, tokenizer.pad_token_id) == (None, None)


@pytest.mark.parametrize("index", [10**6, -1])
def test_an_id_that_no_token_has_is_refused(make, index):
    with pytest.raises(InputError, match=r"An id must lie in 0\.\."):
        make().pad_token_id = index


def test_ids_of_tokens_without_a_role_can_be_set(make):
    tokenizer = make()
    before = dict(tokenizer("a b")), len(tokenizer)
    tokenizer.additional_special_tokens_ids = [5, tokenizer.sep_token_id]
    assert tokenizer.additional_special_tokens_ids == [5, tokenizer.sep_token_id]
    assert tokenizer.additional_special_tokens[0] == tokenizer.convert_ids_to_tokens(5)
    assert (dict(tokenizer("a b")), len(tokenizer)) == before
    for nothing in ([], None):
        tokenizer.additional_special_tokens_ids = [5]
        tokenizer.additional_special_tokens_ids = nothing
        assert tokenizer.additional_special_tokens == []


def test_none_takes_the_tokens_without_a_role_away(make):
    tokenizer = make(additional_special_tokens=["<a>"])
    tokenizer.additional_special_tokens = None
    assert tokenizer.additional_special_tokens == tokenizer.additional_special_tokens_ids == []
    assert "<a>" not in tokenizer.all_special_tokens


def test_a_role_of_the_models_own_is_an_attribute(make):
    tokenizer = make(extra_special_tokens={"image_token": "<img>", "end_token": "[SEP]"})
    assert tokenizer.image_token == "<img>"
    assert tokenizer.image_token_id == len(tokenizer) - 1
    assert tokenizer.end_token_id == tokenizer.sep_token_id
    assert tokenizer.extra_special_tokens == {"image_token": "<img>", "end_token": "[SEP]"}
    assert tokenizer.special_tokens_map["image_token"] == "<img>"
    assert "<img>" in tokenizer.all_special_tokens
    assert tokenizer("a <img> b")["input_ids"].count(tokenizer.image_token_id) == 1
    tokenizer.image_token = "[MASK]"
    assert tokenizer.image_token_id == tokenizer.mask_token_id
    tokenizer.image_token_id = tokenizer.sep_token_id
    assert tokenizer.image_token == "[SEP]"
    assert tokenizer.add_special_tokens({"image_token": "<picture>"}) == 1
    assert tokenizer.image_token == "<picture>"
    with pytest.raises(InputError, match="`image_token` must be a token of the vocabulary"):
        tokenizer.image_token = "<nowhere>"


def test_a_list_of_extra_tokens_has_no_roles(make):
    tokenizer = make(extra_special_tokens=["<a>", "<b>"], additional_special_tokens=["<c>"])
    assert tokenizer.additional_special_tokens == ["<c>", "<a>", "<b>"]
    assert tokenizer.extra_special_tokens == {}


def pickled(one):
    return pickle.loads(pickle.dumps(one))  # noqa: S301 - of our own making


@pytest.mark.parametrize("twin", [copy.deepcopy, pickled])
def test_roles_survive_copies(make, twin):
    tokenizer = twin(make(extra_special_tokens={"image_token": "<img>"}))
    assert tokenizer.image_token == "<img>"
    assert tokenizer.pad_token_id == PAD[0]


def test_what_is_not_here_says_what_to_do_instead(make):
    tokenizer = make()
    assert not hasattr(tokenizer, "apply_chat_template")
    with pytest.raises(AttributeError, match="answers no chats"):
        _ = tokenizer.apply_chat_template
    with pytest.raises(AttributeError, match="Pass the other texts as text_target"):
        _ = tokenizer.prepare_seq2seq_batch
    with pytest.raises(AttributeError, match=r"has no attribute 'x'\.$"):
        _ = tokenizer.x


def test_tokens_are_given_as_tokens_too(slow):
    mapped = slow.special_tokens_map_extended
    assert mapped["mask_token"].lstrip
    assert [token.content for token in slow.all_special_tokens_extended] == slow.all_special_tokens
    assert {slow.cls_token, slow.sep_token} == {text for _, text in SPECIAL}
