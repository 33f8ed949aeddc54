import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken

from albertkit.errors import InputError
from albertkit.tokenization.special_tokens import ROLES

PUBLISHED = {"pad_token": 0, "unk_token": 1, "cls_token": 2, "sep_token": 3, "mask_token": 4}


@pytest.mark.parametrize("kind", ["slow", "exact", "library"])
def test_roles_have_the_published_ids(kind, makers):
    tokenizer = makers[kind]()
    assert {role: getattr(tokenizer, f"{role}_id") for role in PUBLISHED} == PUBLISHED
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("[CLS]", "[SEP]")
    assert tokenizer.all_special_tokens == ["[CLS]", "[SEP]", "<unk>", "<pad>", "[MASK]"]
    assert tokenizer.all_special_ids == [2, 3, 1, 0, 4]
    assert list(tokenizer.special_tokens_map) == list(ROLES)
    assert sorted(tokenizer.added_tokens_decoder) == [0, 1, 2, 3, 4]


def test_the_mask_token_owns_the_space_before_it(slow):
    mask = slow.added_tokens_decoder[4]
    assert (mask.content, mask.lstrip, mask.rstrip, mask.normalized, mask.special) == (
        "[MASK]",
        True,
        False,
        False,
        True,
    )


def test_a_role_of_the_class_is_no_token(slow):
    assert type(slow).mask_token is not None
    assert not isinstance(type(slow).mask_token, str)
    assert not isinstance(type(slow).mask_token_id, int)


def test_the_vocabulary_lists_every_token_in_the_order_of_ids(make):
    tokenizer = make()
    tokenizer.add_tokens(["newtok"])
    vocabulary = tokenizer.get_vocab()
    assert list(vocabulary.values()) == list(range(len(tokenizer)))
    assert len(tokenizer) == tokenizer.vocab_size + 1
    assert tokenizer.convert_ids_to_tokens(range(len(tokenizer))) == list(vocabulary)
    assert tokenizer.convert_tokens_to_ids(list(vocabulary)) == list(vocabulary.values())


def test_a_role_may_be_given_to_a_token_of_the_vocabulary(make):
    tokenizer = make()
    tokenizer.bos_token = tokenizer.pad_token
    assert tokenizer.bos_token_id == tokenizer.pad_token_id
    assert tokenizer.special_tokens_map["bos_token"] == tokenizer.pad_token
    tokenizer.bos_token = None
    assert tokenizer.bos_token is None
    assert tokenizer.bos_token_id is None
    assert "bos_token" not in tokenizer.special_tokens_map


def test_a_role_is_not_given_to_an_unknown_token(make):
    tokenizer = make()
    before = tokenizer.mask_token
    with pytest.raises(
        InputError, match=r"`mask_token` must be a token .* Received: '<new>'.*add_special_tokens\({'mask"
    ):
        tokenizer.mask_token = "<new>"
    assert tokenizer.mask_token == before


def test_added_tokens_get_the_ids_behind_the_vocabulary(make):
    tokenizer = make()
    size = len(tokenizer)
    assert tokenizer.add_tokens(["newtok", "othertok", "newtok"]) == 2
    assert tokenizer.convert_tokens_to_ids(["newtok", "othertok"]) == [size, size + 1]
    assert tokenizer.convert_ids_to_tokens([size, size + 1]) == ["newtok", "othertok"]
    assert tokenizer.add_tokens("newtok") == 0
    assert tokenizer.add_tokens("") == 0
    assert tokenizer.add_tokens([]) == 0
    assert len(tokenizer) == size + 2
    assert tokenizer.get_added_vocab() == tokenizer.added_tokens_encoder
    assert tokenizer.added_tokens_encoder["othertok"] == size + 1


def test_a_token_of_the_vocabulary_keeps_its_id_when_added(slow, make):
    tokenizer = make()
    piece = tokenizer.convert_ids_to_tokens(tokenizer.vocab_size - 1)
    assert tokenizer.add_tokens(piece) == 0
    assert tokenizer.convert_tokens_to_ids(piece) == tokenizer.vocab_size - 1
    assert piece in tokenizer.get_added_vocab()


@pytest.mark.parametrize("text", ["anewtokb", "newtok", "a newtok, b newtok", "newtoknewtok"])
def test_added_tokens_are_never_cut(make, text):
    tokenizer = make()
    tokenizer.add_tokens("newtok")
    assert tokenizer.tokenize(text).count("newtok") == text.count("newtok")
    assert tokenizer(text)["input_ids"].count(len(tokenizer) - 1) == text.count("newtok")


@given(st.lists(st.sampled_from(["<a>", "<ab>", "a>", "cat", "é", " ", "[MASK]", "x"]), max_size=8).map("".join))
@pytest.mark.parametrize("kind", ["slow", "exact", "library", "wordpiece"])
def test_every_added_token_in_a_text_is_found(kind, adding, text):
    tokenizer = adding[kind]
    added = ("<a>", "<ab>", "[MASK]")
    found = [token.strip() for token in tokenizer.tokenize(text) if token.strip() in added]
    expected = []
    while text:
        for token in added:
            if text.startswith(token):
                expected.append(token)
                text = text[len(token) :]
                break
        else:
            text = text[1:]
    assert found == expected


@pytest.fixture(scope="module")
def adding(makers):
    tokenizers = {kind: make() for kind, make in makers.items()}
    for tokenizer in tokenizers.values():
        tokenizer.add_tokens(["<a>", "<ab>"])
    return tokenizers


@pytest.mark.parametrize("kind", ["slow", "exact", "library", "wordpiece"])
def test_plain_added_strings_are_found_whatever_their_case(kind, makers):
    tokenizer = makers[kind]()
    tokenizer.add_tokens("NewTok")
    assert tokenizer("a NEWTOK newtok")["input_ids"].count(tokenizer.vocab_size) == 2


def test_cased_tokenizers_find_added_strings_as_written(spiece, makers):
    tokenizer = makers["slow"](do_lower_case=False)
    tokenizer.add_tokens("NewTok")
    assert tokenizer.get_added_vocab()["NewTok"] == tokenizer.vocab_size
    assert tokenizer("NewTok newtok")["input_ids"].count(tokenizer.vocab_size) == 1


def test_given_tokens_are_left_alone(make):
    token, role = AddedToken("NewTok", normalized=True), AddedToken("<Role>", normalized=False, special=False)
    tokenizer = make()
    tokenizer.add_tokens([token])
    tokenizer.add_special_tokens({"mask_token": role})
    tokenizer.bos_token = role
    make(pad_token=role)
    assert token.content == "NewTok"
    assert not role.special


def test_only_strings_and_added_tokens_are_tokens(make):
    with pytest.raises(TypeError, match=r"a string or an AddedToken. Received: 5"):
        make().add_tokens([5])


def test_a_new_special_token_takes_its_role(make):
    tokenizer = make()
    assert tokenizer.add_special_tokens({"mask_token": "<mask>", "bos_token": tokenizer.cls_token}) == 1
    assert (tokenizer.mask_token, tokenizer.mask_token_id) == ("<mask>", len(tokenizer) - 1)
    assert tokenizer.bos_token_id == tokenizer.cls_token_id
    assert tokenizer.tokenize("a <mask>")[-1] == "<mask>"
    assert tokenizer.mask_token_id in tokenizer.all_special_ids


def test_a_role_may_be_given_as_the_fields_of_a_token(make):
    tokenizer = make()
    fields = {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "normalized": False, "special": False}
    tokenizer.add_special_tokens({"mask_token": fields})
    token = tokenizer.added_tokens_decoder[tokenizer.mask_token_id]
    assert (token.content, token.lstrip, token.special) == ("<mask>", True, True)


def test_an_unknown_role_is_refused(make):
    with pytest.raises(
        InputError, match=r"one of the roles bos_token, .*additional_special_tokens. Received: 'end_token'"
    ):
        make().add_special_tokens({"end_token": "<end>"})


def test_additional_special_tokens_are_replaced_or_gathered(make):
    tokenizer = make()
    assert tokenizer.additional_special_tokens == []
    assert tokenizer.add_special_tokens({"additional_special_tokens": ["<e1>", "<e2>"]}) == 2
    assert tokenizer.additional_special_tokens == ["<e1>", "<e2>"]
    assert tokenizer.additional_special_tokens_ids == [len(tokenizer) - 2, len(tokenizer) - 1]
    tokenizer.add_special_tokens({"additional_special_tokens": ["<e3>"]}, replace_additional_special_tokens=False)
    assert tokenizer.additional_special_tokens == ["<e1>", "<e2>", "<e3>"]
    tokenizer.additional_special_tokens = ["<e2>"]
    assert tokenizer.additional_special_tokens == tokenizer.special_tokens_map["additional_special_tokens"] == ["<e2>"]
    assert tokenizer.all_special_tokens[-1] == "<e2>"
    assert len(tokenizer) == tokenizer.vocab_size + 3


def test_special_tokens_may_be_given_when_made(make):
    tokenizer = make(additional_special_tokens=["<e1>", AddedToken("<e2>", lstrip=True)])
    assert tokenizer.additional_special_tokens == ["<e1>", "<e2>"]
    assert tokenizer.added_tokens_decoder[len(tokenizer) - 1].lstrip
    assert tokenizer.tokenize("a <e1>b")[-2] == "<e1>"


def test_additional_special_tokens_are_a_list(make):
    with pytest.raises(InputError, match=r"`additional_special_tokens` must be a list of tokens. Received: '<e1>'"):
        make().add_special_tokens({"additional_special_tokens": "<e1>"})


def test_special_tokens_added_as_tokens_are_additional(make):
    tokenizer = make()
    tokenizer.add_tokens("<e1>", special_tokens=True)
    tokenizer.add_tokens([AddedToken("<e2>", special=True), "<plain>"])
    assert tokenizer.additional_special_tokens == ["<e1>", "<e2>"]


def test_a_special_token_is_not_given_to_lower_case(make):
    tokenizer = make()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<E>"]})
    assert tokenizer.convert_tokens_to_ids("<E>") == len(tokenizer) - 1
    assert tokenizer("<E> <e>")["input_ids"].count(len(tokenizer) - 1) == 1


def test_unknown_tokens_have_the_id_of_unk(tokenizer):
    assert tokenizer.convert_tokens_to_ids("no such piece") == tokenizer.unk_token_id
    assert tokenizer.convert_tokens_to_ids(["[MASK]", "no such piece"]) == [
        tokenizer.mask_token_id,
        tokenizer.unk_token_id,
    ]
    assert tokenizer.find("no such piece") is None


@pytest.mark.parametrize("index", [-100, -1, 10**6])
def test_an_id_outside_the_vocabulary_is_refused(tokenizer, index):
    last = len(tokenizer) - 1
    for ids in (index, [2, index], np.array([index])):
        with pytest.raises(InputError, match=rf"An id must lie in 0..{last}, the vocabulary. Received: {index}"):
            tokenizer.convert_ids_to_tokens(ids)


def test_ids_may_be_numpy_integers(tokenizer):
    sep = tokenizer.sep_token_id
    assert tokenizer.convert_ids_to_tokens(np.int64(sep)) == "[SEP]"
    assert tokenizer.convert_ids_to_tokens(np.array([sep, sep])) == ["[SEP]", "[SEP]"]


def test_special_tokens_are_skipped_where_asked(tokenizer):
    ids = tokenizer("the cat")["input_ids"]
    kept = tokenizer.convert_ids_to_tokens(ids, skip_special_tokens=True)
    assert kept == tokenizer.convert_ids_to_tokens(ids)[1:-1]


def test_a_tokenizer_without_a_role_has_no_token_for_it(spiece, makers):
    tokenizer = makers["slow"](mask_token=AddedToken("[MASK]"), bos_token=None, unk_token=None)
    assert tokenizer.bos_token is None
    assert tokenizer.convert_tokens_to_ids("no such piece") is None
    assert "<unk>" not in tokenizer.all_special_tokens
