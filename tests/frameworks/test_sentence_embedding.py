"""The pooled vectors of AlbertForSentenceEmbedding and its loss, in every framework against NumPy."""

import numpy as np
import pytest

from albertkit.errors import InputError
from frameworks.common import BATCH, LENGTH, batch, random_tensors, small

HEAD = "ForSentenceEmbedding"
MODES = ("mean", "cls", "max")


def make(adapter, **changes):
    config = small(**changes)
    return adapter.build(HEAD, config, random_tensors(config, HEAD))


def pooled(states, mask, mode, special_tokens):
    found = []
    for row, counted in zip(states, mask, strict=True):
        tokens = row[counted == 1]
        inner = tokens if special_tokens else tokens[1:-1]
        found.append(tokens[0] if mode == "cls" else getattr(inner, mode)(0))
    return np.array(found)


@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("special_tokens", [True, False])
def test_padding_on_either_side_and_special_tokens_are_left_out(adapter, mode, special_tokens, padding):
    config = {"sentence_pooling": mode, "sentence_special_tokens": special_tokens}
    encoder = adapter.build("Model", small(), random_tensors(small(), "Model"))
    inputs = batch("Model", padding)
    expected = pooled(
        adapter.outputs(encoder, inputs)["last_hidden_state"], inputs["attention_mask"], mode, special_tokens
    )
    found = adapter.outputs(make(adapter, **config), inputs)["sentence_embedding"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_a_text_of_special_tokens_alone_gives_finite_numbers(adapter, mode):
    mask = np.zeros((BATCH, LENGTH), np.int64)
    mask[:, :2] = 1
    mask[1] = 0
    inputs = {**batch("Model"), "attention_mask": mask}
    found = adapter.outputs(make(adapter, sentence_pooling=mode), inputs)["sentence_embedding"]
    assert np.isfinite(found).all()
    assert (found == 0).all() == (mode != "cls")


def contrastive(vectors, labels, temperature):
    units = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    losses = []
    for row, (anchor, label) in enumerate(zip(units[:, 0], labels, strict=True)):
        own = np.exp(anchor @ units[row, 1] / temperature)
        others = [units[i, 1] for i in range(len(units)) if i != row and labels[i] != label]
        others += [one for negatives in units[:, 2:] for one in negatives]
        losses.append(-np.log(own / (own + sum(np.exp(anchor @ one / temperature) for one in others))))
    return np.mean(losses)


@pytest.mark.parametrize("labels", [[0, 1, 2], [5, 5, 1]])
@pytest.mark.parametrize("width", [2, 3, 4])
def test_the_contrastive_loss_is_that_of_the_paper_without_negatives_of_ones_own_group(adapter, width, labels):
    ids = np.random.default_rng(width).integers(4, 60, (BATCH, width, LENGTH))
    inputs = {"input_ids": ids, "labels": np.array(labels)}
    found = adapter.outputs(make(adapter, sentence_temperature=0.1), inputs)
    expected = contrastive(found["sentence_embedding"].astype(np.float64), labels, 0.1)
    np.testing.assert_allclose(found["loss"], expected, atol=1e-5, rtol=1e-5)


def test_other_labels_are_what_the_cosines_are_to_be(adapter):
    inputs = batch(HEAD) | {"labels": np.array([1, 0.25, -0.5], np.float32)}
    found = adapter.outputs(make(adapter), inputs)
    units = found["sentence_embedding"] / np.linalg.norm(found["sentence_embedding"], axis=-1, keepdims=True)
    expected = np.square((units[:, 0] * units[:, 1]).sum(-1) - inputs["labels"]).mean()
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-5)


def test_rows_that_have_no_pair_and_masks_of_pairs_of_tokens_are_refused(adapter):
    model = make(adapter)
    inputs = batch("Model")
    with pytest.raises(InputError, match=r"an anchor, a positive.*\(3, 16\)"):
        adapter.outputs(model, {**inputs, "labels": np.arange(BATCH)})
    triplets = {"input_ids": np.ones((BATCH, 3, LENGTH), np.int64), "labels": np.ones(BATCH, np.float32)}
    with pytest.raises(InputError, match=r"of two sentences each.*\(3, 3, 16\)"):
        adapter.outputs(model, triplets)
    with pytest.raises(InputError, match=r"that `attention_mask` \(B, L\) marks"):
        adapter.outputs(model, {**inputs, "attention_mask": np.ones((BATCH, LENGTH, LENGTH), np.int64)})
