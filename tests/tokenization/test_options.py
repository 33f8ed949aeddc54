import dataclasses
import enum
import inspect
import logging

import pytest

from albertkit.errors import InputError, WrongType
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.options import (
    UNLIMITED,
    EncodingKeywords,
    EncodingOptions,
    LengthSettings,
    Padding,
    require_known,
    require_side,
    truncation_and_padding,
)
from albertkit.tokenization.truncation import Truncation


def tokenizer(**settings):
    """What a tokenizer says of lengths."""
    usual = {"model_max_length": 512, "pad_token_id": 0, "padding_side": "right", "truncation_side": "left"}
    return LengthSettings(**usual | {"shares_fairly": True} | settings)


def cut(**options):
    return truncation_and_padding(EncodingOptions(**options), tokenizer())[0]


def fill(**options):
    return truncation_and_padding(EncodingOptions(**options), tokenizer())[1]


class Strategy(enum.Enum):
    FIRST = "only_first"
    LONGEST = "longest"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, None),
        ({"truncation": False, "max_length": 9}, None),
        ({"truncation": "do_not_truncate", "max_length": 9}, None),
        ({"truncation": True}, ("longest_first", 512)),
        ({"truncation": True, "max_length": 9}, ("longest_first", 9)),
        ({"truncation": "longest_first", "max_length": 0}, ("longest_first", 0)),
        ({"truncation": "only_first"}, ("only_first", 512)),
        ({"truncation": "only_second", "max_length": 9}, ("only_second", 9)),
        ({"truncation": Strategy.FIRST}, ("only_first", 512)),
        ({"max_length": 9}, ("longest_first", 9)),
        ({"max_length": 9, "padding": True}, None),
        ({"max_length": 9, "padding": "max_length"}, None),
    ],
)
def test_how_inputs_are_cut(options, expected):
    assert cut(**options, stride=2) == (expected and Truncation(*expected, 2, "left", True))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, None),
        ({"padding": "do_not_pad", "max_length": 9}, None),
        ({"padding": None}, None),
        ({"padding": True}, Padding(None, None, "right")),
        ({"padding": "longest", "max_length": 9}, Padding(None, None, "right")),
        ({"padding": Strategy.LONGEST}, Padding(None, None, "right")),
        ({"padding": "max_length"}, Padding(512, None, "right")),
        ({"padding": "max_length", "max_length": 9}, Padding(9, None, "right")),
        ({"padding": "max_length", "max_length": 9, "pad_to_multiple_of": 8}, Padding(9, 8, "right")),
        ({"padding": True, "padding_side": "left"}, Padding(None, None, "left")),
    ],
)
def test_how_rows_are_filled(options, expected):
    assert fill(**options) == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"truncation": "longest"}, "`truncation` must be a bool or one of longest_first, .*Received: 'longest'"),
        ({"padding": "right"}, "`padding` must be a bool, 'longest', .*Received: 'right'"),
        ({"padding": True, "padding_side": "up"}, "is 'left' or 'right'. Received: 'up'"),
        (
            {"padding": True, "truncation": True, "max_length": 9, "pad_to_multiple_of": 8},
            r"max_length 9 and pad_to_multiple_of 8",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(options, said):
    with pytest.raises(InputError, match=said):
        truncation_and_padding(EncodingOptions(**options), tokenizer())


def test_padding_needs_a_pad_token():
    bare = tokenizer(pad_token_id=None)
    assert truncation_and_padding(EncodingOptions(truncation=True), bare)[1] is None
    with pytest.raises(InputError, match=r"add_special_tokens\({'pad_token': '<pad>'}\)"):
        truncation_and_padding(EncodingOptions(padding=True), bare)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"truncation": True}, (None, None)),
        ({"padding": "max_length"}, (None, None)),
        ({"padding": True, "truncation": True}, (None, Padding(None, None, "right"))),
    ],
)
def test_without_any_limit_nothing_is_cut_and_a_warning_says_so(options, expected, caplog):
    unlimited = tokenizer(model_max_length=UNLIMITED)
    with caplog.at_level(logging.WARNING):
        assert truncation_and_padding(EncodingOptions(**options, verbose=False), unlimited) == expected
        assert not caplog.records
        assert truncation_and_padding(EncodingOptions(**options), unlimited) == expected
    assert "Pass max_length, or set tokenizer.model_max_length" in caplog.text


def test_a_limit_of_the_call_needs_none_of_the_tokenizer(caplog):
    cuts, fills = truncation_and_padding(
        EncodingOptions(truncation=True, padding="max_length", max_length=8), tokenizer(model_max_length=UNLIMITED)
    )
    assert (cuts.max_length, fills.length) == (8, 8)
    assert not caplog.records


def test_a_side_is_left_or_right():
    assert (require_side("left"), require_side("right")) == ("left", "right")
    with pytest.raises(InputError, match=r"Received: 'centre'"):
        require_side("centre")


def test_the_options_are_those_of_a_call_with_the_same_defaults():
    call = list(inspect.signature(AlbertTokenizerBase.__call__).parameters.values())[5:-1]
    fields = dataclasses.fields(EncodingOptions)
    assert [(field.name, field.default) for field in fields] == [(option.name, option.default) for option in call]
    assert EncodingKeywords.__annotations__ == {field.name: field.type for field in fields}


@pytest.mark.parametrize("limit", [10**9, 10**20, int(1e30)])
def test_lengths_beyond_all_texts_are_no_limit(limit, caplog):
    settings = tokenizer(model_max_length=limit)
    options = EncodingOptions(padding="max_length", truncation=True)
    assert truncation_and_padding(options, settings) == (None, None)
    assert "no `model_max_length`" in caplog.text


@pytest.mark.parametrize("name", ["padding_side", "truncation_side"])
def test_a_side_that_was_set_later_is_left_or_right(name):
    settings = tokenizer(**{name: "up"})
    with pytest.raises(InputError, match=r"is 'left' or 'right'\. Received: 'up'"):
        truncation_and_padding(EncodingOptions(padding=True), settings)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pad_to_max_length", r"Pass padding='max_length'"),
        ("truncation_strategy", r"Pass truncation='longest_first'"),
        ("is_pretokenized", r"Pass is_split_into_words=True"),
        ("return_tensor", r"Did you mean `return_tensors`"),
        ("zzz", r"Leave it out\.$"),
    ],
)
def test_an_option_that_there_is_not_is_answered_in_words(name, words):
    with pytest.raises(WrongType, match=rf"has no option `{name}`\. .*{words}"):
        require_known([name])
