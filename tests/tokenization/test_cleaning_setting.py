"""do_lower_case and its like as attributes: they tell what is in force, and take effect when they are set."""

import pytest

from albertkit.errors import InputError
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer

TEXT = "The  CAFÉ cat"


@pytest.mark.parametrize("kind", [AlbertTokenizer, AlbertTokenizerFast])
@pytest.mark.parametrize(("name", "value"), [("do_lower_case", False), ("keep_accents", True), ("remove_space", False)])
def test_a_setting_takes_effect_and_is_saved(spiece, tmp_path, kind, name, value):
    made, changed = kind(spiece, **{name: value}), kind(spiece)
    changed.add_tokens(["newtok"])
    assert getattr(made, name) is value
    assert getattr(changed, name) is not value
    setattr(changed, name, value)
    assert getattr(changed, name) is value
    assert changed.tokenize(TEXT) == made.tokenize(TEXT)
    assert "newtok" in changed.tokenize("a newtok b")
    changed.save_pretrained(tmp_path)
    assert kind.from_pretrained(tmp_path).tokenize(TEXT) == made.tokenize(TEXT)


def test_a_wordpiece_setting_takes_effect(vocab_txt):
    changed = AlbertWordPieceTokenizer(vocab_txt)
    assert (changed.do_lower_case, changed.strip_accents, changed.tokenize_chinese_chars) == (True, None, True)
    assert changed.tokenize("Hello") == ["hello"]
    changed.do_lower_case = False
    assert changed.tokenize("Hello") == ["[UNK]"]
    changed.strip_accents = None
    assert changed.strip_accents is None


def test_a_file_that_decides_alone_is_named(library, tokenizer_json):
    assert library.do_lower_case is True
    with pytest.raises(InputError, match=r"tokenizer\.json, which decides that alone. Load it with from_slow"):
        AlbertTokenizerFast(tokenizer_file=tokenizer_json).do_lower_case = False


@pytest.mark.parametrize("value", ["false", 1, None])
def test_only_true_and_false_are_settings(spiece, value):
    with pytest.raises(InputError, match="`keep_accents` must be true or false"):
        AlbertTokenizer(spiece).keep_accents = value


def test_a_setting_without_effect_is_said(tokenizer_json, caplog):
    AlbertTokenizerFast(tokenizer_file=tokenizer_json)
    assert not caplog.records
    AlbertTokenizerFast(tokenizer_file=tokenizer_json, do_lower_case=False)
    (record,) = caplog.records
    assert "`do_lower_case` is False, but" in record.getMessage()
    assert "there it is True" in record.getMessage()


def test_sampling_that_does_not_happen_is_said(spiece, caplog):
    AlbertTokenizerFast(spiece, sp_model_kwargs={"enable_sampling": True})
    assert "is one of AlbertTokenizer" in caplog.text
