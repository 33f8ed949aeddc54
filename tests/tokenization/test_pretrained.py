import copy
import json
import pickle
import shutil

import pytest
from tokenizers import AddedToken

from albertkit import hub_upload
from albertkit.errors import CheckpointError, InputError, NameConflict
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer
from tokenization.common import HARD

CHANGES = {
    "plain": {},
    "settings": {
        "model_max_length": 99,
        "padding_side": "left",
        "truncation_side": "left",
        "split_special_tokens": True,
    },
    "cased": {"do_lower_case": False, "clean_up_tokenization_spaces": True},
    "roles": {"mask_token": AddedToken("<mask>", rstrip=True, special=True), "additional_special_tokens": ["<e>"]},
}
SETTINGS = (
    "model_max_length",
    "padding_side",
    "truncation_side",
    "split_special_tokens",
    "clean_up_tokenization_spaces",
)


def state(tokenizer):
    """What makes a tokenizer what it is, as far as callers can see."""
    flags = ("content", "lstrip", "rstrip", "single_word", "normalized", "special")
    return {
        "vocabulary": tokenizer.get_vocab(),
        "added": {i: [getattr(t, flag) for flag in flags] for i, t in tokenizer.added_tokens_decoder.items()},
        "roles": tokenizer.special_tokens_map,
        "settings": [getattr(tokenizer, name) for name in SETTINGS],
        "encodings": [
            [dict(tokenizer(text, return_offsets_mapping=True)), tokenizer.tokenize(text)]
            for text in [*HARD, "NewTok newtok <e> [e] <mask>  x", "Ärger xRawx xrawx 5, 1,"]
        ],
    }


def changed(make, change):
    tokenizer = make(**CHANGES[change])
    if change != "plain":
        tokenizer.add_tokens(["NewTok", AddedToken("xRawx", normalized=False, lstrip=True)])
        tokenizer.add_special_tokens({"additional_special_tokens": ["[e]"]}, replace_additional_special_tokens=False)
    return tokenizer


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_saved_is_loaded_again(make, change, tmp_path):
    tokenizer = changed(make, change)
    written = tokenizer.save_pretrained(tmp_path / "new")
    assert sorted(written) == sorted(str(path) for path in (tmp_path / "new").iterdir())
    again = type(tokenizer).from_pretrained(tmp_path / "new")
    assert type(again) is type(tokenizer)
    assert state(again) == state(tokenizer)
    again.save_pretrained(tmp_path / "newer")
    for path in (tmp_path / "new").iterdir():
        assert (tmp_path / "newer" / path.name).read_bytes() == path.read_bytes(), path.name


def sent(thing):
    """What another process receives."""
    return pickle.loads(pickle.dumps(thing))  # noqa: S301


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("again", [copy.deepcopy, sent])
def test_copies_are_equal_and_independent(make, change, again):
    tokenizer = changed(make, change)
    twin = again(tokenizer)
    before = state(tokenizer)
    assert state(twin) == before
    twin.add_tokens("anothertok")
    twin.mask_token = twin.pad_token
    assert state(tokenizer) == before


def test_saving_leaves_the_tokenizer_as_it_was(make, tmp_path):
    tokenizer = changed(make, "roles")
    before = state(tokenizer)
    tokenizer.save_pretrained(tmp_path)
    assert state(tokenizer) == before


@pytest.mark.parametrize("kind", ["slow", "exact", "wordpiece"])
def test_keywords_override_the_files(kind, makers, tmp_path):
    makers[kind]().save_pretrained(tmp_path)
    tokenizer = type(makers[kind]()).from_pretrained(
        tmp_path, do_lower_case=False, model_max_length=7, padding_side="left"
    )
    assert (tokenizer.model_max_length, tokenizer.padding_side) == (7, "left")
    assert tokenizer.tokenize("THE") != tokenizer.tokenize("the")
    assert tokenizer.name_or_path == str(tmp_path)


def test_files_are_those_that_transformers_reads(make, tmp_path):
    tokenizer = changed(make, "roles")
    tokenizer.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["tokenizer_class"] == type(tokenizer).saved_class
    assert config["mask_token"] == "<mask>"
    last = str(len(tokenizer) - 1)
    assert config["added_tokens_decoder"][last] == {
        "content": "[e]",
        "lstrip": False,
        "normalized": False,
        "rstrip": False,
        "single_word": False,
        "special": True,
    }
    assert "vocab_file" not in config
    assert "tokenizer_file" not in config
    roles = json.loads((tmp_path / "special_tokens_map.json").read_text(encoding="utf-8"))
    assert roles["mask_token"] == {
        "content": "<mask>",
        "lstrip": False,
        "normalized": False,
        "rstrip": True,
        "single_word": False,
    }
    assert roles["additional_special_tokens"] == tokenizer.additional_special_tokens
    assert {"<e>", "[e]"} <= set(tokenizer.additional_special_tokens)
    added = json.loads((tmp_path / "added_tokens.json").read_text(encoding="utf-8"))
    assert added == {t: i for t, i in tokenizer.added_tokens_encoder.items() if i >= tokenizer.vocab_size}


def test_keys_of_others_are_kept(makers, tmp_path):
    tokenizer = makers["slow"](of_others={"a": 1})
    tokenizer.save_pretrained(tmp_path)
    again = AlbertTokenizer.from_pretrained(tmp_path)
    assert again.init_kwargs["of_others"] == {"a": 1}


def test_a_prefix_stands_before_every_name(make, tmp_path):
    written = make().save_pretrained(tmp_path, filename_prefix="my")
    names = {path.name for path in tmp_path.iterdir()}
    assert {path.rsplit("/", 1)[1] for path in written} == names
    assert all(name.startswith("my-") for name in names)


def test_old_files_do_not_survive_a_new_save(make, tmp_path):
    (tmp_path / "added_tokens.json").write_text("{}")
    (tmp_path / "model.safetensors").write_text("kept")
    make().save_pretrained(tmp_path)
    assert not (tmp_path / "added_tokens.json").exists()
    assert (tmp_path / "model.safetensors").read_text() == "kept"


def test_files_may_be_written_beside_others(make, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    names = make().write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert "config.json" in names


def test_a_save_that_fails_leaves_what_was_there(make, tmp_path, monkeypatch):
    tokenizer = make()
    tokenizer.save_pretrained(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    tokenizer.model_max_length = 5
    monkeypatch.setattr(type(tokenizer), "save_vocabulary", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(CheckpointError, match=r"What was there before is untouched"):
        tokenizer.save_pretrained(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_missing_folder_is_named(tmp_path):
    for reader in (AlbertTokenizer, AlbertTokenizerFast, AlbertWordPieceTokenizer):
        with pytest.raises(CheckpointError, match=r"nowhere"):
            reader.from_pretrained(tmp_path / "nowhere")


def test_a_tokenizer_says_its_size_and_limit(make):
    tokenizer = make()
    assert repr(tokenizer) == f"{type(tokenizer).__name__}({len(tokenizer)} tokens, 0 of them added; no limit)"
    tokenizer.add_tokens("newtok")
    tokenizer.model_max_length = 512
    assert f"({len(tokenizer)} tokens, 1 of them added; at most 512 tokens)" in repr(tokenizer)


def test_the_base_asks_its_classes_for_their_files(tmp_path):
    with pytest.raises(NotImplementedError):
        AlbertTokenizerBase._vocabulary_files(tmp_path, {})
    with pytest.raises(NotImplementedError):
        AlbertTokenizerBase._vocabulary_contents(None)


@pytest.mark.parametrize("name", ["get_vocab", "pad", "raw", "from_pretrained"])
def test_a_keyword_with_the_name_of_a_method_is_refused(make, name):
    with pytest.raises(NameConflict, match=f"conflicts with the method {name}"):
        make(**{name: True})


def test_a_keyword_that_is_nearly_a_setting_is_said(make, caplog):
    make(model_maxlength=5, note="mine", processor_class="P", legacy=True, add_prefix_space=True)
    (record,) = caplog.records
    assert record.getMessage() == "The tokenizer does not read 'model_maxlength'. Is `model_max_length` meant?"


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"truncation": True}, "'truncation'. It is an option of a call: tokenizer(texts, truncation=True)."),
        ({"max_length": 9}, "'max_length'. Is `model_max_length` meant?"),
        ({"lowercase": False}, "'lowercase'. Is `do_lower_case` meant?"),
        ({"strip_accents": None, "padding_side": "left", "split_special_tokens": True, "use_fast": True}, ""),
    ],
)
def test_what_changes_nothing_in_from_pretrained_is_said(make, tmp_path, caplog, keywords, told):
    make().save_pretrained(tmp_path)
    type(make()).from_pretrained(tmp_path, **keywords)
    assert told in caplog.text
    assert bool(caplog.records) == bool(told)


def test_a_limit_that_is_passed_wins_over_the_folders_under_either_name(make, tmp_path):
    make(model_max_length=512).save_pretrained(tmp_path)
    for keywords, limit in (({}, 512), ({"max_len": 9}, 9), ({"model_max_length": 7}, 7), ({"max_len": None}, 512)):
        assert type(make()).from_pretrained(tmp_path, **keywords).model_max_length == limit


def test_settings_of_the_other_kind_of_tokenizer_are_said_with_ones_own(make, tmp_path, caplog):
    make().save_pretrained(tmp_path)
    kind, accents, other = "SentencePiece", "strip_accents", "tokenize_chinese_chars"
    if isinstance(make(), AlbertWordPieceTokenizer):
        kind, accents, other = "WordPiece", "keep_accents", "remove_space"
    type(make()).from_pretrained(tmp_path, **{accents: True, other: False})
    opposite = {"keep_accents": "strip_accents", "strip_accents": "keep_accents"}[accents]
    assert f"does not read '{accents}'. A {kind} tokenizer has" in caplog.text
    assert f"`{opposite}`, which is the opposite" in caplog.text
    assert f"does not read '{other}'. It is a setting of other tokenizers." in caplog.text


@pytest.mark.parametrize("name", ["do_lower_case", "split_special_tokens"])
def test_text_is_no_setting_that_is_true_or_false(make, name):
    with pytest.raises(InputError, match=f"`{name}` must be true or false. Received: 'false', which is text"):
        make(**{name: "false"})


def test_the_limit_of_old_releases_cuts(make, tmp_path):
    assert make(max_len=7).model_max_length == 7
    assert make(max_len=7, model_max_length=9).model_max_length == 9
    make().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    del config["model_max_length"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config | {"max_len": 512}))
    tokenizer = type(make()).from_pretrained(tmp_path)
    assert len(tokenizer("hello " * 600, truncation=True)["input_ids"]) == 512
    assert len(tokenizer("hello " * 600, truncation=True, max_length=9)["input_ids"]) == 9
    tokenizer.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert config["model_max_length"] == 512
    assert "max_len" not in config


def test_columns_are_those_that_the_model_takes(make, tmp_path):
    tokenizer = make(model_input_names=["input_ids", "attention_mask"])
    tokenizer.save_pretrained(tmp_path)
    for one in (tokenizer, type(tokenizer).from_pretrained(tmp_path)):
        assert list(one("a b")) == list(one(["a b"], padding=True)) == ["input_ids", "attention_mask"]
        assert "token_type_ids" in one("a b", return_token_type_ids=True)
    assert make().model_input_names == ["input_ids", "token_type_ids", "attention_mask"]


def test_a_role_of_the_models_own_survives_a_folder(make, tmp_path):
    tokenizer = make(extra_special_tokens={"image_token": "<img>"}, additional_special_tokens=["<a>"])
    tokenizer.save_pretrained(tmp_path)
    again = type(tokenizer).from_pretrained(tmp_path)
    assert (again.image_token, again.image_token_id) == ("<img>", tokenizer.image_token_id)
    assert again.special_tokens_map == tokenizer.special_tokens_map
    assert again("a <img> <a>").data == tokenizer("a <img> <a>").data


def test_keywords_that_choose_a_class_elsewhere_leave_no_trace(make, tmp_path):
    make().save_pretrained(tmp_path)
    tokenizer = type(make()).from_pretrained(tmp_path, use_fast=True, tokenizer_type="albert")
    assert not {"use_fast", "tokenizer_type"} & tokenizer.init_kwargs.keys()


def test_the_exact_tokenizer_is_made_beside_tokenizer_json_where_asked(spiece, tokenizer_json, tmp_path):
    shutil.copy(spiece, tmp_path)
    shutil.copy(tokenizer_json, tmp_path)
    text = "5,"
    exact = AlbertTokenizerFast.from_pretrained(tmp_path, from_slow=True)
    assert exact.tokenize(text) == AlbertTokenizer(spiece).tokenize(text)
    assert AlbertTokenizerFast.from_pretrained(tmp_path).tokenize(text) != exact.tokenize(text)


def test_formats_of_the_vocabulary_can_be_chosen(make, tmp_path):
    tokenizer = make()
    held = set(tokenizer._vocabulary_names(None))
    for legacy_format in (True, False):
        wanted = {name for name in held if (name == "tokenizer.json") is not legacy_format}
        folder = tmp_path / str(legacy_format)
        if not wanted:
            with pytest.raises(InputError, match=f"legacy_format={legacy_format} for an {type(tokenizer).__name__}"):
                tokenizer.save_pretrained(folder, legacy_format=legacy_format)
            assert not folder.exists()
            continue
        tokenizer.save_pretrained(folder, legacy_format=legacy_format)
        assert {path.name for path in folder.iterdir()} & {"spiece.model", "tokenizer.json", "vocab.txt"} == wanted


def test_an_upload_holds_the_files_of_a_save(make, tmp_path, monkeypatch):
    uploads = []

    def upload(folder, names, message, **options):
        uploads.append(({path.name for path in folder.iterdir()}, set(names), message, options))
        return "commit"

    monkeypatch.setattr(hub_upload, "upload", upload)
    tokenizer = make()
    tokenizer.save_pretrained(tmp_path / "here", push_to_hub=True, private=True)
    assert tokenizer.push_to_hub("me/mine", token="t") == "commit"
    files = {path.name for path in (tmp_path / "here").iterdir()}
    assert uploads == [
        (files, files, "Upload tokenizer", {"repo_id": None, "private": True}),
        (files, files, "Upload tokenizer", {"repo_id": "me/mine", "token": "t"}),
    ]
    with pytest.raises(InputError, match="`repo_id` goes with an upload"):
        tokenizer.save_pretrained(tmp_path / "there", repo_id="me/mine")
    assert not (tmp_path / "there").exists()
