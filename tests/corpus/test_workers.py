"""Encoding: results in the order of the units, whichever comes first, and few units held at a time."""

from concurrent.futures import Future

import numpy as np
import pytest

from albertkit.corpus import workers
from albertkit.corpus.sentences import Splitter
from albertkit.corpus.units import Unit
from albertkit.tokenization.fast import AlbertTokenizerFast


class Pool:
    """A pool whose work is done in pairs: of two units, the second first."""

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


@pytest.mark.parametrize("units", [0, 2, 4, 20])
@pytest.mark.parametrize("most", [3, 5])
def test_units_come_in_order_and_few_are_held(units, most):
    given = taken = 0

    def source():
        nonlocal given
        for number in range(units):
            given += 1
            assert given - taken <= most
            yield Unit([str(number)])

    for unit, got in workers._in_order(Pool(), source(), most):
        assert got == [str(taken)]
        assert not unit.texts  # those are with the process that encodes them
        taken += 1
    assert taken == units


def test_texts_become_sentences_and_tokens(data, tmp_path):
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    tokenizer.save_pretrained(tmp_path)
    encode = workers.Encoder(tmp_path, Splitter(method="lines"))
    lines = ["the cat", "sat", "a dog"]
    ids = [tokenizer(line, add_special_tokens=False)["input_ids"] for line in lines]
    tokens, sentences, documents = encode(["the cat\n\u0301\nsat", " \n", "\u0301", "a dog"])
    assert tokens.tolist() == [index for row in ids for index in row]
    assert (tokens.dtype, sentences.dtype, documents.dtype) == (np.uint16, np.int64, np.int64)
    assert sentences.tolist() == [len(row) for row in ids]
    assert documents.tolist() == [2, 0, 0, 1]
    assert [array.tolist() for array in encode([" "])] == [[], [], [0]]
