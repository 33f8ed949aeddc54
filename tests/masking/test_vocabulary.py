"""Which pieces start a word."""

import numpy as np
import pytest

from albertkit.errors import InputError
from albertkit.masking.vocabulary import MaskingVocabulary, find_word_starts
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer


class Listed:
    """As much of a tokenizer as is asked: a vocabulary."""

    added_tokens_decoder: dict = {}  # noqa: RUF012
    all_special_ids: list = []  # noqa: RUF012

    def __init__(self, vocabulary):
        self.vocabulary = vocabulary

    def __len__(self):
        return len(self.vocabulary)

    def get_vocab(self):
        return {piece: index for index, piece in enumerate(self.vocabulary) if piece is not None}


def starts(*vocabulary):
    return dict(zip(vocabulary, find_word_starts(Listed(vocabulary)).tolist(), strict=True))


STARTS = ["▁", "▁the", "▁é", "<unk>", "<0xE3>", "<0x41>", ",", "£", "€", "'s", "n't", "3,", "-", "–", "😀"]
STARTS += ["漢", "漢字", "カタ", "ー", "の", "ไทย", "ລາວ", "ភាសា", "မြန်မာ", "བོད"]
CONTINUE = ["s", "ing", "S", "é", "ção", "λόγος", "слово", "한국", "שלום", "عرب", "हिन्दी", "19", "́", "<0x80>", "<0xBF>"]


@pytest.mark.parametrize("piece", STARTS)
def test_pieces_that_start_a_word_in_sentencepiece(piece):
    assert starts("▁a", piece)[piece]


@pytest.mark.parametrize("piece", CONTINUE)
def test_pieces_that_go_on_with_one_in_sentencepiece(piece):
    assert not starts("▁a", piece)[piece]


def test_wordpiece_marks_what_goes_on():
    found = starts("the", "##s", "##ing", "é", "слово", "1", "##9", "漢", "##漢", "##ไทย", "##", ",", "▁")
    assert [piece for piece, start in found.items() if not start] == ["##s", "##ing", "##9", "##"]


def test_a_vocabulary_with_neither_mark_is_one_of_words():
    assert all(starts("[PAD]", "你", "a", "b").values())


def test_ids_without_a_piece_stand_alone():
    listed = Listed(["▁a", None, "s"])
    assert find_word_starts(listed).tolist() == [True, True, False]
    listed.cls_token_id = listed.sep_token_id = listed.mask_token_id = listed.pad_token_id = 0
    assert MaskingVocabulary.from_tokenizer(listed).is_special.tolist() == [False, True, False]


def test_words_of_a_text_are_those_between_spaces_and_marks(data):
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    known = find_word_starts(tokenizer)
    tokens = tokenizer.tokenize("the lighthouse keeper climbed 1999 stairs")
    ids = tokenizer.convert_tokens_to_ids(tokens)
    assert known.shape == (len(tokenizer),)
    assert known.dtype == bool
    assert len(tokens) > 6
    assert known[ids].tolist() == [token.startswith("▁") for token in tokens]


def test_added_tokens_are_words(data):
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    tokenizer.add_tokens(["covid"])
    assert find_word_starts(tokenizer)[-1]
    assert not MaskingVocabulary.from_tokenizer(tokenizer).is_special[-1]


def test_pieces_know_special_tokens_and_what_may_stand_in(data, tmp_path):
    vocabulary = MaskingVocabulary.from_tokenizer(AlbertTokenizerFast(data / "spiece.model"))
    assert (vocabulary.pad_id, vocabulary.cls_id, vocabulary.sep_id, vocabulary.mask_id) == (0, 2, 3, 4)
    assert np.flatnonzero(vocabulary.is_special).tolist() == [0, 1, 2, 3, 4]
    assert vocabulary.ordinary_ids.tolist() == list(range(5, 600))
    assert vocabulary.is_word_start[:5].all()
    (tmp_path / "vocab.txt").write_text("[PAD]\na\n##b\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n")
    vocabulary = MaskingVocabulary.from_tokenizer(AlbertWordPieceTokenizer(tmp_path / "vocab.txt"))
    assert (vocabulary.pad_id, vocabulary.cls_id, vocabulary.sep_id, vocabulary.mask_id) == (0, 4, 5, 6)
    assert vocabulary.ordinary_ids.tolist() == [1, 2]
    assert vocabulary.is_word_start.tolist() == [True, True, False, True, True, True, True]


def test_a_tokenizer_without_what_is_needed_is_refused(data):
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    tokenizer.mask_token = None
    with pytest.raises(InputError, match="lacks: mask_token"):
        MaskingVocabulary.from_tokenizer(tokenizer)
    with pytest.raises(InputError, match="that are not special"):
        MaskingVocabulary(2, 3, 4, 0, is_word_start=np.ones(5, bool), is_special=np.ones(5, bool))
