"""Commands with --engine ray: the bytes of one machine, whatever dies, and what is said where there is no cluster."""

import json
import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("torch")
pytest.importorskip("psutil")

import psutil

from albertkit.corpus import document_batches
from albertkit.corpus.builder import BuildSettings, build
from albertkit.corpus.sentences import SentenceSplitter
from albertkit.distributed import answers, cluster
from albertkit.distributed.actors import Actors
from albertkit.distributed.cluster import Cluster
from albertkit.errors import ConfigError, MissingDependency
from albertkit.prediction import run
from albertkit.tasks.sentence_embedding.task import SentenceEmbedding
from albertkit.tasks.text_classification.task import TextClassification
from albertkit.tokenization.fast import AlbertTokenizerFast
from prediction import inputs
from terminal import albertkit

pytestmark = [
    pytest.mark.ray,
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]
TWO = Cluster(workers=2)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kill_one(name):
    """Kill a worker of the cluster whose title begins so, and say whether there was one."""
    for process in psutil.Process().children(recursive=True):
        if (process.cmdline() or [""])[0].startswith(name):
            os.kill(process.pid, signal.SIGKILL)
            return True
    return False


class Killer:
    """Progress that kills a worker once something is done, and that may cut the run off later."""

    def __init__(self, name, of, cut_after=10**9):
        self.name, self.of, self.cut_after, self.has_killed = name, of, cut_after, False

    def __call__(self, *progress):
        done = self.of(*progress)
        if done and not self.has_killed:
            self.has_killed = kill_one(self.name)
        if done > self.cut_after:
            raise KeyboardInterrupt


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.jsonl"
    words = ["the cat sat", "a dog ran far", "one two 9,", "it is", "the old mill by the stream"]
    rows = ["\n".join(f"{words[(n + k) % 5]} {n} {k}" for k in range(n % 9 * 3)) for n in range(120)]
    path.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    return path


def test_a_corpus_has_the_same_bytes_and_goes_on_elsewhere(ray, texts, data, tmp_path, monkeypatch):
    monkeypatch.setattr(document_batches, "BATCH_CHARS", 400)
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    settings = BuildSettings(splitter=SentenceSplitter(method="lines"), deduplicate=True, shard_tokens=300)
    here = build([texts], tmp_path / "here", tokenizer, settings, processes=1)
    assert len(here.shards) > 5
    killer = Killer("ray::Worker", lambda total, done, text, tokens: tokens)
    there = build([texts], tmp_path / "there", tokenizer, settings, elsewhere=Actors(TWO), progress=killer)
    assert killer.has_killed
    assert files(there.folder) == files(here.folder)
    for first, then in ((Actors(TWO), None), (None, Actors(TWO))):
        output = tmp_path / ("cluster" if first else "machine")
        cut = Killer("", lambda total, done, text, tokens: tokens, cut_after=900)
        cut.has_killed = True
        with pytest.raises(KeyboardInterrupt):
            build([texts], output, tokenizer, settings, processes=1, elsewhere=first, progress=cut)
        assert list(output.glob("shard-*"))
        build([texts], output, tokenizer, settings, processes=1, elsewhere=then)
        assert files(output) == files(here.folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory, data):
    return inputs.made(tmp_path_factory.mktemp("model"), data)


@pytest.fixture
def rows(tmp_path):
    """Rows with ids above 2**53 and none, of uneven length, in lines and in Parquet: several blocks of each."""
    import pyarrow as pa
    from pyarrow import parquet

    ids = [None if number % 7 == 0 else 2**53 + 2 * number + 1 for number in range(300)]
    found = [{"id": one, "text": inputs.text(number) * (number % 9 + 1)} for number, one in enumerate(ids)]
    lines = tmp_path / "rows.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in found))
    table = pa.table({"id": pa.array(ids, pa.int64()), "text": [row["text"] for row in found]})
    parquet.write_table(table, tmp_path / "rows.parquet", row_group_size=70)
    return {".jsonl": lines, ".parquet": tmp_path / "rows.parquet", "ids": ids}


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks so small that a short file has many."""
    monkeypatch.setattr(TextClassification, "rows_together", 40)
    monkeypatch.setattr(SentenceEmbedding, "rows_together", 40)


def test_answers_have_the_same_bytes_whatever_dies(ray, model, rows, tmp_path, small_blocks):
    ending = ".parquet"
    here = inputs.answered(model, [rows[ending]], tmp_path / f"here{ending}")
    killer = Killer("ray::MapWorker", lambda total, done, totals: totals.answers)
    request = inputs.request(model, [rows[ending]], tmp_path / f"there{ending}", threads=1)
    run.run(request, progress=killer, engine=answers.by_workers(TWO))
    assert killer.has_killed
    assert inputs.contents(request.output) == here
    assert [row["id"] for row in inputs.rows_of(here, ending)] == rows["ids"]


def test_a_run_goes_on_with_the_other_engine(ray, model, rows, tmp_path, small_blocks):
    here = inputs.answered(model, [rows[".jsonl"]], tmp_path / "here.jsonl")
    request = inputs.request(model, [rows[".jsonl"]], tmp_path / "there.jsonl", threads=1)
    cut = Killer("", lambda total, done, totals: totals.answers, cut_after=80)
    cut.has_killed = True
    with pytest.raises(KeyboardInterrupt, match="120 answers are kept"):
        run.run(request, progress=cut, engine=answers.by_workers(TWO))
    notes = []
    run.run(request, notes.append)
    assert notes[0] == "going on behind 120 answers"
    assert inputs.contents(request.output) == here


def test_predict_and_embed_by_the_address_of_a_cluster(ray, model, rows, tmp_path, data, monkeypatch):
    address = ray.get_runtime_context().gcs_address
    asked = ("--engine", "ray", "--address", address, "--workers", 2)
    for verb, ending in (("predict", ".jsonl"), ("embed", ".parquet")):
        folder = model if verb == "predict" else inputs.made(tmp_path / "encoder", data, "ForSentenceEmbedding")
        output = [tmp_path / f"{verb}{number}{ending}" for number in range(2)]
        for path, more in zip(output, ((), asked), strict=True):
            source = rows[".parquet" if ending == ".parquet" else ".jsonl"]
            done = albertkit(verb, folder, "--data", source, "--output", path, "--framework", "torch", *more)
            assert done.returncode == 0, done.stderr
            assert "300 answers are in" in done.stderr
        assert output[0].read_bytes() == output[1].read_bytes()


def test_a_cluster_of_its_own_begins_and_ends_with_the_command(texts, data, tmp_path):
    command = ["corpus", "build", texts, "--tokenizer", data / "spiece.model", "--engine", "ray", "--workers", 2]
    script = [sys.executable, "-m", "albertkit", *map(str, command), "--output", str(tmp_path / "out")]
    done = subprocess.run(script, capture_output=True, text=True, check=False, start_new_session=True)
    assert done.returncode == 0, done.stderr
    assert " documents, " in done.stdout
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(one.info["cmdline"])]
    here = build([texts], tmp_path / "here", AlbertTokenizerFast(data / "spiece.model"), processes=1)
    assert files(here.folder) == files(tmp_path / "out")


def test_what_a_cluster_lacks_is_said(ray, tmp_path, monkeypatch):
    def mapped(asked):
        with Actors(asked).map(tmp_path.exists, [(1, 1)]) as found:
            return list(found)

    monkeypatch.setattr(cluster, "READY_WITHIN", 1.0)
    with pytest.raises(ConfigError, match=r"Received: workers of 50 cores.* has 3 cores.*--cpus-per-worker"):
        mapped(Cluster(workers=1, cpus=50))
    monkeypatch.setattr(cluster, "READY_WITHIN", 60.0)
    monkeypatch.setattr(cluster, "__version__", "99.0")
    with pytest.raises(ConfigError, match=r"need albertkit 99\.0, as this one\. Received: 0\..*Install it on all"):
        mapped(TWO)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:9", r"127\.0\.0\.1:9, and reaching it failed.*ray start --head"),
        ("head", r"must be host:port, auto or local\. Received: head"),
        ("ray://head:10001", r"on a machine of the cluster.*ray job submit"),
    ],
)
def test_an_address_that_is_none_is_said_at_once(address, words, monkeypatch):
    monkeypatch.setattr(pytest.importorskip("ray"), "is_initialized", lambda: False)
    with pytest.raises(ConfigError, match=words), Cluster(address).connected():
        pass


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--engine", "spark"], "--engine must be local or ray. Received: spark"),
        (["--address", "auto"], "--address is of a cluster"),
        (["--engine", "ray", "--workers", 0], "--workers must be at least 1"),
        (["--engine", "ray", "--cpus-per-worker", -1], "--cpus-per-worker must be"),
    ],
)
def test_options_that_do_not_go_together_are_said(texts, data, tmp_path, options, words):
    done = albertkit(
        *("corpus", "build", texts, "--output", tmp_path / "out", "--tokenizer", data / "spiece.model", *options)
    )
    assert done.returncode == 1
    assert words in done.stderr


def test_without_ray_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependency, match=r'--engine ray needs Ray.*pip install "albertkit\[ray\]"'):
        cluster.require()


def test_ray_is_imported_only_where_it_is_asked_for():
    script = "import sys, albertkit.cli.app, albertkit.distributed.datasets; assert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
