"""Several processes of one run, by Ray Train: it starts them and lets them meet, and the run is that of torchrun.

Each worker calls what one of torchrun's processes calls. Checkpoints are those of the run's folder, which all machines
see; where a worker dies, all are started again, and the run goes on from its last checkpoint.
"""

import contextlib
import logging
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from albertkit import backends
from albertkit.distributed import cluster
from albertkit.distributed.cluster import Cluster
from albertkit.errors import AlbertkitError, ConfigError, Interrupted, TrainingError
from albertkit.training import run_folder
from albertkit.training.recipe import BaseRecipe
from albertkit.typing import Json, Record

Run = Callable[..., Record]
"""`pretrain.run` or `finetune.run`."""

LISTEN_EVERY = 0.5
"""Seconds after which what the first worker says is repeated here."""

_SAID = "said.txt"
_ASIDE = ".ray-train"
"""What Ray Train keeps of its own during a run, in the run's folder, since all machines see that."""


def run(
    train: Run,
    recipe: BaseRecipe,
    output: Path,
    asked: Cluster,
    *,
    resume: bool = False,
    overwrite: bool = False,
    extend_to: int | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Record:
    """Train what the recipe says by the workers of a cluster, and return what the run returns.

    Errors are those of the run. TrainingError where workers die more than `cluster.TRIES` times. `tell` is told what
    the run says. Interrupted at Ctrl-C: the last checkpoint stays.
    """
    _require_torch(recipe)
    how = {"resume": resume, "overwrite": overwrite, "extend_to": extend_to}
    with asked.connected() as count, _aside(output) as aside, _repeated(aside / _SAID, tell):
        for attempt in range(cluster.TRIES + 1):
            try:
                return _fit(train, recipe, output, asked, count, aside, how)
            except _Died as died:
                if attempt == cluster.TRIES:
                    raise TrainingError(
                        f"Workers must live until the end. They died {attempt + 1} times: {died}. Where it was for "
                        "lack of memory, take smaller parts with training.gradient_accumulation. Go on with --resume."
                    ) from died
                if begun := run_folder.begun(output):
                    recipe = type(recipe).load(begun, {})
                    how = {"resume": True, "overwrite": False, "extend_to": None}
                tell(f"A worker died: {died}. All are started again, from the last checkpoint.")
    raise AssertionError("a loop that returns or raises")


class _Died(Exception):
    """Workers ended otherwise than by an error of the run."""


def _require_torch(recipe: BaseRecipe) -> None:
    framework = backends.resolve(recipe.framework)
    if framework != "torch":
        raise ConfigError(
            f"Ray Train starts processes of PyTorch. Received: --engine ray and the framework {framework}. Pass "
            "--framework torch, or start JAX with srun or mpirun."
        )


@contextlib.contextmanager
def _aside(output: Path) -> Iterator[Path]:
    """A folder that all machines see, for as long as a run goes on. What was not there before is not there after."""
    is_new = not output.exists()
    place = output.absolute() / _ASIDE
    with contextlib.suppress(OSError):  # what is wrong with the output is said by the run
        place.mkdir(parents=True, exist_ok=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if is_new:
            with contextlib.suppress(OSError):  # it holds what the run has written
                output.rmdir()


def _fit(train: Run, recipe: BaseRecipe, output: Path, asked: Cluster, count: int, aside: Path, how: Record) -> Record:
    """One start of all workers. _Died where one of them does; otherwise errors of the run."""
    from ray import train as ray_train
    from ray.train.torch import TorchTrainer

    resources = {"CPU": asked.cpus, **({"GPU": asked.gpus} if asked.gpus else {})}
    scaling = ray_train.ScalingConfig(num_workers=count, use_gpu=asked.gpus > 0, resources_per_worker=resources)
    settings = ray_train.RunConfig(
        name="run",
        storage_path=str(aside),
        failure_config=ray_train.FailureConfig(max_failures=0, max_preemption_failures=0),
        logging_config=ray_train.LoggingConfig(log_level="ERROR"),
    )
    work = {
        "train": train,
        "recipe": recipe,
        "output": output,
        "how": how,
        "folder": str(Path.cwd()),
        "said": aside / _SAID,
    }
    trainer = TorchTrainer(_work, train_loop_config=work, scaling_config=scaling, run_config=settings)
    with _interruption_told(output):
        try:
            return trainer.fit().return_value or {}
        except ray_train.TrainingFailedError as error:
            raise _of_run(error) from error


def _work(work: Record) -> Record:
    """The run, in a worker; the first of them speaks."""
    os.chdir(work["folder"])  # Ray Train has gone to another, and recipes name files by where they were written
    is_first = os.environ["RANK"] == "0"
    with Path(work["said"] if is_first else os.devnull).open("a", encoding="utf-8", buffering=1) as file:
        console = Console(file=file, highlight=False, soft_wrap=True, markup=False)
        logging.getLogger("albertkit").addHandler(logging.StreamHandler(file))
        return work["train"](work["recipe"], work["output"], console=console, **work["how"])


@contextlib.contextmanager
def _repeated(said: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Tell each line of a file while it is being written, and the rest at the end."""
    done, read = threading.Event(), 0

    def repeat() -> None:
        nonlocal read
        with contextlib.suppress(OSError):  # nothing is said yet
            with said.open("rb") as file:
                file.seek(read)
                whole = file.read().rpartition(b"\n")[0]
            if whole:
                read += len(whole) + 1
                tell(whole.decode("utf-8", "replace"))

    def follow() -> None:
        while not done.wait(LISTEN_EVERY):
            repeat()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        repeat()


def _of_run(error: Exception) -> Exception:
    """The error of the run that a failure of Ray Train is about."""
    failures = list(getattr(error, "worker_failures", {}).values())
    for failure in failures:
        found: Json = failure
        while found is not None:
            if isinstance(found, AlbertkitError):
                return found
            found = getattr(found, "base_exc", None) or getattr(found, "cause", None) or found.__cause__
    return _Died(cluster.last_line(failures[0] if failures else error))


@contextlib.contextmanager
def _interruption_told(output: Path) -> Iterator[None]:
    """Say at Ctrl-C how to go on. Ray Train takes the signal for itself, and leaves the program."""
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stopped:
        kept = "Go on with --resume." if run_folder.begun(output) else "Nothing was begun."
        raise Interrupted(f"Stopped, and all workers with it. {kept}") from stopped
    finally:
        if is_main:
            signal.signal(signal.SIGINT, before)
