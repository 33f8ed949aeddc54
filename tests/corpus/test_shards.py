"""Shards: what is written is what is read, whatever the pieces it was written in."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from albertkit.corpus import layout, shard_writer, shards
from albertkit.errors import InputError, TokenIdError
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer

HEAD = {"fingerprint": "", "statistics": {}, "tokens": 0, "sentences": 0, "documents": 0}
DOCUMENTS = [[[5, 6, 7], [8]], [[9, 9]], [[10], [11, 12], [13]]]


@pytest.fixture(scope="module")
def tokenizer(data):
    return AlbertTokenizerFast(data / "spiece.model")


def content(corpus):
    """The documents of a corpus as lists of sentences of ids."""
    return [
        [shard.tokens[shard.sentences[s] : shard.sentences[s + 1]].tolist() for s in range(first, end)]
        for shard in corpus.shards
        for first, end in zip(shard.documents[:-1], shard.documents[1:], strict=True)
    ]


def bounds(documents):
    """The three arrays of a shard."""
    sentences = [sentence for document in documents for sentence in document]
    return (
        np.concatenate([np.array(sentence, np.uint16) for sentence in sentences]),
        np.cumsum([0, *map(len, sentences)]),
        np.cumsum([0, *map(len, documents)]),
    )


def test_what_is_written_is_read(tmp_path, tokenizer):
    corpus = shards.write(tmp_path, tokenizer, DOCUMENTS)
    assert content(corpus) == content(shards.Corpus.open(tmp_path)) == DOCUMENTS
    assert (corpus.tokens, corpus.sentences, corpus.documents, len(corpus.shards)) == (10, 6, 3, 1)
    shard = corpus.shards[0]
    assert (shard.tokens.dtype, shard.sentences.dtype, shard.documents.dtype) == (np.uint16, np.int64, np.int64)
    assert isinstance(shard.tokens, np.memmap)
    assert shard.sentences.tolist() == [0, 3, 4, 6, 7, 9, 10]
    assert shard.documents.tolist() == [0, 2, 3, 6]
    assert corpus.tokenizer()("the", add_special_tokens=False) == tokenizer("the", add_special_tokens=False)


@given(
    lengths=st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=6), min_size=1, max_size=6),
    part=st.floats(0.001, 0.999),
)
@settings(max_examples=60, deadline=None)
def test_the_last_documents_of_shards_are_held_out_up_to_the_part(lengths, part):
    whole = [shards.Shard(*bounds([[[5] * length] for length in documents])) for documents in lengths]
    corpus = shards.Corpus(Path("none"), HEAD, whole)._with_shards(whole)
    assume(any(len(documents) > 1 for documents in lengths))
    kept, held_out = corpus.split(part)
    assert kept.tokens + held_out.tokens == corpus.tokens
    assert kept.documents + held_out.documents == corpus.documents
    assert held_out.tokens <= part * corpus.tokens or held_out.documents == 1
    assert len(kept.shards) == len(whole)
    rest = iter(content(held_out))
    for one, documents in zip(kept.shards, lengths, strict=True):
        there = content(corpus._with_shards([one]))
        assert [len(document[0]) for document in there + [next(rest) for _ in documents[len(there) :]]] == documents
    # No more was to be had: what is owed at the end is less than the last document kept of the last shard.
    if held_out.tokens <= part * corpus.tokens and len(kept.shards[-1].documents) > 2:
        assert part * corpus.tokens - held_out.tokens < lengths[-1][len(kept.shards[-1].documents) - 2]


def test_one_long_document_at_the_end_of_each_shard_does_not_take_them_all(tmp_path, tokenizer):
    corpus = shards.write(tmp_path, tokenizer, [[[5] * 40], [[6] * 40]] * 10, shard_tokens=80)
    kept, held_out = corpus.split(0.1)
    assert (len(corpus.shards), len(kept.shards), len(held_out.shards)) == (10, 10, 2)
    assert held_out.tokens == 0.1 * corpus.tokens
    _, least = corpus.split(0.001)
    assert content(least) == [[[6] * 40]]
    for side in (kept, held_out):
        assert content(pickle.loads(pickle.dumps(side))) == content(side)  # noqa: S301


def test_a_shard_of_one_document_is_not_split(tmp_path, tokenizer):
    corpus = shards.write(tmp_path, tokenizer, [[[5] * 9], [[6]], [[7]]], shard_tokens=8)
    kept, held_out = corpus.split(0.1)
    assert content(kept) == [[[5] * 9], [[6]]]
    assert content(held_out) == [[[7]]]
    alone = shards.write(tmp_path / "alone", tokenizer, [[[5]]])
    with pytest.raises(InputError, match="a shard of two documents"):
        alone.split(0.5)


def test_a_shard_ends_with_its_document(tmp_path, tokenizer):
    corpus = shards.write(tmp_path, tokenizer, DOCUMENTS, shard_tokens=5)
    assert [len(shard.tokens) for shard in corpus.shards] == [6, 4]
    assert content(corpus) == DOCUMENTS


@pytest.mark.parametrize("wrong", [70_000, -1, 600, 2**70, 5.5, "a"])
def test_ids_that_the_tokenizer_lacks_are_refused(tmp_path, tokenizer, wrong):
    with pytest.raises(TokenIdError, match=rf"in 0\.\.599, .* Received: {wrong} in document 2\."):
        shards.write(tmp_path, tokenizer, [[[5]], [[7, wrong]]])
    ids = np.array([5, 599], np.uint16)
    assert content(shards.write(tmp_path / "right", tokenizer, [[ids, [0]]])) == [[[5, 599], [0]]]


def test_nothing_empty_is_kept(tmp_path, tokenizer):
    corpus = shards.write(tmp_path, tokenizer, [[], [[5], [], [6]], [[]], [[7]], [[]]])
    assert content(corpus) == [[[5], [6]], [[7]]]


def test_a_corpus_of_nothing_is_refused(tmp_path, tokenizer):
    with pytest.raises(InputError, match="at least one token"):
        shards.write(tmp_path, tokenizer, [[], [[]]])
    assert not list(tmp_path.glob("*shard*"))


@pytest.mark.parametrize(("size", "dtype"), [(2**16, np.uint16), (2**16 + 1, np.uint32)])
def test_ids_of_a_large_vocabulary_are_kept(tmp_path, tokenizer, monkeypatch, size, dtype):
    monkeypatch.setattr(AlbertTokenizerFast, "__len__", lambda _: size)
    corpus = shards.write(tmp_path, tokenizer, [[[size - 1]]])
    assert corpus.shards[0].tokens.dtype == dtype
    assert content(corpus) == [[[size - 1]]]


def test_a_wordpiece_tokenizer_comes_back_as_one(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]) + "\n")
    corpus = shards.write(tmp_path / "corpus", AlbertWordPieceTokenizer(tmp_path / "vocab.txt"), [[[5]]])
    assert isinstance(corpus.tokenizer(), AlbertWordPieceTokenizer)


def test_the_fingerprint_tells_tokens_bounds_and_tokenizers_apart(tmp_path, tokenizer):
    other = AlbertTokenizerFast(tokenizer.vocab_file, do_lower_case=False)
    corpora = {
        "same": (tokenizer, DOCUMENTS),
        "token": (tokenizer, [[[5, 6, 7], [8]], [[9, 8]], [[10], [11, 12], [13]]]),
        "sentence": (tokenizer, [[[5, 6], [7, 8]], [[9, 9]], [[10], [11, 12], [13]]]),
        "document": (tokenizer, [[[5, 6, 7], [8], [9, 9]], [[10], [11, 12], [13]]]),
        "tokenizer": (other, DOCUMENTS),
    }
    first = shards.write(tmp_path / "first", tokenizer, DOCUMENTS).fingerprint
    prints = {name: shards.write(tmp_path / name, *given).fingerprint for name, given in corpora.items()}
    assert prints["same"] == first
    assert len(set(prints.values())) == len(prints)


def test_a_corpus_travels_as_its_folder(tmp_path, tokenizer):
    corpus = shards.write(tmp_path, tokenizer, DOCUMENTS)
    packed = pickle.dumps(corpus)
    assert len(packed) < 1000
    assert content(copy.deepcopy(corpus)) == DOCUMENTS


def test_errors_say_what_to_do(tmp_path, tokenizer):
    with pytest.raises(InputError, match=r"holds none\. Make one with"):
        shards.Corpus.open(tmp_path)
    shards.write(tmp_path, tokenizer, DOCUMENTS)
    with pytest.raises(InputError, match="holds one"):
        shards.write(tmp_path, tokenizer, DOCUMENTS)
    tokens = tmp_path / "shard-00000" / "tokens.npy"
    whole = tokens.read_bytes()
    tokens.write_bytes(whole[:-2])
    with pytest.raises(InputError, match="If a copy was cut short"):
        shards.Corpus.open(tmp_path)
    np.save(tokens, np.zeros(9, np.uint16))
    with pytest.raises(InputError, match="belong together"):
        shards.Corpus.open(tmp_path)
    tokens.write_bytes(whole)
    for name in ("sentences", "documents"):
        bounds = np.load(tmp_path / "shard-00000" / f"{name}.npy")
        np.save(tmp_path / "shard-00000" / f"{name}.npy", bounds[:-1])
        with pytest.raises(InputError, match="belong together"):
            shards.Corpus.open(tmp_path)
        np.save(tmp_path / "shard-00000" / f"{name}.npy", bounds)
    head = json.loads((tmp_path / "corpus.json").read_text())
    for wrong, words in (
        ({"format": 2}, "must be of format 1. It is of 2"),
        ({"shards": [{**head["shards"][0], "tokens": 11}]}, "must have 11 tokens, as corpus.json says. It has 10"),
    ):
        (tmp_path / "corpus.json").write_text(json.dumps(head | wrong))
        with pytest.raises(InputError, match=words):
            shards.Corpus.open(tmp_path)
    (tmp_path / "corpus.json").unlink()
    with pytest.raises(InputError, match="run the same command again"):
        shards.Corpus.open(tmp_path)
    with pytest.raises(InputError, match="shards of one that was cut off"):
        shards.write(tmp_path, tokenizer, DOCUMENTS)


@pytest.mark.parametrize(
    "rows",
    [
        [([5, 6, 7, 8, 9], [1, 2, 2], [2, 1])],
        [([5, 6, 7], [1, 2], [2]), ([8, 9], [2], [0, 1])],  # the end of the whole one adds no sentence to it
        [([5], [1], [1]), ([6, 7, 8, 9], [2, 2], [1, 1])],
    ],
)
def test_whole_documents_stay_when_an_open_one_behind_them_is_dropped(tmp_path, rows):
    with shard_writer.ShardWriter(tmp_path / "shard", np.uint16) as writer:
        for row in rows:
            writer.add(*row, ends_document=False)
        writer.drop_open_document()
        assert (writer.tokens, writer.sentences, writer.documents) == (3, 2, 1)
        writer.add([4], [1], [1])
        writer.finish()
    shard = shards.Shard.open(tmp_path / "shard")
    assert shard.tokens.tolist() == [5, 6, 7, 4]
    assert shard.sentences.tolist() == [0, 1, 3, 4]
    assert shard.documents.tolist() == [0, 2, 3]


def sizes(documents):
    return [len(sentence) for document in documents for sentence in document]


@given(
    documents=st.lists(
        st.lists(st.lists(st.integers(0, 599), min_size=1, max_size=4), max_size=5),
        min_size=1,
        max_size=6,
    ),
    data=st.data(),
)
def test_pieces_of_documents_make_the_same_shard(tmp_path_factory, documents, data):
    folder = tmp_path_factory.mktemp("shard")
    with shard_writer.ShardWriter(folder / "shard", np.uint16) as writer:
        kept = []
        for document in documents:
            cuts = sorted(data.draw(st.lists(st.integers(0, len(document)), max_size=3)))
            dropped = data.draw(st.booleans())
            for start, end in zip([0, *cuts], [*cuts, len(document)], strict=True):
                part = document[start:end]
                last = end == len(document) and not dropped
                writer.add([t for s in part for t in s], [len(s) for s in part], [len(part)], ends_document=last)
            if dropped:
                writer.drop_open_document()
            elif document:
                kept.append(document)
        record = writer.finish(note=1)
    shard = shards.Shard.open(folder / "shard")
    assert shard.tokens.tolist() == [t for document in kept for s in document for t in s]
    assert np.diff(shard.sentences).tolist() == sizes(kept)
    assert np.diff(shard.documents).tolist() == [len(document) for document in kept]
    assert (record["tokens"], record["documents"]) == (len(shard.tokens), len(kept))
    assert json.loads((folder / "shard" / "shard.json").read_text()) == record | {"note": 1}
    assert not (folder / ".shard").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("shards", value) for value in (None, {}, [3], [{}], [{"name": "../outside", "tokens": 5}])),
        *(("shards", [{"name": "/outside", "tokens": 5}]) for _ in range(1)),
        *(("tokens", value) for value in ("9", None)),
        *((key, value) for key in ("statistics", "settings") for value in (None, [])),
        ("fingerprint", 3),
    ],
)
def test_a_head_that_no_build_wrote_is_refused_and_leads_nowhere(tmp_path, tokenizer, key, value):
    shards.write(tmp_path, tokenizer, DOCUMENTS)
    head = json.loads((tmp_path / layout.CORPUS_FILE).read_text())
    (tmp_path / layout.CORPUS_FILE).write_text(json.dumps(head | {key: value}))
    with pytest.raises(InputError, match=rf"corpus\.json must be as the build of a corpus wrote it.*: {key}\."):
        shards.Corpus.open(tmp_path)
