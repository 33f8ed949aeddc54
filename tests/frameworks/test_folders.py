"""Folders that an earlier release wrote (tests/data/make_folders.py): every framework computes what it did."""

import numpy as np
import pytest

from albertkit.checkpoint import files
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks import common

TEXT = "The cat sat on 1,000 walls, 你好 <new>!"
HEADS = {
    "classifier": "ForSequenceClassification",
    "groups": "ForPreTraining",
    "untied": "ForMaskedLM",
    "half": "ForPreTraining",
    "answers": "Model",
    "trained": "ForSequenceClassification",
}


@pytest.mark.parametrize("name", HEADS)
def test_a_folder_of_an_earlier_release_computes_what_it_did(adapter, data, name):
    folder = data / "folders" / name
    with np.load(folder / "outputs.npz") as kept:
        expected = dict(kept)
    model = adapter.evaluating(adapter.load(HEADS[name], folder))
    found = adapter.outputs(model, {"input_ids": expected.pop("input_ids")})
    expected.pop("ids_of_text", None)
    assert expected
    for key, value in expected.items():
        assert common.difference(found[key], value) <= (1e-6 if adapter.name == "torch" else 1e-5), key


@pytest.mark.parametrize("name", ["classifier", "answers", "trained"])
def test_a_tokenizer_of_an_earlier_release_gives_the_same_ids(data, name):
    with np.load(data / "folders" / name / "outputs.npz") as kept:
        expected = kept["ids_of_text"].tolist()
    assert AlbertTokenizerFast.from_pretrained(data / "folders" / name)(TEXT)["input_ids"] == expected


def test_what_an_earlier_release_said_of_a_model_is_kept(data):
    config = files.load(data / "folders" / "classifier").config
    assert list(config.id2label.values()) == ["bad", "fair", "good"]
    assert config.architectures == ["AlbertForSequenceClassification"]
    assert "gelu_new" in " ".join(files.load(data / "folders" / "half").notes)
