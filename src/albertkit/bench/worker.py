"""The process of one candidate: python -m albertkit.bench.worker, which does what the lines of its input ask.

The first line is the plan as JSON. Then it says what it is, and answers each line: "rate N" with the seconds for the
first N rows, "latency LENGTH N" with those of each of N single texts, "memory" with the bytes it has held at most.
Every answer is a line of JSON; an error is {"error": ...}.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np

from albertkit import backends, hub
from albertkit.batches import PaddedBatch
from albertkit.bench.candidates import PEER, PEER_ROWS
from albertkit.checkpoint import layout
from albertkit.config import CONFIG_FILE, AlbertConfig
from albertkit.errors import InputError
from albertkit.inference import parts
from albertkit.tasks import registry
from albertkit.tasks.features import Features
from albertkit.typing import Json, Record

Run = Callable[[Features], Json]


def main() -> None:
    """Serve the plan on standard input. What libraries print goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        plan = json.loads(sys.stdin.readline())
        run, told = load(plan)
        serve(run, plan, told, answers)
    except Exception as error:
        say(answers, {"error": f"{type(error).__name__}: {error}".splitlines()[0]})


def serve(run: Run, plan: Record, told: Record, answers: TextIO) -> None:
    """Answer line after line until the input ends."""
    say(answers, told)
    many, singles = features(plan["many"]), {int(length): features(one) for length, one in plan["singles"].items()}
    numbers = dict.fromkeys(singles, 0)
    for line in sys.stdin:
        what, *arguments = line.split()
        if what == "rate":
            say(answers, seconds(run, many.take(range(int(arguments[0])))))
        elif what == "latency":
            length, count = map(int, arguments)
            rows = [(numbers[length] + one) % len(singles[length]) for one in range(count)]
            numbers[length] += count
            say(answers, [seconds(run, singles[length].take([row])) for row in rows])
        else:
            say(answers, peak_memory())


def say(answers: TextIO, value: Json) -> None:
    """Write a line of JSON."""
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def seconds(run: Run, rows: Features) -> float:
    """How long the answers for some rows take."""
    start = time.perf_counter()
    run(rows)
    return time.perf_counter() - start


def features(record: Record) -> Features:
    """The opposite of `rows.as_record`."""
    return Features(record["ids"], record["types"], positions=record["positions"])


def load(plan: Record) -> tuple[Run, Record]:
    """What answers, and what is to be said of it."""
    if plan["backend"] == "torch" or plan["backend"] == PEER:
        importlib.import_module("torch").set_num_threads(plan["threads"])
    if plan["backend"] == PEER:
        return _peer(plan["model"], plan["task"], plan["device"]), {}
    given = (plan["task"], plan["model"], plan["backend"], plan["device"])
    others = {"precision": plan["precision"], "trust_program": plan["trust_program"]}
    engine = parts.load(*given, tokenizer=None, fetching={}, **others).engine
    return lambda rows: list(engine.run(rows)), {"auto": _fastest(plan["device"])} if plan["backend"] == "torch" else {}


def _fastest(device: str | None) -> str:
    """What the precision auto is in PyTorch on a device."""
    import torch

    from albertkit.torch import infer
    from albertkit.torch.packed.precisions import require_precision

    place = backends.device_name(device) or ("cuda" if torch.cuda.is_available() else "cpu")
    return require_precision("auto", infer.require_device(place))


def _peer(model: str, task: str, device: str | None) -> Run:
    """Transformers' model of the same head, in float32 and padded batches, in the order of the rows."""
    import torch
    import transformers

    patterns = [CONFIG_FILE, *(one for form in layout.FORMATS[:2] for one in form.patterns(None))]
    folder = str(hub.fetch(model, patterns))
    config = AlbertConfig.from_json_file(Path(folder) / CONFIG_FILE)
    head = registry.get(task).head_for(config.architectures)
    kind = getattr(transformers, "AlbertModel" if head == "ForSentenceEmbedding" else f"Albert{head}", None)
    if kind is None:
        raise InputError(f"Transformers has no model with the head {head}.")
    place = torch.device(backends.device_name(device) or ("cuda" if torch.cuda.is_available() else "cpu"))
    network = kind.from_pretrained(folder).eval().to(place)
    pad_id = config.pad_token_id or 0

    def run(rows: Features) -> Json:
        found = []
        with torch.inference_mode():
            for start in range(0, len(rows), PEER_ROWS):
                part = rows.take(range(start, min(start + PEER_ROWS, len(rows))))
                batch = PaddedBatch.of_rows(part.input_ids, part.token_type_ids, pad_id).arguments()
                outputs = network(**{name: torch.from_numpy(one).to(place) for name, one in batch.items()})
                found.append(np.asarray(outputs[0].float().cpu()))
        return found

    return run


def peak_memory() -> int | None:
    """The bytes that this process has held at most, or None where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the process was started from, too
        found = [line.split() for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(found[0][1]) * 1024 if found else None
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
