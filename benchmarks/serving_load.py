"""`albertkit serve` under load, against a server made by hand of FastAPI and Transformers, on one machine.

Run in the project's environment, with that of the peers beside it (`make .venv-engine-peers/bin/ready`):
python benchmarks/serving_load.py [--size base] [--seconds 20]

Throughput: so many clients ask one text after the other, sentences of SST-2 and every tenth time a question of
SQuADShifts with its context, for some seconds. Latency: requests come at random moments, at half of the rate that the
peer answered. Answers: 1,000 clients ask 20,000 questions of a small model, of which one in twenty is bad, and every
answer is compared with that of a pipeline. Server and clients share the cores; in a closed loop the clients are those
of `serving_clients`, which leave the cores to the server, ours and the peer's. Its CPU time outside the model is
measured under these and under clients of httpx.
"""

import argparse
import asyncio
import collections
import contextlib
import itertools
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

import common
import serving_clients
from engine_throughput import HERE, save_model

ROUTE = "/models/classify"
BAD = (
    ('{"inputs": ', 422),
    ('{"inputs": 3}', 422),
    ('{"inputs": "a", "parameters": {"top": 1}}', 422),
    ('{"input": "a"}', 422),
    (json.dumps({"inputs": "a " * 1_000_000}), 413),
)


def texts() -> list[str]:
    """Nine sentences, and a question with its context, and so on."""
    lines = (common.DATA / "glue" / "SST-2" / "dev.tsv").read_text(encoding="utf-8").splitlines()[1:]
    sentences = itertools.cycle(line.split("\t")[0] for line in lines)
    data = json.loads((common.DATA / "qa" / "squadshifts_new_wiki_v1.0.json").read_text())["data"]
    paragraphs = [one for article in data for one in article["paragraphs"]]
    long = [f"{one['qas'][0]['question']} {one['context']}" for one in paragraphs[:100]]
    return [one for text in long for one in (*itertools.islice(sentences, 9), text)]


@contextlib.contextmanager
def server(command: list[str], port: int) -> Iterator[psutil.Process]:
    """A server that answers."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port}/ready").status_code == 200:
                    break
            if process.poll() is not None:
                raise SystemExit(f"{' '.join(command)} ended with {process.returncode}.")
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.asynccontextmanager
async def client(port: int, connections: int) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=120) as one:
        yield one


async def closed_loop(port: int, asked: list[str], clients: int, seconds: float) -> float:
    """Requests a second of clients of httpx that each wait for an answer before they ask again."""
    end, done, order = time.perf_counter() + seconds, 0, itertools.cycle(asked)

    async def ask(one: httpx.AsyncClient) -> None:
        nonlocal done
        while time.perf_counter() < end:
            (await one.post(ROUTE, json={"inputs": next(order)})).raise_for_status()
            done += 1

    start = time.perf_counter()
    async with client(port, clients) as one:
        await asyncio.gather(*(ask(one) for _ in range(clients)))
    return done / (time.perf_counter() - start)


async def open_loop(port: int, asked: list[str], rate: float, seconds: float) -> dict[str, float]:
    """Milliseconds of requests that come at random moments, `rate` a second, whether or not others are answered."""
    moments, chance = [], random.Random(0)
    while not moments or moments[-1] < seconds:
        moments.append((moments[-1] if moments else 0) + chance.expovariate(rate))
    found, start = [], time.perf_counter()

    async def ask(one: httpx.AsyncClient, moment: float, text: str) -> None:
        await asyncio.sleep(start + moment - time.perf_counter())
        (await one.post(ROUTE, json={"inputs": text})).raise_for_status()
        found.append(1000 * (time.perf_counter() - start - moment))

    async with client(port, 1000) as one:
        await asyncio.gather(*(ask(one, *each) for each in zip(moments, itertools.cycle(asked))))
    p50, p99 = np.percentile(found, (50, 99)).tolist()
    return {"requests": len(found), "p50": p50, "p99": p99}


async def many(port: int, asked: list[str], wanted: dict[str, float], process: psutil.Process, count: int) -> dict:
    """What became of `count` questions of 1,000 clients, of which one in twenty is bad."""
    chance, statuses, wrong, memory = random.Random(1), collections.Counter(), 0, []
    questions = iter(range(count))

    async def ask(one: httpx.AsyncClient) -> None:
        nonlocal wrong
        for number in questions:
            if number % (count // 100) == 0:
                memory.append(process.memory_info().rss)
            if chance.random() < 0.05:
                body, status = chance.choice(BAD)
                answer = await one.post(ROUTE, content=body, headers={"content-type": "application/json"})
                wrong += answer.status_code != status
            else:
                text = chance.choice(asked)
                while (answer := await one.post(ROUTE, json={"inputs": text})).status_code == 429:
                    statuses[429] += 1
                    await asyncio.sleep(float(answer.headers["retry-after"]) * (0.5 + chance.random()))
                is_right = answer.status_code == 200 and abs(answer.json()[0]["score"] - wanted[text]) < 1e-5
                wrong += not is_right
            statuses[answer.status_code] += 1

    start = time.perf_counter()
    async with client(port, 1000) as one:
        await asyncio.gather(*(ask(one) for _ in range(1000)))
    tenth = len(memory) // 10
    early, late = statistics.mean(memory[tenth : 2 * tenth]), statistics.mean(memory[-tenth:])
    return {
        "requests": count,
        "seconds": time.perf_counter() - start,
        "statuses": {str(status): number for status, number in sorted(statuses.items())},
        "wrong or lost": wrong + count - (sum(statuses.values()) - statuses[429]),
        "memory, last tenth over the second": late / early,
    }


def outside_the_model(folder: Path, clients: int, seconds: float) -> dict[str, float]:
    """Shares of the server's CPU time that are not the model's, of texts of 16 tokens: two measures, under two clients.

    "Outside the model" takes for the model's what it needs for the texts at its best, all at once: a server's smaller
    batches count as outside. "Outside the forward" counts what the model's threads did not spend within its forward.
    """
    from albertkit.pipelines import pipeline
    from albertkit.tasks.features import Features

    asked = [f"the film is a small and quiet wonder that nobody will forget {number}" for number in range(1000)]
    classify = pipeline("text-classification", str(folder), "torch", device="cpu", precision="int8")
    rows = classify.tokenizer(asked)["input_ids"]
    features = Features(rows, [[0] * len(row) for row in rows])
    alone = 0.0
    for _ in range(2):
        start = time.process_time()
        list(classify._engine.run(features))
        alone = (time.process_time() - start) / len(asked)
    found = {}
    lean = itertools.cycle(serving_clients.requests(ROUTE, inputs(asked)))
    loads: Any = (("", closed_loop, asked), (", lean clients", serving_clients.closed_loop, lean))
    for name, loop, given in loads:
        port, clock = free_port(), folder / "clock.npy"
        command = [sys.executable, str(HERE / "serving_clock.py"), str(clock), *ours(folder, port, "int8")[4:]]
        with server(command, port) as process:
            asyncio.run(loop(port, given, clients, 2))
            before = spent(process, np.load(clock, mmap_mode="r"))
            rate = asyncio.run(loop(port, given, clients, seconds))
            whole, within = (b - a for a, b in zip(before, spent(process, np.load(clock, mmap_mode="r")), strict=True))
        found[f"int8, 16 tokens{name}: CPU time outside the model"] = 1 - alone * rate * seconds / whole
        found[f"int8, 16 tokens{name}: CPU time outside the forward"] = 1 - within / whole
    return found


def spent(process: psutil.Process, clock: np.ndarray) -> tuple[float, float]:
    """Seconds of CPU time of a server, and those within the model: of the thread that calls it, and of its workers.

    These are all threads but the one that calls and the first, in which requests come and go.
    """
    calling = int(clock[1])
    workers = [one for one in process.threads() if one.id not in (process.pid, calling)]
    return sum(process.cpu_times()[:2]), clock[0] + sum(one.user_time + one.system_time for one in workers)


def inputs(asked: list[str]) -> list[dict[str, str]]:
    """Texts as bodies of requests."""
    return [{"inputs": text} for text in asked]


def ours(folder: Path, port: int, precision: str) -> list[str]:
    given = ["--port", str(port), "--framework", "torch", "--device", "cpu", "--precision", precision]
    return [sys.executable, "-m", "albertkit", "serve", f"classify={folder}", *given]


def speed(work: Path, options: argparse.Namespace) -> tuple[dict, dict, dict]:
    """Throughput and latency of both sides -> ratios, ours, peer."""
    asked, folder = texts(), work / "model"
    save_model(folder, options.size)
    sides = {"fp32": ours, "int8": ours, "peer": None}
    found: dict[str, dict] = {}
    for name in ("peer", "fp32", "int8"):
        port = free_port()
        command = [options.peers, str(HERE / "serving_peer.py"), str(folder), str(port)]
        with server(command if sides[name] is None else ours(folder, port, name), port):
            given = itertools.cycle(serving_clients.requests(ROUTE, inputs(asked)))
            asyncio.run(serving_clients.closed_loop(port, given, options.clients, 2))
            rate = asyncio.run(serving_clients.closed_loop(port, given, options.clients, options.seconds))
            half = (found["peer"]["requests a second"] if found else rate) / 2
            found[name] = {"requests a second": rate, **asyncio.run(open_loop(port, asked, half, options.seconds))}
    peer = found.pop("peer")
    ratios = {}
    for name, one in found.items():
        ratios[f"{name}: requests a second over peer"] = one["requests a second"] / peer["requests a second"]
        ratios[f"{name}: p99 at half of the peer's rate, over peer"] = one["p99"] / peer["p99"]
    return ratios | outside_the_model(folder, options.clients, options.seconds), found, peer


def answers(work: Path, count: int) -> dict:
    """Every answer under load against that of a pipeline."""
    from albertkit.pipelines import pipeline
    from albertkit.tokenization.fast import AlbertTokenizerFast
    from albertkit.torch.models import AlbertForSequenceClassification

    folder = work / "small"
    AlbertForSequenceClassification.from_pretrained("albertkit/small-en").save_pretrained(folder)
    AlbertTokenizerFast.from_pretrained("albertkit/small-en").save_pretrained(folder)
    asked = texts()
    classify = pipeline("text-classification", str(folder), "torch", device="cpu", precision="fp32")
    wanted = {text: one["score"] for text, one in zip(asked, classify(asked), strict=True)}
    port = free_port()
    with server(ours(folder, port, "fp32"), port) as process:
        return asyncio.run(many(port, asked, wanted, process, count))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="base")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--peers", default=str(HERE.parent / ".venv-engine-peers" / "bin" / "python"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        under_load = answers(Path(work), options.requests)
        ratios, ours_found, peer = speed(Path(work), options)
    kept = {**ours_found, "1,000 clients": under_load}
    common.write("serving_load", ratios, kept, peer, ("albertkit", "torch", "fastapi", "uvicorn", "httpx"))


if __name__ == "__main__":
    main()
