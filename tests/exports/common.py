"""Models, batches and comparisons that the tests of all formats share."""

import numpy as np

from albertkit.batches import PaddedBatch
from albertkit.exports import base
from albertkit.rules import NO_SCORE
from albertkit.torch import infer
from frameworks import common

HEAD_PRODUCTS = {
    "Model": 1,
    "ForMaskedLM": 2,
    "ForSequenceClassification": 2,
    "ForMultipleChoice": 2,
    "ForTokenClassification": 1,
    "ForQuestionAnswering": 1,
    "ForQuestionAnsweringBeamSearch": 5,
    "ForSentenceEmbedding": 0,
}
"""Products with weights that come after those of the layers, the pooler's among them."""


def model(head, **changes):
    """A config, and random weights of a head as a format is given them."""
    config = common.small(**changes)
    return config, base.weights_of(config, head, common.random_tensors(config, head))


def batch(head, padding="right", seed=0):
    inputs = common.batch("Model" if head == "ForSentenceEmbedding" else head, padding, seed)
    return PaddedBatch(inputs["input_ids"], inputs["token_type_ids"], inputs["attention_mask"])


def written(form, folder, head, precision, **changes):
    """What a format wrote, and its forward pass beside that of PyTorch."""
    config, weights = model(head, **changes)
    found = form.write(config, head, weights, folder, precision, [batch(head, seed=seed) for seed in range(3)])
    base.require_small(found, folder, config, weights, precision)
    base.require_converted(found, config, precision)
    return found, form.compile(folder / found.file, config, head), infer.compile(config, head, weights)


def largest_difference(ours, theirs, given):
    """The largest difference over the largest value of all outputs, where there are tokens and scores."""
    assert ours.keys() == theirs.keys()
    found = 0.0
    for name, wanted in theirs.items():
        assert ours[name].shape == wanted.shape
        counts = wanted > NO_SCORE / 2
        if wanted.shape[:2] == given.input_ids.shape and given.input_ids.ndim == 2:
            is_token = given.attention_mask == 1
            counts &= is_token.reshape(is_token.shape + (1,) * (wanted.ndim - 2))
        if name.endswith("_index") or name == "end_top_log_probs":  # of starts without a chance any order is right
            counts &= np.arange(wanted.shape[1]) == 0
        difference = np.abs(ours[name] - wanted)[counts].max(initial=0)
        found = max(found, float(difference / max(np.abs(wanted[counts]).max(initial=0), 1e-6)))
    return found
