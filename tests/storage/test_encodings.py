"""Text in other encodings than UTF-8: read where a mark says so, otherwise explained with what it would read as."""

import io
import logging

import pytest

from albertkit.errors import CheckpointError, InputError
from albertkit.storage import encodings, read_json, read_text

FRENCH = "text,label\nL'été dernier nous étions à la plage,1\nC'était très bien, merci beaucoup,0\n"
CHINESE = "text,label\n这部电影非常好看，我很喜欢,正面\n剧情无聊，演员也不好,负面\n"
RUSSIAN = "text,label\nЭтот фильм был очень хорошим,да\nСкучная история и плохие актеры,нет\n"
MARKS = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff", "utf-32-le": b"\xff\xfe\0\0", "utf-32-be": b"\0\0\xfe\xff"}


@pytest.mark.parametrize("encoding", MARKS)
def test_a_byte_order_mark_is_obeyed_and_said(caplog, encoding):
    text = CHINESE + "😀" * 50_000
    content = MARKS[encoding] + text.encode(encoding)
    with caplog.at_level(logging.WARNING):
        file = encodings.as_utf8(io.BufferedReader(io.BytesIO(content)), f"{encoding}.csv")
        assert file.read().decode("utf-8") == text
    assert caplog.messages == [f"{encoding}.csv is read as {encoding.upper()}, for its byte-order mark says so."]
    assert encodings.decode(content) == text


def test_utf_8_comes_as_it_is_without_a_word(caplog):
    file = io.BufferedReader(io.BytesIO(CHINESE.encode()))
    assert encodings.as_utf8(file, "t.csv") is file
    assert encodings.decode(b"\xef\xbb\xbf" + CHINESE.encode()) == CHINESE
    assert not caplog.messages


@pytest.mark.parametrize(
    ("text", "encoding", "named", "read"),
    [
        (FRENCH, "cp1252", "CP1252", "'L'été dernier"),
        (FRENCH, "latin-1", "CP1252", "'L'été dernier"),
        (CHINESE, "gb18030", "GB18030", "这部电影非常好看"),
        (RUSSIAN, "cp1251", "CP1251", "Этот фильм"),
    ],
)
def test_an_encoding_is_named_with_what_it_would_make_of_the_text(text, encoding, named, read):
    told = encodings.advice(io.BytesIO(text.encode(encoding)), "t.csv")
    assert "Line 2 would read " in told
    place = told.index(f" in {named}")
    assert read.strip("'") in told[:place]
    assert "-t UTF-8 t.csv > utf8-t.csv" in told


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "gb18030", "big5", "cp949"])
def test_a_few_words_in_wide_letters_bring_every_such_encoding_to_mind(encoding):
    texts = {"cp949": "영화가 정말 좋았어요", "big5": "電影很好看", "gb18030": "电影很好看"}
    text = texts.get(encoding, "映画はとても良かった")
    told = encodings.advice(f"text,label\n{text},1\n".encode(encoding).splitlines(), "t.csv")
    assert f"{text},1' in {encoding.upper().replace('_', '-')}" in told
    assert "If none of these reads right" in told


@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_byte_that_strays_into_utf_8_makes_no_other_encoding_of_it(at_the_end):
    """Converting the file from another encoding would make garbage of every letter that is right."""
    lines = [line.encode() for line in ("text,label\n", *["Größe für Äpfel,1\n"] * 5)]
    lines.insert(6 if at_the_end else 1, b"ol\xe9 \xff,0\n")
    told = encodings.advice(lines, "t.csv")
    assert f"UTF-8 but for some bytes, the first of them in line {7 if at_the_end else 2}" in told
    assert told.endswith("iconv -c -f UTF-8 -t UTF-8 t.csv > utf8-t.csv")


@pytest.mark.parametrize("content", [b"\xe9,1\n", bytes(range(128, 256)), CHINESE.encode()[:-5], b"\x80\x81\n"])
def test_no_encoding_is_named_that_any_bytes_can_be_read_in(content):
    """Converting from such a one makes garbage of text without an error."""
    told = encodings.advice([content], "t.csv").upper()
    for name in encodings._CANDIDATES:
        with pytest.raises(UnicodeDecodeError):
            bytes(range(256)).decode(name)
    assert "LATIN" not in told
    assert "8859" not in told


def test_files_of_a_model_may_begin_with_a_mark(tmp_path):
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "config.json").write_bytes('{"name": "été"}'.encode(encoding))
        assert read_json(tmp_path / "config.json") == {"name": "été"}
    (tmp_path / "vocab.txt").write_bytes("<pad>\nété\n".encode("cp1252"))
    with pytest.raises(CheckpointError, match="Line 2 would read 'été' in CP1252"):
        read_text(tmp_path / "vocab.txt")


def test_zero_bytes_are_refused_with_the_order_they_tell():
    for order in ("le", "be"):
        file = io.BufferedReader(io.BytesIO("text,label\n".encode(f"utf-16-{order}")))
        with pytest.raises(InputError, match=f"iconv -f UTF-16{order.upper()} -t UTF-8 t.csv"):
            encodings.require_text(file, "t.csv", "t.csv")
