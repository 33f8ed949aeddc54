"""The engine: batches by length, answers in order."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pathlib import Path  # noqa: E402

from albertkit.checkpoint.files import Checkpoint  # noqa: E402
from albertkit.errors import WeightMismatch  # noqa: E402
from albertkit.inference.engine import Engine  # noqa: E402
from frameworks.common import random_tensors, small  # noqa: E402

pytestmark = pytest.mark.torch

HEAD = "ForSequenceClassification"


def checkpoint(**changes):
    config = small(**changes)
    return Checkpoint(config, random_tensors(config, HEAD), Path("a folder"))


def rows(count=23):
    rng = np.random.default_rng(0)
    ids = [[2, *rng.integers(5, 60, rng.integers(0, 12)).tolist(), 3] for _ in range(count)]
    return ids, [[0] * (len(row) // 2) + [1] * (len(row) - len(row) // 2) for row in ids]


@pytest.mark.parametrize("tokens", [1, 40, 4096])
def test_answers_stand_in_the_order_of_the_inputs_whatever_the_batches(tokens):
    ids, types = rows()
    engine = Engine(checkpoint(), HEAD, tokens=tokens)
    together = engine.run(ids, types)["logits"]
    alone = np.concatenate([engine.run([a], [b])["logits"] for a, b in zip(ids, types, strict=True)])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.abs(together - together[::-1]).max() > 1e-2


def test_a_checkpoint_without_the_head_is_refused():
    whole = checkpoint()
    tensors = {name: values for name, values in whole.tensors.items() if not name.startswith("classifier")}
    with pytest.raises(WeightMismatch, match=r"lacks classifier.weight, classifier.bias of .*Train this head first"):
        Engine(Checkpoint(whole.config, tensors, whole.source), HEAD)
