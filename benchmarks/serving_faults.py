"""`albertkit serve` under what should not happen: bad requests, clients that go, `kill -9`.

python benchmarks/serving_faults.py [--requests 10000] [--leave 300]     results/serving_faults.json

Requests are made by Hypothesis and schemathesis (fuzzing/requests.py) for servers of the small model for every task,
without keys and with one. A fault is a status that the OpenAPI does not name, one of 500 or more beside 503 and 504, a
refusal that repeats what was sent, no answer, an answer that differs afterwards, and anything that is left behind.
"""

import argparse
import asyncio
import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

import common
from fuzzing import leaving, requests
from serving_load import client, free_port, server

KEY = "a-key-of-the-benchmark"
KEYED = {"Authorization": f"Bearer {KEY}"}
HEADS = {
    "classify": "SequenceClassification",
    "tokens": "TokenClassification",
    "questions": "QuestionAnswering",
    "choices": "MultipleChoice",
    "masks": "MaskedLM",
}
ASKED: dict[str, Any] = {
    "/models/classify": {"inputs": ["A fine film.", "A dull one."], "parameters": {"top_k": None}},
    "/models/tokens": {"inputs": "Anna went to Rome."},
    "/models/questions": {"inputs": {"question": "Who came?", "context": "Peter came on Friday."}},
    "/models/choices": {"inputs": {"question": "What is wet?", "choices": ["the moon", "the grass"]}},
    "/models/masks": {"inputs": "A [MASK] of tea."},
    "/embed": {"inputs": ["One.", "Two."]},
    "/tokenize": {"inputs": "A cup of tea."},
}
"""Questions whose answers must be the same after all that happens."""
SHOWN = 5
"""Faults of a kind that are kept."""
MANY = {"inputs": ["Many words of a text that nobody will wait for, one after the other."] * 500}


def save_models(root: Path) -> None:
    """A folder of the small model for each task."""
    import torch

    from albertkit.tokenization.fast import AlbertTokenizerFast
    from albertkit.torch import models

    torch.manual_seed(0)
    for name, head in HEADS.items():
        getattr(models, f"AlbertFor{head}").from_pretrained("albertkit/small-en").save_pretrained(root / name)
        AlbertTokenizerFast.from_pretrained("albertkit/small-en").save_pretrained(root / name)


def command(root: Path, port: int, keyed: bool = False) -> list[str]:
    given = [*(str(root / name) for name in HEADS), f"vectors:sentence-embedding={root / 'masks'}", "--port", str(port)]
    keys = ["--api-keys", str(root / "keys")] if keyed else []
    return [sys.executable, "-m", "albertkit", "serve", *given, "--framework", "torch", "--device", "cpu", *keys]


def answers(port: int, headers: dict[str, str]) -> list[Any]:
    """What a server says to questions that it can answer."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as one:
        return [one.post(path, json=body).raise_for_status().json() for path, body in ASKED.items()]


def malformed(root: Path, count: int, keyed: bool) -> dict[str, Any]:
    """Bad requests to a server, with a key where it asks for one."""
    port, headers, slowest = free_port(), KEYED if keyed else {}, 0.0

    def seen(asked: requests.Asked, seconds: float) -> None:
        nonlocal slowest
        slowest = max(slowest, seconds)

    with server(command(root, port, keyed), port) as process:
        address = f"http://127.0.0.1:{port}"
        before, resting = answers(port, headers), _held(process)
        with httpx.Client(base_url=address, headers=headers, timeout=60) as one:
            known = requests.routes(one.get("/openapi.json").json())
            found = requests.faults(one, requests.requests(known), count, seed=1, seen=seen)
            described, statuses = requests.schema_faults(one, count // 100, seed=1)
        found += described + requests.raw_faults(address, seed=1, count=count // 20)
        if answers(port, headers) != before:
            found.append("Answers are others than before.")
        after = _held(process)
        return {
            "requests": count,
            "by schemathesis": sum(statuses.values()),
            "of bytes that are no HTTP": count // 20,
            "faults": len(found),
            "first faults": found[:SHOWN],
            "slowest, seconds": round(slowest, 2),
            "memory after over before": round(after["memory"] / resting["memory"], 3),
            "files after minus before": after["files"] - resting["files"],
        }


def _held(process: psutil.Process) -> dict[str, int]:
    """Bytes and open files of a server, once it has closed the connections of clients that are gone."""
    time.sleep(0.5)
    return {"memory": process.memory_info().rss, "files": process.num_fds(), "threads": process.num_threads()}


def gone(root: Path, count: int) -> dict[str, Any]:
    """Clients that go in the middle, by the moment at which they do."""
    port, told = free_port(), {}
    address = f"http://127.0.0.1:{port}"
    with server(command(root, port), port) as process:
        before = answers(port, {})
        for moment in leaving.MOMENTS:
            for _ in range(20):  # what grows once
                leaving.leave(address, "/embed", MANY, moment, {})
            _settle(address)
            resting, counted = _held(process), _metrics(address)
            start = time.perf_counter()
            _leave_at_once(address, moment, count)
            waiting = _settle(address)
            after, then = _held(process), _metrics(address)
            told[moment] = {
                "clients": count,
                "seconds": round(time.perf_counter() - start, 1),
                "tokens asked for": round(then["albertkit_tokens_total"] - counted["albertkit_tokens_total"]),
                "tokens computed": round(then["albertkit_batch_tokens_sum"] - counted["albertkit_batch_tokens_sum"]),
                "left waiting": waiting,
                "files after minus before": after["files"] - resting["files"],
                "threads after minus before": after["threads"] - resting["threads"],
                "memory after over before": round(after["memory"] / resting["memory"], 3),
            }
        told["answers differ afterwards"] = answers(port, {}) != before
    return told


def _leave_at_once(address: str, moment: str, count: int) -> None:
    """`count` clients of 16 threads, each of which goes."""
    numbers = iter(range(count))

    def work() -> None:
        for number in numbers:
            leaving.leave(address, "/embed", MANY, moment, {}, wait=0.02 * (number % 4))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _metrics(address: str) -> dict[str, float]:
    """Counters, summed over their labels."""
    found: collections.Counter[str] = collections.Counter()
    for line in httpx.get(f"{address}/metrics").text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name.partition("{")[0]] += float(value)
    return found


def _settle(address: str) -> int:
    """Wait until nothing waits; how many requests still do after a minute."""
    for _ in range(600):
        waiting = round(_metrics(address)["albertkit_waiting_requests"])
        if not waiting:
            break
        time.sleep(0.1)
    return waiting


def killed(root: Path) -> dict[str, Any]:
    """A server that is killed while 64 clients ask, and one at the same address after it."""
    port = free_port()
    place = root / "temporary"
    place.mkdir()
    files = _listing(root)
    environment = {**os.environ, "TMPDIR": str(place)}
    process = subprocess.Popen(command(root, port), env=environment, stderr=subprocess.DEVNULL)
    first = _until_ready(port)
    expected = answers(port, {})
    told = asyncio.run(_under_load(port, process))
    process.wait(30)
    again = subprocess.Popen(command(root, port), env=environment, stderr=subprocess.DEVNULL)
    second = _until_ready(port)
    is_same = answers(port, {}) == expected
    again.terminate()
    again.wait(30)
    return {
        **told,
        "start, seconds": round(first, 1),
        "start after it, seconds": round(second, 1),
        "answers differ afterwards": not is_same,
        "left behind": sorted(_listing(root) - files)[:SHOWN],
    }


def _listing(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def _until_ready(port: int) -> float:
    """Seconds until a server is ready."""
    start = time.perf_counter()
    while time.perf_counter() - start < 60:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/ready").status_code == 200:
                return time.perf_counter() - start
        except httpx.HTTPError:
            time.sleep(0.05)
    raise SystemExit("The server is not ready.")


async def _under_load(port: int, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What clients of a server see that is killed after three seconds, and how long until the last of them knows."""
    outcomes: collections.Counter[str] = collections.Counter()
    body = ASKED["/models/classify"]

    async def ask(one: httpx.AsyncClient, wanted: Any) -> None:
        while True:
            try:
                answer = await one.post("/models/classify", json=body)
            except httpx.HTTPError as error:
                outcomes[type(error).__name__] += 1
                return
            outcomes["answers" if answer.json() == wanted else "wrong answers"] += 1

    async with client(port, 64) as one:
        wanted = (await one.post("/models/classify", json=body)).json()
        tasks = [asyncio.create_task(ask(one, wanted)) for _ in range(64)]
        await asyncio.sleep(3)
        process.send_signal(signal.SIGKILL)
        start = time.perf_counter()
        await asyncio.wait_for(asyncio.gather(*tasks), 60)
        return {**outcomes, "seconds until all clients know": round(time.perf_counter() - start, 2)}


def faults(result: dict[str, Any]) -> int:
    """How many there are in all."""
    count = sum(one["faults"] for one in result["malformed"].values())
    kill, clients = result["kill -9"], [one for one in result["clients that go"].values() if isinstance(one, dict)]
    count += kill.get("wrong answers", 0) + len(kill["left behind"]) + kill["answers differ afterwards"]
    count += result["clients that go"]["answers differ afterwards"]
    return count + sum(one["left waiting"] + max(one["files after minus before"], 0) for one in clients)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000, help="to each of two servers")
    parser.add_argument("--leave", type=int, default=300, help="clients that go, at each of three moments")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        root = Path(work)
        save_models(root)
        (root / "keys").write_text(f"{KEY}\n")
        found = {
            "malformed": {
                "without keys": malformed(root, options.requests, keyed=False),
                "with a key": malformed(root, options.requests, keyed=True),
            },
            "clients that go": gone(root, options.leave),
            "kill -9": killed(root),
        }
    packages = ("albertkit", "fastapi", "uvicorn", "starlette", "pydantic", "hypothesis", "schemathesis")
    common.keep("serving_faults", {"faults": faults(found), **found, **common.about(packages)})
    sys.exit(1 if json.loads((common.RESULTS / "serving_faults.json").read_text())["faults"] else 0)


if __name__ == "__main__":
    main()
