"""Folders of sentence embeddings in the library sentence-transformers: the same vectors there, and of its own here."""

import numpy as np
import pytest

sentence_transformers = pytest.importorskip("sentence_transformers")

from albertkit import pipeline  # noqa: E402
from albertkit.checkpoint import files  # noqa: E402
from albertkit.tokenization.fast import AlbertTokenizerFast  # noqa: E402
from albertkit.torch.models import AlbertForSentenceEmbedding  # noqa: E402
from frameworks.common import random_tensors, small  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.torch]

LENGTH = 24
TEXTS = ["the plot was superb", "the cast was very dull and the music was awful", "a b", "", "The Café, 12!"]
LONG = " ".join(["the plot was superb and the cast dull"] * 6)
WAYS = [("mean", True), ("mean", False), ("cls", True), ("max", False)]


def saved(folder, data, pooling, normalize):
    """A folder as the task leaves one: config, weights, tokenizer, and the files of sentence-transformers."""
    tokenizer = AlbertTokenizerFast(str(data / "spiece.model"))
    tokenizer.model_max_length = LENGTH
    keys = {"sentence_pooling": pooling, "sentence_special_tokens": True, "sentence_normalize": normalize}
    config = small(vocab_size=len(tokenizer), max_position_embeddings=LENGTH, **keys)
    plain = folder / "plain"
    files.save(plain, config, random_tensors(config, "ForSentenceEmbedding"), "AlbertForSentenceEmbedding")
    AlbertForSentenceEmbedding.from_pretrained(plain).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    return folder / "model"


@pytest.mark.parametrize(("pooling", "normalize"), WAYS)
def test_a_folder_gives_the_same_vectors_in_sentence_transformers(tmp_path, data, pooling, normalize):
    folder = saved(tmp_path, data, pooling, normalize)
    peer = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    embed = pipeline("sentence-embedding", folder, "torch")
    texts = [*TEXTS, LONG]
    found, wanted = embed(texts), peer.encode(texts)
    assert embed.truncated == 1
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert np.ptp(wanted, axis=0).max() > 1e-2, "texts differ, so that equal vectors mean something"


def test_a_folder_that_sentence_transformers_wrote_gives_the_same_vectors_here(tmp_path, data):
    peer = sentence_transformers.SentenceTransformer(str(saved(tmp_path, data, "max", True)), device="cpu")
    peer.save(str(tmp_path / "theirs"))
    embed = pipeline("sentence-embedding", tmp_path / "theirs", "torch")
    np.testing.assert_allclose(embed([*TEXTS, LONG]), peer.encode([*TEXTS, LONG]), atol=1e-5)
