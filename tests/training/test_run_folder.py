"""Whose a folder is: when a run may begin or go on there, and while one does."""

import errno
from types import SimpleNamespace

import pytest

from albertkit import weight_table
from albertkit.checkpoint import init
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError, ConfigError
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer
from albertkit.training import run_folder
from albertkit.training.initial_state import InitialState
from albertkit.training.pretrain_recipe import PretrainRecipe
from albertkit.training.recipe import FinetuneRecipe

RECIPE = FinetuneRecipe.load(None, {})


def test_while_a_run_goes_on_no_other_may_begin_or_go_on_or_overwrite_it(tmp_path):
    with run_folder.locked(RECIPE, tmp_path, resume=False):
        (tmp_path / "checkpoints" / "step-00000001").mkdir()
        for resume, overwrite in ((False, False), (True, False), (False, True)):
            with pytest.raises(CheckpointError, match="Another one works in"):
                run_folder.require_usable(RECIPE, tmp_path, resume, overwrite)
        with pytest.raises(CheckpointError, match="Another one works in"), run_folder.locked(RECIPE, tmp_path, False):
            pass
        assert (tmp_path / "checkpoints" / "step-00000001").exists()
    run_folder.require_usable(RECIPE, tmp_path, resume=True, overwrite=False)


def test_a_new_run_forgets_an_older_one_and_nothing_that_a_person_put_there(tmp_path, caplog):
    old = (
        "checkpoints/step-00000004/state.json",
        "checkpoints/best/model.safetensors",
        "tensorboard/events.out.tfevents.1.host",
        "log.jsonl",
        "config.json",
    )
    own = ("checkpoints/notes.txt", "checkpoints/models/model.safetensors", "checkpoints/step-00000004/notes.txt")
    own += ("tensorboard/notes.txt",)
    for resume in (True, False):
        for name in old:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("{}")
        for name in own:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("mine")
        caplog.clear()
        with run_folder.locked(RECIPE, tmp_path, resume):
            left = [name for name in old if (tmp_path / name).exists()]
            assert left == (list(old) if resume else ["config.json"])
            assert [(tmp_path / name).read_text() for name in own] == ["mine"] * len(own)
            assert ("no run wrote it: models, notes.txt, step-00000004" in caplog.text) == (not resume)
    assert FinetuneRecipe.load(run_folder.begun(tmp_path), {}) == RECIPE


@pytest.mark.parametrize("name", ["tensorboard", "evaluations.csv", "model-00001-of-00002.safetensors"])
def test_what_a_run_would_replace_is_not_replaced_unasked(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match=rf"only with --overwrite.*holds {name}"):
        run_folder.require_usable(RECIPE, tmp_path, resume=False, overwrite=False)
    run_folder.require_usable(RECIPE, tmp_path, resume=False, overwrite=True)


PERSONS = ("tf_model_notes.txt", "pytorch_model.md", "flax_models", "model-best-of-3.safetensors")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "checkpoints/best"])
@pytest.mark.parametrize("ending", ["", ".index.json"])
def test_a_model_of_another_format_is_not_removed_unasked(tmp_path, name, ending):
    if name == "checkpoints/best":
        (tmp_path / "checkpoints" / "best").mkdir(parents=True)
    else:
        name += ending
        (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match=rf"only with --overwrite.*holds {name}"):
        run_folder.require_usable(RECIPE, tmp_path, resume=False, overwrite=False)
    run_folder.require_usable(RECIPE, tmp_path, resume=False, overwrite=True)


def test_a_save_that_was_cut_off_is_not_replaced_unasked(tmp_path):
    for part in ("files", "head", "stale"):
        (tmp_path / ".albertkit-commit" / part).mkdir(parents=True)
    (tmp_path / ".albertkit-commit" / "head" / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"only with --overwrite.*holds config\.json"):
        run_folder.require_usable(RECIPE, tmp_path, resume=False, overwrite=False)


def test_what_a_run_removes_at_its_end_are_files_of_models_alone(tmp_path):
    models = (
        "pytorch_model.bin",
        "pytorch_model-00001-of-00002.bin",
        "tf_model.h5",
        "model-00001-of-00003.safetensors",
    )
    for name in (*PERSONS, *models, "spiece.model"):
        (tmp_path / name).write_text("old")
    with run_folder.storage.atomic_replace(tmp_path, "config.json", run_folder.STALE) as staging:
        (staging / "config.json").write_text("{}")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*PERSONS, "config.json"])


def test_an_output_whose_name_is_too_long_is_explained(tmp_path):
    with pytest.raises(CheckpointError, match="File name too long"):
        run_folder.require_usable(RECIPE, tmp_path / ("x" * 300), resume=False, overwrite=False)


@pytest.mark.parametrize("keep_state", [False, True])
def test_a_crash_while_checkpoints_are_cleared_away_leaves_no_unfinished_run(tmp_path, monkeypatch, keep_state):
    config = AlbertConfig.base(vocab_size=60, hidden_size=16, intermediate_size=16, num_attention_heads=2)
    plan = SimpleNamespace(head="Model", metric="loss", keep_state=keep_state)
    monkeypatch.setattr(run_folder.model_card, "environment", dict)
    monkeypatch.setattr(run_folder.reporter, "write_table", lambda *_: None)
    monkeypatch.setattr(run_folder.reporter, "draw_curves", lambda *_: None)
    tensors = init.initialize(weight_table.expected(config, "Model"), config, 0)
    vocabulary = tmp_path / "vocabulary.txt"
    vocabulary.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nword")
    start = InitialState(config, AlbertWordPieceTokenizer(vocabulary), tensors, True, [])

    def crash(path, patterns):
        assert path.name == "step-00000001"
        raise KeyboardInterrupt

    with run_folder.locked(RECIPE, tmp_path, resume=False):
        for step in (1, 2):
            (tmp_path / "checkpoints" / f"step-0000000{step}").mkdir()
        monkeypatch.setattr(run_folder.storage, "remove_named", crash)
        with pytest.raises(KeyboardInterrupt):
            run_folder.finish(tmp_path, RECIPE, RECIPE, plan, start, tensors, {"step": 1}, "card")
    monkeypatch.undo()
    assert (tmp_path / "model.safetensors").exists()
    with pytest.raises(ConfigError, match="no run was cut off there"):
        run_folder.require_usable(RECIPE, tmp_path, resume=True, overwrite=False)
    with run_folder.locked(RECIPE, tmp_path, resume=False):
        assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["recipe.toml"]


def test_a_disk_that_is_full_at_the_end_says_how_to_go_on(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_folder.files, "write", full)
    plan = SimpleNamespace(head="Model", metric="loss")
    with (
        run_folder.locked(RECIPE, tmp_path, resume=False),
        pytest.raises(CheckpointError, match=r"disk is full.*not lost: make room.*--resume"),
    ):
        run_folder.finish(tmp_path, RECIPE, RECIPE, plan, SimpleNamespace(config=None), {}, {"step": 1}, "card")
    assert run_folder.begun(tmp_path)


def test_what_killed_processes_left_is_cleared_when_a_run_begins_or_goes_on(tmp_path):
    for resume in (False, True):
        for place in (tmp_path, tmp_path / "checkpoints"):
            (place / ".albertkit-save-dead" / "files").mkdir(parents=True)
            (place / ".albertkit-write-dead").write_text("half")
        with run_folder.locked(RECIPE, tmp_path, resume):
            assert not list(tmp_path.rglob(".albertkit-*"))


def test_what_a_save_of_a_checkpoint_left_when_it_was_killed_is_forgotten_with_it(tmp_path, caplog):
    for name in ("step-00000005", "best"):
        rest = tmp_path / "checkpoints" / name / ".albertkit-save-dead"
        for part in ("files", "head", "stale"):
            (rest / part).mkdir(parents=True)
        (rest / "files" / ".albertkit-write-dead").write_text("half")
        (rest / "files" / "model.safetensors").write_text("half")
    with run_folder.locked(RECIPE, tmp_path, resume=False):
        assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["recipe.toml"]
    assert "no run wrote it" not in caplog.text


def test_a_run_that_goes_on_with_another_guard_keeps_it(tmp_path):
    first, later = (PretrainRecipe.load(None, {"training.loss_spike_factor": spike}) for spike in (10.0, 0.0))
    for recipe, resume in ((first, False), (later, True)):
        with run_folder.locked(recipe, tmp_path, resume):
            pass
    assert PretrainRecipe.load(run_folder.begun(tmp_path), {}) == later


def test_a_run_of_another_kind_is_not_gone_on_with(tmp_path):
    with run_folder.locked(RECIPE, tmp_path, resume=False):
        pass
    with pytest.raises(ConfigError, match=r"`task`: .*'text-classification'"):
        run_folder.require_usable(PretrainRecipe.load(None, {}), tmp_path, resume=True, overwrite=False)
