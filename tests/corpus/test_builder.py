"""Building: the same bytes however many processes, however often cut off, and nothing wrong goes unsaid."""

import contextlib
import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from albertkit import processors, storage
from albertkit.corpus import build_folder, builder, chunks, document_batches, duplicates, layout, shards, workers
from albertkit.corpus.builder import BuildSettings, build
from albertkit.corpus.reader import ReaderOptions
from albertkit.corpus.sentences import SentenceSplitter
from albertkit.errors import CheckpointError, ConfigError, InputError, TrainingError
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer

LINES = SentenceSplitter(method="lines")


@pytest.fixture(scope="module")
def tokenizer(data):
    return AlbertTokenizerFast(data / "spiece.model")


@pytest.fixture
def small(monkeypatch):
    """Batches and chunks so small that a short text has many."""
    monkeypatch.setattr(document_batches, "BATCH_CHARS", 200)
    monkeypatch.setattr(chunks, "CHUNK_CHARS", 150)


@pytest.fixture
def texts(tmp_path):
    """Two files: short documents and long ones, empty ones, broken lines, repeated ones."""
    words = ["the cat sat", "a dog ran far", "one two 9,", "it is", "the old mill by the stream"]

    def text(number):
        return "\n".join(
            f"{words[(number + k) % 5]} {number} {k}" for k in range(number % 7 * (9 if number % 5 else 1))
        )

    records = [{"text": text(number % 17)} for number in range(40)] + [{"text": " \n"}]
    lines = [json.dumps(record) for record in records]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text("\n".join(["{", *lines[:15], "{}", *lines[15:20], "{"]) + "\n")
    (tmp_path / "in" / "b.jsonl").write_text("\n".join([*lines[20:], "[]"]))
    (tmp_path / "in" / "c.txt").write_text("\n\n".join(text(number) for number in range(30, 45)))
    return tmp_path / "in"


SETTINGS = BuildSettings(ReaderOptions(skip_broken=True), LINES, deduplicate=True, shard_tokens=300)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def content(made):
    """The documents as lists of sentences, each as text."""
    tokenizer = made.tokenizer()
    return [
        [tokenizer.decode(shard.tokens[shard.sentences[s] : shard.sentences[s + 1]]) for s in range(first, end)]
        for shard in made.shards
        for first, end in zip(shard.documents[:-1], shard.documents[1:], strict=True)
    ]


@pytest.fixture
def reference(small, texts, tokenizer, tmp_path):
    made = build([texts], tmp_path / "reference", tokenizer, SETTINGS, processes=1)
    assert len(made.shards) > 3
    return made


def expected(folder, *, deduplicate):
    """What a plain reading of the same files gives."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".txt":
            found += [text for text in path.read_text().split("\n\n") if text]
            continue
        for line in path.read_text().splitlines():
            if '"text"' in line:
                found.append(json.loads(line)["text"])
    found = [text.strip() if deduplicate else text for text in found]
    kept = list(dict.fromkeys(found)) if deduplicate else found
    rows = [[line.strip() for line in text.splitlines() if line.strip()] for text in kept]
    return [row for row in rows if row]


def test_everything_is_there_once_and_counted(reference, texts):
    assert content(reference) == expected(texts, deduplicate=True)
    counts = reference.statistics
    assert counts["broken_records"] == 4
    repeated = counts["documents_read"] - counts["duplicates"]
    assert counts["duplicates"] > 20
    assert repeated - reference.documents == 1  # ""; " \n" is a duplicate of it
    assert not (reference.folder / "seen.sqlite").exists()


def test_without_deduplication_all_is_kept(small, texts, tokenizer, tmp_path):
    settings = BuildSettings(ReaderOptions(skip_broken=True), LINES, shard_tokens=300)
    made = build([texts], tmp_path / "out", tokenizer, settings, processes=1)
    assert content(made) == expected(texts, deduplicate=False)
    assert made.statistics["duplicates"] == 0


def test_a_text_is_the_same_in_every_format_and_at_the_end_of_a_file(tokenizer, tmp_path):
    (tmp_path / "a.txt").write_text("the cat\nsat\n\na dog")
    (tmp_path / "b.jsonl").write_text('{"text": "the cat\\nsat"}\n{"text": "the catsat"}\n')
    (tmp_path / "c.txt").write_text("a dog\n\nthe cat\nsat")
    (tmp_path / "wiki_00").write_text("<doc id=1>\nthe cat\nsat\n\n</doc>\n")
    made = build([tmp_path], tmp_path / "out", tokenizer, BuildSettings(splitter=LINES, deduplicate=True), processes=1)
    assert content(made) == [["the cat", "sat"], ["a dog"], ["the catsat"]]
    assert made.statistics["duplicates"] == 4


@pytest.mark.parametrize("processes", [2, 3])
def test_the_number_of_processes_changes_nothing(reference, texts, tokenizer, tmp_path, processes):
    made = build([texts], tmp_path / "out", tokenizer, SETTINGS, processes=processes)
    assert files(made.folder) == files(reference.folder)


def test_a_build_cut_off_anywhere_goes_on(reference, texts, tokenizer, tmp_path):
    class Cut(Exception):
        pass

    calls = 0

    def count(*_):
        nonlocal calls
        calls += 1

    build([texts], tmp_path / "count", tokenizer, SETTINGS, processes=1, progress=count)
    assert calls > 20
    for last in range(1, calls + 1, calls // 6):
        left = last

        def cut(*_):
            nonlocal left
            left -= 1
            if not left:
                raise Cut

        with pytest.raises(Cut):
            build([texts], tmp_path / "out", tokenizer, SETTINGS, processes=1, progress=cut)
        finished = len(list((tmp_path / "out").glob("shard-*")))
        told = []
        made = build([texts], tmp_path / "out", tokenizer, SETTINGS, processes=1, note=told.append)
        assert files(made.folder) == files(reference.folder), last
        assert told == [f"going on behind {finished} finished shards"] * bool(finished)
        shutil.rmtree(tmp_path / "out")
    assert told


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from albertkit.corpus import chunks
    from albertkit.corpus import document_batches
    from albertkit.corpus.builder import *
    from albertkit.corpus.reader import ReaderOptions
    from albertkit.corpus.sentences import SentenceSplitter
    from albertkit.tokenization.fast import AlbertTokenizerFast

    if __name__ == "__main__":
        document_batches.BATCH_CHARS, chunks.CHUNK_CHARS = 200, 150
        lines = SentenceSplitter(method="lines")
        settings = BuildSettings(ReaderOptions(skip_broken=True), lines, deduplicate=True, shard_tokens=300)
        calls = 0
        def report(*_):
            global calls
            calls += 1
            if calls == int(sys.argv[4]):
                os.kill(os.getpid(), signal.SIGKILL)
        build([sys.argv[1]], sys.argv[2], AlbertTokenizerFast(sys.argv[3]), settings, processes=2, progress=report)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("calls", [2, 19])
def test_a_killed_build_goes_on_and_its_processes_end(reference, texts, data, tokenizer, tmp_path, calls):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(KILLED))
    arguments = [texts, tmp_path / "out", data / "spiece.model", calls]
    # The processes hold the pipes: this returns when the last of them has ended.
    done = subprocess.run([sys.executable, script, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert any((tmp_path / "out").glob(".shard-*"))
    with pytest.raises(InputError, match="run the same command again"):
        shards.Corpus.open(tmp_path / "out")
    shutil.copytree(tmp_path / "out", tmp_path / "again")
    for name, overwrite in (("out", False), ("again", True)):
        made = build([texts], tmp_path / name, tokenizer, SETTINGS, processes=1, overwrite=overwrite)
        assert files(made.folder) == files(reference.folder)


def test_a_process_that_dies_is_said(small, texts, tokenizer, tmp_path):
    def kill(total, position, text, tokens):
        for process in multiprocessing.active_children() if tokens else ():
            process.kill()

    with pytest.raises(TrainingError, match="fewer --workers: it goes on"):
        build([texts], tmp_path / "out", tokenizer, SETTINGS, processes=2, progress=kill)


def test_a_finished_corpus_is_left_alone(reference, texts, tokenizer):
    before, told = files(reference.folder), []
    swapped = texts / "c.txt"
    whole = swapped.read_bytes()
    swapped.write_bytes(whole.replace(b"dog", b"cow"))
    with pytest.raises(
        ConfigError, match=r"files: c\.txt, [\d,]+ bytes and the same name and size with other contents"
    ):
        build([texts], reference.folder, tokenizer, SETTINGS, processes=1)
    swapped.write_bytes(whole)
    again = build([texts], reference.folder, tokenizer, SETTINGS, processes=1, note=told.append)
    assert again.fingerprint == reference.fingerprint
    assert told == [f"{reference.folder} holds this corpus already"]
    assert files(reference.folder) == before


def test_other_settings_inputs_and_tokenizers_are_refused(reference, texts, tokenizer, data):
    folder, before = reference.folder, files(reference.folder)
    other = BuildSettings(ReaderOptions(skip_broken=True), LINES, deduplicate=False, shard_tokens=300)
    with pytest.raises(ConfigError, match=r"deduplicate: True and False\. .*--overwrite"):
        build([texts], folder, tokenizer, other)
    with pytest.raises(ConfigError, match=r"files: c\.txt, [\d,]+ bytes and nothing"):
        build([texts / "a.jsonl", texts / "b.jsonl"], folder, tokenizer, SETTINGS)
    with pytest.raises(ConfigError, match="tokenizer: "):
        build([texts], folder, AlbertTokenizerFast(data / "spiece.model", keep_accents=True), SETTINGS)
    assert files(folder) == before
    made = build([texts], folder, tokenizer, other, processes=1, overwrite=True)
    assert made.fingerprint != reference.fingerprint
    assert made.documents > reference.documents


def test_digests_must_be_there_to_go_on(small, texts, tokenizer, tmp_path):
    def cut(total, position, text, tokens):
        if tokens > 700:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build([texts], tmp_path / "out", tokenizer, SETTINGS, processes=1, progress=cut)
    (tmp_path / "out" / "seen.sqlite").unlink()
    with pytest.raises(InputError, match="lost it: begin anew"):
        build([texts], tmp_path / "out", tokenizer, SETTINGS, processes=1)


def test_a_folder_of_something_else_is_not_touched(texts, tokenizer, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds notes\.txt"):
        build([texts], tmp_path / "out", tokenizer)
    with pytest.raises(InputError, match=r"holds notes\.txt"):
        build([texts], tmp_path / "out", tokenizer, overwrite=True)
    with pytest.raises(InputError, match="which is a file"):
        build([texts], tmp_path / "out" / "notes.txt", tokenizer)
    assert files(tmp_path / "out") == {"notes.txt": b"mine"}


@pytest.mark.parametrize("head", [None, "corpus.json", "build.json"])
def test_overwriting_takes_nothing_but_a_corpus(texts, tokenizer, tmp_path, head):
    for name in ["tokenizer/mine", "shard-of-mine/mine", "notes.txt", *([head] if head else [])]:
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text("{}")
    before = files(tmp_path / "out")
    with pytest.raises(InputError, match=r"holds notes\.txt"):
        build([texts], tmp_path / "out", tokenizer, overwrite=True)
    assert files(tmp_path / "out") == before


def test_the_tokenizer_in_a_corpus_may_build_the_one_that_replaces_it(reference, texts):
    before = files(reference.folder)
    build([texts], reference.folder, reference.tokenizer(), SETTINGS, processes=1, overwrite=True)
    assert files(reference.folder) == before


def test_overwriting_that_is_cut_off_is_only_gone_on_with_by_overwriting(reference, texts, tokenizer, monkeypatch):
    def fail(path):
        raise OSError("no")

    with monkeypatch.context() as patch:
        patch.setattr(build_folder, "shutil", SimpleNamespace(rmtree=fail))
        with pytest.raises(CheckpointError, match="run the same command again"):
            build([texts], reference.folder, tokenizer, SETTINGS, processes=1, overwrite=True)
    with pytest.raises(ConfigError, match=r"files: nothing and a\.jsonl, [\d,]+ bytes; .*--overwrite"):
        build([texts], reference.folder, tokenizer, SETTINGS, processes=1)
    made = build([texts], reference.folder, tokenizer, SETTINGS, processes=1, overwrite=True)
    assert made.fingerprint == reference.fingerprint


def test_a_build_killed_before_it_wrote_down_what_it_is_begins_anew(texts, tokenizer, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".build.json-x1").write_text("{")
    build([texts / "c.txt"], tmp_path / "out", tokenizer, BuildSettings(splitter=LINES), processes=1)


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="file names are text here")
def test_a_name_that_is_not_text_does_no_harm(tokenizer, tmp_path):
    for name in (b"\xe9.txt", b"\xe9.png"):
        (tmp_path / os.fsdecode(name)).write_text("the cat")
    told = []
    made = build([tmp_path], tmp_path / "out", tokenizer, BuildSettings(splitter=LINES), processes=1, note=told.append)
    assert [row["name"] for row in made.head["inputs"]] == ["\ufffd.txt"]
    assert told == [f"left out: 1 files with other endings, such as {tmp_path}/\ufffd.png"]


def test_only_one_process_builds_in_a_folder(texts, tokenizer, tmp_path):
    (tmp_path / "out").mkdir()
    with storage.try_exclusive_lock(tmp_path / "out"), pytest.raises(CheckpointError, match="Another one works in"):
        build([texts], tmp_path / "out", tokenizer)


def test_a_corpus_of_nothing_is_refused(tokenizer, tmp_path):
    (tmp_path / "a.txt").write_text("\n\n \n")
    with pytest.raises(InputError, match="1 files with 0 documents"):
        build([tmp_path / "a.txt"], tmp_path / "out", tokenizer, BuildSettings(splitter=LINES), processes=1)
    (tmp_path / "a.jsonl").write_text('{"text": " "}\n{"text": ""}\n')
    with pytest.raises(InputError, match="1 files with 2 documents, all of them empty"):
        build([tmp_path / "a.jsonl"], tmp_path / "other", tokenizer, BuildSettings(splitter=LINES), processes=1)
    (tmp_path / "a.jsonl").write_text('[{"text": "one"},\n{"text": "two"}]\n')
    settings = BuildSettings(ReaderOptions(skip_broken=True), LINES)
    with pytest.raises(InputError, match=r"Left out were 2 broken records: .* one JSON array .* a record a line"):
        build([tmp_path / "a.jsonl"], tmp_path / "other", tokenizer, settings)


def test_numbers_must_make_sense(texts, tokenizer, tmp_path):
    with pytest.raises(ConfigError, match=r"`workers` must be at least 1\. Received: 0"):
        build([texts], tmp_path / "out", tokenizer, processes=0)
    with pytest.raises(ConfigError, match=r"`shard_tokens` must be at least 1\. Received: 0"):
        BuildSettings(shard_tokens=0)


def test_broken_input_stops_a_build_that_can_go_on_when_it_is_mended(small, texts, tokenizer, tmp_path):
    whole = (texts / "c.txt").read_bytes()
    (texts / "c.txt").write_bytes(b"\xe9" + whole)
    settings = BuildSettings(ReaderOptions(skip_broken=True), LINES, shard_tokens=300)
    with pytest.raises(InputError, match=r"c\.txt must be complete UTF-8"):
        build([texts], tmp_path / "out", tokenizer, settings, processes=2)
    assert any((tmp_path / "out").glob("shard-*"))
    first = (texts / "a.jsonl").read_bytes()
    (texts / "a.jsonl").write_bytes(first.replace(b"cat", b"rat"))
    with pytest.raises(ConfigError, match=r"files: a\.jsonl, [\d,]+ bytes and the same name and size with other cont"):
        build([texts], tmp_path / "out", tokenizer, settings, processes=2)
    (texts / "a.jsonl").write_bytes(first)
    (texts / "c.txt").write_bytes(whole)  # of which no finished shard holds anything
    made = build([texts], tmp_path / "out", tokenizer, settings, processes=2)
    assert files(made.folder) == files(build([texts], tmp_path / "at-once", tokenizer, settings, processes=1).folder)


def test_where_nothing_is_finished_nothing_binds(tokenizer, tmp_path):
    path, out = tmp_path / "a.jsonl", tmp_path / "out"
    path.write_text('{"body": "the cat"}\n' * 2)
    with pytest.raises(InputError, match="Name the field with --text-field"):
        build([path], out, tokenizer, BuildSettings(splitter=LINES, deduplicate=True), processes=1)
    (out / "seen.sqlite").write_text("of the documents that were read")
    path.write_text('{"body": "the cat"}\n')
    settings = BuildSettings(ReaderOptions(text_field="body"), LINES, deduplicate=True)
    assert content(build([path], out, tokenizer, settings, processes=1)) == [["the cat"]]


def test_documents_that_were_read_ahead_are_forgotten(tmp_path):
    paths = tmp_path / "a.txt", tmp_path / "b.txt"
    for path, text in zip(paths, ("one\n\ntwo", "three\n\nfour"), strict=True):
        path.write_text(text)
    with contextlib.closing(duplicates.DuplicateIndex(tmp_path)) as index:
        list(document_batches.DocumentBatches(paths, ReaderOptions(), index))
        paths[1].write_text("five\n\nthree\n\ntwo")
        behind = {"position": [0, 2], "counts": layout.zero_counts()}
        batches = document_batches.DocumentBatches(paths, ReaderOptions(), index, behind)
        found = [text.strip() for batch in batches for text in batch.texts]
    assert found == ["five", "three"]


def test_broken_records_may_be_left_out_from_the_first_on(reference, texts, tokenizer, tmp_path):
    settings = BuildSettings(ReaderOptions(), LINES, deduplicate=True, shard_tokens=300)
    whole = (texts / "a.jsonl").read_bytes()
    (texts / "a.jsonl").write_bytes(b"\n".join(line for line in whole.split(b"\n") if len(line) > 2))
    started = build([texts / "a.jsonl"], tmp_path / "started", tokenizer, settings, processes=1)
    assert started.statistics["broken_records"] == 0
    with pytest.raises(ConfigError, match="skip_broken: False and True"):
        build([texts / "a.jsonl"], started.folder, tokenizer, SETTINGS, processes=1)
    with pytest.raises(InputError, match=r"b\.jsonl, line 22"):
        build([texts], tmp_path / "out", tokenizer, settings, processes=1)
    assert any((tmp_path / "out").glob("shard-*"))
    made = build([texts], tmp_path / "out", tokenizer, SETTINGS, processes=1)
    assert files(made.folder) == files(build([texts], tmp_path / "at-once", tokenizer, SETTINGS, processes=1).folder)
    with pytest.raises(ConfigError, match="skip_broken: True and False"):
        build([texts], tmp_path / "out", tokenizer, settings, processes=1)


def test_one_giant_document_passes_through(small, tokenizer, tmp_path):
    lines = [f"the cat sat {number}" for number in range(500)]
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text("\n".join(lines))
    (tmp_path / "c.txt").write_text("the end")
    sizes = []
    encode = workers.DocumentEncoder.__call__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            workers.DocumentEncoder,
            "__call__",
            lambda self, texts: sizes.append(sum(map(len, texts))) or encode(self, texts),
        )
        made = build(
            [tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "c.txt"],
            tmp_path / "out",
            tokenizer,
            BuildSettings(splitter=LINES, deduplicate=True, shard_tokens=100),
            processes=1,
        )
    assert max(sizes) < 500
    assert content(made) == [lines, ["the end"]]
    assert made.statistics["duplicates"] == 1


def test_no_special_token_stands_in_the_stream(tokenizer, tmp_path):
    (tmp_path / "a.txt").write_text("a [MASK] b [SEP] <pad> [CLS]")
    made = build([tmp_path / "a.txt"], tmp_path / "out", tokenizer, BuildSettings(splitter=LINES), processes=1)
    special = {tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.mask_token_id, tokenizer.pad_token_id}
    assert not special & set(made.shards[0].tokens.tolist())


def test_sentences_and_documents_without_a_token_are_left_out(tokenizer, tmp_path):
    (tmp_path / "a.txt").write_text("the cat\n\u0301\nsat\n\n\u0301\n\nmill")
    made = build([tmp_path / "a.txt"], tmp_path / "out", tokenizer, BuildSettings(splitter=LINES), processes=1)
    assert content(made) == [["the cat", "sat"], ["mill"]]
    assert made.statistics["documents_read"] == 3


def test_a_wordpiece_vocabulary_and_its_unknown_rate(tmp_path):
    (tmp_path / "vocab.txt").write_text(
        "".join(f"{w}\n" for w in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "你", "好", "。"])
    )
    (tmp_path / "a.txt").write_text("你好。你他。\n\n好。")
    tokenizer = AlbertWordPieceTokenizer(tmp_path / "vocab.txt")
    notes, settings = [], BuildSettings(splitter=SentenceSplitter("zh"))
    made = build([tmp_path / "a.txt"], tmp_path / "out", tokenizer, settings, processes=1, note=notes.append)
    assert notes == ["12.5% of the tokens are unknown: the tokenizer may be of another language than the text"]
    assert [shard.tokens.tolist() for shard in made.shards] == [[5, 6, 7, 5, 1, 7, 6, 7]]
    assert made.shards[0].sentences.tolist() == [0, 3, 6, 8]
    assert made.statistics["unknown_tokens"] == 1
    assert made.tokenizer().convert_ids_to_tokens([5]) == ["你"]


def test_a_language_without_rules_is_told(tokenizer, tmp_path):
    (tmp_path / "a.txt").write_text("the cat")
    notes, settings = [], BuildSettings(splitter=SentenceSplitter("xx"))
    build([tmp_path / "a.txt"], tmp_path / "out", tokenizer, settings, processes=1, note=notes.append)
    assert notes == [settings.splitter.warning]


def test_figures_are_those_of_the_arrays(reference):
    lengths = [int(n) for shard in reference.shards for n in np.diff(shard.sentences)]
    figures = reference.statistics
    assert figures["longest_sentence"] == max(lengths)
    bins = Counter(next(edge for edge in figures["length_edges"] if n <= edge) for n in lengths)
    assert {e: n for e, n in zip(figures["length_edges"], figures["sentence_lengths"], strict=False) if n} == bins
    assert sum(figures["document_lengths"]) == reference.documents
    head = json.loads((reference.folder / "corpus.json").read_text())
    assert head["settings"]["method"] == "lines"
    assert [row["name"] for row in head["inputs"]] == ["a.jsonl", "b.jsonl", "c.txt"]


def test_the_cores_of_a_process_are_counted():
    assert 1 <= processors.count() <= os.cpu_count()


def test_a_full_disk_says_what_is_kept_and_how_to_go_on(small, texts, tokenizer, tmp_path, monkeypatch):
    write = builder.ShardWriter.add

    def full(self, *args, **kwargs):
        if self.tokens:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(builder.ShardWriter, "add", full)
        with pytest.raises(CheckpointError, match=r"disk is full\. The shards that are finished are kept: make room"):
            build([texts], tmp_path / "out", tokenizer, SETTINGS, processes=1)
    assert build([texts], tmp_path / "out", tokenizer, SETTINGS, processes=1).tokens
