"""Token classification: labels of pieces, entities with characters, and scores."""

import itertools
import json

import numpy as np
import pytest

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.inference import text_files
from albertkit.tasks import pieces, registry
from albertkit.tasks.spans import Span
from albertkit.tasks.token_classification import tagged_texts, tags
from albertkit.tasks.token_classification.task import TokenClassification
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from training import common

TASK = TokenClassification()
TEXT = "the film of Peter  Blackburn, shown in (New York)."
PETER, YORK = Span(12, 28, "PER"), Span(40, 48, "LOC")


@pytest.fixture(scope="module")
def tokenizer(pytestconfig):
    return AlbertTokenizer(pytestconfig.rootpath / "tests/data/spiece.model")


def examples(*entities, text=TEXT, words=None):
    return tagged_texts.TaggedExamples("", [text], words, [list(entities)], [1])


CONFIG = AlbertConfig(id2label=dict(enumerate(["O", "B-LOC", "I-LOC", "B-PER", "I-PER"])))


def perfect(features, config=CONFIG):
    """Outputs that are sure of the labels, and of O where there is none."""
    for labels in features.labels["labels"]:
        logits = np.zeros((len(labels), config.num_labels), np.float32)
        logits[np.arange(len(labels)), np.maximum(labels, 0)] = 9
        yield {"logits": logits}


def encoded(tokenizer, given, **options):
    return TASK.encode(tokenizer, CONFIG, given, TASK.options.of(options), labelled=True)


def test_labels_of_a_model_that_name_no_type_mark_entities_of_one(tokenizer):
    """As those of models of others for phrases: B, I and O. A piece has the label of the model itself."""
    config = AlbertConfig(id2label=dict(enumerate(["O", "B", "I"])))
    given = examples(PETER._replace(type=tags.UNNAMED))
    features = TASK.encode(tokenizer, config, given, TASK.options(), labelled=True)
    outputs = list(perfect(features, config))
    [found] = TASK.decode(tokenizer, config, given, features, outputs, aggregation_strategy="first")
    assert [(one["word"], one["entity_group"]) for one in found] == [("Peter  Blackburn", "ENTITY")]
    [found] = TASK.decode(tokenizer, config, given, features, outputs)
    assert {one["entity"] for one in found} == {"B", "I"}
    assert TASK.score(config, given, features, outputs)["strict_f1"] == 1


def test_tags_without_types_and_without_b_are_those_of_a_model_of_one_type(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("neural I\nnets I\nlearn O\n")
    config = AlbertConfig(id2label=dict(enumerate(["O", "B-ENTITY", "I-ENTITY"])))
    for known, kind in ((config, tags.UNNAMED), (CONFIG, "I"), (None, "I")):
        found, _ = TASK.read(str(path), TASK.options(), known)
        assert [span.type for span in found.entities[0]] == [kind]


@pytest.mark.parametrize("label_all_tokens", [False, True])
@pytest.mark.parametrize("max_length", [64, 12])
def test_entities_come_back_with_their_characters_from_one_window_or_several(tokenizer, max_length, label_all_tokens):
    given = examples(PETER, YORK)
    features = encoded(tokenizer, given, max_length=max_length, doc_stride=4, label_all_tokens=label_all_tokens)
    assert (len(features) > 1) == (max_length == 12)
    assert max(features.lengths()) <= max_length
    assert features.truncated == 0
    [found] = TASK.decode(tokenizer, CONFIG, given, features, perfect(features), aggregation_strategy="first")
    assert [(one["word"], one["start"], one["end"], one["entity_group"]) for one in found] == [
        ("Peter  Blackburn", 12, 28, "PER"),
        ("New York", 40, 48, "LOC"),
    ]
    assert all(one["score"] > 0.99 for one in found)
    scores = TASK.score(CONFIG, given, features, perfect(features))
    assert (scores["f1"], scores["strict_f1"], scores["accuracy"]) == (1, 1, 1)
    assert (scores["PER_support"], scores["LOC_f1"]) == (1, 1)
    assert isinstance(scores["PER_support"], int)
    assert tuple(name for name in scores if not name.endswith("_support")) == TASK.metrics(CONFIG)


def test_a_label_stands_at_the_first_piece_of_a_word_or_at_all(tokenizer):
    word = "Blackburnington"
    given = examples(Span(0, len(word), "PER"), text=word)
    [labels] = encoded(tokenizer, given).labels["labels"]
    assert labels[1] == 3
    assert len(labels) > 4
    assert set(labels) - {3} == {-100}
    [labels] = encoded(tokenizer, given, label_all_tokens=True).labels["labels"]
    assert labels == [-100, 3, *[4] * (len(labels) - 3), -100]


def test_given_words_are_words_whatever_they_hold(tokenizer):
    words = [Span(0, 3, ""), Span(4, 8, ""), Span(9, 29, "")]
    [one] = pieces.of_texts(tokenizer, [TEXT], [words])
    assert one.units == words
    assert one.owner[one.firsts()].tolist() == [0, 1, 2]
    assert set(one.owner.tolist()) == {0, 1, 2, pieces.NO_UNIT}  # what lies behind the last word has none


def test_words_of_a_text_end_at_blanks_punctuation_and_characters_of_unspaced_scripts():
    text = "New York's 日本の U.S. 5日abc"
    spans = [Span(at, at + 1, "") for at, character in enumerate(text) if character != " "]
    found = [text[span.start : span.stop] for span in pieces.word_spans(text, spans)]
    assert found == ["New", "York", "'", "s", "日", "本", "の", "U", ".", "S", ".", "5", "日", "abc"]


def test_a_special_token_that_is_written_in_a_text_is_text(tokenizer):
    [one] = pieces.of_texts(tokenizer, ["a [SEP] b"])
    assert tokenizer.sep_token_id not in one.ids
    assert one.spans[-1] == Span(8, 9, "")


def test_single_pieces_are_answered_as_they_are_where_no_words_are_asked_for(tokenizer):
    given = examples(PETER)
    features = encoded(tokenizer, given, label_all_tokens=True)
    [found] = TASK.decode(tokenizer, CONFIG, given, features, perfect(features))
    assert {one["entity"] for one in found} == {"B-PER", "I-PER"}
    assert all(one["word"] == TEXT[one["start"] : one["end"]] != "" for one in found)
    assert [features.input_ids[0][one["index"]] for one in found] == [
        token for token, label in zip(features.input_ids[0], features.labels["labels"][0], strict=True) if label > 0
    ]
    assert TEXT[found[0]["start"] : found[-1]["end"]] == "Peter  Blackburn"


@pytest.mark.parametrize(("strategy", "tag"), [("first", "PER"), ("average", "LOC"), ("max", "LOC")])
def test_a_word_takes_the_tag_of_its_first_of_its_mean_or_of_its_surest_piece(tokenizer, strategy, tag):
    word = "Blackburnington"
    given = examples(text=word)
    features = encoded(tokenizer, given)
    logits = np.zeros((features.lengths()[0], 5), np.float32)
    logits[1, 3] = 1  # the first piece, a little
    logits[2:-1, 1] = 4  # the others, surely
    [found] = TASK.decode(tokenizer, CONFIG, given, features, [{"logits": logits}], aggregation_strategy=strategy)
    assert [(one["entity_group"], one["word"]) for one in found] == [(tag, word)]


def test_wrong_boundaries_and_types_are_wrong(tokenizer):
    given = examples(PETER, YORK)
    wrong = examples(Span(12, 17, "PER"), Span(40, 48, "PER"))
    features = encoded(tokenizer, wrong)
    scores = TASK.score(CONFIG, given, features, perfect(features))
    assert (scores["f1"], scores["precision"], scores["recall"]) == (0, 0, 0)
    assert (scores["PER_support"], scores["LOC_support"]) == (1, 1)
    assert 0.5 < scores["accuracy"] < 1


def test_precision_is_of_what_was_predicted_and_recall_of_what_is_true(tokenizer):
    given = examples(PETER, YORK)
    features = encoded(tokenizer, examples(Span(0, 3, "PER"), Span(4, 8, "LOC"), PETER))
    scores = TASK.score(CONFIG, given, features, perfect(features))
    assert (scores["precision"], scores["recall"], scores["f1"]) == pytest.approx((1 / 3, 1 / 2, 2 / 5))
    assert (scores["PER_precision"], scores["PER_recall"]) == (0.5, 1)


def test_what_begins_with_an_inner_tag_counts_unless_scores_are_strict(tokenizer):
    given = examples(PETER)
    features = encoded(tokenizer, given)
    inner = [{"logits": one["logits"][:, [0, 1, 2, 4, 3]]} for one in perfect(features)]  # B-PER and I-PER swapped
    for place in np.flatnonzero(inner[0]["logits"].argmax(-1) == 3):  # "Blackburn": I-PER as well
        inner[0]["logits"][place] = [0, 0, 0, 0, 9]
    scores = TASK.score(CONFIG, given, features, inner)
    assert (scores["f1"], scores["strict_f1"]) == (1, 0)


def test_an_entity_has_the_mean_score_of_its_words(tokenizer):
    given = examples(PETER)
    features = encoded(tokenizer, given)
    [one] = perfect(features)
    chances = []
    for place, label in enumerate(features.labels["labels"][0]):
        if label > 0:  # the two words, the first surer than the second
            one["logits"][place, label] = 4 - 2 * len(chances)
            exponents = np.exp(one["logits"][place])
            chances.append(exponents.max() / exponents.sum())
    [[found]] = TASK.decode(tokenizer, CONFIG, given, features, [one], aggregation_strategy="first")
    assert chances[0] > chances[1] + 0.2
    assert found["score"] == pytest.approx(np.mean(chances))


def test_tags_and_types_that_are_to_be_ignored_are_left_out(tokenizer):
    given = examples(PETER, YORK)
    features = encoded(tokenizer, given, label_all_tokens=True)

    def decode(**options):
        return TASK.decode(tokenizer, CONFIG, given, features, perfect(features), **options)[0]

    grouped = decode(aggregation_strategy="simple", ignore_labels=["PER", "O"])
    assert [one["entity_group"] for one in grouped] == ["LOC"]
    between = decode(aggregation_strategy="FIRST", ignore_labels=["PER"])
    assert [(one["entity_group"], one["word"]) for one in between] == [
        ("O", "the film of"),
        ("O", ", shown in ("),
        ("LOC", "New York"),
        ("O", ")."),
    ]
    assert {one["entity"] for one in decode(ignore_labels=["I-PER", "O"])} == {"B-PER", "B-LOC", "I-LOC"}
    assert {one["entity"] for one in decode(ignore_labels=[])} == {"O", "B-PER", "I-PER", "B-LOC", "I-LOC"}


def test_windows_share_a_quarter_unless_another_length_is_asked_for(tokenizer):
    found = encoded(tokenizer, examples(), max_length=18).columns["window"]
    assert found[0] == range(16)
    assert found[1].start == 12


def test_texts_without_entities_or_words_have_scores_of_zero(tokenizer):
    given = examples(text="")
    features = encoded(tokenizer, given)
    assert features.input_ids == [[tokenizer.cls_token_id, tokenizer.sep_token_id]]
    scores = TASK.score(CONFIG, given, features, perfect(features))
    assert scores["f1"] == scores["accuracy"] == 0
    assert TASK.decode(tokenizer, CONFIG, given, features, perfect(features)) == [[]]


def test_what_the_model_cannot_name_is_refused(tokenizer):
    with pytest.raises(InputError, match=r"one of the model's, LOC, PER\. The text has 'ORG'"):
        encoded(tokenizer, examples(Span(0, 3, "ORG")))
    features = encoded(tokenizer, examples())
    with pytest.raises(InputError, match=r"`aggregation_strategy` must be one of none, simple, .*'best'"):
        TASK.decode(tokenizer, CONFIG, examples(), features, perfect(features), aggregation_strategy="best")
    with pytest.raises(InputError, match=r"Received: a pair"):
        TASK.examples("a", "b")
    with pytest.raises(InputError, match=r"must hold entities"):
        TASK.config_keys(examples(), TASK.options())


def test_outputs_that_are_not_finite_are_refused(tokenizer):
    given = examples()
    features = encoded(tokenizer, given)
    broken = [{"logits": np.full((features.lengths()[0], 5), np.nan, np.float32)}]
    with pytest.raises(InputError, match=r"finite numbers"):
        TASK.decode(tokenizer, CONFIG, given, features, broken)


def test_models_of_other_schemes_are_trained_and_read_by_their_own(tokenizer):
    config = AlbertConfig(id2label=dict(enumerate(["O", "B-PER", "I-PER", "L-PER", "U-PER"])))
    given = examples(PETER)
    features = TASK.encode(tokenizer, config, given, TASK.options(), labelled=True)
    assert [label for label in features.labels["labels"][0] if label > 0] == [1, 3]
    [found] = TASK.decode(tokenizer, config, given, features, perfect(features, config), aggregation_strategy="first")
    assert [(one["entity_group"], one["word"]) for one in found] == [("PER", "Peter  Blackburn")]


@pytest.fixture
def data(tmp_path):
    """Sentences in which a good word and the thing behind it are an entity, and a bad word is one by itself."""
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(200):
        for _ in range(int(rng.integers(1, 4))):
            if rng.random() < 0.5:
                lines += [f"{rng.choice(common.GOOD)} B-GOOD", f"{rng.choice(common.THINGS)} I-GOOD", "and O"]
            else:
                lines += [f"{rng.choice(common.BAD)} B-BAD", f"{rng.choice(common.THINGS)} O"]
        lines.append("")
    path = tmp_path / "train.conll"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.torch
def test_a_model_is_trained_scored_and_answers(data, tmp_path):
    pytest.importorskip("torch")
    from albertkit.pipelines import pipeline

    output = tmp_path / "model"
    results = common.trained(
        common.task_recipe(TASK.name, data, data__max_length=16, data__doc_stride=4, training__epochs=25), output
    )
    assert results["f1"] > 0.9
    assert results["GOOD_f1"] > 0.9
    tag = pipeline("auto", output, "torch")
    text = "superb film and terrible plot and lovely music " * 3
    found = tag(text, aggregation_strategy="first")
    words = [(one["entity_group"], one["word"]) for one in found]
    assert words.count(("GOOD", "superb film")) == words.count(("BAD", "terrible")) == 3
    assert all(text[one["start"] : one["end"]] == one["word"] for one in found)
    assert tag.evaluate(data)["f1"] > 0.9
    assert json.dumps(list(tag.stream([tag.task.examples([text, "and"])[0]])))


def test_the_task_has_the_short_name_that_people_know():
    assert registry.get("ner").name == TASK.name


def test_pieces_that_stand_for_one_character_have_places_of_their_own(tokenizer):
    given = examples(text="the film … again")
    features = encoded(tokenizer, given)
    [found] = TASK.decode(tokenizer, CONFIG, given, features, perfect(features), ignore_labels=())
    ids = [features.input_ids[0][one["index"]] for one in found]
    assert len({(one["start"], one["end"]) for one in found}) < len(found)
    assert ids == [one for one in features.input_ids[0][1:-1] if one != tokenizer.find("▁")]


def test_marks_and_joiners_do_not_end_a_word():
    for text in ("नमस्ते", "e\u0301te\u0301", "می\u200cخواهم"):
        spans = [Span(place, place + 1, "") for place in range(len(text))]
        assert pieces.word_spans(text, spans) == [Span(0, len(text), "")]


def test_lines_of_a_file_that_are_no_text_are_named_by_the_file(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes(b"Peter came.\n\xff\xfe\xff \n")
    with pytest.raises(InputError, match=r"texts\.txt, line 2"):
        list(text_files.stream(TASK, str(path), TASK.options()))


@pytest.mark.parametrize("value", ["O", None, 3])
def test_labels_to_leave_out_are_a_list(tokenizer, value):
    given = examples(PETER)
    features = encoded(tokenizer, given)
    with pytest.raises(InputError, match=r"`ignore_labels` must be a list of labels"):
        TASK.decode(tokenizer, CONFIG, given, features, perfect(features), ignore_labels=value)


def test_pieces_of_one_character_are_one_entity_in_simple_runs_of_pieces(tokenizer):
    given = examples(text="wait… then ½ of it")
    features = encoded(tokenizer, given)
    rng = np.random.default_rng(0)
    for _ in range(20):
        outputs = [{"logits": rng.normal(size=(length, 5)).astype(np.float32)} for length in features.lengths()]
        told = {"aggregation_strategy": "simple", "ignore_labels": []}
        [found] = TASK.decode(tokenizer, CONFIG, given, features, outputs, **told)
        places = [(one["start"], one["end"]) for one in found]
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(places)), places
