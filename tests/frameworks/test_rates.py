"""Parts of a model that learn at rates of their own, or not at all: the same update in every framework."""

import numpy as np

from albertkit.backends import OptimizerSettings
from albertkit.batches import PaddedBatch
from albertkit.training.backends import train_backend
from frameworks.common import batch, random_tensors, small

HEAD = "ForSequenceClassification"
RATES = (("albert.embeddings.", 0.0), ("albert.encoder.albert_layer_groups.", 0.25), ("albert.", 1.0), ("", 4.0))


def changes(name, rates):
    """What one step changes in each weight, and the norm of its gradient."""
    train, config = train_backend(name), small()
    tensors = random_tensors(config, HEAD)
    settings = OptimizerSettings(weight_decay=0.1, max_gradient_norm=0.0, epsilon=1e-3, rates=rates)
    state = train.init_state(config, HEAD, tensors, settings)
    before = train.get_weights(state)
    record = train.train_step(state, [PaddedBatch(**batch(HEAD))], 1e-2, seed=0)
    after = train.get_weights(state)
    return {one: after[one] - before[one] for one in before}, record["gradient_norm"]


def test_each_part_moves_by_its_own_share_of_the_rate(adapter):
    plain, whole = changes(adapter.name, ())
    found, norm = changes(adapter.name, RATES)
    settings = OptimizerSettings(rates=RATES)
    for name, change in found.items():
        np.testing.assert_allclose(change, settings.rate_of(name) * plain[name], rtol=0, atol=1e-6, err_msg=name)
    assert not any(change.any() for name, change in found.items() if name.startswith("albert.embeddings."))
    assert all(change.any() for name, change in found.items() if name.startswith("classifier"))
    assert norm < whole, "what is not trained has no part in the norm, by which a gradient is clipped"
