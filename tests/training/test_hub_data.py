"""A run on a data set of the hub: its rows become files of the run's folder, once."""

import io
from pathlib import Path

import pytest
from rich.console import Console

pytest.importorskip("pydantic")

from albertkit.errors import InputError
from albertkit.tasks import hub_datasets
from albertkit.training import hub_data
from albertkit.training.recipe import FinetuneRecipe


class Process:
    def __init__(self, rank=0):
        self.rank = lambda: rank

    def broadcast(self, value):
        return value


@pytest.fixture(autouse=True)
def fetched(monkeypatch):
    """What was fetched, in the place of a hub."""
    found = []

    def write(dataset, split, path, most=0):
        found.append((str(dataset), split, most))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{{"text": "{split}", "label": "a"}}\n')
        return 1

    def opened(named):
        if "/" not in named:
            raise InputError("There is no such data set.")
        return hub_datasets.HubDataset(named, "", ("train", "validation", "test"))

    monkeypatch.setattr(hub_datasets.HubDataset, "write", write)
    monkeypatch.setattr(hub_datasets.HubDataset, "open", staticmethod(opened))
    return found


def located(folder, rank=0, **data):
    """The recipe with its files, and what is said."""
    said = io.StringIO()
    recipe = FinetuneRecipe.load(None, {f"data.{name}": value for name, value in data.items()})
    return hub_data.located(recipe, folder, Process(rank), Console(file=said, width=300)), said.getvalue()


def test_both_splits_become_files_and_are_fetched_once(tmp_path, fetched):
    recipe, said = located(tmp_path, hub_dataset="owner/films", hub_config="en")
    assert Path(recipe.data.train).read_text() == '{"text": "train", "label": "a"}\n'
    assert "validation" in Path(recipe.data.eval).read_text()
    assert fetched == [("owner/films/en", "train", 0), ("owner/films/en", "validation", 0)]
    assert "Splits of owner/films/en that are not read: test." in said
    again, said = located(tmp_path, rank=1, hub_dataset="owner/films", hub_config="en")
    assert again.data == recipe.data
    assert f"Rows of owner/films in {tmp_path / 'data'}: delete that folder" in said
    located(tmp_path, hub_dataset="owner/films", hub_config="en", train_split="test", max_train_samples=5)
    assert fetched[2:] == [("owner/films/en", "test", 0), ("owner/films/en", "validation", 0)]


def test_no_more_rows_are_fetched_than_are_trained_on_where_none_can_be_left_out(tmp_path, fetched):
    more = {"hub_dataset": "owner/films", "eval_split": "test", "max_train_samples": 5, "max_eval_samples": 3}
    located(tmp_path, **more)
    located(tmp_path, **more, skip_bad_rows=True)
    assert [most for *_, most in fetched] == [5, 3, 0, 3]


def test_a_file_to_evaluate_on_goes_with_a_data_set_to_train_on(tmp_path, fetched):
    recipe, _ = located(tmp_path, hub_dataset="owner/films", eval="dev.csv")
    assert recipe.data.eval == "dev.csv"
    assert [split for _, split, _ in fetched] == ["train"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"hub_dataset": "a/b", "train": "t.csv"}, r"Leave out --train or --hub-dataset"),
        ({"hub_dataset": "a/b", "eval": "t.csv", "eval_split": "x"}, r"Leave out --eval or --eval-split"),
        ({"train": "t.csv", "eval_split": "x"}, r"those of a data set of the hub. Received them without one"),
        ({"train": "t.csv", "train_split": "x"}, r"those of a data set of the hub. Received them without one"),
        ({"hub_dataset": "none"}, r"no such data set"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, data, why):
    with pytest.raises(InputError, match=why):
        located(tmp_path, **data)


def test_files_alone_stay_as_they_are(tmp_path):
    recipe, said = located(tmp_path, train="t.csv")
    assert (recipe.data.train, said) == ("t.csv", "")
