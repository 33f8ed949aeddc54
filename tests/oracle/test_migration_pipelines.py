"""What docs/migration.md says of the pipelines of Transformers 4.57; tests/test_migration_pipelines.py names rows."""

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import albertkit  # noqa: E402
from albertkit.errors import InputError  # noqa: E402
from oracle.test_pipeline_parity import both, folder_of, pytestmark  # noqa: E402, F401  # late imports; pytest reads it


@pytest.fixture(scope="module")
def classify(data, tmp_path_factory):
    folder = folder_of(tmp_path_factory.mktemp("classes"), data, "ForSequenceClassification", num_labels=3)
    return both("text-classification", folder)


@pytest.fixture(scope="module")
def fill(data, tmp_path_factory):
    return both("fill-mask", folder_of(tmp_path_factory.mktemp("fill"), data, "ForMaskedLM"))


def entities(data, folder, names):
    labels = {"id2label": dict(enumerate(names)), "label2id": {name: number for number, name in enumerate(names)}}
    return both("ner", folder_of(folder, data, "ForTokenClassification", num_labels=len(names), **labels))


def test_longer_texts_fail(classify):
    ours, theirs = classify
    with pytest.raises((RuntimeError, IndexError, ValueError)):
        theirs("a " * 80)
    assert ours("a " * 80)


def test_a_mapping_of_lists_is_answered_for_its_first_text(classify):
    ours, theirs = classify
    lists = {"text": ["the film", "a story"], "text_pair": ["it", "that"]}
    assert isinstance(theirs(lists), dict)
    with pytest.raises(InputError, match="Received"):
        ours(lists)


def test_all_scores_have_another_option_and_no_scores_may_be_asked_for(classify):
    ours, theirs = classify
    with pytest.warns(UserWarning, match="return_all_scores"):
        [everything] = theirs("the film", return_all_scores=True)
    assert len(everything) == len(ours("the film", top_k=None)) == 3
    assert theirs("the film", top_k=0) == []
    with pytest.raises(InputError, match="at least 1"):
        ours("the film", top_k=0)


def test_its_own_models_are_refused_here(classify):
    with pytest.raises(InputError, match="save_pretrained"):
        albertkit.pipeline("text-classification", classify[1].model)


def test_an_answer_may_be_empty(fill):
    ours, theirs = fill
    count = len(ours.tokenizer)
    assert "" in [one["token_str"] for one in theirs("the [MASK]", top_k=count)]
    assert "" not in [one["token_str"] for one in ours("the [MASK]", top_k=count)]


def test_of_a_target_of_several_pieces_the_first_is_scored(fill):
    ours, theirs = fill
    pieces = theirs.tokenizer.tokenize("unbelievable")
    assert len(pieces) > 1
    first = theirs.tokenizer.convert_tokens_to_ids(pieces[0])
    assert [one["token"] for one in theirs("the [MASK]", targets=["unbelievable"])] == [first]
    with pytest.raises(InputError, match="one piece"):
        ours("the [MASK]", targets=["unbelievable"])


def test_entities_hold_blanks(data, tmp_path):
    ours, theirs = entities(data, tmp_path, ["O", "B-PER", "I-PER"])
    text = 'He said: "Paris" (France)'
    given = {"ignore_labels": [], "aggregation_strategy": "none"}
    spans = [text[one["start"] : one["end"]] for one in theirs(text, **given)]
    assert any(span != span.strip() for span in spans)
    assert "▁" in [one["word"] for one in theirs(text, **given)]
    assert all(one["word"] == one["word"].strip() != "▁" for one in ours(text, **given))


def test_words_of_entities_keep_their_point(data, tmp_path):
    ours, theirs = entities(data, tmp_path, ["B-ONE", "B-TWO"])
    words = [[one["end"] for one in pipe("a film. it", aggregation_strategy="first")] for pipe in (ours, theirs)]
    assert words == [[1, 6, 7, 10], [1, 7, 10]]


def test_single_words_of_iobes_are_joined(data, tmp_path):
    ours, theirs = entities(data, tmp_path, ["S-PER"])
    assert [len(pipe("the man", aggregation_strategy="first")) for pipe in (ours, theirs)] == [2, 1]


def test_questions_are_not_cut(data, tmp_path):
    ours, theirs = both("question-answering", folder_of(tmp_path, data, "ForQuestionAnswering"))
    asked = {"question": "who saw the old film of the man", "context": "the man told his children about it"}
    for pipe, is_cut in ((ours, True), (theirs, False)):
        scores = [pipe(**asked, **options)["score"] for options in ({}, {"max_question_len": 2})]
        assert (scores[0] != pytest.approx(scores[1], rel=1e-3)) == is_cut


def test_features_may_be_tensors(data, tmp_path):
    ours, theirs = both("feature-extraction", folder_of(tmp_path, data, "Model"))
    assert isinstance(theirs("the film", return_tensors=True), torch.Tensor)
    assert ours("the film", return_tensors="pt") == pytest.approx(theirs("the film", return_tensors=True), abs=1e-5)
