"""Multiple choice: sequences of each option, answers and scores."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from albertkit.batches import PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import calibration
from albertkit.tasks.features import Features
from albertkit.tasks.multiple_choice import task as multiple_choice
from albertkit.tasks.multiple_choice.task import MultipleChoice
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from training import common

TASK, CONFIG = MultipleChoice(), AlbertConfig()


@pytest.fixture(scope="module")
def tokenizer(pytestconfig):
    return AlbertTokenizer(pytestconfig.rootpath / "tests/data/spiece.model")


def given(*rows):
    return TASK.examples([dict(zip(("context", "question", "choices"), row, strict=True)) for row in rows])[0]


def encoded(tokenizer, examples, **options):
    return TASK.encode(tokenizer, CONFIG, examples, TASK.options.of(options))


def test_an_option_fills_the_blank_of_a_question_or_stands_behind_it():
    assert multiple_choice.filled("John is a _ singer.", "great") == "John is a great singer."
    assert multiple_choice.filled("Who is John?", "A singer.") == "Who is John? A singer."
    assert multiple_choice.filled("", "A singer.") == "A singer."


def test_each_option_is_a_sequence_behind_its_context_or_its_question(tokenizer):
    examples = given(("the film", "it was _", ["good", "bad"]), (None, "it was", ["good", "very bad", "dull"]))
    features = encoded(tokenizer, examples)
    assert [len(row) for row in features.input_ids] == [2, 3]
    pairs = [[("the film", "it was good"), ("the film", "it was bad")]]
    pairs += [[("it was", "good"), ("it was", "very bad"), ("it was", "dull")]]
    for row, types, wanted in zip(features.input_ids, features.token_type_ids, pairs, strict=True):
        expected = tokenizer([one for one, _ in wanted], [other for _, other in wanted])
        assert row == expected["input_ids"]
        assert types == expected["token_type_ids"]
    assert features.choices() == [2, 3]
    assert features.truncated == 0


def test_the_end_of_a_question_and_the_start_of_a_context_are_kept_and_cuts_are_counted(tokenizer):
    examples = given(("film " * 40, "where " * 40, ["good", "bad"]), ("film", "where", ["good", "bad"]))
    features = encoded(tokenizer, examples, max_length=32, max_qa_length=8)
    assert features.truncated == 1
    for options in (["good " * 40, "bad"], ["bad", "good " * 40]):  # one of them is enough
        assert encoded(tokenizer, given(("film", "where", options)), max_length=32, max_qa_length=8).truncated == 1
    for ids, option in zip(features.input_ids[0], ("good", "bad"), strict=True):
        assert len(ids) == 32
        tail = tokenizer(f"where {option}")["input_ids"][2:]
        assert ids[-len(tail) :] == tail
        assert ids[1] == tokenizer("film")["input_ids"][1]
        assert ids.index(tokenizer.sep_token_id) == 32 - 1 - 8 - 1


def test_rows_of_choices_are_padded_to_one_shape():
    batch = PaddedBatch.of_rows(
        [[[2, 5, 3], [2, 3]], [[2, 3], [2, 6, 7, 3]]], [[[0] * 3, [0] * 2], [[0] * 2, [0] * 4]], 0
    )
    assert batch.input_ids.tolist() == [[[2, 5, 3, 0], [2, 3, 0, 0]], [[2, 3, 0, 0], [2, 6, 7, 3]]]
    assert batch.attention_mask.tolist() == [[[1, 1, 1, 0], [1, 1, 0, 0]], [[1, 1, 0, 0], [1, 1, 1, 1]]]
    assert batch.items() == {"loss": 2}


def test_the_best_option_is_answered_with_the_chances_of_all(tokenizer):
    examples = given(("c", "q", ["a", "b"]), ("c", "q", ["a", "b", "d"]))
    outputs = [{"logits": np.array([0, np.log(3)], np.float32)}, {"logits": np.zeros(3, np.float32)}]
    first, second = TASK.decode(tokenizer, CONFIG, examples, encoded(tokenizer, examples), outputs)
    assert first == {"label": 1, "choice": "b", "score": pytest.approx(0.75), "scores": pytest.approx([0.25, 0.75])}
    assert (second["label"], second["scores"]) == (0, pytest.approx([1 / 3] * 3))
    broken = [{"logits": np.array([np.nan, 0])}] * 2
    with pytest.raises(InputError, match=r"finite numbers"):
        TASK.decode(tokenizer, CONFIG, examples, encoded(tokenizer, examples), broken)


def test_scores_are_of_all_of_each_part_and_of_each_length(tokenizer):
    rows = [(f"{'word ' * count}x", "q", ["a", "b"]) for count in (5, 150, 160)]
    from dataclasses import replace

    examples = replace(given(*rows), labels=[0, 0, 1], groups=["high", "middle", "middle"])
    outputs = [{"logits": np.array([1.0, 0.0])}] * 3
    scores = TASK.score(CONFIG, examples, encoded(tokenizer, examples), outputs)
    assert scores == pytest.approx(
        {
            "accuracy": 2 / 3,
            "accuracy_high": 1,
            "accuracy_middle": 0.5,
            "accuracy_from_0_words": 1,
            "accuracy_from_100_words": 0.5,
        }
    )


def test_names_of_files_are_no_names_of_a_call_and_an_answer_says_which_question_it_is_of():
    with pytest.raises(InputError, match=r"the names context, question, choices\. Received, as number 1: 'options'"):
        TASK.examples({"question": "q", "options": ["a", "b"]})
    assert given(("c", "q", ["a", "b"]), ("d", "q", ["a", "b"])).shown(1) == {"id": "number 2", "question": "q"}


@pytest.mark.parametrize("value", ["text", {"question": "q"}, [{"question": "q", "choices": "ab"}], ["a"], 3])
def test_what_is_no_question_with_choices_is_refused(value):
    with pytest.raises(InputError, match=r"Received"):
        TASK.examples(value)


@pytest.fixture
def data(tmp_path):
    """The right option is the good word; there are two or three of them."""
    rng = np.random.default_rng(0)
    lines = ["context,question,choice0,choice1,choice2,label"]
    for number in range(160):
        options = [str(rng.choice(common.BAD)) for _ in range(2 + number % 2)]
        label = int(rng.integers(len(options)))
        options[label] = str(rng.choice(common.GOOD))
        lines.append(f"the {rng.choice(common.THINGS)} was,how,{','.join([*options, ''][:3])},{label}")
    path = tmp_path / "train.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    "framework", [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("torch", "tensorflow")]
)
def test_a_model_is_trained_scored_and_answers_with_any_number_of_options(data, tmp_path, framework):
    pytest.importorskip(framework)
    from albertkit.pipelines import pipeline

    output = tmp_path / "model"
    results = common.trained(common.task_recipe(TASK.name, data, framework=framework, training__epochs=4), output)
    assert results["accuracy"] > 0.9
    answer = pipeline("auto", output, framework)
    asked = [
        {"context": "the film was", "question": "how", "choices": ["awful", "superb", "dull"]},
        {"context": "the plot was", "question": "how", "choices": ["lovely", "bad"]},
    ]
    assert [one["choice"] for one in answer(asked)] == ["superb", "lovely"]
    assert answer(asked[0])["label"] == 1
    if framework == "torch" and importlib.util.find_spec("jax"):
        assert [one["choice"] for one in pipeline("auto", output, "flax")(asked)] == ["superb", "lovely"]
    assert answer.evaluate(data)["accuracy"] > 0.9


@pytest.mark.parametrize("name", ["contexts", "article", "Context"])
def test_a_context_by_another_name_is_refused(name):
    with pytest.raises(
        InputError, match=rf"has the names context, question, choices\. Received, as number 1: '{name}'"
    ):
        TASK.examples({name: "c", "question": "q", "choices": ["a", "b"]})


def test_no_questions_have_no_answers_and_what_else_a_row_holds_is_left_out():
    found, is_single = TASK.examples([])
    assert (len(found), is_single) == (0, False)
    assert len(TASK.examples([{"question": "q", "choices": ["a", "b"], "label": 1, "id": "7"}])[0]) == 1


@pytest.mark.parametrize("max_length", [4, 5, 7])
def test_sequences_need_room_for_a_context_and_an_option(tokenizer, max_length):
    examples = given(("the film", "it was _", ["good", "bad"]))
    with pytest.raises(InputError, match=rf"at least 8 tokens\. Received: {max_length}"):
        TASK.encode(tokenizer, CONFIG, examples, replace(TASK.options(), max_length=max_length))


ONE_ROW_EACH = Features([], [])
"""Rows of which only that matters."""


def drawn(sharpness, count=1200):
    """Questions of two to four options, of which the right one was drawn from the probabilities of logits."""
    rng = np.random.default_rng(0)
    rows = [rng.normal(0, 1.5, rng.integers(2, 5)) for _ in range(count)]
    labels = [int(rng.choice(len(row), p=np.exp(row) / np.exp(row).sum())) for row in rows]
    examples = given(*(("the film", "it was", list("abcd"[: len(row)])) for row in rows))
    return replace(examples, labels=labels), [{"logits": (row * sharpness).astype(np.float32)} for row in rows]


def test_options_of_any_number_are_calibrated_and_answers_say_that_they_abstain():
    pytest.importorskip("scipy")
    examples, outputs = drawn(3)
    found, results = TASK.calibrate(CONFIG, examples, ONE_ROW_EACH, outputs, 0.8)
    assert found.temperature == pytest.approx(3, rel=0.15)
    assert results["expected_calibration_error_after"] < 0.04 < 0.1 < results["expected_calibration_error_before"]
    assert results["accuracy"] < 0.8 <= results["accuracy_answered"]
    config = AlbertConfig(task=calibration.entry(None, TASK.name, found))
    answers = TASK.decode(None, config, examples, ONE_ROW_EACH, outputs)
    plain = TASK.decode(None, CONFIG, examples, ONE_ROW_EACH, outputs)
    assert [one["label"] for one in answers] == [one["label"] for one in plain]
    assert np.mean([one["score"] for one in answers]) == pytest.approx(results["accuracy"], abs=0.03)
    assert 1 - np.mean([one["abstained"] for one in answers]) == pytest.approx(results["coverage"])
    assert all(one["abstained"] for one in TASK.decode(None, CONFIG, examples, ONE_ROW_EACH, outputs, abstain_below=1))
    assert not any("abstained" in one for one in plain)
