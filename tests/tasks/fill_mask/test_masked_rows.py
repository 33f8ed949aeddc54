"""Raw texts as rows, their masks, and the scores of what was said for them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albertkit.batches import PretrainingBatch
from albertkit.errors import InputError
from albertkit.tasks.features import Features
from albertkit.tasks.fill_mask import masked_rows
from albertkit.tasks.fill_mask.masked_rows import Masking
from albertkit.tasks.fill_mask.raw_texts import MaskedLMOptions
from albertkit.tokenization.fast import AlbertTokenizerFast

TEXTS = ["The cat sat on the mat, and slept.", "", "A much longer text of many words, " * 6, "Short [MASK] [SEP]."]


@pytest.fixture(scope="module")
def tokenizer(data):
    return AlbertTokenizerFast(data / "spiece.model")


def rows(tokenizer, texts=TEXTS, **options):
    return masked_rows.of_texts(tokenizer, texts, MaskedLMOptions.of({"max_length": 16} | options))


def pieces(tokenizer, text):
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


def test_line_by_line_every_text_has_rows_of_its_own_and_nothing_is_lost(tokenizer):
    found = rows(tokenizer, line_by_line=True)
    assert set(found.example) == {0, 2, 3}  # the empty text has none
    for number, text in enumerate(TEXTS):
        mine = [row for row, owner in zip(found.input_ids, found.example, strict=True) if owner == number]
        assert all(row[0] == 2 and row[-1] == 3 and len(row) <= 16 for row in mine)
        assert [one for row in mine for one in row[1:-1]] == pieces(tokenizer, text)
    assert found.truncated == 0
    assert 4 not in np.concatenate(found.input_ids), "a mask that is written in a text is text"


def test_packed_texts_fill_windows_with_separators_between_them(tokenizer):
    found = rows(tokenizer)
    assert [len(row) for row in found.input_ids[:-1]].count(16) >= len(found) - 3
    assert all(row[0] == 2 and row[-1] == 3 and 3 not in (row[1], row[-2]) for row in found.input_ids)
    inner = [one for row in found.input_ids for one in row[1:-1] if one != 3]
    assert inner == [one for text in TEXTS for one in pieces(tokenizer, text)]
    counts = found.unknown(tokenizer, len(TEXTS))  # of texts, not of rows
    assert counts.unreadable.tolist() == [False, True, False, False]


def test_texts_without_a_piece_are_refused(tokenizer):
    with pytest.raises(InputError, match="Received: 2 texts without a single piece"):
        rows(tokenizer, ["", "  "])


@settings(max_examples=20)
@given(st.integers(0, 99), st.booleans(), st.integers(1, 3), st.floats(0.05, 0.6))
def test_masks_hide_what_the_labels_tell_and_can_be_drawn_again(tokenizer, seed, whole_words, ngram, share):
    options = MaskedLMOptions.of({"mlm_probability": share, "whole_word_mask": whole_words, "ngram": ngram})
    plain = rows(tokenizer)
    masking = Masking.of(tokenizer, options)
    rngs = [np.random.default_rng([seed, row]) for row in range(len(plain))]
    once = masking(plain, rngs)
    for row, ids, labels, places in zip(
        plain.input_ids, once.input_ids, once.labels["labels"], once.positions, strict=True
    ):
        assert np.flatnonzero(labels != -100).tolist() == places
        assert np.where(labels == -100, ids, labels).tolist() == row.tolist()
        assert len(places) <= max(round(len(row) * share), 1)
    again = masking(once, [np.random.default_rng([seed, row]) for row in range(len(plain))])
    assert [row.tolist() for row in again.input_ids] == [row.tolist() for row in once.input_ids]


def test_whole_words_are_masked_whole_unless_pieces_are_asked_for(tokenizer):
    text = " ".join(["unbelievable", "internationalization"] * 30)
    plain = rows(tokenizer, [text], max_length=128)
    starts = Masking.of(tokenizer, MaskedLMOptions()).vocabulary.is_word_start
    split = {}
    for whole in (True, False):
        options = MaskedLMOptions.of({"whole_word_mask": whole, "mlm_probability": 0.3, "ngram": 1})
        found = Masking.of(tokenizer, options).fixed(plain)
        split[whole] = 0
        for ids, labels in zip(plain.input_ids, found.labels["labels"], strict=True):
            hidden = labels != -100
            joined = ~starts[ids[1:]] & (ids[1:] > 4) & (ids[:-1] > 4)
            split[whole] += int((joined & (hidden[1:] != hidden[:-1])).sum())
    assert split[True] == 0
    assert split[False] > 10


def test_fixed_masks_are_the_same_each_time_and_differ_from_row_to_row(tokenizer):
    text = "the same words again and again in this text. " * 8
    plain = rows(tokenizer, [text] * 4, line_by_line=True, max_length=64)
    one, other = (Masking.of(tokenizer, MaskedLMOptions()).fixed(plain) for _ in range(2))
    assert one.positions == other.positions
    assert len({tuple(places) for places in one.positions}) > 4


def test_scores_are_those_of_the_formulas_from_logits_and_from_losses():
    rng = np.random.default_rng(0)
    logits = [rng.standard_normal((count, 9)).astype(np.float32) * 3 for count in (2, 0, 3)]
    labels = [[-100, 5, 2], [-100], [1, -100, 8, 0]]
    features = Features([[0] * len(one) for one in labels], [[0] * len(one) for one in labels], {"labels": labels})
    chances = [np.exp(one.astype(np.float64)) / np.exp(one.astype(np.float64)).sum(-1, keepdims=True) for one in logits]
    true = [chances[0][0, 5], chances[0][1, 2], chances[2][0, 1], chances[2][1, 8], chances[2][2, 0]]
    found = masked_rows.scores(features, [{"logits": one} for one in logits])
    assert found["loss"] == pytest.approx(-np.log(true).mean())
    assert found["perplexity"] == pytest.approx(np.exp(-np.log(true).mean()))
    right = [a.argmax() for one in logits for a in one] == np.array([5, 2, 1, 8, 0])
    assert found["masked_accuracy"] == pytest.approx(right.mean())
    losses = [{"mlm_losses": -np.log(true[a:b]), "mlm_correct": right[a:b]} for a, b in ((0, 2), (2, 2), (2, 5))]
    assert masked_rows.scores(features, losses) == pytest.approx(found)


def test_what_cannot_be_scored_is_told():
    features = Features([[1]], [[0]], {"labels": [[-100]]})
    with pytest.raises(InputError, match="scored on what is masked"):
        masked_rows.scores(features, [{"logits": np.zeros((0, 9), np.float32)}])
    features = Features([[1]], [[0]], {"labels": [[1]]})
    with pytest.raises(InputError, match="finite numbers"):
        masked_rows.scores(features, [{"logits": np.full((1, 9), np.nan, np.float32)}])


def test_rows_become_a_batch_whose_parts_are_told_apart_again():
    labels = [[-100, 7, -100], [-100, -100], [-100, 6, 5, -100, 9]]
    ids = [[2, 4, 3], [2, 3], [2, 4, 4, 8, 3]]
    batch = PretrainingBatch.of_rows(ids, [[0] * len(row) for row in ids], labels, pad_id=0)
    assert batch.input_ids.shape == (3, 8)
    assert batch.input_ids.ravel()[batch.mlm_positions].tolist() == [4, 4, 4, 3]
    assert batch.mlm_labels.tolist() == [7, 6, 5, 9]
    assert batch.sequence.sum(1).tolist() == [3, 2, 5]
    assert batch.tokens == 10
    assert batch.items() == {"mlm": 4}
    parts = list(batch.split({"mlm_losses": np.arange(4.0)}, [3, 2, 5], ()))
    assert [part["mlm_losses"].tolist() for part in parts] == [[0.0], [], [1.0, 2.0, 3.0]]
