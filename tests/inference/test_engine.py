"""The engine: batches by length, answers in order."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pathlib import Path  # noqa: E402

from albertkit.checkpoint.files import Checkpoint  # noqa: E402
from albertkit.errors import WeightMismatch  # noqa: E402
from albertkit.inference import engine as engines  # noqa: E402
from albertkit.inference.engine import Engine  # noqa: E402
from albertkit.tasks.base import Features  # noqa: E402
from albertkit.torch import infer  # noqa: E402
from frameworks.common import random_tensors, small  # noqa: E402

pytestmark = pytest.mark.torch

HEAD = "ForSequenceClassification"


def checkpoint(head=HEAD, **changes):
    config = small(**changes)
    return Checkpoint(config, random_tensors(config, head), Path("a folder"))


def rows(count=23, positions=False):
    rng = np.random.default_rng(0)
    ids = [[2, 5 + row, *rng.integers(5, 60, rng.integers(0, 12)).tolist(), 3] for row in range(count)]  # all differ
    types = [[0] * (len(row) // 2) + [1] * (len(row) - len(row) // 2) for row in ids]
    asked = [
        sorted(rng.choice(len(row), min(len(row), 1 + number % 3), replace=False).tolist())
        for number, row in enumerate(ids)
    ]
    return Features(ids, types, positions=asked if positions else None)


class Runtime:
    """A runtime that is no training framework: it has its own forward pass, and keeps what it was asked."""

    def __init__(self):
        self.batches = []

    def compile(self, config, head, tensors, source="a", device=None, precision=None, quantization=None):
        table = tensors["albert.embeddings.word_embeddings.weight"]

        def forward(batch):
            self.batches.append(batch)
            return {"last_hidden_state": table[batch.input_ids], "pooler_output": table[batch.input_ids[:, 0]]}

        return forward


@pytest.mark.parametrize("tokens", [1, 40, 4096])
def test_answers_stand_in_the_order_of_the_inputs_whatever_the_batches(tokens):
    features = rows()
    engine = Engine.load(infer, checkpoint(), HEAD, tokens=tokens)
    together = [row["logits"] for row in engine.run(features)]
    alone = [next(engine.run(features.take([row])))["logits"] for row in range(len(features))]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert together[0].shape == (2,)
    assert np.abs(np.array(together) - together[::-1]).max() > 1e-2


@pytest.mark.parametrize("tokens", [1, 40, 4096])
def test_outputs_of_tokens_have_the_length_of_their_row(tokens):
    head, features = "ForTokenClassification", rows()
    engine = Engine.load(infer, checkpoint(head), head, tokens=tokens)
    found = [row["logits"] for row in engine.run(features)]
    assert [len(row) for row in found] == features.lengths()
    for number, row in enumerate(found):
        alone = next(engine.run(features.take([number])))["logits"]
        np.testing.assert_allclose(row, alone, atol=1e-5)


@pytest.mark.parametrize("limit", [1, 7, 1024])
def test_scores_come_at_the_positions_that_are_asked_for(monkeypatch, limit):
    monkeypatch.setattr(engines, "POSITIONS", limit)
    head, features = "ForMaskedLM", rows(positions=True)
    engine = Engine.load(infer, checkpoint(head), head, tokens=64)
    everywhere = [row["logits"] for row in engine.run(rows())]
    calls, forward = [], engine._forward
    engine._forward = lambda batch: calls.append(batch) or forward(batch)
    found = [row["logits"] for row in engine.run(features)]
    for row, whole, columns in zip(found, everywhere, features.positions, strict=True):
        np.testing.assert_allclose(row, whole[columns], atol=1e-5)
    assert sum(len(batch.positions) for batch in calls) == sum(map(len, features.positions))
    assert all(len(batch.positions) <= max(limit, 3) for batch in calls)


def test_any_runtime_answers_and_only_so_many_rows_are_held_at_a_time(monkeypatch):
    monkeypatch.setattr(engines, "ROWS", 5)
    runtime, features = Runtime(), rows()
    found = Engine.load(runtime, checkpoint("Model"), "Model").run(features)
    first = next(found)
    assert sum(len(batch.input_ids) for batch in runtime.batches) == 5
    assert first["last_hidden_state"].shape == (len(features.input_ids[0]), 8)
    assert first["pooler_output"].shape == (8,)
    assert len(list(found)) == len(features) - 1


def test_equal_rows_are_run_once_and_each_gets_its_own_answer():
    runtime, features = Runtime(), rows(6).take([0, 1, 0, 2, 1, 0])
    found = list(Engine.load(runtime, checkpoint("Model"), "Model").run(features))
    assert sum(len(batch.input_ids) for batch in runtime.batches) == 3
    expected = [next(Engine.load(Runtime(), checkpoint("Model"), "Model").run(features.take([n]))) for n in range(6)]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one["last_hidden_state"], other["last_hidden_state"])
    assert len({id(one) for one in found}) == 6


def test_rows_that_differ_in_types_or_places_alone_are_not_taken_for_equal():
    runtime = Runtime()
    ids = [[2, 7, 8, 3]] * 2
    engine = Engine.load(runtime, checkpoint("Model"), "Model")
    assert len(list(engine.run(Features(ids, [[0, 0, 0, 0], [0, 0, 1, 1]])))) == 2
    assert sum(len(batch.input_ids) for batch in runtime.batches) == 2
    assert Features(ids, [[0] * 4] * 2, positions=[[1], [2]]).distinct() == ([0, 1], [0, 1])


def test_no_rows_give_no_outputs():
    assert list(Engine.load(Runtime(), checkpoint("Model"), "Model").run(Features([], []))) == []


def test_a_checkpoint_without_the_head_is_refused():
    whole = checkpoint()
    tensors = {name: values for name, values in whole.tensors.items() if not name.startswith("classifier")}
    with pytest.raises(WeightMismatch, match=r"lacks classifier.weight, classifier.bias of .*Train this head first"):
        Engine.load(infer, Checkpoint(whole.config, tensors, whole.source), HEAD)


@pytest.mark.parametrize(("head", "name"), [("Model", "last_hidden_state"), ("Model", "pooler_output")])
def test_a_batch_has_as_many_tokens_as_are_asked_for_and_a_longer_row_stands_alone(head, name):
    features, found, sizes = rows(), {}, {}
    for budget in (None, 1, 40, 10_000):
        runtime = Runtime()
        found[budget] = [row[name] for row in Engine.load(runtime, checkpoint(head), head).run(features, None, budget)]
        sizes[budget] = [batch.input_ids.shape for batch in runtime.batches]
        for one, other in zip(found[budget], found[None], strict=True):
            np.testing.assert_array_equal(one, other)
    assert [count for count, _ in sizes[1]] == [1] * len(features)
    assert all(count * length <= 40 for count, length in sizes[40])
    assert len(sizes[40]) > len(sizes[10_000]) == 1


def test_what_is_held_at_a_time_goes_with_the_budget():
    runtime, features = Runtime(), rows()
    next(Engine.load(runtime, checkpoint("Model"), "Model").run(features, tokens=5))
    assert 5 < sum(batch.tokens for batch in runtime.batches) <= engines.BATCHES * 5


def test_after_every_batch_it_is_told_how_many_rows_are_done():
    runtime, told = Runtime(), []
    features = rows().take([*range(23), 0, 5, 0])
    engine = Engine.load(runtime, checkpoint("Model"), "Model")
    next(engine.run(features, tokens=40, progress=lambda *numbers: told.append(numbers)))
    assert len(told) == len(runtime.batches) > 3
    assert told[-1] == (26, 26)
    assert told == sorted(told)


@pytest.mark.parametrize("rows_of_a_batch", [1, 3, 100])
def test_a_batch_has_as_many_rows_as_are_asked_for_at_most(rows_of_a_batch):
    runtime, features = Runtime(), rows()
    engine = Engine.load(runtime, checkpoint("Model"), "Model")
    assert len(list(engine.run(features, rows=rows_of_a_batch))) == len(features)
    assert max(len(batch.input_ids) for batch in runtime.batches) == min(rows_of_a_batch, len(features))
