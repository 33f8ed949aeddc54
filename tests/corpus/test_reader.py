"""Documents: every format and packing gives the same texts, and whatever is wrong is said."""

import bz2
import gzip
import json
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit.corpus import chunks, records
from albertkit.corpus.chunks import DocumentChunk
from albertkit.corpus.reader import DocumentReader, ReaderOptions, read_lines
from albertkit.errors import ConfigError, InputError

TEXTS = ["One line.\nAnother — line.", "二つ目。", "A third & last."]


def read(path, **options):
    """The texts of a file, chunks put together again."""
    texts, begun = [], []
    for chunk in DocumentReader(path, ReaderOptions(**options)):
        begun.append(chunk.text)
        if chunk.is_last:
            texts.append("".join(begun).strip().replace("\r\n", "\n"))
            begun = []
    assert not begun
    return texts


def parquet(path, column="text", texts=TEXTS, **options):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"id": list(range(len(texts))), column: texts}), path, **options)
    return path


CONTENTS = {
    "text.txt": "\n\n" + "\n \n\n".join(TEXTS),
    "lines.jsonl": "".join(json.dumps({"id": i, "text": text}) + "\n\n" for i, text in enumerate(TEXTS)),
    "unescaped.json": "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in TEXTS),
    "wiki_00": "".join(
        f'<doc id="{i}" url="u" title="t">\n{text.replace("&", "&amp;")}\n\n</doc>\n' for i, text in enumerate(TEXTS)
    ),
    "wiki_01": "".join(json.dumps({"id": "1", "title": "t", "text": text}) + "\n" for text in TEXTS),
    "no_ending": "\r\n\r\n".join(text.replace("\n", "\r\n") for text in TEXTS),
    "marked.txt": "\ufeff" + "\n\n".join(TEXTS),
    "marked.jsonl": "\ufeff" + "".join(json.dumps({"text": text}) + "\n" for text in TEXTS),
    "marked_wiki": "\ufeff" + "".join(f"<doc id=1>\n{text}\n</doc>\n<doc id=2>\n</doc>\n" for text in TEXTS),
    "marked_lines": '\ufeff{ "text": "' + '"}\n{"text": "'.join(text.replace("\n", "\\n") for text in TEXTS) + '"}',
    "wiki.txt": "".join(f"<doc id=1>\n{text}\n</doc>\n" for text in TEXTS),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_each_format_is_known_by_name_or_beginning(tmp_path, name):
    (tmp_path / name).write_bytes(CONTENTS[name].encode())
    assert read(tmp_path / name) == TEXTS


@pytest.mark.parametrize("row_group_size", [1, 2, 1000])
def test_parquet_is_read(tmp_path, row_group_size):
    assert read(parquet(tmp_path / "a.parquet", row_group_size=row_group_size)) == TEXTS
    assert read(parquet(tmp_path / "b.pq", "body"), text_field="body") == TEXTS
    assert read(parquet(tmp_path / "no_ending")) == TEXTS


def packed(ending, content):
    if ending == ".zst":
        pyarrow = pytest.importorskip("pyarrow")
        return pyarrow.compress(content, "zstd", asbytes=True)
    return {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}[ending](content)


@pytest.mark.parametrize("ending", [".gz", ".xz", ".bz2", ".zst"])
@pytest.mark.parametrize("name", ["text.txt", "lines.jsonl", "wiki_00"])
def test_packed_files_are_read_whole_or_not_at_all(tmp_path, name, ending):
    content = CONTENTS[name].encode()
    whole = packed(ending, content)
    path = tmp_path / (name + ending)
    path.write_bytes(whole)
    assert read(path) == TEXTS
    second = packed(ending, b"\n\n" + content)  # two packed files behind one another are one
    path.write_bytes(whole + second)
    assert read(path) == TEXTS * 2
    for left in (packed(ending, content * 2000)[:-20], b""):
        path.write_bytes(left)
        with pytest.raises(InputError, match="If a copy was cut short, repeat it"):
            read(path)
    path.write_bytes(content)
    with pytest.raises(InputError, match="must be complete"):
        read(path)


@pytest.mark.parametrize("name", ["text.txt", "lines.jsonl", "wiki_00"])
def test_other_encodings_are_refused(tmp_path, name):
    content = CONTENTS[name].encode() + CONTENTS["text.txt"].replace("—", "é").encode("utf-16")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="UTF-8"):
        read(tmp_path / name)
    (tmp_path / "latin.txt").write_bytes(b"one\n\n\xe9t\xe9\n")
    with pytest.raises(InputError, match=r"Line 3 would read 'été' in CP1252.*iconv -f CP1252 -t UTF-8 latin\.txt"):
        read(tmp_path / "latin.txt")
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le"):  # without a mark; of plain letters each byte is UTF-8
        (tmp_path / name).write_bytes(CONTENTS[name].encode(encoding))
        with pytest.raises(
            InputError, match=rf"without a byte-order mark.*-f UTF-{encoding[4:6]}{encoding[7:].upper()} -t"
        ):
            read(tmp_path / name)
    (tmp_path / "zero.txt").write_bytes(b"one line with\0 one zero byte\n")
    with pytest.raises(InputError, match=r"holds a zero byte behind 13 others\. .*: tr -d '\\000' < zero\.txt"):
        read(tmp_path / "zero.txt")
    (tmp_path / "cut.txt").write_bytes("one\ntwó".encode()[:-1])
    with pytest.raises(InputError, match="unexpected end of data"):
        read(tmp_path / "cut.txt")


BROKEN = {
    '{"text": "cut': "line 2, must be one JSON object",
    "[1]": "is a list",
    '{"txt": 1}': "Did you mean `txt`",
    '{"text": null}': "holds None",
    '{"text": 5}': "must be text",
    '{"text": "a\\uD83D"}': r"line 2, must be whole characters\. It holds half of one, '\\ud83d'",
    "[" * 100_000: "line 2",
}


@pytest.mark.parametrize("line", BROKEN, ids=lambda line: line[:12])
def test_broken_lines_are_an_error_or_counted(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text": "one"}}\n{line}\n{{"text": "two"}}\n')
    with pytest.raises(InputError, match=BROKEN[line]) as error:
        read(path)
    assert "--skip-broken" in str(error.value)
    reader = DocumentReader(path, ReaderOptions(skip_broken=True))
    assert [chunk.text for chunk in reader] == ["one", "two"]
    assert reader.broken == 1


# In another encoding, and half of a character as some programs write it.
@pytest.mark.parametrize("broken", [b"\xe9t\xe9", b"\xed\xa0\xbd"])
def test_broken_bytes_in_a_line_count_as_one(tmp_path, broken):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "' + broken + b'"}\n{"text": "two"}\n')
    with pytest.raises(InputError, match="line 1, must be UTF-8"):
        read(path)
    assert read(path, skip_broken=True) == ["two"]


def test_broken_rows_of_parquet_are_an_error_or_counted(tmp_path):
    path = parquet(tmp_path / "a.parquet", texts=["one", None, "two"])
    with pytest.raises(InputError, match="row 2, holds None"):
        read(path)
    assert read(path, skip_broken=True) == ["one", "two"]
    with pytest.raises(InputError, match=r"'txt'.*has id, text\. Did you mean `text`"):
        read(path, text_field="txt", skip_broken=True)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="complete Parquet file") as error:
        read(path)
    assert ".." not in str(error.value)


def test_a_line_of_json_has_a_longest_length(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "MAX_JSON_LINE", 30)
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "' + "x" * 17 + '"}\n')
    assert read(path) == ["x" * 17]
    path.write_text('{"text": "' + "x" * 20 + '"}')
    with pytest.raises(InputError, match=r"30 bytes at most.*line 1.*plain text"):
        read(path)


def test_halves_of_characters_that_follow_each_other_are_one(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a b\\ud83d\\ude00"}\n')
    assert read(tmp_path / "a.jsonl") == ["a b\U0001f600"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<doc id=1>\ntext\n", r"must end with </doc>\. It ends within a document, behind line 2"),
        ("<doc id=1>\na\n</doc>\nstray\n", r"line 4, must stand between"),
    ],
)
def test_wiki_output_must_be_whole(tmp_path, content, words):
    (tmp_path / "wiki_00").write_text(content)
    with pytest.raises(InputError, match=words):
        read(tmp_path / "wiki_00")


@pytest.mark.parametrize("name", ["a.csv", "a.TSV", "a.csv.gz"])
def test_the_separators_and_labels_of_a_table_are_no_text_unless_asked_for(tmp_path, name):
    content = b"text,label\na film,pos\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(InputError, match=r"a table, whose labels and separators .* pass --format text"):
        read(tmp_path / name)
    assert read(tmp_path / name, format="text") == ["text,label\na film,pos"]


def test_a_format_may_be_forced(tmp_path):
    (tmp_path / "a.dat").write_text('{"text": "one"}\n')
    assert read(tmp_path / "a.dat", format="text") == ['{"text": "one"}']
    with pytest.raises(ConfigError, match="auto or one of text, jsonl"):
        ReaderOptions(format="csv")


@given(
    texts=st.lists(st.lists(st.text("ab。. \u4f60", min_size=1, max_size=40), max_size=6), min_size=1, max_size=5),
    size=st.integers(4, 20),
)
@pytest.mark.parametrize("kind", ["text", "jsonl"])
def test_no_part_is_long_and_nothing_is_lost(tmp_path_factory, kind, texts, size):
    whole = ["\n".join(line.strip() or "x" for line in lines) for lines in texts]
    path = tmp_path_factory.mktemp("d") / "file"
    if kind == "text":
        path.write_text("\n\n".join(whole))
    else:
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in whole))
    before, chunks.CHUNK_CHARS = chunks.CHUNK_CHARS, size
    try:
        found = list(DocumentReader(path, ReaderOptions(kind)))
    finally:
        chunks.CHUNK_CHARS = before
    assert all(len(chunk.text) <= 2 * size for chunk in found)
    put_together = "".join(chunk.text + "\0" * chunk.is_last for chunk in found).split("\0")[:-1]
    assert [text.strip("\n") for text in put_together] == [text for text in whole if text or kind == "jsonl"]


def test_long_parts_end_where_sentences_do(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_CHARS", 20)
    assert list(chunks.split_into_chunks("One sentence. Another one is here.")) == [
        DocumentChunk("One sentence. ", False),
        DocumentChunk("Another one is here.", True),
    ]


@pytest.mark.parametrize("sentence", ["One here. ", "Été là. ", "二つ目。", "😀 и я. "])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_line_of_any_length_and_script_is_parted_behind_sentences(tmp_path, monkeypatch, name, sentence):
    monkeypatch.setattr(chunks, "CHUNK_CHARS", 64)
    text = sentence * 100
    content = json.dumps({"text": text}, ensure_ascii=False) if name == "a.jsonl" else text
    (tmp_path / name).write_text(content, encoding="utf-8")
    found = [chunk.text for chunk in DocumentReader(tmp_path / name, ReaderOptions())]
    assert "".join(found) == text
    assert len(found) > 5
    assert all(chunk.endswith(sentence) for chunk in found)


def test_lines_are_those_of_the_file_or_of_the_texts(tmp_path, data):
    plain = tmp_path / "a.txt"
    plain.write_bytes((data / "text.txt").read_bytes()[:5000].rpartition(b"\n")[0] + b"\r\n\r\n  \nlast\rone")
    with plain.open(encoding="utf-8") as file:
        expected = [line.strip() for line in file if line.strip()]
    assert [line.strip() for line in read_lines([plain], ReaderOptions(), pytest.fail) if line.strip()] == expected
    (tmp_path / "a.jsonl").write_text('{"body": "one\\ntwo"}\n{}\n{"body": "three"}\n')
    told = []
    found = read_lines([tmp_path / "a.jsonl"], ReaderOptions(text_field="body", skip_broken=True), told.append)
    assert list(found) == ["one", "two", "three"]
    assert told == [f"left out: 1 broken records of {tmp_path / 'a.jsonl'}"]


def test_reading_knows_how_far_it_is(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "one"}\n' * 10))
    reader = DocumentReader(path, ReaderOptions())
    assert reader.position == 0
    assert len(list(reader)) == 10
    assert reader.position == path.stat().st_size
