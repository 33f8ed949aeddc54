"""The loop: schedule, evaluation, best weights, averaging, stopping, checkpoints, resuming."""

import dataclasses
import errno
import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

pytest.importorskip("torch")

import itertools

from albertkit import weight_table
from albertkit.backends import OptimizerSettings
from albertkit.batches import PaddedBatch
from albertkit.checkpoint import init
from albertkit.errors import Interrupted, TrainingError
from albertkit.tasks.features import Features
from albertkit.tasks.text_classification.task import TextClassification
from albertkit.training import estimate, loop, run_checkpoints
from albertkit.training.backends import train_backend
from albertkit.training.ema import MovingAverage
from albertkit.training.finetune_batches import FinetuneBatches
from albertkit.training.loss_spikes import NORMS
from albertkit.training.schedule import Schedule, scaled_learning_rate
from frameworks.common import small

pytestmark = pytest.mark.torch

CONFIG = small(num_labels=2, initializer_range=0.1, hidden_dropout_prob=0.1)
HEAD = "ForSequenceClassification"


class Recorder:
    def __init__(self, stop_at: int = 0):
        self.steps, self.evaluations, self.notes, self.stop_at = [], [], [], stop_at

    def on_step(self, record):
        self.steps.append(record)
        if record["step"] == self.stop_at:
            raise KeyboardInterrupt

    def on_evaluation(self, record):
        self.evaluations.append(record)

    def on_message(self, text):
        self.notes.append(text)


def data(count=40):
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, count)
    ids = [[2, *rng.integers(5, 30, rng.integers(1, 8)), 40 + int(target), 3] for target in targets]
    features = Features(ids, [[0] * len(row) for row in ids], {"labels": targets})
    return FinetuneBatches(features, TextClassification().collate, 8, 0, pad_id=0, unknown_id=1)


def with_labels(labels):
    batches = data()
    return dataclasses.replace(batches, features=dataclasses.replace(batches.features, labels={"labels": labels}))


def plan(**changes):
    steps = changes.pop("steps", 20)
    settings = {
        "backend": train_backend("torch"),
        "config": CONFIG,
        "head": HEAD,
        "tensors": init.initialize(weight_table.expected(CONFIG, HEAD), CONFIG, 0),
        "optimizer": OptimizerSettings(),
        "schedule": Schedule(5e-3, steps, 2),
        "seed": 0,
        "evaluate_every": 5,
        "metric": "score",
        "fingerprint": "same",
    }
    return loop.Plan(**{**settings, **changes})


def scores(values):
    """An evaluation that gives these scores in turn."""
    left = iter(values)
    return lambda forward: {"score": next(left)}


def counting(forward):
    """An evaluation whose score is the mean logit: it depends on the weights."""
    return {"score": float(forward(PaddedBatch(np.array([[2, 9, 3]])))["logits"].mean())}


def run(folder, recorder=None, evaluate=counting, **changes):
    return loop.train(plan(**changes), data(), evaluate, folder, recorder or Recorder())


@pytest.mark.parametrize(
    ("shape", "power", "last"),
    [
        ("linear", 1.0, 0.1),
        ("polynomial", 1.0, 0.1),
        ("polynomial", 2.0, 0.01),
        ("polynomial", 0.5, 0.316),
        ("cosine", 1.0, 0.0245),
        ("constant", 1.0, 1.0),
    ],
)
def test_the_rate_rises_and_then_takes_its_course(shape, power, last):
    schedule = Schedule(1.0, 14, 4, shape, power)
    rates = [schedule(step) for step in range(14)]
    np.testing.assert_allclose(rates[:4], [0.25, 0.5, 0.75, 1.0])
    assert rates[4] == 1.0
    assert all(a >= b for a, b in itertools.pairwise(rates[4:]))
    assert rates[-1] == pytest.approx(last, abs=1e-3)


def test_the_clock_of_the_descent_may_run_from_step_0_as_in_the_original():
    schedule = Schedule(1.0, 10, 4, "polynomial", decay_from_zero=True)
    rates = [schedule(step) for step in range(10)]
    np.testing.assert_allclose(rates, [0.25, 0.5, 0.75, 1.0, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    squared = Schedule(1.0, 10, 4, "polynomial", 2.0, decay_from_zero=True)
    np.testing.assert_allclose([squared(step) for step in (4, 9)], [0.36, 0.01])


def test_without_warm_up_both_clocks_agree():
    one, other = (Schedule(3.0, 7, 0, "polynomial", 1.5, decay_from_zero) for decay_from_zero in (False, True))
    assert [one(step) for step in range(7)] == [other(step) for step in range(7)]
    assert one(0) == 3.0


def test_the_rate_goes_with_the_root_of_the_batch_size():
    assert scaled_learning_rate(0.00176, 1024, 4096) == pytest.approx(0.00088)
    assert scaled_learning_rate(1e-3, 128, 32) == pytest.approx(2e-3)
    assert scaled_learning_rate(1e-3, 32, 32) == 1e-3


def test_every_step_and_evaluation_is_told(tmp_path):
    recorder = Recorder()
    run(tmp_path, recorder)
    assert [record["step"] for record in recorder.steps] == list(range(1, 21))
    assert [record["step"] for record in recorder.evaluations] == [5, 10, 15, 20]
    assert recorder.steps[0]["learning_rate"] == 2.5e-3
    counted = [sum(part.tokens for part in batch) for batch in data().epoch(0)]
    assert [record["tokens"] for record in recorder.steps[:5]] == counted


def test_a_step_takes_the_time_that_it_waits_for_its_batch(tmp_path, monkeypatch):
    real, recorder = FinetuneBatches.batch, Recorder()

    def slow(*args):
        time.sleep(0.05)
        return real(*args)

    monkeypatch.setattr(FinetuneBatches, "batch", slow)
    run(tmp_path, recorder, steps=3)
    assert all(record["seconds"] > 0.05 for record in recorder.steps)


def test_the_weights_with_the_best_score_come_back(tmp_path):
    kept = []

    def evaluate(forward):
        kept.append(counting(forward)["score"])
        return {"score": [1.0, 3.0, 2.0, 3.0][len(kept) - 1]}

    tensors, progress = run(tmp_path, evaluate=evaluate)
    assert (progress.best_step, progress.best_score) == (10, 3.0)
    assert [e["score"] for e in progress.evaluations] == [1.0, 3.0, 2.0, 3.0]
    _, again = run(tmp_path / "other", evaluate=counting, tensors=tensors, schedule=Schedule(0.0, 1, 0))
    assert again.best_score == pytest.approx(kept[1], abs=1e-6)


def test_of_an_error_the_least_is_best(tmp_path):
    _, progress = run(tmp_path, evaluate=scores([3, 1, 2, 2]), lower_is_better=True)
    assert progress.best_step == 10


def test_weights_whose_scores_are_not_finite_are_not_kept(tmp_path):
    with pytest.raises(TrainingError, match=r"must be finite\. At step 10: score nan\. .*of step 5, are in"):
        run(tmp_path, evaluate=scores([1, np.nan]))
    assert json.loads((tmp_path / "best" / "state.json").read_text())["step"] == 5


def test_patience_stops_the_run(tmp_path):
    recorder = Recorder()
    _, progress = run(tmp_path, recorder, scores([0.5, 0.4, 0.5, 0.9]), patience=2)
    assert progress.step == 15
    assert "no better score for 2 evaluations" in recorder.notes[-1]


@pytest.mark.parametrize("stop", [3, 7, 13])
@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_a_resumed_run_is_the_run_that_was_never_cut_off(tmp_path, stop, ema_decay):
    changes = {"ema_decay": ema_decay, "save_every": 4, "gradient_accumulation": 2}
    whole, straight = Recorder(), run(tmp_path / "whole", **changes)
    whole_run = loop.train(plan(**changes), data(), counting, tmp_path / "again", whole)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", Recorder(stop_at=stop), **changes)
    later = Recorder()
    tensors, progress = run(tmp_path / "cut", later, **changes)
    assert [r["loss"] for r in later.steps] == [r["loss"] for r in whole.steps[-len(later.steps) :]]
    assert len(later.steps) == 20 - stop // 4 * 4
    assert progress == straight[1] == whole_run[1]
    for name, values in straight[0].items():
        np.testing.assert_array_equal(tensors[name], values, err_msg=name)


def cut(folder):
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:100])


def forget(folder):
    (folder / "optimizer.safetensors").unlink()


def hide(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()


def garble(folder):
    (folder / "state.json").write_text('{"fingerprint": "same", "steps": 8}')


def flip(folder):
    content = bytearray((folder / "optimizer.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "optimizer.safetensors").write_bytes(content)


@pytest.mark.parametrize("damage", [cut, forget, hide, garble, flip])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, damage):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Recorder(stop_at=9), save_every=4)
    newest = tmp_path / "step-00000008"
    damage(newest)
    recorder = Recorder()
    run(tmp_path, recorder, save_every=4)
    assert "step-00000008 is damaged" in recorder.notes[0]
    assert recorder.notes[0].endswith("trying step-00000004.")
    assert recorder.notes[1] == "Resumed from step-00000004."
    assert recorder.steps[0]["step"] == 5
    whole = Recorder()
    run(tmp_path / "whole", whole, save_every=4)
    assert [record["loss"] for record in recorder.steps] == [record["loss"] for record in whole.steps[4:]]


def test_best_weights_that_are_damaged_are_noticed_at_the_start_and_replaced(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Recorder(stop_at=9), scores([0.9]), save_every=4)
    cut(tmp_path / "best")
    recorder = Recorder()
    tensors, progress = run(tmp_path, recorder, scores([0.5, 0.4, 0.3]), save_every=4)
    assert "best is damaged" in recorder.notes[0]
    assert progress.best_step == 10
    assert tensors


def test_best_weights_that_are_damaged_while_the_run_goes_on_are_not_returned(tmp_path):
    class Breaking(Recorder):
        def on_step(self, record):
            if record["step"] == 12:
                cut(tmp_path / "best")

    with pytest.raises(TrainingError, match=r"as they were written.*Resume the run"):
        run(tmp_path, Breaking(), scores([0.9, 0.5, 0.4, 0.3]), save_every=4)
    recorder = Recorder()
    _, progress = run(tmp_path, recorder, scores([0.2]), save_every=4)
    assert progress.best_step == 20


def test_the_step_that_is_reported_is_that_of_the_weights_that_come_back(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Recorder(stop_at=11), scores([0.5, 0.9]), save_every=8)  # the best are newer than the checkpoint
    kept = safetensors.numpy.load_file(tmp_path / "best" / "model.safetensors")
    tensors, progress = run(tmp_path, Recorder(), scores([0.4, 0.3, 0.2]), save_every=8)  # as if on another machine
    assert progress.best_step == 10
    assert [e for e in progress.evaluations if e["step"] == 10] == [{"step": 10, "score": 0.9}]
    for name, values in kept.items():
        np.testing.assert_array_equal(tensors[name], values, err_msg=name)


def test_a_checkpoint_is_json_before_anything_was_evaluated(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Recorder(stop_at=4), save_every=2)
    text = (tmp_path / "step-00000002" / "state.json").read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_an_old_checkpoint_that_cannot_be_removed_ends_no_run(tmp_path, monkeypatch):
    real = run_checkpoints.storage.remove_named

    def failing(path, patterns):
        if Path(path).name == "step-00000004":
            raise OSError(errno.EBUSY, "Device or resource busy")
        return real(path, patterns)

    monkeypatch.setattr(run_checkpoints.storage, "remove_named", failing)
    recorder = Recorder()
    _, progress = run(tmp_path, recorder, save_every=4)
    assert (progress.step, recorder.notes) == (20, [])
    assert sorted(path.name for path in tmp_path.glob("step-*"))[:2] == ["step-00000004", "step-00000012"]


def test_where_all_checkpoints_are_damaged_the_run_begins_anew_and_says_so(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Recorder(stop_at=7), save_every=4)
    cut(tmp_path / "step-00000004")
    recorder = Recorder(stop_at=3)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, recorder, save_every=4)
    assert recorder.notes[0].endswith("there is no other: the run begins anew.")
    assert recorder.steps[0]["step"] == 1
    assert (tmp_path / "step-00000004" / "optimizer.safetensors").exists()  # it is not for the run to throw away


def test_without_its_running_mean_a_checkpoint_is_damaged(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Recorder(stop_at=9), save_every=4, ema_decay=0.9)
    (tmp_path / "step-00000008" / "ema.safetensors").unlink()
    recorder = Recorder()
    run(tmp_path, recorder, save_every=4, ema_decay=0.9)
    assert recorder.notes[1] == "Resumed from step-00000004."


def test_only_two_checkpoints_are_kept(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Recorder(stop_at=19), save_every=2)
    assert sorted(p.name for p in tmp_path.glob("step-*")) == ["step-00000016", "step-00000018"]


def test_a_run_of_another_recipe_is_not_continued(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Recorder(stop_at=9), save_every=4)
    with pytest.raises(TrainingError, match="may only be resumed with the recipe and data it began with"):
        run(tmp_path, save_every=4, fingerprint="other")
    assert (tmp_path / "step-00000008").is_dir()


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_what_was_good(tmp_path):
    config = small(num_labels=1)
    third = [int(label) for label in list(with_labels(np.arange(40)).epoch(0))[2][0].labels]
    poisoned = with_labels(np.where(np.arange(40) == third[0], np.nan, 0.5).astype(np.float32))
    changes = {
        "config": config,
        "tensors": init.initialize(weight_table.expected(config, HEAD), config, 0),
        "evaluate_every": 1,
    }
    with pytest.raises(TrainingError, match=r"must stay finite\. At step 3: loss nan.*smaller learning rate") as caught:
        loop.train(plan(**changes), poisoned, counting, tmp_path, Recorder())
    assert "the last checkpoint is" in str(caught.value)
    assert "step-00000002" in str(caught.value)
    assert json.loads((tmp_path / "step-00000002" / "state.json").read_text())["step"] == 2
    kept = safetensors.numpy.load_file(tmp_path / "step-00000002" / "model.safetensors")
    assert all(np.isfinite(values).all() for values in kept.values())


@pytest.mark.parametrize("what", ["step-00000008", "best"])
def test_a_full_disk_costs_a_checkpoint_and_nothing_else(tmp_path, monkeypatch, what):
    whole = run(tmp_path / "whole", save_every=4)
    real, refused = safetensors.numpy.save_file, []

    def failing(tensors, path, *rest):
        if what in str(path) and len(refused) < 8:
            refused.append(path)
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(tensors, path, *rest)

    monkeypatch.setattr(safetensors.numpy, "save_file", failing)

    class Looking(Recorder):
        def on_step(self, record):
            if record["step"] == 9:
                self.seen = sorted(path.name for path in folder.glob("step-*"))

    folder, recorder = tmp_path / "full", Looking()
    tensors, progress = run(folder, recorder, save_every=4)
    assert refused
    assert "the disk is full" in recorder.notes[0]
    assert "Training goes on" in recorder.notes[0]
    assert ("in memory alone" in recorder.notes[0]) == (what == "best")
    assert recorder.seen == ["step-00000004"]
    assert progress == whole[1]
    for name, values in whole[0].items():
        np.testing.assert_array_equal(tensors[name], values, err_msg=name)


def test_a_run_cut_off_after_the_disk_was_full_goes_on_from_the_checkpoint_before(tmp_path, monkeypatch):
    real = safetensors.numpy.save_file

    def failing(tensors, path, *rest):
        if "step-00000008" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(tensors, path, *rest)

    monkeypatch.setattr(safetensors.numpy, "save_file", failing)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Recorder(stop_at=10), save_every=4)
    recorder = Recorder()
    run(tmp_path, recorder, save_every=4)
    assert recorder.notes[0] == "Resumed from step-00000004."


def test_best_weights_that_the_disk_did_not_take_are_written_with_the_next_checkpoint(tmp_path, monkeypatch):
    real, given = safetensors.numpy.save_file, {"save_every": 4}
    whole = run(tmp_path / "whole", evaluate=scores([3, 1, 1, 1]), **given)

    def failing(tensors, path, *rest):
        if Path(path).parents[1].name == "best":
            monkeypatch.setattr(safetensors.numpy, "save_file", real)
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(tensors, path, *rest)

    monkeypatch.setattr(safetensors.numpy, "save_file", failing)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", Recorder(stop_at=9), scores([3]), **given)
    tensors, progress = run(tmp_path / "cut", evaluate=scores([1, 1, 1]), **given)
    assert progress == whole[1]
    for name, values in whole[0].items():
        np.testing.assert_array_equal(tensors[name], values, err_msg=name)


class Leaping:
    """A backend whose gradient norms are these in turn, and which says which steps it took."""

    number, begun, told = 0, 0, 0

    def __init__(self, norms):
        self.norms, self.taken, self.seeds, self.put = norms, [], [], []

    def rank(self):
        return self.number

    def world_size(self):
        return self.number + 1

    def broadcast(self, value):
        """Rank 0 says first where the run begins, then that the best weights are there, and wishes nothing later."""
        self.told += 1
        return ([self.begun, 1] + [0] * self.told)[self.told - 1] if self.number else value

    def init_state(self, *_, **__):
        return self

    def train_step(self, _state, _batches, _rate, seed, skip_above=np.inf):
        self.seeds.append(seed)
        norm = self.norms[len(self.taken)]
        self.taken.append(bool(np.isfinite(norm) and norm <= skip_above))
        return {"loss": 1.0, "gradient_norm": norm}

    def get_weights(self, _state):
        """The number of steps so far."""
        return {"w": np.full(1, len(self.taken), np.float32)}

    def set_weights(self, _state, tensors):
        self.put += tensors.get("w", np.zeros(0)).tolist()

    get_optimizer, set_optimizer = get_weights, set_weights


def leap(folder, norms, **changes):
    backend, recorder = Leaping(norms), Recorder()
    _, progress = run(
        folder,
        recorder,
        lambda _: {"score": 0.0},
        backend=backend,
        steps=len(norms),
        evaluate_every=len(norms),
        **changes,
    )
    return backend.taken, recorder.notes, progress


def test_every_step_has_a_seed_of_its_own_that_the_run_decides(tmp_path):
    drawn = []
    for number, seed in enumerate((0, 0, 1)):
        backend = Leaping([1.0] * 20)
        run(tmp_path / str(number), evaluate=lambda _: {"score": 0.0}, seed=seed, backend=backend)
        drawn.append(backend.seeds)
    assert drawn[0] == drawn[1]
    assert len({*drawn[0], *drawn[2]}) == 40


def test_the_running_mean_is_short_at_first_and_of_its_decay_later(tmp_path):
    backend = Leaping([1.0] * 20)
    run(tmp_path, evaluate=lambda _: {"score": 0.0}, ema_decay=0.5, backend=backend)
    mean, expected = 1.0, []
    for step in range(2, 21):
        mean += (1 - min(0.5, (1 + step) / (10 + step))) * (step - mean)
        if step % 5 == 0:
            expected += [mean, step]  # is evaluated, and then training goes on with the weights themselves
    np.testing.assert_allclose(backend.put, expected, rtol=1e-6)


def test_a_step_whose_gradient_leaps_is_left_out_and_told(tmp_path):
    norms = [*[2.0] * NORMS, 19.9, 20.1, np.nan, 2.0]
    taken, notes, progress = leap(tmp_path, norms, loss_spike_factor=10.0, max_skipped_steps=2)
    assert taken == [True] * (NORMS + 1) + [False, False, True]
    assert notes[0] == f"Step {NORMS + 2} was skipped: loss 1, gradient_norm 20.1 where 2 is usual."
    assert (progress.spikes.skipped, progress.spikes.skipped_in_a_row) == (2, 0)
    assert len(progress.spikes.norms) == NORMS
    assert 20.1 not in progress.spikes.norms


def test_too_many_leaps_in_a_row_stop_the_run(tmp_path):
    with pytest.raises(TrainingError, match=r"The gradient must not leap\. At step 103.*where 1 is usual"):
        leap(tmp_path, [1.0] * NORMS + [50.0] * 3 + [1.0], loss_spike_factor=10.0, max_skipped_steps=2)


def test_before_enough_is_known_and_without_a_limit_nothing_is_a_leap(tmp_path):
    taken, _, _ = leap(tmp_path / "a", [1.0] * (NORMS - 1) + [99.0], loss_spike_factor=10.0)
    assert all(taken)
    taken, _, _ = leap(tmp_path / "b", [1.0] * NORMS + [99.0])
    assert all(taken)


def second(folder, begun):
    """The run of a second process, whose first one goes on from a step."""
    backend, recorder = Leaping([1.0] * 20), Recorder()
    backend.number, backend.begun = 1, begun
    return run(folder, recorder, lambda _: {"score": 0.0}, backend=backend, save_every=4), recorder


def test_a_second_process_goes_on_where_the_first_does_and_writes_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Recorder(stop_at=9), save_every=4)
    (tmp_path / "half-written").mkdir()
    before = sorted(tmp_path.rglob("*"))
    (tensors, progress), recorder = second(tmp_path, begun=4)
    assert recorder.steps[0]["step"] == 5
    assert (tensors, progress.step) == ({}, 20)
    assert sorted(tmp_path.rglob("*")) == before
    (_, progress), recorder = second(tmp_path, begun=0)  # the first begins anew
    assert recorder.steps[0]["step"] == 1


def test_a_process_that_cannot_read_what_the_first_goes_on_from_says_so(tmp_path):
    with pytest.raises(TrainingError, match=r"must see the same output folder\. .*rank 1 cannot read"):
        second(tmp_path, begun=4)


class Stopping(Recorder):
    """Sends signals to its own process, as a person or a cluster does."""

    def __init__(self, step, *signals):
        super().__init__()
        self.step, self.signals = step, signals

    def on_step(self, record):
        super().on_step(record)
        if record["step"] == self.step:
            for number in self.signals:
                signal.raise_signal(number)


@pytest.fixture(autouse=True)
def _heard():
    """Ctrl-C is heard, though a shell lets what it starts in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert run(tmp_path, Stopping(3, signal.SIGINT, signal.SIGINT))[1].step == 20


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("step", [3, 5, 20])
def test_a_signal_ends_a_run_behind_its_step_with_a_checkpoint_and_says_how_to_go_on(tmp_path, step, number, status):
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    whole = Recorder()
    straight = run(tmp_path / "whole", whole)
    words = rf"Stopped after step {step} of 20\. Its checkpoint is .*step-0*{step}\. Go on with --resume\."
    with pytest.raises(Interrupted, match=words) as caught:
        run(tmp_path / "cut", Stopping(step, number))
    assert isinstance(caught.value, KeyboardInterrupt)
    assert caught.value.status == status
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before
    later = Recorder()
    tensors, progress = run(tmp_path / "cut", later)
    assert [record["loss"] for record in later.steps] == [record["loss"] for record in whole.steps[step:]]
    assert progress == straight[1]
    for name, values in straight[0].items():
        np.testing.assert_array_equal(tensors[name], values, err_msg=name)


def test_a_second_signal_ends_a_run_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt) as caught:
        run(tmp_path, Stopping(3, signal.SIGINT, signal.SIGINT))
    assert not isinstance(caught.value, Interrupted)
    assert not (tmp_path / "step-00000003").exists()


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_a_signal_in_an_evaluation_leaves_the_evaluation_to_the_run_that_goes_on(tmp_path, ema_decay):
    straight, told = run(tmp_path / "whole", ema_decay=ema_decay), []

    def stopping(forward):
        if not told:
            told.append(True)
            signal.raise_signal(signal.SIGINT)
        return counting(forward)

    with pytest.raises(Interrupted, match=r"Stopped after step 5 of 20"):
        run(tmp_path / "cut", evaluate=stopping, ema_decay=ema_decay)
    tensors, progress = run(tmp_path / "cut", evaluate=stopping, ema_decay=ema_decay)
    assert progress == straight[1]
    for name, values in straight[0].items():
        np.testing.assert_array_equal(tensors[name], values, err_msg=name)


def test_where_the_disk_takes_no_checkpoint_a_signal_says_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(run_checkpoints.RunCheckpoints, "save", lambda *_: False)
    with pytest.raises(Interrupted, match=r"It left no checkpoint; no checkpoint had been written yet\."):
        run(tmp_path, Stopping(3, signal.SIGINT))


def test_checkpoints_by_time_come_before_the_first_evaluation_and_change_no_number(tmp_path):
    often, never = Recorder(), Recorder()
    one = run(tmp_path / "often", often, save_seconds=0.0)
    other = run(tmp_path / "never", never, save_seconds=float("inf"))
    assert [row["loss"] for row in often.steps] == [row["loss"] for row in never.steps]
    assert one[1] == other[1]
    for name, values in one[0].items():
        np.testing.assert_array_equal(other[0][name], values, err_msg=name)
    for seconds, found in ((0.0, ["step-00000002", "step-00000003"]), (float("inf"), [])):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / f"cut{seconds}", Recorder(stop_at=4), save_seconds=seconds)
        assert sorted(path.name for path in (tmp_path / f"cut{seconds}").glob("step-*")) == found


def test_checkpoints_by_steps_are_not_mixed_with_those_by_time(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Recorder(stop_at=4), save_seconds=0.0, save_every=3)
    assert [path.name for path in tmp_path.glob("step-*")] == ["step-00000003"]


def test_a_run_that_goes_on_without_a_checkpoint_says_that_it_begins_at_step_0(tmp_path):
    for is_resumed, told in ((True, 1), (False, 0)):
        recorder = Recorder()
        run(tmp_path / str(is_resumed), recorder, is_resumed=is_resumed, steps=2)
        assert str(recorder.notes).count("no checkpoint to resume from: the run begins at step 0") == told


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_a_finished_run_is_extended_as_if_it_had_been_that_long(tmp_path, ema_decay):
    constant = {"ema_decay": ema_decay, "patience": 4}
    straight = run(tmp_path / "whole", **constant, schedule=Schedule(5e-3, 20, 2, "constant"))
    short = {**constant, "schedule": Schedule(5e-3, 10, 2, "constant"), "keep_state": True}
    run(tmp_path / "short", **short)
    assert sorted(path.name for path in (tmp_path / "short").iterdir()) == ["best", "step-00000005", "step-00000010"]
    longer = {**short, "schedule": Schedule(5e-3, 20, 2, "constant"), "fingerprint": "longer"}
    with pytest.raises(TrainingError, match="recipe and data it began with"):
        run(tmp_path / "short", **longer)
    tensors, progress = run(tmp_path / "short", **longer, extends="same")
    assert [record["step"] for record in progress.evaluations] == [5, 10, 15, 20]
    assert (progress.best_step, progress.best_score) == (straight[1].best_step, straight[1].best_score)
    for name, values in straight[0].items():
        np.testing.assert_array_equal(tensors[name], values, err_msg=name)


def test_a_run_that_its_patience_ended_is_extended_with_new_patience(tmp_path):
    run(tmp_path, evaluate=scores([0.5, 0.4, 0.3]), patience=2, keep_state=True)
    longer = {"fingerprint": "longer", "extends": "same", "steps": 25}
    _, progress = run(tmp_path, evaluate=scores([0.4, 0.6]), patience=2, **longer)
    assert [record["step"] for record in progress.evaluations] == [5, 10, 15, 20, 25]


def test_an_estimate_is_told_before_the_first_step_and_changes_no_number(tmp_path, monkeypatch):
    plain, told = Recorder(), Recorder()
    one = run(tmp_path / "plain", plain)
    samples = [PaddedBatch(np.full((rows, 8), 7)) for rows in (1, 4)]
    run(tmp_path / "short", told, samples=samples, tokens=64)
    assert not any("estimate" in note for note in told.notes), "a run of seconds needs none"
    monkeypatch.setattr(estimate, "_LONG", 0)
    other = run(tmp_path / "told", told, samples=samples, tokens=64)
    assert told.notes[0].startswith("An estimate from a short measurement: ")
    assert [row["loss"] for row in told.steps[20:]] == [row["loss"] for row in plain.steps]
    for name, values in one[0].items():
        np.testing.assert_array_equal(other[0][name], values, err_msg=name)


def test_accumulated_parts_give_the_step_of_the_whole_batch(tmp_path):
    changes = {"config": small(initializer_range=0.1), "steps": 3}
    ears = [Recorder(), Recorder()]
    for parts, recorder in zip((1, 3), ears, strict=True):
        run(tmp_path / str(parts), recorder, gradient_accumulation=parts, **changes)
    for one, other in zip(ears[0].steps, ears[1].steps, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert one["gradient_norm"] == pytest.approx(other["gradient_norm"], rel=1e-4)


def test_averaged_weights_are_the_mean_of_those_after_each_step(tmp_path, monkeypatch):
    after, update = [], MovingAverage.update

    def noted(average, tensors, step):
        after.append({name: value.copy() for name, value in tensors.items()})
        update(average, tensors, step)

    monkeypatch.setattr(MovingAverage, "update", noted)
    found, _ = run(tmp_path / "mean", evaluate=scores([0, 1, 2, 3]), ema_decay=0.5)
    plain, _ = run(tmp_path / "plain", evaluate=scores([0, 1, 2, 3]))
    assert len(after) == 20
    for name, last in after[-1].items():
        np.testing.assert_array_equal(last, plain[name])
        mean = after[0][name]
        for step, weights in enumerate(after[1:], start=2):
            decay = min(0.5, (1 + step) / (10 + step))
            mean = decay * mean + (1 - decay) * weights[name]
        np.testing.assert_allclose(found[name], mean, atol=1e-6)
    assert np.abs(found["classifier.weight"] - plain["classifier.weight"]).max() > 1e-5
