import bz2
import csv
import gzip
import io
import json
import lzma
import os
import time
import tracemalloc

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from albertkit.errors import InputError
from albertkit.tasks import table_formats, tables


def zstd(content):
    return pytest.importorskip("pyarrow").compress(content, "zstd", asbytes=True)


PACKERS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress, ".zst": zstd}
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
NAMES = st.lists(
    TEXT.map(str.strip).filter(lambda name: name and "\n" not in name and "\r" not in name),
    min_size=1,
    max_size=4,
    unique=True,
).filter(lambda names: not names[0].startswith("\ufeff"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@st.composite
def grids(draw, fields=TEXT):
    """Column names and rows, in each of which something stands."""
    names = draw(NAMES)
    row = st.lists(fields, min_size=len(names), max_size=len(names)).filter(lambda row: any(map(str.strip, row)))
    return names, draw(st.lists(row, min_size=1, max_size=5))


def columns(names, rows):
    return {name: [row[number] for row in rows] for number, name in enumerate(names)}


def as_csv(rows, **style):
    file = io.StringIO()
    csv.writer(file, **style).writerows(rows)
    return file.getvalue().encode()


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@settings(max_examples=60)
@given(grids(), st.sampled_from([*PACKERS]), st.booleans(), st.sampled_from(["\r\n", "\n"]), st.booleans())
def test_csv_is_read_back(place, grid, packed, quoted, end, bom):
    names, rows = grid
    style = {"lineterminator": end, "quoting": csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL}
    assume(end == "\r\n" or quoted or "\r" not in "".join(map("".join, [names, *rows])))
    content = (b"\xef\xbb\xbf" if bom else b"") + as_csv([names, *rows], **style)
    table = tables.read(write(place, f"t.csv{packed}", PACKERS[packed](content)))
    assert table.columns == columns(names, rows)
    assert len(table) == len(table.lines) == len(rows)


@settings(max_examples=60)
@given(grids(TEXT.filter(lambda text: not set(text) & set("\t\r\n"))), st.sampled_from([*PACKERS]), st.booleans())
def test_tsv_is_read_back_with_its_quotes(place, grid, packed, bom):
    names, rows = grid
    assume("\t" not in "".join(names))
    content = "".join("\t".join(row) + "\n" for row in [names, *rows])
    content = ("\ufeff" if bom else "") + content
    table = tables.read(write(place, f"t.tsv{packed}", PACKERS[packed](content.encode())))
    assert table.columns == columns(names, rows)
    assert table.lines == list(range(2, len(rows) + 2))


VALUES = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | TEXT | st.lists(TEXT)


@settings(max_examples=60)
@given(
    st.lists(st.dictionaries(TEXT, VALUES, max_size=4), min_size=1, max_size=5),
    st.sampled_from([".jsonl", ".json", ".ndjson"]),
    st.sampled_from([*PACKERS]),
    st.booleans(),
)
def test_json_lines_are_read_back(place, records, kind, packed, escaped):
    content = "".join(json.dumps(record, ensure_ascii=escaped) + "\n" for record in records).encode()
    table = tables.read(write(place, f"t{kind}{packed}", PACKERS[packed](content)))
    assert len(table) == len(records)
    for number, record in enumerate(records):
        assert {name: values[number] for name, values in table.columns.items() if values[number] is not None} == {
            name: value for name, value in record.items() if value is not None
        }
    assert set(table.columns) == {name for record in records for name in record}


@settings(max_examples=40)
@given(NAMES, st.integers(1, 5), st.sampled_from([".parquet", ".pq"]), st.data())
def test_parquet_is_read_back(place, names, rows, kind, data):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    kinds = [TEXT, st.integers(-(2**60), 2**60), st.floats(allow_nan=False), st.booleans(), st.lists(TEXT, max_size=3)]
    written = {
        name: data.draw(st.lists(st.none() | data.draw(st.sampled_from(kinds)), min_size=rows, max_size=rows))
        for name in names
    }
    parquet.write_table(pa.table(written), place / f"t{kind}")
    table = tables.read(place / f"t{kind}")
    assert table.columns == written
    assert table.lines == list(range(1, rows + 1))


@settings(max_examples=40)
@given(grids(TEXT.map(lambda text: text.replace('"', ""))), st.data())
def test_a_csv_that_was_cut_gives_whole_rows_or_an_error(place, grid, data):
    names, rows = grid
    assume('"' not in "".join(names))
    whole = as_csv([names, *rows], quoting=csv.QUOTE_ALL).decode()
    path = write(place, "t.csv", whole[: data.draw(st.integers(0, len(whole)))])
    try:
        table = tables.read(path)
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        *found, last = map(list, zip(*table.columns.values(), strict=True))
        whole_row = rows[len(found)]
        assert found == rows[: len(found)]
        assert last in (whole_row, [*whole_row[:-1], ""])  # cut where its last field begins, it cannot be told


def test_lines_are_those_of_the_file(tmp_path):
    content = 'text,label\r\n\r\n"two\nlines",1\r\n  \r\nplain,0\r\n'
    table = tables.read(write(tmp_path, "t.csv", content))
    assert table.columns == {"text": ["two\nlines", "plain"], "label": ["1", "0"]}
    assert table.lines == [3, 6]
    table = tables.read(write(tmp_path, "t.jsonl", '\n{"a": 1}\n\n\n{"a": 2}\n'))
    assert table.lines == [2, 5]


def test_places_are_named_up_to_a_number(tmp_path):
    table = tables.read(write(tmp_path, "t.csv", "a,b\n" + "x,y\n" * 9))
    assert table.places([0, 1, 8]) == "line 2, line 3, line 10"
    assert table.places(range(9), 2) == "line 2, line 3 and 7 more"


def test_glue_files_keep_their_quote_characters(tmp_path):
    rows = ["sentence\tlabel", "it 's a \" charming film .\t1", '"oh , "\t0', 'he said "no\t1', '""\t0']
    table = tables.read(write(tmp_path, "train.tsv", "\n".join(rows) + "\n"))
    assert table.columns["sentence"] == ["it 's a \" charming film .", '"oh , "', 'he said "no', '""']
    assert table.columns["label"] == ["1", "0", "1", "0"]


def test_a_file_without_a_header_takes_the_given_one(tmp_path):
    names = ["source", "label", "mark", "sentence"]
    table = tables.read(write(tmp_path, "t.tsv", "gj04\t1\t\tOur friends.\ngj04\t0\t*\tThem\n"), names)
    assert table.columns["sentence"] == ["Our friends.", "Them"]
    assert table.lines == [1, 2]
    with pytest.raises(InputError, match="line 1, has 4 where the header has 2: a, b"):
        tables.read(tmp_path / "t.tsv", ["a", "b"])


def test_endings_may_be_capital_letters(tmp_path):
    content = b"a,b\nx,y\n"
    assert tables.read(write(tmp_path, "T.CSV", content)).columns == {"a": ["x"], "b": ["y"]}
    assert tables.read(write(tmp_path, "my.data.Csv.GZ", gzip.compress(content))).columns == {"a": ["x"], "b": ["y"]}
    assert tables.read(str(tmp_path / "T.CSV")).path == str(tmp_path / "T.CSV")


def test_blanks_around_column_names_are_taken_off(tmp_path):
    assert list(tables.read(write(tmp_path, "t.csv", " text , label\nx,y\n")).columns) == ["text", "label"]


def test_columns_without_a_name_are_left_out(tmp_path):
    table = tables.read(write(tmp_path, "t.csv", "text,label,,\nx,1,,\ny,2,3,\n"))
    assert table.columns == {"text": ["x", "y"], "label": ["1", "2"]}
    assert list(tables.read(write(tmp_path, "t.csv", ",text\n0,x\n")).columns) == ["text"]


def test_fields_may_be_long(tmp_path):
    table = tables.read(write(tmp_path, "t.csv", f"text,label\n{'x' * 300_000},1\n"))
    assert len(table.columns["text"][0]) == 300_000


@pytest.mark.parametrize(
    ("ending", "sign", "way_out"),
    [
        *(("csv", ";", "Write it with one of these."), ("csv", "|", "Write it with one of these.")),
        *(("csv", "\t", "Call the file .tsv."), ("tsv", ",", "Call the file .csv.")),
    ],
)
def test_another_delimiter_is_told(tmp_path, ending, sign, way_out):
    table = tables.read(write(tmp_path, f"t.{ending}", f"text{sign}label\nx{sign}1\n"))
    with pytest.raises(
        InputError, match=r"separated by commas in \.csv, by tabs in \.tsv; here it looks like"
    ) as caught:
        table.column("text", "text")
    assert repr(sign) in str(caught.value)
    assert table.advice("--text-column").endswith(way_out)  # naming a column would not help
    columns = "a\tb" if ending == "tsv" else "a,b"
    assert not tables.read(write(tmp_path, f"t.{ending}", f"{columns}{sign}c\n{columns}\n")).hint


def test_a_row_that_never_ends_is_named_by_its_first_line(tmp_path):
    with pytest.raises(InputError, match="line 3, is not valid CSV"):
        tables.read(write(tmp_path, "t.csv", 'text,label\na,1\n"half\nb,2\nc,3\n'))


@pytest.mark.parametrize("header", [(), ("a", "b", "a")])
def test_columns_of_one_name_are_refused(tmp_path, header):
    path = write(tmp_path, "t.csv", "1,2,3\nx,y,z\n" if header else "a,b, a\nx,y,z\n")
    with pytest.raises(InputError, match=r"must have different names. .*t.csv has the header a, b, a"):
        tables.read(path, header)


def test_parquet_columns_of_one_name_are_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"t\.parquet"):
        tables.read(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", "", "must hold at least one row. .*t.csv holds none"),
        ("t.csv", "text,label\n", "must hold at least one row"),
        ("t.tsv", "\n\n  \n", "must hold at least one row"),
        ("t.jsonl", "\n", "must hold at least one row"),
        ("t.csv", "text,label\na,1\nb,2,3\n", "t.csv, line 3, has 3 where the header has 2: text, label"),
        ("t.csv", "text,label\na,1\nb\n", "t.csv, line 3, has 1 where"),
        ("t.csv", 'text,label\na,1\n"half', "t.csv, line 3, is not valid CSV: unexpected end of data"),
        ("t.csv", 'text,label\n"a"b,1\n', "t.csv, line 2, is not valid CSV"),
        ("t.tsv", "text\tlabel\na\t1\nb", "t.tsv, line 3, has 1 where the header has 2"),
        ("t.jsonl", '{"a": 1}\n{"a": 2', "t.jsonl, line 2, must be one JSON object.*incomplete copy"),
        ("t.json", '[\n{"a": 1},\n]', "t.json, line 3, must be a JSON object of the array"),
        ("t.json", '[{"a": 1}\n\n{"a": 2}]', "t.json, line 3, must have a comma between two objects"),
        ("t.json", '[{"a": 1},\n{"a": 2}', "t.json, line 2, must have a comma.*cut short, repeat it"),
        ("t.json", '[{"a": 1}, 3]', "t.json, line 1, must be a JSON object. It is a int"),
        ("t.json", '[{"a": 1}]\n{"a": 2}', "must end with its array. More follows"),
        ("t.json", "[]", "must hold at least one row"),
        ("t.json", '[{"a": ' + "[" * 50_000, "t.json, line 1, must be a JSON object of the array"),
        ("t.jsonl", '{"a": 1}\n3\n', "t.jsonl, line 2, must be a JSON object. It is a int"),
        ("t.jsonl", '{"a": 1}{"a": 2}\n', "t.jsonl, line 1, must be one JSON object"),
        ("t.jsonl", '{"a": ' + "9" * 5000 + "}\n", "t.jsonl, line 1, must be one JSON object"),
        ("t.jsonl", '{"a": ' + "[" * 50_000, "t.jsonl, line 1, must be one JSON object"),
        ("t.csv", "text,label\né,1\n".encode("latin-1"), "must be complete UTF-8 text.*another encoding"),
        ("t.csv", "text,label\na,1\n".encode("utf-16-le"), "begins as UTF-16 does.*iconv -f UTF-16LE -t UTF-8 t.csv"),
        ("t.csv", "text,label\na,1\n".encode("utf-16-be"), "begins as UTF-16 does.*iconv -f UTF-16BE -t UTF-8 t.csv"),
        ("t.csv", "text,label\na,\0\n", "holds a zero byte behind 13 others"),
        ("t.csv", "text,label\na,1\n".encode("utf-16")[:-1], "must be complete UTF-8 text"),
        ("t.csv", "text;label\na,b;1\n", "line 2, has 2 where the header has 1: text;label. Fields.*looks like ';'"),
        ("t.jsonl", b'{"a": "\xff"}\n', "must be complete UTF-8 text"),
        ("t.parquet", b"PAR1 and no more", "t.parquet must be a complete Parquet file"),
        ("t.parquet", b"", "t.parquet must be a complete Parquet file"),
        ("t.csv.gz", b"text,label\na,1\n", "t.csv.gz must be complete UTF-8 text"),
        ("t.csv.xz", b"text,label\na,1\n", "t.csv.xz must be complete UTF-8 text"),
        ("t.csv.bz2", b"text,label\na,1\n", "t.csv.bz2 must be complete UTF-8 text"),
        ("t.csv.zst", b"text,label\na,1\n", "t.csv.zst must be complete UTF-8 text"),
        ("t.xlsx", b"x", "must end in one of .csv, .tsv, .jsonl.*Received: .*t.xlsx"),
        ("t.txt.gz", b"x", "must end in one of .csv"),
        ("train", b"x", "must end in one of .csv"),
        ("t.gz", b"x", "must end in one of .csv"),
    ],
)
def test_unusable_files_are_refused_in_words(tmp_path, name, content, words):
    if ".parquet" in name:
        pytest.importorskip("pyarrow")
    with pytest.raises(InputError, match=words) as caught:
        tables.read(write(tmp_path, name, content))
    assert isinstance(caught.value, ValueError)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("path", ["nowhere.csv", "."])
def test_a_missing_file_is_refused(tmp_path, path):
    with pytest.raises(InputError, match=r"A data file must be there. Received"):
        tables.read(tmp_path / path)


def test_every_cut_of_a_packed_file_is_refused(tmp_path):
    content = as_csv([["text", "label"], *([f"row {number * 7919}", number % 2] for number in range(40))])
    for packed, packer in PACKERS.items():
        whole = packer(content)
        for length in range(1, len(whole), 5) if packed else ():
            path = write(tmp_path, f"t.csv{packed}", whole[:length])
            with pytest.raises(InputError, match=r"must be complete UTF-8 text.*cut short, repeat it"):
                tables.read(path)


@pytest.mark.parametrize("packed", [".gz", ".xz", ".bz2"])  # a .zst need not have a checksum
def test_a_damaged_packed_file_is_never_read_as_something_else(tmp_path, packed):
    rows = [["text", "label"], *([f"row {number * 7919}", str(number % 2)] for number in range(40))]
    whole = PACKERS[packed](as_csv(rows))
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        path = write(tmp_path, f"t.csv{packed}", bytes(damaged))
        try:
            assert tables.read(path).columns == columns(rows[0], rows[1:])
        except InputError as error:
            assert str(path) in str(error)  # noqa: PT017


def test_every_cut_of_a_parquet_file_is_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table({"text": ["a", "b"], "label": [0, 1]}), tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    for length in range(0, len(whole), 23):
        with pytest.raises(InputError, match="must be a complete Parquet file"):
            tables.read(write(tmp_path, "t.parquet", whole[:length]))


def test_a_column_that_is_not_there_is_named_with_its_neighbours(tmp_path):
    table = tables.read(write(tmp_path, "t.csv", "text,label\nx,1\n"))
    assert table.column("text", "text") == ["x"]
    with pytest.raises(InputError, match=r"The label column must be in the file.*text, label") as caught:
        table.column("lable", "label")
    assert "Received: 'lable'. Did you mean `label`?" in str(caught.value)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".csv.gz", ".parquet"])
def test_a_file_comes_in_pieces_that_together_are_the_file(tmp_path, ending):
    path, texts = tmp_path / f"t{ending}", [f"text {number}" for number in range(10)]
    if ending == ".parquet":
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pa.table({"text": texts}), path)
    else:
        lines = [json.dumps({"text": text}) for text in texts] if ending == ".jsonl" else ["text", *texts]
        content = "".join(f"{line}\n" for line in lines).encode()
        path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    found = list(tables.pieces(path, most=4))
    assert [len(table) for table in found] == [4, 4, 2]
    assert [text for table in found for text in table.columns["text"]] == texts
    whole = tables.read(path)
    assert (whole.columns, whole.lines) == ({"text": texts}, [line for table in found for line in table.lines])


def test_what_stands_before_a_broken_row_was_given_out(tmp_path):
    (tmp_path / "t.csv").write_text("text,label\n" + "a,1\n" * 9 + "a,1,too much\n")
    found = tables.pieces(tmp_path / "t.csv", most=4)
    assert [len(next(found)) for _ in range(3)] == [4, 4, 1]
    with pytest.raises(InputError, match="line 11, has 3"):
        next(found)
    with pytest.raises(InputError, match="line 11, has 3"):
        tables.read(tmp_path / "t.csv")


def test_records_of_a_later_piece_may_have_other_names(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n{"a": 2, "b": 3}\n')
    assert [table.columns for table in tables.pieces(tmp_path / "t.jsonl", most=1)] == [
        {"a": [1]},
        {"a": [2], "b": [3]},
    ]
    assert tables.read(tmp_path / "t.jsonl").columns == {"a": [1, 2], "b": [None, 3]}
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n{"b": 3}\n')
    assert list(tables.pieces(tmp_path / "t.jsonl", most=1))[1].columns == {"a": [None], "b": [3]}


def test_records_with_names_of_their_own_fill_no_grid(tmp_path):
    """Else 4,000 short lines would make 16 million fields."""
    (tmp_path / "t.jsonl").write_text("".join(f'{{"text": "a", "k{number}": 1}}\n' for number in range(4000)))
    tracemalloc.start()
    table = tables.read(tmp_path / "t.jsonl")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16_000_000
    assert table.column("text", "text") == ["a"] * 4000
    assert table.columns["k7"][7:9] == [1, None]
    assert "k38 and 3961 more" in table.contents


def test_the_first_pieces_are_small_and_long_rows_make_small_ones(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("text\n" + "a\n" * 9999)
    assert [len(table) for table in tables.pieces(tmp_path / "t.csv")] == [64, 512, 4096, 4096, 1231]
    monkeypatch.setattr(tables, "CHARACTERS", 10)
    (tmp_path / "t.jsonl").write_text('{"text": "a long text"}\n{"a": 1}\n{"a": 1}\n{"a": 1}\n')
    assert [len(table) for table in tables.pieces(tmp_path / "t.jsonl")] == [1, 2, 1]


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(table_formats, "LONGEST", 1000)
    for name in ("t.csv", "t.jsonl"):
        path = write(tmp_path, name, "a\n" + "x" * 1001)
        with pytest.raises(InputError, match=r"1,000 characters at most\. .*line 2, is longer|line 1, must be one"):
            tables.read(path)
    path = write(tmp_path, "t.jsonl", '{"a": 1}\n' + "x" * 1001)
    with pytest.raises(InputError, match="line 2, is longer"):
        tables.read(path)
    with pytest.raises(InputError, match="standard input, line 2, is longer"):
        list(tables.lines(io.BufferedReader(Slow(b"a\nb", *[b"x" * 100] * 11))))


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nothing", "long name", "zero byte"])
def test_what_is_no_file_is_refused_without_waiting(tmp_path, kind):
    path = tmp_path / "t.csv"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("no named pipes here")
        os.mkfifo(path)
    elif kind == "link to nothing":
        path.symlink_to(tmp_path / "nothing.csv")
    else:
        path = tmp_path / ("x" * 5000 + ".csv" if kind == "long name" else "a\0.csv")
    with pytest.raises(InputError, match=r"A data file must be there\. Received") as caught:
        tables.read(path)
    assert len(str(caught.value)) < 400


class Slow(io.RawIOBase):
    """Gives what it was made with read by read, as a pipe does."""

    def __init__(self, *parts):
        self.parts = [*parts]

    def readable(self):
        return True

    def readinto(self, place):
        part = self.parts.pop(0) if self.parts else b""
        place[: len(part)] = part
        return len(part)


def test_lines_come_as_soon_as_they_are_there():
    parts = (b"\xef\xbb\xbfa\nb\r\nc", b"d", b"e\n", b"\n\n", b"f\rg\n", "é".encode()[:1], "é".encode()[1:])
    found = list(tables.lines(io.BufferedReader(Slow(*parts))))
    assert [table.columns["text"] for table in found] == [["a", "b"], ["cde"], ["", ""], ["f", "g"], ["é"]]
    assert [table.lines for table in found] == [[1, 2], [3], [4, 5], [6, 7], [8]]
    assert list(tables.lines(io.BufferedReader(Slow()))) == []


def test_a_long_line_may_come_byte_by_byte():
    begin = time.process_time()
    [table] = tables.lines(io.BufferedReader(Slow(*[b"a"] * 60_000)))
    assert table.columns["text"] == ["a" * 60_000]
    assert time.process_time() - begin < 5, "counting all its pieces at each takes ten times as long"


def test_many_lines_at_once_come_in_pieces():
    found = list(tables.lines(io.BufferedReader(io.BytesIO(b"a\n" * 100_000))))
    assert max(map(len, found)) == tables.PIECE
    assert [line for table in found for line in table.lines] == list(range(1, 100_001))


def test_a_line_that_is_not_utf_8_is_named_and_those_before_it_come():
    found = tables.lines(io.BufferedReader(io.BytesIO(b"a\nb\n\xff\n")))
    assert next(found).columns == {"text": ["a", "b"]}
    with pytest.raises(InputError, match="standard input, line 3, must be UTF-8 text"):
        next(found)


@pytest.mark.parametrize("packed", PACKERS)
def test_a_table_of_excel_is_read_by_its_byte_order_mark(tmp_path, packed):
    content = "text\tlabel\r\nschön, 好\tja\r\n".encode("utf-16")
    table = tables.read(write(tmp_path, f"t.tsv{packed}", PACKERS[packed](content)))
    assert table.columns == {"text": ["schön, 好"], "label": ["ja"]}
    found = list(tables.lines(io.BufferedReader(io.BytesIO("schön\r\n好\r\n".encode("utf-16")))))
    assert [table.columns["text"] for table in found] == [["schön", "好"]]


def test_another_encoding_is_told_with_what_it_would_read_as(tmp_path):
    path = write(
        tmp_path, "t.csv.gz", gzip.compress("text,label\nplain,1\n这部电影非常好看，我很喜欢,0\n".encode("gb18030"))
    )
    with pytest.raises(InputError, match=r"Line 3 would read '这部电影.*' in GB18030.*-t UTF-8 t\.csv > utf8-t\.csv"):
        tables.read(path)


def test_an_array_of_objects_is_read_as_json_lines_are(tmp_path):
    table = tables.read(write(tmp_path, "t.json", '\n [{"a": 1}, {"a": 2},\n\n {"a": [\n"]", 3],\n"b": {}}\n]\n'))
    assert table.columns == {"a": [1, 2, ["]", 3]], "b": [None, None, {}]}
    assert table.lines == [2, 2, 4]


@pytest.mark.parametrize(
    "content",
    [
        {"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}},  # pandas, without orient
        {"0": {"text": "a", "label": "x"}, "1": {"text": "b", "label": "y"}},
        {"columns": ["text", "label"], "index": [0], "data": [["a", "x"]]},
        {"schema": {}, "data": [{"text": "a", "label": "x"}]},
        {"text": {"4": "a", "7": "b"}},  # a column of some rows
    ],
)
def test_a_whole_table_in_one_object_is_refused_with_the_form_that_is_read(tmp_path, content):
    with pytest.raises(InputError, match=r"one object for all of it.*orient='records', lines=True"):
        tables.read(write(tmp_path, "t.json", json.dumps(content)))
    for row in ({"text": "a", "spans": {"0": "b"}, "meta": {"0": 1, "1": 2}}, {"schema": "a", "data": "b"}):
        assert tables.read(write(tmp_path, "t.json", json.dumps(row))).columns == {name: [row[name]] for name in row}
    later = f'{{"text": {{"a": 1}}}}\n{json.dumps(content)}\n'
    assert len(tables.read(write(tmp_path, "t.jsonl", later))) == 2


def test_an_array_that_does_not_fit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(table_formats, "LONGEST", 100)
    with pytest.raises(InputError, match=r"100 characters at most.*jq -c"):
        tables.read(write(tmp_path, "t.json", "[\n" + '{"a": 1},\n' * 20 + "]"))


def test_a_header_that_the_file_has_itself_is_no_row(tmp_path, caplog):
    path = write(tmp_path, "t.csv", " text ,label\nx,1\n")
    assert tables.read(path, ["text", "label"]).columns == {"text": ["x"], "label": ["1"]}
    assert "t.csv begins with the names text, label: its first line is left out." in caplog.text


@pytest.mark.parametrize("content", ["a fine film that I liked,1\nx,0\n", "17,good\n18,bad\n"])
def test_a_file_without_a_header_is_told_from_its_first_line(tmp_path, content):
    table = tables.read(write(tmp_path, "t.csv", content))
    with pytest.raises(
        InputError, match=r"first line looks like a row, not like names: name the columns with --header"
    ):
        table.column("text", "text")
    assert "--label-column" not in table.advice("--label-column")
    order = "label,text" if content.startswith("17") else "text,label"  # the text is the longer
    assert f"--header {order}, else" in table.hint
    plain = tables.read(write(tmp_path, "t.csv", "body,kind\nx,0\n"))
    assert plain.advice("--label-column").startswith(" Name it with --label-column. Or, if the first line is a row: ")
    assert not plain.hint
    with pytest.raises(InputError, match=r"different names.* has the header 0, 0. If that is a row.*--header"):
        tables.read(write(tmp_path, "t.csv", "0,0\n1,0\n"))
