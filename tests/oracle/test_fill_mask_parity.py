"""Our fill-mask pipeline against that of Transformers 4, on the same folder."""

import pytest

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from albertkit.checkpoint import files  # noqa: E402
from albertkit.pipelines import pipeline  # noqa: E402
from albertkit.tokenization.fast import AlbertTokenizerFast  # noqa: E402
from frameworks.common import random_tensors, small  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.torch]

TEXTS = ["The [MASK] is good.", "[MASK] of the [MASK], and more.", "the [MASK]", "A [MASK]ing of it!"]


@pytest.fixture(scope="module")
def both(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fill")
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    config = small(vocab_size=len(tokenizer), max_position_embeddings=64)
    files.save(folder, config, random_tensors(config, "ForPreTraining"), "AlbertForPreTraining")
    tokenizer.save_pretrained(folder)
    return pipeline("fill-mask", folder, "torch"), transformers.pipeline("fill-mask", str(folder), framework="pt")


def assert_alike(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        if isinstance(one, list):
            assert_alike(one, other)
        else:
            assert (one["token"], one["token_str"]) == (other["token"], other["token_str"])
            # The two write another number of spaces beside special tokens.
            assert one["sequence"].replace(" ", "") == other["sequence"].replace(" ", "")
            assert one["score"] == pytest.approx(other["score"], rel=1e-4)


@pytest.mark.parametrize("options", [{}, {"top_k": 2}, {"targets": ["▁the", "▁a"]}, {"targets": ["▁the"], "top_k": 9}])
def test_answers_are_those_of_transformers(both, options):
    ours, theirs = both
    assert_alike(ours(TEXTS, **options), theirs(TEXTS, **options))
    assert_alike(ours(TEXTS[1], **options), theirs(TEXTS[1], **options))
