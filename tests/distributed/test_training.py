"""Training by Ray Train: the weights of torchrun, also where a worker dies on the way, and the errors of a run."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

pytest.importorskip("torch")
pytest.importorskip("psutil")

import psutil

from albertkit.corpus.builder import BuildSettings, build
from albertkit.corpus.sentences import SentenceSplitter
from albertkit.distributed import training
from albertkit.distributed.cluster import Cluster
from albertkit.errors import ConfigError
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.training import finetune, pretrain
from albertkit.training.pretrain_recipe import PretrainRecipe
from albertkit.training.recipe import FinetuneRecipe

pytestmark = [
    pytest.mark.ray,
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning"),
]
TWO = Cluster(workers=2)
SMALL = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16, "embedding_size": 8}
SETTINGS = [
    *(f"model.config.{name}={value}" for name, value in SMALL.items()),
    *("training.evaluate_every=60", "training.save_every=10", "training.evaluation_rows=4", "data.length=32"),
    *("training.batch_size=4", "training.steps=120", "training.learning_rate=0.01"),
]


@pytest.fixture
def corpus(data, tmp_path):
    words = ["the cat sat", "a dog ran far", "one two nine", "it is", "the old mill by the stream"]
    rows = ["\n".join(f"{words[(n + k) % 5]} {words[k % 5]}" for k in range(n % 9 + 2)) for n in range(80)]
    (tmp_path / "texts.txt").write_text("\n\n".join(rows))
    settings = BuildSettings(splitter=SentenceSplitter(method="lines"))
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    return build([tmp_path / "texts.txt"], tmp_path / "corpus", tokenizer, settings, processes=1).folder


def kill_a_worker_once_saved(output):
    """End one of the two processes of a run as soon as there are two checkpoints: the first of them is whole."""
    while len(list(output.glob("checkpoints/step-*"))) < 2:
        time.sleep(0.02)
    for process in psutil.Process().children(recursive=True):
        if (process.cmdline() or [""])[0].startswith("ray::RayTrainWorker"):
            os.kill(process.pid, signal.SIGKILL)
            return


def test_the_weights_are_those_of_torchrun_though_a_worker_dies(ray, corpus, tmp_path, monkeypatch):
    settings = [part for one in SETTINGS for part in ("--set", one)]
    command = [
        "-m",
        "albertkit",
        "pretrain",
        "--corpus",
        str(corpus),
        "--output",
        str(tmp_path / "torchrun"),
        *settings,
    ]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    done = subprocess.run([*launcher, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said: list[str] = []
    monkeypatch.chdir(tmp_path)  # the recipe names its corpus by where the command is
    recipe = PretrainRecipe.load(None, {"data.corpus": "corpus"}, SETTINGS)
    killer = threading.Thread(target=kill_a_worker_once_saved, args=[tmp_path / "ray"], daemon=True)
    killer.start()
    results = training.run(pretrain.run, recipe, tmp_path / "ray", TWO, tell=said.append)
    assert "A worker died" in "".join(said)
    assert "Resumed from step-" in "".join(said)
    assert results["step"] in (60, 120)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("torchrun", "ray")]
    assert weights[0] == weights[1]
    assert not (tmp_path / "ray" / ".ray-train").exists()


def test_an_error_of_the_run_is_that_of_one_process(ray, tmp_path, data):
    (tmp_path / "train.csv").write_text("text,label\n" + "the cat,a\na dog,b\n" * 8)
    values = {"data.train": str(tmp_path / "none.csv"), "model.tokenizer": str(data / "spiece.model")}
    recipe = FinetuneRecipe.load(None, values, [], "text-classification")
    with pytest.raises(Exception, match=r"none\.csv") as here:
        finetune.run(recipe, tmp_path / "here")
    with pytest.raises(type(here.value), match=r"none\.csv") as there:
        training.run(finetune.run, recipe, tmp_path / "there", TWO)
    assert str(there.value) == str(here.value)
    assert not (tmp_path / "there").exists()


def test_other_frameworks_are_refused(tmp_path):
    pytest.importorskip("jax")
    recipe = PretrainRecipe.load(None, {"framework": "flax"}, [])
    with pytest.raises(ConfigError, match=r"processes of PyTorch. Received: .*flax. .*srun"):
        training.run(pretrain.run, recipe, tmp_path, TWO)
