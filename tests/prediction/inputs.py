"""Files in every format that is answered, a small model for them, and runs of them."""

import bz2
import gzip
import json
import lzma
from typing import Any

from albertkit.checkpoint import files
from albertkit.prediction import run
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks.common import random_tensors, small

WORDS = ("the film", "a story of it", "the end, and more", "it", 'a "fine" film', "schön 好")
CLASSES = {"num_labels": 3, "id2label": {0: "bad", 1: "fair", 2: "good"}}


def made(folder, data, head="ForSequenceClassification", **keys):
    """A folder with a small model of random weights."""
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    keys = {"max_position_embeddings": 32, **(CLASSES if head == "ForSequenceClassification" else {}), **keys}
    config = small(vocab_size=len(tokenizer), **keys)
    files.save(folder, config, random_tensors(config, head), f"Albert{head}")
    tokenizer.save_pretrained(folder)
    return folder


def text(number):
    return " ".join(WORDS[(number * 7 + k) % len(WORDS)] for k in range(number % 5 + 1))


def records(count=40):
    return [
        {"id": number, "text": text(number), "big": 2**70 + number, "nested": {"a": [1, None], "ü": "好"}}
        for number in range(count)
    ]


def write(path, count=40):
    """A file of so many rows in the format of its name, and how many rows it has."""
    rows, kind = records(count), path.name.partition(".")[2]
    if kind.startswith("parquet"):
        import pyarrow as pa
        from pyarrow import parquet

        table = pa.table({"id": pa.array([row["id"] for row in rows], pa.int16()), "text": [r["text"] for r in rows]})
        parquet.write_table(table, path, row_group_size=9)
        return path
    if kind.startswith("csv"):
        lines = ["id,,text", *(f'{row["id"]},x,"{row["text"].replace(chr(34), chr(34) * 2)}\n"' for row in rows)]
    elif kind.startswith("tsv"):
        lines = ["id\ttext", *(f"{row['id']}\t{row['text']}" for row in rows)]
    elif kind.startswith("txt"):
        lines = [row["text"] for row in rows]
    elif kind == "json":
        lines = [json.dumps(rows, indent=1, ensure_ascii=False)]
    else:
        lines = [json.dumps(row, ensure_ascii=bool(row["id"] % 2)) for row in rows]
    content = "".join(f"{line}\n" for line in lines).encode("utf-16" if "utf16" in path.name else "utf-8")
    packers = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}
    path.write_bytes(packers.get(path.suffix, bytes)(content))
    return path


def request(model, paths, output, **given):
    return run.Request({"task": None, "model": str(model)}, [str(path) for path in paths], output, **given)


def answered(model, paths, output, engine=None, **given) -> Any:
    """The files that come of a run, by name, as bytes."""
    run.run(request(model, paths, output, **given), engine=engine)
    return contents(output)


def contents(output):
    """The bytes of an output, of a folder by part."""
    if output.is_dir():
        return {path.name: path.read_bytes() for path in sorted(output.glob("part-*"))}
    return output.read_bytes()


def rows_of(content, ending):
    """The records of an output."""
    if ending == ".parquet":
        import io

        from pyarrow import parquet

        return parquet.read_table(io.BytesIO(content)).to_pylist()
    if ending == ".jsonl.zst":
        import pyarrow

        content = pyarrow.CompressedInputStream(pyarrow.BufferReader(content), "zstd").read()
    content = gzip.decompress(content) if ending == ".jsonl.gz" else content
    return [json.loads(line) for line in content.decode().splitlines()]
