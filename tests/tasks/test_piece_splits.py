"""Pieces that run over the end of a word where no blanks are written."""

import pytest

from albertkit import pipeline
from albertkit.checkpoint import files
from albertkit.errors import InputError
from albertkit.tasks import piece_splits, pieces, trained_on
from albertkit.tasks.piece_splits import PieceSplitter
from albertkit.tasks.question_answering.task import QuestionAnswering
from albertkit.tasks.spans import Span
from albertkit.tasks.token_classification.task import TokenClassification
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from frameworks.common import random_tensors, small

PIECES = [
    "▁日本の",
    "日本",
    "▁日本",
    "の",
    "本",
    "は2",
    "は",
    "2",
    "京都",
    "に行",
    "に",
    "が、",
    "が",
    "、",
    "abcd",
    "バー1",
]


class Vocabulary:
    """What a splitter asks of a tokenizer."""

    def get_vocab(self):
        return {piece: number for number, piece in enumerate(PIECES)}


def split(text, *pieces):
    ids, spans, place = [], [], 0
    for piece in pieces:
        ids.append(PIECES.index(piece))
        spans.append(Span(place, place + len(piece.lstrip("▁")), ""))
        place = spans[-1].stop
    found, places = PieceSplitter(Vocabulary()).split(text, ids, spans)
    return [(PIECES[one], text[span.start : span.stop]) for one, span in zip(found, places, strict=True)]


def test_a_piece_is_cut_where_the_script_changes_and_keeps_the_mark_of_its_start():
    assert split("日本の京都が、", "▁日本の", "京都", "が、") == [
        ("▁日本", "日本"),
        ("の", "の"),
        ("京都", "京都"),
        ("が", "が"),
        ("、", "、"),
    ]
    assert split("は2", "は2") == [("は", "は"), ("2", "2")]


def test_a_piece_stays_whole_whose_parts_are_not_known_or_that_is_of_another_length_than_its_text():
    assert split("に行", "に行") == [("に行", "に行")]
    assert split("abcd", "abcd") == [("abcd", "abcd")]
    found, places = PieceSplitter(Vocabulary()).split("㈱の", [PIECES.index("▁日本の")], [Span(0, 2, "")])
    assert (found, places) == ([0], [Span(0, 2, "")])
    assert split("バー1", "バー1") == [("バー1", "バー1")]


@pytest.mark.parametrize(
    ("task", "line"),
    [
        (TokenClassification(), '{"text": "日本の首都は東京です。", "entities": [[0, 2, "LOC"]]}'),
        (QuestionAnswering(), '{"question": "首都は", "context": "日本の首都は東京です。", "answers": "東京"}'),
    ],
)
def test_pieces_are_cut_in_training_where_no_blanks_are_written(tmp_path, task, line):
    japanese, english = tmp_path / "ja.jsonl", tmp_path / "en.jsonl"
    japanese.write_text(line + "\n", encoding="utf-8")
    english.write_text(line.replace("日本の首都は", "the capital of the country is 東京 ") + "\n", encoding="utf-8")
    options = task.options()
    assert task.read(str(japanese), options)[1].split_pieces == "scripts"
    assert task.read(str(japanese), task.options(split_pieces="never"))[1].split_pieces == "never"
    with pytest.raises(InputError, match=r"must be scripts or never. Received: 'words'"):
        task.read(str(japanese), task.options(split_pieces="words"))
    assert piece_splits.rule("", ["the capital of the country is 東京"]) == ""


@pytest.mark.torch
def test_a_model_answers_with_pieces_cut_as_in_its_training(data, tmp_path, monkeypatch):
    tokenizer = AlbertTokenizer(data / "spiece.model")
    config = small(vocab_size=len(tokenizer), max_position_embeddings=64, num_labels=3)
    asked = []
    of_texts = pieces.of_texts
    monkeypatch.setattr(pieces, "of_texts", lambda *rest: asked.append(rest[-1]) or of_texts(*rest))
    for rule in ("", "scripts"):
        folder = tmp_path / (rule or "none")
        trained = trained_on.write(config, TokenClassification(), TokenClassification.options(split_pieces=rule))
        head = "ForTokenClassification"
        files.save(folder, trained, random_tensors(config, head), f"Albert{head}")
        tokenizer.save_pretrained(folder)
        pipeline("token-classification", str(folder), "torch")("日本の首都")
    assert asked == ["", "scripts"]
