import json
import logging

import pytest
from tokenizers import AddedToken

from albertkit.errors import CheckpointError, CheckpointNotFound, InputError
from albertkit.tokenization.sentencepiece import AlbertTokenizer, to_mask_token
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer


@pytest.mark.parametrize(
    ("options", "tokens"),
    [
        ({}, ["▁a", "▁ca", "f", "e"]),
        ({"do_lower_case": False}, ["▁", "A", "▁ca", "f", "e"]),
        ({"keep_accents": True}, ["▁a", "▁ca", "f", "é"]),
        ({"remove_space": False}, ["▁a", "▁ca", "f", "e"]),
    ],
)
def test_options_say_how_text_is_cleaned(spiece, options, tokens):
    assert AlbertTokenizer(spiece, **options).tokenize("A  café") == tokens


def test_special_tokens_in_lower_case_are_text(slow):
    assert slow.tokenize("[mask] [MASK]")[-1] == "[MASK]"
    assert slow.tokenize("[mask] [MASK]").count("[MASK]") == 1


def test_sampling_gives_other_tokens_each_time(spiece):
    tokenizer = AlbertTokenizer(spiece, sp_model_kwargs={"enable_sampling": True, "alpha": 0.1, "nbest_size": -1})
    text = "the gardener planted tulips"
    assert len({tuple(tokenizer(text)["input_ids"]) for _ in range(20)}) > 1
    encoded = tokenizer([text] * 3)
    assert [encoded[row].ids for row in range(3)] == encoded["input_ids"]


@pytest.mark.parametrize("size", [-1, -2, 2, 512, None])
@pytest.mark.parametrize("alpha", [0, 0.1, 1e30, None])
def test_every_setting_of_sampling_that_is_taken_can_be_used(spiece, size, alpha):
    for sampling in (True, False, None):
        settings = {"enable_sampling": sampling, "nbest_size": size, "alpha": alpha}
        tokenizer = AlbertTokenizer(spiece, sp_model_kwargs=settings)
        assert tokenizer.decode(tokenizer("hello world", return_offsets_mapping=True)["input_ids"][1:-1])


@pytest.mark.parametrize("settings", [{"nbest_size": "x"}, {"alpha": [1]}, {"enable_sampling": "yes"}])
def test_wrong_settings_of_sampling_are_refused(spiece, settings):
    with pytest.raises(InputError, match=r"`sp_model_kwargs` must be an object: .*Received: "):
        AlbertTokenizer(spiece, sp_model_kwargs=settings)


def test_unknown_settings_of_sampling_are_refused(spiece):
    with pytest.raises(InputError, match=r"enable_sampling, nbest_size and alpha. Received: add_eos"):
        AlbertTokenizer(spiece, sp_model_kwargs={"add_eos": True})


def test_a_missing_vocabulary_says_what_to_call_instead(tmp_path):
    with pytest.raises(
        CheckpointNotFound, match=r"SentencePiece model.*Received: .*a folder\. For a folder call from_pretrained"
    ):
        AlbertTokenizer(tmp_path)
    with pytest.raises(CheckpointNotFound, match=r"Received: .*spiece.model, where there is none\. Copy it there"):
        AlbertTokenizer(tmp_path / "spiece.model")


def test_an_empty_vocabulary_file_is_refused(tmp_path):
    (tmp_path / "spiece.model").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"Reading 0 bytes failed, those of .*: it is empty. If a download"):
        AlbertTokenizer.from_pretrained(tmp_path)


def test_the_vocabulary_is_saved_even_when_its_source_is_gone(spiece, tmp_path):
    source = tmp_path / "source.model"
    source.write_bytes(spiece.read_bytes())
    tokenizer = AlbertTokenizer(source)
    source.unlink()
    (written,) = tokenizer.save_vocabulary(tmp_path / "new", filename_prefix="my")
    assert written == str(tmp_path / "new" / "my-spiece.model")
    assert (tmp_path / "new" / "my-spiece.model").read_bytes() == spiece.read_bytes()


def test_a_mask_given_as_text_owns_the_space_before_it():
    assert to_mask_token("[MASK]").lstrip
    assert not to_mask_token(AddedToken("[MASK]")).lstrip


def test_a_folder_with_a_vocab_txt_gives_the_wordpiece_tokenizer(vocab_txt):
    assert type(AlbertTokenizer.from_pretrained(vocab_txt.parent)) is AlbertWordPieceTokenizer


def test_a_folder_without_any_vocabulary_says_what_it_lacks(tmp_path):
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(
        CheckpointNotFound, match=r"such as spiece.model. Received: .*a folder with only tokenizer.json is for"
    ):
        AlbertTokenizer.from_pretrained(tmp_path)


def test_old_folders_are_read(spiece, tmp_path):
    (tmp_path / "spiece.model").write_bytes(spiece.read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False, "model_max_length": 77}))
    mask = {"content": "[MASK]", "lstrip": False, "rstrip": False, "normalized": False, "single_word": False}
    (tmp_path / "special_tokens_map.json").write_text(
        json.dumps({"mask_token": mask, "additional_special_tokens": ["<e>"]})
    )
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<e>": 600, "Newtok": 601}))
    tokenizer = AlbertTokenizer.from_pretrained(tmp_path)
    assert tokenizer.model_max_length == 77
    assert not tokenizer.added_tokens_decoder[4].lstrip
    assert tokenizer.additional_special_tokens == ["<e>"]
    assert tokenizer("A Newtok<e>")["input_ids"][-3:] == [601, 600, 3]
    assert tokenizer.tokenize("A")[-1] == "A"


def test_another_class_in_the_file_is_warned_of(spiece, tmp_path, caplog):
    (tmp_path / "spiece.model").write_bytes(spiece.read_bytes())
    config = tmp_path / "tokenizer_config.json"
    with caplog.at_level(logging.WARNING):
        for named in ("AlbertTokenizer", "AlbertTokenizerFast", None):
            config.write_text(json.dumps({"tokenizer_class": named}))
            AlbertTokenizer.from_pretrained(tmp_path)
        assert not caplog.records
        config.write_text(json.dumps({"tokenizer_class": "XLNetTokenizer"}))
        AlbertTokenizer.from_pretrained(tmp_path)
    assert "saved as a XLNetTokenizer and is read as a AlbertTokenizer: it may cut texts in another way" in caplog.text
