"""Encoding: texts to sentences and tokens, and what is held of a batch meanwhile."""

import numpy as np

from albertkit.corpus import workers
from albertkit.corpus.document_batches import DocumentBatch
from albertkit.corpus.sentences import SentenceSplitter
from albertkit.ordered_map import Processes
from albertkit.tokenization.fast import AlbertTokenizerFast


def test_a_batch_gives_its_texts_away(tmp_path, data):
    AlbertTokenizerFast(data / "spiece.model").save_pretrained(tmp_path)
    batches = [DocumentBatch([text]) for text in ("the cat", "a dog")]
    one = Processes(1, "")
    with workers.encode_batches(tmp_path, SentenceSplitter(method="lines"), one, batches) as encoded:
        for number, (batch, ids) in enumerate(encoded):
            assert batch is batches[number]
            assert not batch.texts  # those are with the worker that encodes them
            assert ids.documents.tolist() == [1]


def test_texts_become_sentences_and_tokens(data, tmp_path):
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    tokenizer.save_pretrained(tmp_path)
    encode = workers.DocumentEncoder(tmp_path, SentenceSplitter(method="lines"))
    lines = ["the cat", "sat", "a dog"]
    ids = [tokenizer(line, add_special_tokens=False)["input_ids"] for line in lines]
    tokens, sentences, documents = encode(["the cat\n\u0301\nsat", " \n", "\u0301", "a dog"])
    assert tokens.tolist() == [index for row in ids for index in row]
    assert (tokens.dtype, sentences.dtype, documents.dtype) == (np.uint16, np.int64, np.int64)
    assert sentences.tolist() == [len(row) for row in ids]
    assert documents.tolist() == [2, 0, 0, 1]
    assert [array.tolist() for array in encode([" "])] == [[], [], [0]]
