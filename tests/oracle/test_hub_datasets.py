"""Data sets in the layout of the hub, read by the library `datasets` from a folder, with no network."""

import json

import pytest

from albertkit.errors import InputError
from albertkit.tasks import hub_datasets
from albertkit.tasks.hub_datasets import HubDataset

datasets = pytest.importorskip("datasets")

pytestmark = pytest.mark.oracle


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    label = datasets.ClassLabel(names=["O", "B-LOC"])
    texts = datasets.Features({"text": datasets.Value("string"), "label": label})
    tags = datasets.Features({"tokens": datasets.Sequence(datasets.Value("string")), "tags": datasets.Sequence(label)})
    for split, labels in (("train", [1, 0]), ("validation", [0]), ("test", [-1])):
        columns = {"text": [f"a {one}" for one in labels], "label": labels}
        datasets.Dataset.from_dict(columns, features=texts).to_parquet(tmp_path / "films" / f"{split}.parquet")
    columns = {"tokens": [["In", "Rome"]], "tags": [[0, 1]]}
    datasets.Dataset.from_dict(columns, features=tags).to_parquet(tmp_path / "ner" / "train.parquet")
    for name in ("one", "two"):
        (tmp_path / "several" / name).mkdir(parents=True)
        (tmp_path / "several" / name / "train.csv").write_text(f"text,label\n{name},1\n")
    listed = "".join(f"- config_name: {name}\n  data_files: {name}/train.csv\n" for name in ("one", "two"))
    (tmp_path / "several" / "README.md").write_text(f"---\nconfigs:\n{listed}---\n")
    return tmp_path


def rows(named, split, place):
    path = hub_datasets.fetched(HubDataset.open(str(named)), split, place, lambda told: None)
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_splits_configurations_and_classes_are_those_of_the_library(folder):
    films = HubDataset.open(str(folder / "films"))
    assert (films.splits, films.held_out) == (("train", "validation", "test"), "validation")
    assert rows(folder / "films", "train", folder / "d")[0] == {"text": "a 1", "label": "B-LOC"}
    assert rows(folder / "films", "test", folder / "d")[0] == {"text": "a -1", "label": None}
    assert rows(folder / "ner", "train", folder / "d") == [{"tokens": ["In", "Rome"], "tags": ["O", "B-LOC"]}]
    assert rows(folder / "several" / "two", "train", folder / "d") == [{"text": "two", "label": 1}]


def test_what_is_not_there_is_told(folder):
    with pytest.raises(InputError, match=r"has one, two. Name one behind it"):
        HubDataset.open(str(folder / "several"))
    with pytest.raises(InputError, match=r"has one, two. Received: 'three'"):
        HubDataset.open(str(folder / "several" / "three"))
    with pytest.raises(InputError, match=r"needs a network.*HF_HUB_OFFLINE"):
        HubDataset.open("nobody/nothing")
