"""Encoding: results in the order of the batches, whichever comes first, and few batches held at a time."""

from concurrent.futures import Future

import numpy as np
import pytest

from albertkit.corpus import workers
from albertkit.corpus.document_batches import DocumentBatch
from albertkit.corpus.sentences import SentenceSplitter
from albertkit.tokenization.fast import AlbertTokenizerFast


class Pool:
    """A pool whose work is done in pairs: of two batches, the second first."""

    def __init__(self):
        self.late = None

    def submit(self, work, texts):
        future = Future()
        if self.late:
            future.set_result(texts)
            first, its_texts = self.late
            first.set_result(its_texts)
        self.late = None if self.late else (future, texts)
        return future


@pytest.mark.parametrize("batches", [0, 2, 4, 20])
@pytest.mark.parametrize("most", [3, 5])
def test_batches_come_in_order_and_few_are_held(batches, most):
    given = taken = 0

    def source():
        nonlocal given
        for number in range(batches):
            given += 1
            assert given - taken <= most
            yield DocumentBatch([str(number)])

    for batch, got in workers._encode_in_order(Pool(), source(), most):
        assert got == [str(taken)]
        assert not batch.texts  # those are with the process that encodes them
        taken += 1
    assert taken == batches


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
