"""Data sets of the hub as files: a stand-in for the library `datasets` answers as it does."""

import json
import sys
import types
from pathlib import Path

import pytest

from albertkit.errors import InputError, MissingDependency
from albertkit.tasks import hub_datasets
from albertkit.tasks.hub_datasets import HubDataset


class ClassLabel:
    def __init__(self, *names):
        self.int2str = names.__getitem__


class Image:
    """A picture, which no task reads."""


class Sequence:
    def __init__(self, feature):
        self.feature = feature


class Rows(list):
    features = None

    def remove_columns(self, names):
        return [{name: value for name, value in row.items() if name not in names} for row in self]


def rows(features, *values):
    found = Rows(dict(zip(features, one, strict=True)) for one in values)
    found.features = features
    return found


SENTIMENT = {"sentence": None, "label": ClassLabel("bad", "good"), "poster": Image()}
TAGS = {"tokens": Sequence(None), "ner_tags": Sequence(ClassLabel("O", "B-LOC"))}
ANSWERS = {"answers": Sequence({"text": None, "kind": ClassLabel("short", "long")}), "when": None}
HUB = {
    ("films/reviews", "default"): {
        "train": rows(SENTIMENT, ("a \u2028 film", 1, b"x"), ("\u96ea", 0, b"y")),
        "dev_matched": rows(SENTIMENT, ("one", 1, b"z")),
        "test": rows(SENTIMENT, ("two", -1, b"z")),
    },
    ("glue", "sst2"): {"train": rows(SENTIMENT, ("x", 0, None))},
    ("glue", "mrpc"): {"train": rows(SENTIMENT, ("y", 0, None)), "empty": Rows()},
    ("owner/ner", "en"): {"train": rows(TAGS, (["In", "Rome"], [0, 1]))},
    ("owner/qa", "en"): {"train": rows(ANSWERS, ({"text": ["a"], "kind": [1]}, 1.5))},
}


def configs(name):
    if name == "far/away":
        raise ConnectionError("Couldn't reach it\nand more")
    if found := [config for known, config in HUB if known == name]:
        return found
    raise FileNotFoundError(f"Dataset '{name}' doesn't exist on the Hub")


def of(name, config):
    return HUB[name, config or configs(name)[0]]


@pytest.fixture(autouse=True)
def library(monkeypatch):
    module = types.ModuleType("datasets")
    module.get_dataset_config_names = configs
    module.get_dataset_split_names = lambda name, config: list(of(name, config))
    module.load_dataset = lambda name, config, *, split, streaming: of(name, config)[split]
    monkeypatch.setitem(sys.modules, "datasets", module)
    return module


def written(named, split, folder, **options):
    path = hub_datasets.fetched(HubDataset.open(named), split, folder, lambda told: None, **options)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_rows_are_written_with_the_names_of_their_classes_and_without_pictures(tmp_path):
    assert written("films/reviews", "train", tmp_path) == [
        {"sentence": "a \u2028 film", "label": "good"},
        {"sentence": "\u96ea", "label": "bad"},
    ]
    assert written("films/reviews", "test", tmp_path) == [{"sentence": "two", "label": None}]
    assert len(written("films/reviews", "train", tmp_path, most=1)) == 1
    assert written("owner/ner", "train", tmp_path) == [{"tokens": ["In", "Rome"], "ner_tags": ["O", "B-LOC"]}]
    assert written("owner/qa", "train", tmp_path) == [{"answers": {"text": ["a"], "kind": ["long"]}, "when": 1.5}]


@pytest.mark.parametrize(
    ("named", "name", "config"),
    [
        ("films/reviews", "films/reviews", ""),
        ("films/reviews/default", "films/reviews", "default"),
        ("glue/sst2", "glue", "sst2"),
        ("owner/ner", "owner/ner", ""),
    ],
)
def test_a_name_may_have_an_owner_and_a_configuration(named, name, config):
    found = HubDataset.open(named)
    assert (found.name, found.config) == (name, config)


def test_the_split_for_validation_is_found_and_never_a_test():
    assert HubDataset.open("films/reviews").held_out == "dev_matched"
    assert HubDataset.open("owner/ner").held_out == ""


@pytest.mark.parametrize(
    ("named", "split", "why"),
    [
        ("glue", "train", r"configuration of a data set must be named. glue has sst2, mrpc. .* glue/sst2"),
        ("glue/sst3", "train", r"glue has sst2, mrpc. Received: 'sst3'. Did you mean `sst2`"),
        (
            "no/such",
            "train",
            r"must be on the hub, or a folder of data files. Received: 'no'.*name that file in its place",
        ),
        ("far/away", "train", r"needs a network.*ConnectionError: Couldn't reach it. Check the network"),
        ("films/reviews", "train2", r"has train, dev_matched, test. Received: 'train2'. Did you mean `train`"),
        ("glue/mrpc", "empty", r"must hold at least one row. glue/mrpc, empty, holds none"),
        ("", "train", r"is called NAME or NAME/CONFIG. Received: ''"),
        ("../x", "train", r"is called NAME or NAME/CONFIG"),
    ],
)
def test_what_cannot_be_read_is_told_with_a_way_out(tmp_path, named, split, why):
    with pytest.raises(InputError, match=why):
        written(named, split, tmp_path)


def test_what_breaks_on_the_way_leaves_no_file(tmp_path, library):
    def broken():
        yield {"text": "a"}
        raise TimeoutError("the connection is gone")

    class Stream:
        features = None
        __iter__ = staticmethod(broken)

    library.load_dataset = lambda *_, **__: Stream()
    with pytest.raises(InputError, match=r"Reading 'films/reviews' failed: TimeoutError: the connection is gone."):
        written("films/reviews", "train", tmp_path)
    assert not [*tmp_path.iterdir()]


def test_files_are_there_while_they_are_asked_for():
    with hub_datasets.files_of("films/reviews", {"train": "train", "eval": ""}, lambda told: None) as (_, files):
        assert "dev_matched" in files["eval"]
        assert "bad" in Path(files["train"]).read_text(encoding="utf-8")
    assert not Path(files["train"]).exists()


def test_without_the_library_its_installation_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingDependency, match=r"pip install \"albertkit\[datasets\]\""):
        HubDataset.open("films/reviews")
