import pytest

from albertkit.errors import CheckpointError, CheckpointNotFound
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer


@pytest.fixture(scope="module")
def wordpiece(vocab_txt):
    return AlbertWordPieceTokenizer(vocab_txt)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("你好", ["你", "好"]),
        ("hello你world", ["hello", "你", "world"]),
        ("Cats, cating!", ["cat", "##s", ",", "cat", "##ing", "!"]),
        ("éé", ["e", "##e"]),
        ("19,", ["1", "##9", ","]),
        ("catx caty 漢", ["cat", "##x", "[UNK]", "[UNK]"]),
        ("the[MASK]cat [mask]", ["the", "[MASK]", "cat", "[UNK]", "[UNK]", "[UNK]"]),
        ("", []),
    ],
)
def test_text_is_cut_into_the_longest_known_pieces(wordpiece, text, tokens):
    assert wordpiece.tokenize(text) == tokens


def test_options_say_how_text_is_cleaned(vocab_txt):
    assert AlbertWordPieceTokenizer(vocab_txt, do_lower_case=False).tokenize("The the é") == ["[UNK]", "the", "[UNK]"]
    assert AlbertWordPieceTokenizer(vocab_txt, strip_accents=False).tokenize("é E") == ["[UNK]", "e"]
    assert AlbertWordPieceTokenizer(vocab_txt, tokenize_chinese_chars=False).tokenize("你好") == ["[UNK]"]


def test_special_tokens_have_the_ids_of_the_file(wordpiece):
    assert wordpiece("the cat", "你")["input_ids"] == [2, 9, 10, 3, 5, 3]
    assert (wordpiece.pad_token, wordpiece.unk_token, wordpiece.mask_token_id) == ("[PAD]", "[UNK]", 4)
    assert wordpiece.bos_token is None


def test_roles_that_it_does_not_use_itself_may_be_given(vocab_txt, tmp_path):
    tokenizer = AlbertWordPieceTokenizer(vocab_txt, bos_token="[CLS]", eos_token="<end>")
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (2, tokenizer.vocab_size)
    tokenizer.save_pretrained(tmp_path)
    again = AlbertWordPieceTokenizer.from_pretrained(tmp_path)
    assert again.special_tokens_map == tokenizer.special_tokens_map
    assert again.eos_token_id == tokenizer.eos_token_id


def test_special_tokens_are_set_off_in_text(wordpiece):
    ids = wordpiece("Cats sat on [MASK] wall")["input_ids"]
    assert wordpiece.decode(ids) == "[CLS] cats sat on [MASK] wall [SEP]"
    assert wordpiece.decode(ids, skip_special_tokens=True) == "cats sat on wall"
    assert wordpiece.convert_tokens_to_string(["cat", "##s", "sat"]) == "cats sat"


def test_offsets_point_into_the_text(wordpiece):
    encoded = wordpiece("Cats, 你好", return_offsets_mapping=True)
    assert encoded["offset_mapping"] == [(0, 0), (0, 3), (3, 4), (4, 5), (6, 7), (7, 8), (0, 0)]
    assert encoded.word_ids() == [None, 0, 0, 1, 2, 3, None]


def test_the_vocabulary_is_saved_as_it_was(wordpiece, vocab_txt, tmp_path):
    (written,) = wordpiece.save_vocabulary(tmp_path, filename_prefix="zh")
    assert written == str(tmp_path / "zh-vocab.txt")
    assert (tmp_path / "zh-vocab.txt").read_bytes() == vocab_txt.read_bytes()


def test_added_tokens_are_no_part_of_the_vocabulary_file(vocab_txt, tmp_path):
    tokenizer = AlbertWordPieceTokenizer(vocab_txt)
    tokenizer.add_tokens("newtok")
    tokenizer.save_pretrained(tmp_path)
    assert (tmp_path / "vocab.txt").read_bytes() == vocab_txt.read_bytes()
    assert AlbertWordPieceTokenizer.from_pretrained(tmp_path)("newtok")["input_ids"] == [2, tokenizer.vocab_size, 3]


def test_windows_line_ends_and_a_missing_last_one_are_read(vocab_txt, tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes(vocab_txt.read_bytes().replace(b"\n", b"\r\n").removesuffix(b"\r\n"))
    assert AlbertWordPieceTokenizer(path).get_vocab() == AlbertWordPieceTokenizer(vocab_txt).get_vocab()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[PAD]\n[UNK]\n[PAD]\n", "Each token of a vocabulary must stand once.*holds 1 twice"),
        (b"[PAD]\nthe\n", r"must hold '\[UNK\]'"),
        ("[UNK]\né\n".encode("latin-1"), "must be UTF-8 text"),
    ],
)
def test_what_is_no_vocabulary_is_refused(content, said, tmp_path):
    (tmp_path / "vocab.txt").write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        AlbertWordPieceTokenizer(tmp_path / "vocab.txt")


def test_a_missing_vocabulary_is_named(tmp_path):
    for path in (tmp_path / "vocab.txt", tmp_path):
        with pytest.raises(CheckpointNotFound, match=r"a file such as vocab.txt. Received: "):
            AlbertWordPieceTokenizer(path)


def test_the_backend_cuts_alike(wordpiece):
    assert wordpiece.backend_tokenizer.encode("Cats, 你好").tokens == wordpiece.tokenize("Cats, 你好")
