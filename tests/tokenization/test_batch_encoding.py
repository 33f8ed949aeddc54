import copy
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albertkit.errors import InputError, MissingDependency
from albertkit.tokenization.batch_encoding import BatchEncoding, CharSpan, TokenSpan

TEXTS = ["The café sat (in 1999, it rained).", "2,000, [MASK] dogs", ""]
texts = st.text("abcé 1,Σﬁ😀(", max_size=20)


def sent(thing):
    """What another process receives."""
    return pickle.loads(pickle.dumps(thing))  # noqa: S301


def test_columns_are_had_by_name_and_as_attributes():
    encoded = BatchEncoding({"input_ids": [[1], [2]], "labels": [0, 1]})
    assert encoded["input_ids"] == encoded.input_ids == [[1], [2]]
    assert list(encoded) == ["input_ids", "labels"]
    assert dict(**encoded) == {"input_ids": [[1], [2]], "labels": [0, 1]}
    assert encoded[1:] == {"input_ids": [[2]], "labels": [1]}


def test_an_unknown_attribute_names_those_there_are():
    with pytest.raises(AttributeError, match=r"no 'inputs'; it has input_ids, labels"):
        _ = BatchEncoding({"input_ids": [], "labels": []}).inputs
    assert not hasattr(BatchEncoding.__new__(BatchEncoding), "anything")


def test_a_row_is_had_by_number(slow):
    encoded = slow(TEXTS)
    assert encoded[1].ids == encoded["input_ids"][1]
    assert encoded[1].tokens == encoded.tokens(1)


def test_only_what_was_made_from_text_leads_back_to_it(slow):
    for encoded in (BatchEncoding({"input_ids": [1]}), slow.prepare_for_model([5])):
        assert not encoded.is_fast
        assert encoded.n_sequences is None
        with pytest.raises(InputError, match=r"Only a batch that a tokenizer made from text leads back to it"):
            encoded.tokens()
    assert slow("a").is_fast


def test_columns_become_arrays_of_integers():
    encoded = BatchEncoding({"input_ids": [[1, 2], [3, 4]], "flags": [True, False], "none": []})
    arrays = encoded.convert_to_tensors("np")
    assert arrays is encoded
    assert {name: (array.dtype, array.shape) for name, array in arrays.items()} == {
        "input_ids": (np.int64, (2, 2)),
        "flags": (np.int64, (2,)),
        "none": (np.int64, (0,)),
    }
    assert BatchEncoding({"input_ids": [1, 2]}).convert_to_tensors("np", prepend_batch_axis=True)[
        "input_ids"
    ].tolist() == [[1, 2]]


def test_fractions_stay_fractions():
    array = BatchEncoding({"labels": [0.25, 2.5]}).convert_to_tensors("np")["labels"]
    assert array.dtype == np.float32
    assert array.tolist() == [0.25, 2.5]


@pytest.mark.torch
def test_columns_become_torch_tensors_and_move():
    torch = pytest.importorskip("torch")
    encoded = BatchEncoding({"input_ids": [[1, 2]], "labels": [0.5]}).convert_to_tensors("pt")
    assert encoded["input_ids"].dtype == torch.int64
    assert encoded["labels"].dtype == torch.float32
    encoded["names"] = ["a"]
    moved = encoded.to("meta")
    assert moved is encoded
    assert moved["input_ids"].device.type == "meta"
    assert moved["names"] == ["a"]


def test_rows_of_several_lengths_are_no_array():
    encoded = BatchEncoding({"input_ids": [[1, 2, 3], [4]]})
    with pytest.raises(
        InputError, match=r"Rows of `input_ids`.*lengths from 1 to 3. Pass padding=True, and truncation"
    ):
        encoded.convert_to_tensors("np")


@pytest.mark.parametrize(("column", "kind"), [(["a", "b"], "str"), ([None, None], "NoneType")])
def test_only_numbers_become_an_array(column, kind):
    with pytest.raises(InputError, match=f"Only numbers become an array. Received: `name`, which holds {kind}"):
        BatchEncoding({"name": column}).convert_to_tensors("np")


def test_an_unknown_kind_of_array_is_refused():
    with pytest.raises(InputError, match=r"`return_tensors` must be one of np, pt, tf, jax. Received: 'mx'"):
        BatchEncoding({"input_ids": [1]}).convert_to_tensors("mx")


@pytest.mark.parametrize(
    ("kind", "module", "said"),
    [
        ("pt", "torch", r'return_tensors="pt" needs PyTorch. .*pip install "albertkit\[torch\]"'),
        ("tf", "tensorflow", r'return_tensors="tf" needs TensorFlow. .*pip install "albertkit\[tensorflow\]"'),
        ("jax", "jax.numpy", r'return_tensors="jax" needs JAX. .*pip install "albertkit\[flax\]"'),
    ],
)
def test_a_missing_framework_answers_with_the_command_to_type(kind, module, said, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, module.split(".")[0], None)
    with pytest.raises(MissingDependency, match=said):
        BatchEncoding({"input_ids": [1]}).convert_to_tensors(kind)


@settings(max_examples=50)
@given(first=texts, second=st.none() | texts)
def test_the_ways_back_to_the_text_agree(tokenizer, first, second):
    encoded = tokenizer([first], None if second is None else [second])
    assert encoded.n_sequences == (1 if second is None else 2)
    sequences, words = encoded.sequence_ids(), encoded.word_ids()
    assert encoded.words() == words
    offsets = encoded[0].offsets
    for token, (sequence, word, span) in enumerate(zip(sequences, words, offsets, strict=True)):
        assert encoded.token_to_sequence(0, token) == encoded.token_to_sequence(token) == sequence
        assert encoded.token_to_word(0, token) == encoded.token_to_word(token) == word
        if sequence is None:
            assert encoded.token_to_chars(0, token) is None
            continue
        assert encoded.token_to_chars(0, token) == encoded.token_to_chars(token) == CharSpan(*span)
        for place in range(*span):
            holder = encoded.char_to_token(0, place, sequence)
            assert offsets[holder][0] <= place < offsets[holder][1]
            assert holder <= token
            assert encoded.char_to_word(0, place, sequence) == words[holder]
        whole = encoded.word_to_tokens(0, word, sequence)
        assert whole.start <= token < whole.end
        assert {words[t] for t in range(whole.start, whole.end)} == {word}
        assert encoded.word_to_chars(0, word, sequence) == (offsets[whole.start][0], offsets[whole.end - 1][1])


def test_the_ways_back_from_a_known_pair(slow):
    encoded = slow("The café, once", "it rained", padding="max_length", max_length=20)
    sentence = "The café, once"
    tokens = encoded.tokens()
    assert tokens[:4] == ["[CLS]", "▁the", "▁ca", "f"]
    assert encoded.char_to_token(sentence.index("é")) == tokens.index("e")
    assert encoded.char_to_word(sentence.index("é")) == 1
    assert encoded.word_to_chars(1) == (3, 9)
    assert encoded.word_to_tokens(0) == TokenSpan(1, 2)
    assert encoded.word_to_tokens(1, sequence_index=0).start == 2
    second = encoded.word_to_tokens(1, sequence_index=1)
    assert "".join(tokens[second.start : second.end]) == "▁rained"
    assert encoded.char_to_token(3, sequence_index=1) == second.start
    assert encoded.char_to_token(99) is None
    assert encoded.char_to_word(99) is None
    assert encoded.word_to_tokens(9) is None
    assert encoded.word_to_chars(9) is None


def test_what_was_cut_off_has_no_token(slow):
    encoded = slow("the cat sat on the wall", truncation=True, max_length=4)
    assert encoded.char_to_token(2) == 1
    assert encoded.char_to_token(20) is None


@pytest.mark.parametrize("options", [{}, {"padding": True}, {"truncation": True, "max_length": 6}])
@pytest.mark.parametrize("overflow", [False, True])
def test_alignments_worked_out_later_equal_those_made_at_once(tokenizer, options, overflow):
    options = {**options, "return_overflowing_tokens": overflow, "return_tensors": None}
    later, once = tokenizer(TEXTS, **options), tokenizer(TEXTS, return_offsets_mapping=True, **options)
    assert len(later["input_ids"]) == len(once["input_ids"])
    for row, ids in enumerate(once["input_ids"]):
        assert later["input_ids"][row] == later[row].ids == ids
        assert later[row].offsets == once[row].offsets == once["offset_mapping"][row]
        assert later.tokens(row) == once.tokens(row)
        assert later.word_ids(row) == once.word_ids(row)
        assert later[row].attention_mask == later["attention_mask"][row]
        assert later[row].type_ids == later["token_type_ids"][row]


def test_alignments_are_worked_out_once(make, monkeypatch):
    encoded = make()("the cat")
    first = encoded.encodings
    monkeypatch.setattr(type(make()), "_encode", None)
    assert encoded.encodings is first


def test_alignments_after_a_change_are_refused(make):
    tokenizer = make()
    encoded = tokenizer(["the xnewx cat"])
    tokenizer.add_tokens("xnewx")
    with pytest.raises(InputError, match=r"tokenizer or list of texts was changed since. Pass return_offsets_mapping"):
        encoded.tokens()


def test_alignments_of_texts_changed_in_place_are_refused(slow):
    given = ["the cat", "a dog"]
    encoded = slow(given)
    given[1] = "the wall"
    with pytest.raises(InputError, match=r"was changed since"):
        encoded.word_ids(1)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, sent])
def test_copies_lead_back_to_the_text_too(slow, again):
    encoded = slow(TEXTS, padding=True)
    twin = again(encoded)
    assert type(twin) is BatchEncoding
    assert twin == encoded
    assert twin.tokens(1) == encoded.tokens(1)
    assert twin.truncated == encoded.truncated


@pytest.mark.parametrize("again", [copy.deepcopy, sent])
def test_what_does_not_lead_back_can_be_sent_all_the_same(make, again):
    tokenizer = make()
    changed = tokenizer("the xnewx cat")
    tokenizer.add_tokens("xnewx")
    for encoded in (changed, tokenizer.prepare_for_model([5, 6]), BatchEncoding({"input_ids": [1]})):
        twin = again(encoded)
        assert twin["input_ids"] == encoded["input_ids"]
        assert not twin.is_fast


def test_an_empty_batch_has_no_number_of_texts(slow):
    assert slow([]).n_sequences is None
