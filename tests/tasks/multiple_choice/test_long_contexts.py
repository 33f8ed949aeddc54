"""Contexts that are longer than a model's input: what windows hold, and how they make one answer."""

from dataclasses import replace

import numpy as np
import pytest

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks.multiple_choice import long_contexts
from albertkit.tasks.multiple_choice.task import MultipleChoice
from albertkit.tokenization.sentencepiece import AlbertTokenizer

TASK, CONFIG = MultipleChoice(), AlbertConfig()
LONG = "the film of a man was a story and the end of it was good"


@pytest.fixture(scope="module")
def tokenizer(pytestconfig):
    return AlbertTokenizer(pytestconfig.rootpath / "tests/data/spiece.model")


def given(*rows):
    return TASK.examples([dict(zip(("context", "question", "choices"), row, strict=True)) for row in rows])[0]


def encoded(tokenizer, examples, labelled=False, **options):
    return TASK.encode(tokenizer, CONFIG, examples, TASK.options.of({"max_length": 16, **options}), labelled)


def parts(tokenizer, sequence):
    """The ids of the context, and those of the question with its option."""
    first, second = [place for place, one in enumerate(sequence) if one == tokenizer.sep_token_id]
    return sequence[1:first], sequence[first + 1 : second]


def test_windows_hold_the_whole_context_and_all_options_stand_beside_the_same_part(tokenizer):
    options = ["a man", "a", "the story of a man"]
    features = encoded(tokenizer, given((LONG, "who?", options)), long="windows", doc_stride=2)
    whole = tokenizer(LONG, add_special_tokens=False)["input_ids"]
    tails = [tokenizer(f"who? {one}", add_special_tokens=False)["input_ids"] for one in options]
    room, place = 16 - 3 - max(map(len, tails)), 0
    assert len(features) > 2
    assert (features.example, features.truncated) == ([0] * len(features), 0)
    for row in features.input_ids:
        assert {tuple(parts(tokenizer, one)[0]) for one in row} == {tuple(whole[place : place + room])}
        assert [parts(tokenizer, one)[1] for one in row] == tails
        place += room - 2
    assert place + 2 >= len(whole) > place + 2 - room
    cut = encoded(tokenizer, given((LONG, "who?", options)))
    assert (len(cut), cut.example, cut.truncated) == (1, None, 1)


def test_a_window_has_the_label_of_its_question_and_short_contexts_have_one(tokenizer):
    examples = replace(given(("it", "who?", ["a", "b"]), (LONG, "who?", ["a", "b"])), labels=[0, 1])
    features = encoded(tokenizer, examples, labelled=True, long="windows")
    assert features.example is not None
    assert [*features.example] == [0] + [1] * (len(features) - 1)
    assert np.asarray(features.labels["labels"]).tolist() == [*features.example]


def test_long_questions_are_cut_and_counted_in_windows_too_and_leave_room_for_them(tokenizer):
    examples = given((LONG, "who? " * 20, ["a", "b"]))
    features = encoded(tokenizer, examples, long="windows", doc_stride=9)
    assert features.truncated == 1
    assert {len(parts(tokenizer, one)[0]) for row in features.input_ids for one in row} == {1}
    assert len(features) == len(tokenizer(LONG, add_special_tokens=False)["input_ids"])


def test_windows_make_one_answer_by_their_tokens(tokenizer):
    examples = replace(given((LONG, "who?", ["a", "b"]), ("it", "who?", ["a", "b", "c"])), labels=[1, 2])
    features = encoded(tokenizer, examples, long="windows")
    assert features.example is not None
    owners = np.array(features.example)
    lengths = np.array(features.lengths())
    outputs = [{"logits": np.zeros(2 if one == 0 else 3, np.float32)} for one in owners]
    outputs[0]["logits"][0], outputs[-1]["logits"][2] = 3.0, 2.0
    found = long_contexts.merged(features, outputs)
    share = lengths[0] / lengths[owners == 0].sum()
    assert found[0].tolist() == pytest.approx([3 * share, 0])
    assert found[1].tolist() == [0, 0, 2]
    answers = TASK.decode(tokenizer, CONFIG, examples, features, outputs)
    assert [one["choice"] for one in answers] == ["a", "c"]
    assert TASK.score(CONFIG, examples, features, outputs)["accuracy"] == 0.5
    outputs[1]["logits"][0] = np.inf
    with pytest.raises(InputError, match="finite"):
        TASK.decode(tokenizer, CONFIG, examples, features, outputs)


def test_windows_share_half_of_their_tokens_at_most(tokenizer):
    examples = given((" ".join(["film"] * 40), "it was", ["good", "good"]))
    room = 16 - 3 - len(tokenizer.tokenize("it was good"))
    wide, half = (encoded(tokenizer, examples, long="windows", doc_stride=one) for one in (10_000, room // 2))
    assert wide.input_ids == half.input_ids
    assert len(wide) < 40 - room
