"""Attributes, setters and keywords of our tokenizers against those of Transformers 4.

Each check runs on a tokenizer of either side, and both must answer alike, or refuse with an exception of the same kind.
"""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

transformers = pytest.importorskip("transformers")

from tokenizers import AddedToken  # noqa: E402

from albertkit.tokenization.fast import AlbertTokenizerFast  # noqa: E402
from albertkit.tokenization.sentencepiece import AlbertTokenizer  # noqa: E402
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer  # noqa: E402

pytestmark = pytest.mark.oracle

DATA = Path(__file__).parent.parent / "data"
SPIECE, TOKENIZER = str(DATA / "spiece.model"), str(DATA / "tokenizer.json")
WORDPIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "##s", ",", ".", "a", "b", "c", "the", "cat"]


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
    transformers.logging.set_verbosity_warning()


@pytest.fixture(scope="module")
def vocab_txt(tmp_path_factory):
    path = tmp_path_factory.mktemp("wordpiece") / "vocab.txt"
    path.write_text("".join(f"{piece}\n" for piece in WORDPIECES), encoding="utf-8")
    return str(path)


@pytest.fixture(params=["slow", "fast", "wordpiece"])
def make(request, vocab_txt):
    """(ours, theirs): makers of a tokenizer with keywords."""
    return {
        "slow": (lambda **k: AlbertTokenizer(SPIECE, **k), lambda **k: transformers.AlbertTokenizer(SPIECE, **k)),
        "fast": (
            lambda **k: AlbertTokenizerFast(tokenizer_file=TOKENIZER, **k),
            lambda **k: transformers.AlbertTokenizerFast(tokenizer_file=TOKENIZER, **k),
        ),
        "wordpiece": (
            lambda **k: AlbertWordPieceTokenizer(vocab_txt, **k),
            lambda **k: transformers.BertTokenizerFast(vocab_txt, **k),
        ),
    }[request.param]


def plain(value):
    """What can be compared: a batch as a dictionary, arrays as their values with their kind, tokens as text."""
    if hasattr(value, "data") and hasattr(value, "items"):
        return {name: plain(column) for name, column in value.items()}
    if isinstance(value, np.ndarray):
        return "array", value.tolist()
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, AddedToken) else value


def after(tokenizer, name, value, *shown):
    setattr(tokenizer, name, value)
    return [getattr(tokenizer, one) for one in shown]


PAIRS = "additional_special_tokens", "additional_special_tokens_ids"
ALIKE = {
    "an id is set": lambda t: after(t, "pad_token_id", 3, "pad_token", "pad_token_id", "all_special_tokens"),
    "an id is taken away": lambda t: after(t, "pad_token_id", None, "pad_token", "pad_token_id"),
    "ids of others are set": lambda t: after(t, PAIRS[1], [6], *PAIRS, "all_special_tokens", "special_tokens_map"),
    "ids of others are taken away": lambda t: after(t, PAIRS[1], [], *PAIRS),
    "others are set": lambda t: after(t, PAIRS[0], ["a"], PAIRS[0], "all_special_tokens"),
    "others are nothing": lambda t: after(t, PAIRS[0], None, "all_special_tokens", "special_tokens_map"),
    "the special tokens as tokens": lambda t: [t.special_tokens_map_extended, t.all_special_tokens_extended],
    "what the roles are called": lambda t: t.SPECIAL_TOKENS_ATTRIBUTES,
    "padding in a row": lambda t: [t.pad_token_type_id, t.init_inputs, t.extra_special_tokens, t.chat_template],
    "what is said": lambda t: t.verbose,
    "cleaning up": lambda t: t.clean_up_tokenization("a , b ! do n't"),
    "decoding": lambda t: t.decode(t("hello , a .")["input_ids"]),
    "pairs of words": lambda t: t.batch_encode_plus([(["hello", "a"], ["b"])], is_split_into_words=True),
    "rows of two words": lambda t: t.batch_encode_plus([["hello", "a"], ["b", "c"]], is_split_into_words=True),
    "pairs and texts": lambda t: t.batch_encode_plus([("a", "b"), "c"]),
    "texts and pairs": lambda t: t(["c", ("a", "b")]),
    "padding lists": lambda t: t.pad({"input_ids": [[1], [1, 2]], "token_type_ids": [[0], [0, 0]]}),
    "padding arrays": lambda t: t.pad({"input_ids": [np.array([1]), np.array([1, 2])]}),
    "padding an array": lambda t: t.pad({"input_ids": np.array([[1, 2]])}),
    "padding nothing": lambda t: t.pad({"input_ids": [[1, 2]]}, padding=False),
    "padding with a mask": lambda t: t.pad({"input_ids": [[1]], "attention_mask": [[1]]}, return_attention_mask=False),
    "padding rows": lambda t: t.pad([{"input_ids": [1], "labels": 1}, {"input_ids": [1, 2], "labels": 0}]),
    "a batch of one": lambda t: t.prepare_for_model([1, 2], return_tensors="np", prepend_batch_axis=True),
    "arrays of one": lambda t: t.prepare_for_model([1, 2], return_tensors="np"),
}


@pytest.mark.parametrize("name", ALIKE)
def test_both_sides_answer_alike(make, name):
    ours, theirs = (plain(ALIKE[name](one())) for one in make)
    assert ours == theirs


def test_padding_goes_by_the_name_of_the_column_of_ids(make):
    def padded(tokenizer):
        tokenizer.model_input_names = ["inputs", "attention_mask"]
        return plain(tokenizer.pad({"inputs": [[1], [1, 2]]}))

    ours, theirs = (padded(one()) for one in make)
    assert ours == theirs
    with pytest.raises(ValueError, match="which have `input_ids`"):
        make[0]().pad({"inputs": [[1]]})


KEYWORDS = [
    {"max_len": 99},
    {"max_len": 99, "model_max_length": 7},
    {"model_input_names": ["input_ids", "attention_mask"]},
    {"verbose": True},
    {"additional_special_tokens": None},
    {"extra_special_tokens": {"image_token": "<img>"}},
    {"extra_special_tokens": {"image_token": "a"}, "additional_special_tokens": ["<b>"]},
    {"bos_token": None},
    {"foo": 1, "processor_class": "P", "add_prefix_space": True},
]


@pytest.mark.parametrize("keywords", KEYWORDS, ids=lambda keywords: "+".join(keywords))
def test_keywords_of_the_constructor_mean_the_same(make, keywords):
    ours, theirs = (one(**keywords) for one in make)
    assert plain(ours("hello a <img>")) == plain(theirs("hello a <img>"))
    assert len(ours) == len(theirs)
    for name in ("model_max_length", "special_tokens_map", "all_special_tokens", "extra_special_tokens", "verbose"):
        assert getattr(ours, name) == getattr(theirs, name), name
    if "extra_special_tokens" in keywords:
        assert (ours.image_token, ours.image_token_id) == (theirs.image_token, theirs.image_token_id)


REFUSED = {
    "a method's name": lambda make: make(get_vocab=True),
    "a token that is a number": lambda make: make(cls_token=5),
    "no text in a batch": lambda make: make()([None]),
    "no text": lambda make: make()(None),
    "a number": lambda make: make()(5),
    "an id that is text": lambda make: after(make(), "pad_token_id", "x"),
    "the type of padding": lambda make: after(make(), "pad_token_type_id", 2),
    "another side": lambda make: make(padding_side="up"),
    "two columns missing": lambda make: make().pad({"labels": [1]}),
    "no attribute": lambda make: make().nothing_of_the_kind,
}


@pytest.mark.parametrize("name", REFUSED)
def test_both_sides_refuse_with_an_exception_of_one_kind(make, name):
    with pytest.raises(Exception) as caught:
        REFUSED[name](make[1])
    with pytest.raises(caught.type):
        REFUSED[name](make[0])


def test_an_option_that_there_is_not_is_refused_as_by_their_fast_tokenizers(make, vocab_txt):
    theirs = transformers.BertTokenizerFast(vocab_txt)
    for option in ("pad_to_max_length", "foo"):
        with pytest.raises(TypeError):
            theirs("hello", **{option: True})
        with pytest.raises(TypeError):
            make[0]()("hello", **{option: True})


def test_settings_of_cleaning_take_effect_as_in_their_slow_tokenizer():
    ours, theirs = AlbertTokenizer(SPIECE), transformers.AlbertTokenizer(SPIECE)
    text = "The  Café, 漢字 É"
    for name, value in (("do_lower_case", False), ("keep_accents", True), ("remove_space", False)):
        assert getattr(ours, name) == getattr(theirs, name) == (not value)
        for one in (ours, theirs):
            setattr(one, name, value)
        assert ours.tokenize(text) == theirs.tokenize(text)


def test_the_attributes_of_their_fast_tokenizer_are_here():
    ours = AlbertTokenizerFast(tokenizer_file=TOKENIZER)
    theirs = transformers.AlbertTokenizerFast(tokenizer_file=TOKENIZER)
    for name in ("do_lower_case", "remove_space", "keep_accents", "vocab_file", "add_prefix_space", "vocab"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert AlbertTokenizer(SPIECE).sp_model_kwargs == transformers.AlbertTokenizer(SPIECE).sp_model_kwargs


OLD = {
    "max_len": ({"max_len": 512}, None, None),
    "init_inputs": ({"do_lower_case": True, "max_len": 512, "init_inputs": []}, None, None),
    "full names": ({"full_tokenizer_file": None, "special_tokens_map_file": "/a/b", "name_or_path": "a"}, None, None),
    "mask as an object": ({}, {"mask_token": {"content": "[MASK]", "lstrip": True}}, None),
    "mask with all fields": (
        {},
        {"mask_token": {"content": "[MASK]", "lstrip": True, "rstrip": False, "normalized": False}},
        None,
    ),
    "listed tokens": (
        {"additional_special_tokens": ["<a>"]},
        {"additional_special_tokens": [{"content": "<b>"}, "<a>"]},
        {"<a>": 600, "<b>": 601},
    ),
    "added tokens": ({}, {"cls_token": "[CLS]"}, {"newtok": 600, "other": 601}),
    "no limit": ({"model_max_length": 1e30}, None, None),
    "typed tokens": ({"mask_token": {"__type": "AddedToken", "content": "[MASK]", "lstrip": True}}, None, None),
}


@pytest.mark.parametrize("name", OLD)
@pytest.mark.parametrize("kind", ["AlbertTokenizer", "AlbertTokenizerFast"])
def test_folders_of_old_releases_are_read_alike(tmp_path, name, kind):
    shutil.copy(TOKENIZER if kind.endswith("Fast") else SPIECE, tmp_path)
    for file, content in zip(("tokenizer_config", "special_tokens_map", "added_tokens"), OLD[name], strict=True):
        if content is not None:
            (tmp_path / f"{file}.json").write_text(json.dumps(content))
    ours = {"AlbertTokenizer": AlbertTokenizer, "AlbertTokenizerFast": AlbertTokenizerFast}[kind]
    mine, theirs = ours.from_pretrained(tmp_path), getattr(transformers, kind).from_pretrained(tmp_path)
    assert mine.model_max_length == theirs.model_max_length
    assert mine.special_tokens_map == theirs.special_tokens_map
    assert len(mine) == len(theirs)
    text = "hello newtok [MASK] <b> other " * 200
    assert plain(mine(text, truncation=True)) == plain(theirs(text, truncation=True))


def test_tokens_with_roles_of_a_models_own_travel_both_ways(tmp_path):
    given = {"extra_special_tokens": {"image_token": "<img>"}, "additional_special_tokens": ["<a>"]}
    sides = AlbertTokenizer(SPIECE, **given), transformers.AlbertTokenizer(SPIECE, **given)
    for number, (writer, reader) in enumerate(zip(sides, sides[::-1], strict=True)):
        writer.save_pretrained(tmp_path / str(number))
        read = type(reader).from_pretrained(tmp_path / str(number))
        assert (read.image_token, read.image_token_id) == ("<img>", writer.image_token_id)
        assert read.special_tokens_map == writer.special_tokens_map
        assert plain(read("a <img> b <a>")) == plain(writer("a <img> b <a>"))


@pytest.mark.parametrize("legacy_format", [None, True, False])
def test_files_are_those_of_their_formats(tmp_path, legacy_format):
    folder = tmp_path / "both"
    folder.mkdir()
    shutil.copy(SPIECE, folder)
    shutil.copy(TOKENIZER, folder)
    ours, theirs = AlbertTokenizerFast.from_pretrained(folder), transformers.AlbertTokenizerFast.from_pretrained(folder)
    found = []
    for number, one in enumerate((ours, theirs)):
        one.save_pretrained(str(tmp_path / str(number)), legacy_format)
        found.append({path.name for path in (tmp_path / str(number)).iterdir()})
    assert found[0] == found[1]
    if legacy_format is False:
        for tokenizer in (AlbertTokenizer(SPIECE), transformers.AlbertTokenizer(SPIECE)):
            with pytest.raises(ValueError, match="format"):
                tokenizer.save_pretrained(str(tmp_path / "slow"), legacy_format)


def test_a_tokenizer_that_is_trained_anew_has_their_form(vocab_txt):
    lines = (DATA / "text.txt").read_text(encoding="utf-8").splitlines()[:80]
    batches = [lines[start : start + 20] for start in range(0, 80, 20)]
    renamed, new = {"[CLS]": "<cls>", "[MASK]": "<mask>"}, ["<new>"]
    for ours, theirs in (
        (AlbertTokenizerFast(tokenizer_file=TOKENIZER), transformers.AlbertTokenizerFast(tokenizer_file=TOKENIZER)),
        (AlbertWordPieceTokenizer(vocab_txt), transformers.BertTokenizerFast(vocab_txt)),
    ):
        given = {"new_special_tokens": new, "special_tokens_map": renamed, "show_progress": False}
        made, peer = (one.train_new_from_iterator(batches, 120, **given) for one in (ours, theirs))
        assert type(made) is type(ours)
        assert len(made) == len(peer)
        assert made.special_tokens_map == peer.special_tokens_map
        # Of pieces that are equally good the library's trainers take one or another, from run to run.
        assert len(made.get_vocab().keys() & peer.get_vocab().keys()) >= 114
        assert made.all_special_ids == peer.all_special_ids
        assert made.decode(made(lines[0])["input_ids"]) == peer.decode(peer(lines[0])["input_ids"])
