import subprocess
import sys
import textwrap
from collections import Counter

import pytest

from albertkit.errors import CheckpointError, InputError
from albertkit.masking.vocabulary import find_word_starts
from albertkit.tokenization import learning
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.learning import MAX_LINE_LENGTH, USER_DEFINED_SYMBOLS
from albertkit.tokenization.normalizer import AlbertNormalizer
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from albertkit.tokenization.train import _sample, _told, from_characters, train

SIZE = 90


@pytest.fixture(scope="module")
def texts(data):
    return (data / "text.txt").read_text(encoding="utf-8").splitlines()[:60]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("trained")
    return folder, train(texts, SIZE, folder)


def test_the_first_ids_are_the_published_ones(trained):
    _, tokenizer = trained
    vocabulary = list(tokenizer.get_vocab())
    assert vocabulary[:5] == ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    assert vocabulary[5:13] == list(USER_DEFINED_SYMBOLS)
    assert len(tokenizer) == tokenizer.vocab_size == SIZE
    assert tokenizer.added_tokens_decoder.keys() == {0, 1, 2, 3, 4}


def test_the_folder_holds_the_tokenizer(trained, texts):
    folder, tokenizer = trained
    assert sorted(path.name for path in folder.iterdir()) == [
        "special_tokens_map.json",
        "spiece.model",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    again = AlbertTokenizerFast.from_pretrained(folder)
    assert [again(text)["input_ids"] for text in texts] == [tokenizer(text)["input_ids"] for text in texts]


def test_every_text_comes_back(trained, texts):
    _, tokenizer = trained
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == AlbertNormalizer()(text)


def test_texts_are_cleaned_as_the_tokenizer_cleans(trained, texts, tmp_path):
    _, tokenizer = trained
    assert not any(piece.lower() != piece for piece in list(tokenizer.get_vocab())[5:])
    assert "é" not in "".join(tokenizer.get_vocab())
    cased = train(texts, 120, tmp_path, do_lower_case=False, keep_accents=True)
    assert {"T", "é"} <= set("".join(list(cased.get_vocab())[5:]))
    again = AlbertTokenizerFast.from_pretrained(tmp_path)
    assert again.tokenize("The café") == cased.tokenize("The café") != tokenizer.tokenize("The café")


def test_the_same_texts_give_the_same_vocabulary(trained, texts, tmp_path):
    folder, _ = trained
    train(iter(texts), SIZE, tmp_path)
    assert (tmp_path / "spiece.model").read_bytes() == (folder / "spiece.model").read_bytes()


def test_no_more_lines_than_asked_for_are_used_and_always_the_same(tmp_path):
    texts = [f"{chr(97 + number % 26)}{chr(97 + number // 26)} and so on" for number in range(300)]
    models = []
    for name in ("a", "b"):
        train(texts, 60, tmp_path / name, sentences=101, exact=False)
        models.append((tmp_path / name / "spiece.model").read_bytes())
    train(texts, 60, tmp_path / "all", exact=False)
    assert models[0] == models[1]
    assert models[0] != (tmp_path / "all" / "spiece.model").read_bytes()
    with pytest.raises(InputError, match=r"`sentences` must be more than 100.* Received: 100"):
        train(texts, 60, tmp_path, sentences=100)


def test_long_lines_are_learned_from(texts, tmp_path):
    tokenizer = train([" ".join([*texts, *texts, "ж жж жжж"])], SIZE, tmp_path, character_coverage=1.0, exact=False)
    assert tokenizer.unk_token_id not in tokenizer("ж")["input_ids"]


def test_a_vocabulary_that_cannot_be_filled_names_the_size_that_can(tmp_path):
    with pytest.raises(InputError, match=r"`vocab_size` 1000. They can fill (\d+): pass that or less") as caught:
        train(["a b c d"] * 9, 1000, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    size = int(str(caught.value).split("can fill ")[1].split(":")[0])
    assert len(train(["a b c d"] * 9, size, tmp_path / "b")) == size
    assert len(train(["a b c d"] * 9, 1000, tmp_path / "c", exact=False)) == size


def test_texts_that_give_no_vocabulary_are_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"every character .* `vocab_size` 20\. .* they take (\d+): pass that or more"
    ) as caught:
        train(["enough letters, and more"] * 9, 20, tmp_path)
    size = int(str(caught.value).split("they take ")[1].split(":")[0])
    assert len(train(["enough letters, and more"] * 9, size, tmp_path)) == size
    for empty in ([], ["", "  "]):
        with pytest.raises(InputError, match="must hold at least one line"):
            train(empty, 60, tmp_path / "empty")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("がくがく" * 9, "48.6% of the letters lose a mark, such as が, which becomes か: --keep-accents keeps them"),
        ("Ÿ Ÿ yy", "such as Ÿ, which becomes y: "),
        ("e\u0301" * 9, "such as COMBINING ACUTE ACCENT: "),
        ("plain letters " * 9 + "é", None),
        ("한국어 中文 русские", None),
    ],
)
def test_that_many_letters_lose_their_marks_is_told(text, told, tmp_path):
    notes = []
    train([text, "a"], 100, tmp_path / "a", exact=False, note=notes.append)
    assert len(notes) == bool(told)
    assert all(told in note for note in notes)
    train([text, "a"], 100, tmp_path / "b", exact=False, keep_accents=True, note=notes.append)
    assert len(notes) == bool(told)


DRAW = """
    import sys
    from albertkit.tokenization.train import train

    texts = [f"{chr(97 + number % 26)}{chr(97 + number // 26)} and so on" for number in range(300)]
    train(texts, 60, sys.argv[1], sentences=101, exact=False, seed=int(sys.argv[2]))
"""


def test_every_process_draws_the_same_lines_by_the_same_seed(tmp_path):
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        subprocess.run([sys.executable, "-c", textwrap.dedent(DRAW), str(tmp_path / name), seed], check=True)
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
    assert (tmp_path / "a" / "spiece.model").read_bytes() != (tmp_path / "c" / "spiece.model").read_bytes()


def test_who_waits_is_told_now_and_then_how_many_lines_were_read():
    told, seconds = [], iter([0.0, 10.0, 31.0, 31.0, 40.0, 62.0, 62.0])
    assert list(_told(["a", "b", "c", "d"], told.append, lambda: next(seconds))) == ["a", "b", "c", "d"]
    assert told == ["2 lines read.", "4 lines read."]


def test_every_line_is_as_likely_to_be_sample():
    texts = [str(number) for number in range(30)]
    counts = Counter(line for seed in range(2000) for line in _sample(texts, 10, seed))
    assert set(counts) == set(texts)
    assert all(560 < count < 780 for count in counts.values())
    assert _sample(texts, 30, 0) == texts


def test_a_folder_with_a_model_or_a_tokenizer_keeps_its_tokenizer_unless_told(texts, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"holds a model, .*--overwrite"):
        train(texts, SIZE, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    train(texts, SIZE, tmp_path, overwrite=True)
    assert (tmp_path / "spiece.model").exists()
    (tmp_path / "config.json").unlink()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match=r"holds .*spiece\.model, tokenizer\.json\. .*--overwrite"):
        train(texts, SIZE - 10, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=r"must be a folder. Received: .*file, which is a file"):
        train(texts, SIZE, tmp_path / "file")


def test_a_save_that_fails_leaves_the_tokenizer_that_was_there(texts, tmp_path, monkeypatch):
    train(texts, SIZE, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AlbertTokenizerFast, "write", full)
    with pytest.raises(CheckpointError, match="disk is full"):
        train(texts, SIZE - 10, tmp_path, overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("coverage", [0, 0.97, 1.1, float("nan")])
def test_a_coverage_that_sentencepiece_does_not_know_is_refused(coverage, tmp_path):
    with pytest.raises(InputError, match=rf"`character_coverage` must lie in 0.98..1, .* Received: {coverage}"):
        train(["a b c"], 20, tmp_path, character_coverage=coverage)


def test_a_long_line_is_cut_at_spaces_and_teaches_nearly_the_same(tmp_path, data, monkeypatch):
    line = " ".join((data / "text.txt").read_text(encoding="utf-8").split())
    notes = []
    one = train([line], 300, tmp_path / "cut", exact=False, note=notes.append)
    monkeypatch.setattr(learning, "MAX_LINE_LENGTH", 10**9)
    other = train([line], 300, tmp_path / "whole", exact=False, note=notes.append)
    assert len(line) > MAX_LINE_LENGTH
    assert [note for note in notes if "cut" in note] == [
        "1 lines are longer than 10,000 characters and were cut: at spaces, and in 0 places within a word"
    ]
    differing = set(one.get_vocab()) ^ set(other.get_vocab())
    assert len(differing) <= 4, "only near ties may fall otherwise"


PHONEMES = [*"aæəɪʊˈˌːθðʃʰA.,?ʲ", "\u0303"]  # the last is a tilde that combines


def test_a_list_of_characters_becomes_a_vocabulary_in_its_order(tmp_path):
    tokenizer = from_characters(PHONEMES, tmp_path / "phonemes")
    assert [tokenizer.convert_ids_to_tokens(index) for index in range(5)] == [
        *("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
    ]
    assert tokenizer.convert_tokens_to_ids(PHONEMES) == list(range(5, 5 + len(PHONEMES)))
    assert len(tokenizer) == len(PHONEMES) + 6


def test_characters_are_pieces_of_their_own_in_every_reader_of_the_folder(tmp_path):
    written = from_characters(PHONEMES, tmp_path / "phonemes")
    expected = ["▁", "a", "ʰ", "æ", "\u0303", "▁", "θ", "A", "ʲ", "▁", ".", "▁", "q"]
    for tokenizer in (
        written,
        AlbertTokenizerFast.from_pretrained(tmp_path / "phonemes"),
        AlbertTokenizer.from_pretrained(tmp_path / "phonemes"),
    ):
        assert tokenizer.tokenize("aʰæ\u0303 θAʲ . q") == expected
        assert tokenizer("q", add_special_tokens=False)["input_ids"] == [len(tokenizer) - 1, 1]
        assert tokenizer.decode(tokenizer("aʰ θA")["input_ids"], skip_special_tokens=True) == "aʰ θA"


def test_words_of_characters_begin_at_the_blanks(tmp_path):
    tokenizer = from_characters(PHONEMES, tmp_path / "phonemes")
    starts = find_word_starts(tokenizer)
    pieces = [piece for piece in (*PHONEMES, "▁") if starts[tokenizer.convert_tokens_to_ids(piece)]]
    assert pieces == [".", ",", "?", "▁"]


@pytest.mark.parametrize(
    ("characters", "words"),
    [
        (["a", "ab"], "2, 'ab' among them"),
        (["a", " "], "2, ' ' among them"),
        (["a", "▁"], "2, '▁' among them"),
        (["a", "b", "a"], "3, 'a' twice"),
        ([], "Received: 0"),
        (list(map(chr, range(0x4E00, 0x4E00 + 2001))), "Received: 2001"),
    ],
)
def test_what_is_no_list_of_characters_is_refused(tmp_path, characters, words):
    with pytest.raises(InputError, match=f"1 to 2,000 different ones.*{words}"):
        from_characters(characters, tmp_path / "phonemes")
    assert not (tmp_path / "phonemes").exists()


def test_a_tokenizer_that_is_there_is_replaced_by_characters_only_when_asked(tmp_path):
    from_characters(["a"], tmp_path)
    with pytest.raises(InputError, match="is written to a folder without one"):
        from_characters(["b"], tmp_path)
    assert from_characters(["b"], tmp_path, overwrite=True).convert_tokens_to_ids("b") == 5
