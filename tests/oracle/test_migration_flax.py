"""What docs/migration.md says of the Flax classes of Transformers 4.57. Run by `make oracle-frameworks`."""

import inspect

import numpy as np
import pytest

pytest.importorskip("jax")
transformers = pytest.importorskip("transformers")

from frameworks.common import SMALL  # noqa: E402
from migration_page import Claims  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.flax]

claims = Claims("From the TensorFlow and Flax classes")
IDS = np.array([[2, 17, 9, 31, 3], [2, 5, 40, 3, 0]])


def made(head, **changes):
    keys = {**SMALL, "initializer_range": 0.5, **changes}
    return getattr(transformers, f"FlaxAlbert{head}")(transformers.AlbertConfig(**keys))


@claims("Flax: no losses")
@claims("Flax: no `inputs_embeds` and head mask")
def test_neither_labels_nor_embeddings_nor_head_masks_are_taken():
    taken = set(inspect.signature(transformers.FlaxAlbertForMaskedLM.__call__).parameters)
    assert not {"labels", "inputs_embeds", "head_mask"} & taken
    assert "loss" not in made("ForMaskedLM")(IDS)


@claims("Flax: no resizing")
def test_the_vocabulary_cannot_be_resized():
    assert not hasattr(transformers.FlaxAlbertForMaskedLM, "resize_token_embeddings")


@claims("Flax: no gradient checkpointing")
def test_gradient_checkpointing_is_refused():
    with pytest.raises(NotImplementedError):
        made("ForMaskedLM").enable_gradient_checkpointing()


@claims("Flax: NaN for ids outside the vocabulary and texts that are too long")
def test_what_lies_outside_is_not_a_number():
    model = made("Model")
    assert np.isnan(model(np.array([[2, 61, 3]])).last_hidden_state).any()
    assert np.isnan(model(np.ones((1, 17), np.int32)).last_hidden_state).any()


@claims("Flax: heads start from another distribution")
def test_heads_do_not_start_by_the_initializer_range():
    kernel = np.asarray(made("ForTokenClassification", num_labels=500).params["classifier"]["kernel"])
    words = np.asarray(made("Model").params["embeddings"]["word_embeddings"]["embedding"])
    assert kernel.std() < 0.3 < words.std()


@claims("TF and Flax weights in PyTorch classes silently leave a model without values")
def test_flax_weights_leave_a_pytorch_model_without_values(tmp_path):
    pytest.importorskip("torch")
    made("ForMaskedLM").save_pretrained(tmp_path, safe_serialization=True)
    model = transformers.AlbertForMaskedLM.from_pretrained(tmp_path)
    assert any(parameter.is_meta for parameter in model.parameters())


def test_every_row_has_a_check():
    mine = [row for row in claims.unchecked() if row.startswith(("Flax:", "TF and Flax"))]
    assert mine == []
