"""Lines of text -> a SentencePiece model. What is learned is tested in test_train.py."""

from collections import Counter

import sentencepiece

from albertkit.tokenization.learning import MAX_LINE_LENGTH, learn, split_line


def test_a_line_without_a_space_is_cut_and_counted():
    cuts = Counter()
    text = "x" * (2 * MAX_LINE_LENGTH + 5) + " y " + "z" * MAX_LINE_LENGTH
    pieces = list(split_line(text, cuts))
    assert max(map(len, pieces)) <= MAX_LINE_LENGTH
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "")
    assert cuts == {"lines": 1, "words": 2}
    assert list(split_line("x" * MAX_LINE_LENGTH, cuts)) == ["x" * MAX_LINE_LENGTH]
    assert cuts["lines"] == 1


def test_special_tokens_get_the_first_ids_under_the_names_they_are_given(data):
    lines = (data / "text.txt").read_text(encoding="utf-8").splitlines()[:60]
    names = {"pad": "<p>", "unknown": "<u>", "special": ["<c>", "<s>"]}
    model = sentencepiece.SentencePieceProcessor(model_proto=learn(lines, 80, exact=False, **names))
    assert [model.id_to_piece(index) for index in range(4)] == ["<p>", "<u>", "<c>", "<s>"]
