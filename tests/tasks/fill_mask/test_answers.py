import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks.fill_mask import answers as task
from albertkit.tasks.fill_mask.raw_texts import MaskedLMOptions
from albertkit.tasks.fill_mask.task import FillMask
from albertkit.tokenization.fast import AlbertTokenizerFast


@pytest.fixture(scope="module")
def tokenizer(data):
    return AlbertTokenizerFast(data / "spiece.model")


def encode(tokenizer, texts, max_length):
    examples, _ = FillMask().examples(texts)
    return FillMask().encode(tokenizer, AlbertConfig(), examples, MaskedLMOptions(max_length=max_length))


def id_of(tokenizer, piece):
    return tokenizer.get_vocab()[piece]


def test_encode_gives_ids_with_their_masks(tokenizer):
    features = encode(tokenizer, ["the [MASK] is", "[MASK] [MASK]"], 16)
    assert [row.count(tokenizer.mask_token_id) for row in features.input_ids] == [1, 2]
    assert [len(row) for row in features.token_type_ids] == [len(row) for row in features.input_ids]
    assert features.truncated == 0


def test_what_is_cut_behind_a_mask_is_counted(tokenizer):
    features = encode(tokenizer, ["the [MASK]" + " the" * 40], 16)
    assert (len(features.input_ids[0]), features.truncated) == (16, 1)


def test_a_text_without_a_mask_is_named(tokenizer):
    with pytest.raises(InputError, match=r"hold \[MASK\].* 2 of 3 without, .* number 2, 'none'. Write \[MASK\]"):
        encode(tokenizer, ["a [MASK]", "none", ""], 16)


def test_a_mask_that_was_cut_off_is_told_apart(tokenizer):
    with pytest.raises(InputError, match=r"\[MASK\] was cut off with all beyond 16 tokens"):
        encode(tokenizer, ["the " * 40 + "[MASK]"], 16)


def test_a_tokenizer_without_a_mask_is_refused(data):
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    tokenizer.mask_token = None
    with pytest.raises(InputError, match="needs a tokenizer with a mask token"):
        encode(tokenizer, ["a"], 16)


def test_a_target_is_a_word_as_it_stands_alone(tokenizer):
    the = id_of(tokenizer, "▁the")
    assert task.targets(tokenizer, "the") == [the]
    assert task.targets(tokenizer, ["The", "▁the", "a"]) == [the, id_of(tokenizer, "▁a")]


def test_a_target_may_be_a_piece_inside_a_word(tokenizer):
    vocabulary = tokenizer.get_vocab()
    inside = next(piece for piece in vocabulary if piece.isalpha() and len(tokenizer.tokenize(piece)) > 1)
    assert task.targets(tokenizer, [inside]) == [vocabulary[inside]]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["the", "unbelievable"], r"Received: 'unbelievable' \(▁un"),
        (["中"], "'中'"),
        ([""], r"'' \(none\)"),
        (["▁"], r"'▁' \(a space alone\)"),
        ([" "], r"' ' \(a space alone\)"),
        ([], "no target"),
    ],
)
def test_targets_that_are_no_single_piece_are_told(tokenizer, words, told):
    with pytest.raises(InputError, match=f"one piece of the vocabulary.*{told}"):
        task.targets(tokenizer, words)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 4), st.booleans())
def test_best_are_the_highest_of_a_softmax_of_all(seed, top_k, count, coarse):
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((count, 9)).astype(np.float32) * 5
    if coarse:  # so that some are equal
        logits = np.round(logits / 5)
    allowed = rng.permutation(9)[: rng.integers(1, 10)].tolist()
    scores, ids = task.best(logits, allowed, top_k)
    chances = np.exp(logits.astype(np.float64))
    chances /= chances.sum(-1, keepdims=True)
    wanted = np.sort(chances[:, allowed], -1)[:, ::-1][:, :top_k]
    np.testing.assert_allclose(scores, wanted, rtol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(chances, ids, -1), wanted, rtol=1e-5)
    assert all(len({*row}) == len(row) and {*row} <= {*allowed} for row in ids.tolist())


def test_high_logits_do_not_overflow():
    scores, ids = task.best(np.array([[1000.0, 999.0, -1000.0]], np.float32), range(3), 2)
    np.testing.assert_allclose(scores, [[1 / (1 + np.exp(-1)), 1 / (1 + np.e)]])
    assert ids.tolist() == [[0, 1]]


def test_best_refuses_what_makes_no_sense():
    with pytest.raises(InputError, match=r"at least 1. Received: 0"):
        task.best(np.zeros((1, 3), np.float32), range(3), 0)
    with pytest.raises(InputError, match="finite numbers"):
        task.best(np.array([[0, np.nan]], np.float32), range(2), 1)


def test_decode_fills_one_mask_into_the_text(tokenizer):
    ids = tokenizer("the [MASK] is")["input_ids"]
    the, a = id_of(tokenizer, "▁the"), id_of(tokenizer, "▁a")
    answer = task.answer(tokenizer, ids, [ids.index(4)], np.array([[0.75, 0.25]]), np.array([[the, a]]))
    assert answer == [
        {"score": 0.75, "token": the, "token_str": "the", "sequence": "the the is"},
        {"score": 0.25, "token": a, "token_str": "a", "sequence": "the a is"},
    ]
    assert ids.count(tokenizer.mask_token_id) == 1


def test_decode_fills_several_masks_one_at_a_time(tokenizer):
    ids = tokenizer("[MASK] is [MASK]")["input_ids"]
    the = id_of(tokenizer, "▁the")
    columns = [column for column, token in enumerate(ids) if token == tokenizer.mask_token_id]
    first, second = task.answer(tokenizer, ids, columns, np.ones((2, 1)), np.full((2, 1), the))
    assert first[0]["sequence"] == "[CLS] the is[MASK][SEP]"
    assert second[0]["sequence"] == "[CLS][MASK] is the[SEP]"


def decode(tokenizer, logits, **options):
    """The answers to "the [MASK]." of a model that gives these logits (V,) for its mask."""
    examples, _ = FillMask().examples("the [MASK].")
    config = AlbertConfig(vocab_size=len(logits))
    features = FillMask().encode(tokenizer, config, examples, MaskedLMOptions(max_length=16))
    outputs = [{"logits": np.array([logits], np.float32)}]
    return FillMask().decode(tokenizer, config, examples, features, outputs, **options)[0]


def test_the_mark_of_a_word_alone_is_no_answer_and_the_next_ones_take_its_place(tokenizer):
    mark, the, a = (id_of(tokenizer, piece) for piece in ("▁", "▁the", "▁a"))
    logits = np.zeros(len(tokenizer))
    logits[[mark, the, a]] = 9, 8, 7
    answers = decode(tokenizer, logits, top_k=2)
    assert [answer["token_str"] for answer in answers] == ["the", "a"]
    assert answers[0]["score"] == pytest.approx(np.exp(8) / np.exp(logits).sum(), rel=1e-4)  # its share of all
    everything = decode(tokenizer, logits, top_k=10**6)
    assert len(everything) == len(tokenizer) - 1
    assert all(answer["token_str"] != "" for answer in everything)


def test_top_k_none_is_the_default(tokenizer):
    assert len(decode(tokenizer, np.zeros(len(tokenizer)), top_k=None)) == 5


@pytest.mark.parametrize("top_k", [0, -1, 2.5, "3", True, [1]])
def test_a_top_k_that_is_no_count_is_refused(tokenizer, top_k):
    with pytest.raises(InputError, match=r"`top_k` must be a whole number of at least 1. Received: "):
        decode(tokenizer, np.zeros(len(tokenizer)), top_k=top_k)


@pytest.mark.parametrize("words", [5, b"the", ["the", None], [["the"]], {"the": 1}])
def test_targets_of_another_kind_are_refused(tokenizer, words):
    with pytest.raises(InputError, match=r"`targets` must be a word or a list of words. Received: "):
        decode(tokenizer, np.zeros(len(tokenizer)), targets=words)
