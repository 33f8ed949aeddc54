"""What docs/migration.md says of pipelines, row by row: the tests that show it, here and of Transformers."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

import albertkit
from albertkit.checkpoint import files
from albertkit.errors import InputError
from albertkit.tasks import registry, trained_on
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks.common import random_tensors, small
from migration_page import table

TESTS = Path(__file__).parent
QA, NER, PEER = (
    "tasks/question_answering",
    "tasks/token_classification/test_task.py",
    "oracle/test_migration_pipelines.py",
)
SPANS = "oracle/test_span_pipeline_parity.py"
SHOWN = {
    "texts that are longer than the model fail, in classification": (
        "test_pipelines.py::test_longer_texts_are_refused_where_they_may_not_be_cut",
        f"{PEER}::test_longer_texts_fail",
    ),
    "a mapping of lists is answered for its first text alone": (
        "tasks/test_inputs.py::test_anything_else_is_refused_in_words",
        f"{PEER}::test_a_mapping_of_lists_is_answered_for_its_first_text",
    ),
    "`return_all_scores`, `top_k=0`": (
        "test_pipelines.py::test_longer_texts_are_refused_where_they_may_not_be_cut",
        f"{PEER}::test_all_scores_have_another_option_and_no_scores_may_be_asked_for",
    ),
    "a task without a model takes some model of the hub": (
        "test_migration_pipelines.py::test_a_pipeline_without_a_model_takes_one_of_the_package_or_is_refused",
    ),
    "one of Transformers' own classes as the model": (
        "test_pipelines.py::test_a_loaded_model_that_cannot_answer_is_refused",
        f"{PEER}::test_its_own_models_are_refused_here",
    ),
    "fill-mask answers with the lone mark of a word's start, whose text is empty": (
        "tasks/fill_mask/test_answers.py::test_the_mark_of_a_word_alone_is_no_answer_and_the_next_ones_take_its_place",
        f"{PEER}::test_an_answer_may_be_empty",
    ),
    "a word of several pieces as a target of fill-mask is its first piece": (
        "tasks/fill_mask/test_answers.py::test_targets_that_are_no_single_piece_are_told",
        f"{PEER}::test_of_a_target_of_several_pieces_the_first_is_scored",
    ),
    "entities begin with the blank before the word, and a lone `▁` is one": (
        f"{SPANS}::test_entities_are_ready_for_json_and_their_words_are_the_text_between_their_offsets",
        f"{PEER}::test_entities_hold_blanks",
    ),
    "scores of entities are NumPy's": (
        f"{SPANS}::test_entities_are_ready_for_json_and_their_words_are_the_text_between_their_offsets",
    ),
    "words of entities end at blanks": (
        f"{NER}::test_words_of_a_text_end_at_blanks_punctuation_and_characters_of_unspaced_scripts",
        f"{PEER}::test_words_of_entities_keep_their_point",
    ),
    "`grouped_entities`, `ignore_subwords`, `is_split_into_words`": (
        "inference/test_settings.py::test_options_of_transformers_that_are_none_here_say_what_is_in_their_place",
    ),
    "`S-PER S-PER` of IOBES is one entity": (
        f"{NER}::test_models_of_other_schemes_are_trained_and_read_by_their_own",
        f"{PEER}::test_single_words_of_iobes_are_joined",
    ),
    "texts that are longer than the model are cut for entities unless `stride` is given": (
        f"{SPANS}::test_long_texts_are_answered_whole_where_transformers_cuts_them",
    ),
    "scores of answers are products of the chances of a start and of an end, of each window for itself; [CLS] and ends "
    "before their start count, and equal texts are added up": (
        f"{QA}/test_answers.py::test_the_probabilities_of_all_answers_that_may_be_given_add_up_to_one",
        f"{QA}/test_answers.py::test_how_probable_answers_are_is_no_matter_of_cls_unless_there_may_be_none",
        f"{SPANS}::test_answers_that_may_be_given_share_one_probability",
        f"{SPANS}::test_answers_of_many_windows_share_one_probability",
    ),
    "`align_to_words` takes the punctuation that touches a word into an answer": (
        f"{SPANS}::test_an_answer_takes_no_punctuation_where_that_of_transformers_does",
    ),
    "`max_question_len` does nothing with the fast tokenizer": (
        "inference/test_settings.py::test_a_call_and_a_pipeline_may_say_how_a_context_is_cut",
        f"{PEER}::test_questions_are_not_cut",
    ),
    "a list of one question gives one answer": (f"{SPANS}::test_a_list_of_one_question_is_answered_by_a_list",),
    "`handle_impossible_answer` is False unless it is passed": (
        "test_migration_pipelines.py::test_a_model_that_learned_from_questions_without_an_answer_gives_none",
    ),
    "answers of classifiers are `label` and `score`": (
        "tasks/test_calibration.py::test_answers_are_calibrated_and_say_that_they_abstain",
    ),
    "`pool=True` for a model without a pooler makes one up": (
        "tasks/sentence_embedding/test_task.py::test_a_model_without_a_pooler_has_hidden_states_and_no_pooled_one",
    ),
    "`return_tensors=True` gives tensors of the framework": (
        "tasks/sentence_embedding/test_task.py::test_hidden_states_come_in_the_shapes_of_transformers",
        f"{PEER}::test_features_may_be_tensors",
    ),
    "`run_mlm.py` cuts the ends of long lines and packed texts off": (
        "tasks/fill_mask/test_masked_rows.py::test_packed_texts_fill_windows_with_separators_between_them",
        "tasks/fill_mask/test_masked_rows.py::test_line_by_line_every_text_has_rows_of_its_own_and_nothing_is_lost",
        "tasks/fill_mask/test_masked_rows.py::test_whole_words_are_masked_whole_unless_pieces_are_asked_for",
        "tasks/fill_mask/test_masked_rows.py::test_fixed_masks_are_the_same_each_time_and_differ_from_row_to_row",
    ),
}


def test_every_row_of_the_page_is_shown_by_a_test():
    assert [row[0] for row in table("Pipelines")] == list(SHOWN)
    for tests in SHOWN.values():
        for path, name in (test.split("::") for test in tests):
            assert f"\ndef {name}(" in (TESTS / path).read_text(encoding="utf-8"), (path, name)


@pytest.mark.torch
def test_a_model_that_learned_from_questions_without_an_answer_gives_none(data, tmp_path):
    tokenizer, task = AlbertTokenizerFast(data / "spiece.model"), registry.get("question-answering")
    config = small(vocab_size=len(tokenizer), max_position_embeddings=48)
    tensors, head = random_tensors(config, "ForQuestionAnswering"), "AlbertForQuestionAnswering"
    asked = {"question": "who saw it?", "context": "the man saw an old film"}
    for threshold, has_answer in ((1e3, True), (-1e3, False)):
        fitted = {"handle_impossible_answer": True, "null_score_diff_threshold": threshold}
        written = trained_on.with_fitted(trained_on.write(config, task, task.options()), task, fitted)
        files.save(tmp_path, written, tensors, head)
        tokenizer.save_pretrained(tmp_path)
        answer = albertkit.pipeline("question-answering", tmp_path, "torch")
        found = answer(asked)
        assert bool(found["answer"]) == has_answer
        assert 0 < found["score"] < 1
        assert answer(asked, handle_impossible_answer=False)["answer"]


@pytest.mark.torch
def test_a_pipeline_without_a_model_takes_one_of_the_package_or_is_refused(caplog):
    with pytest.raises(InputError, match=r"there is none; .* Name a model"):
        albertkit.pipeline("text-classification")
    with caplog.at_level("INFO", "albertkit"):
        assert albertkit.pipeline("fill-mask", framework="torch")("He took his [MASK] and left.", top_k=1)
    assert "albertkit/small-en" in caplog.text
