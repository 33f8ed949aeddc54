"""Checkpoints of a run hold what they were given, however it lies in memory."""

import ml_dtypes
import numpy as np
import pytest

from albertkit.training.run_checkpoints import Progress, RunCheckpoints, Snapshot

VALUES = np.arange(24, dtype=np.float32).reshape(4, 6)
VIEWS = {
    "transposed": VALUES.T,
    "column by column": np.asfortranarray(VALUES),
    "sliced": VALUES[::2, 1:4],
    "one number": np.array(7.0, np.float32),
    "half": VALUES.astype(ml_dtypes.bfloat16).T,
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_written_as_it_reads(tmp_path, name):
    given = {"a": VIEWS[name]}
    kept = RunCheckpoints(tmp_path, "run", True, lambda folder: None, print)
    kept.save(Snapshot(Progress(step=1), given, given, given))
    found = kept.newest()
    for tensors in (found.model, found.optimizer, found.ema):
        assert tensors["a"].shape == VIEWS[name].shape
        assert np.array_equal(tensors["a"], VIEWS[name])
