"""A server of this process that listens at a socket."""

import asyncio
import threading
import time

import httpx
import uvicorn

from albertkit.serving import run
from albertkit.serving.app import create_app
from albertkit.serving.limits import Limits

KEY = "a-key"
ASKED = {
    "/models/sequence": {"inputs": "A fine film."},
    "/models/masks": {"inputs": "A [MASK] of tea."},
    "/embed": {"inputs": ["One.", "Two."]},
}


class Live:
    """A server of this process that listens at a socket."""

    def __init__(self, models, keys=(), origins=(), **limits):
        self.app = create_app(models, Limits(**{"deadline": 20, **limits}), keys, origins)
        listening = run._listen("127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = run.config_of(self.app)
        config.timeout_graceful_shutdown = 5
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening)))
        self._thread.start()
        headers = {"Authorization": f"Bearer {KEY}"} if keys else {}
        self.client = httpx.Client(base_url=self.address, headers=headers, timeout=30)
        self.client.get("/ready").raise_for_status()
        self.idle = asyncio.run_coroutine_threadsafe(self._count(), self._loop).result(20)

    async def _serve(self, listening):
        self._loop = asyncio.get_running_loop()
        await self._server.serve(sockets=[listening])

    async def _count(self):
        return len(asyncio.all_tasks())

    def tasks(self):
        """How many tasks there are, once no request is being answered."""
        answering, least = self.app.state.server.answering, 10**6
        for _ in range(1000):
            least = min(least, asyncio.run_coroutine_threadsafe(self._count(), self._loop).result(20))
            if not answering._requests and least <= self.idle:
                break
            time.sleep(0.01)
        return least

    def waiting(self):
        """What the metrics say of the queue, once it is empty: the last of many clients may have come just now."""
        for _ in range(1000):
            lines = self.client.get("/metrics").text.split("\n")
            found = [line for line in lines if line.startswith("albertkit_waiting_")]
            if all(line.endswith(" 0.0") for line in found):
                break
            time.sleep(0.01)
        return found

    def answers(self):
        return {path: self.client.post(path, json=body).json() for path, body in ASKED.items()}

    def stop(self):
        self.client.close()
        self._server.should_exit = True
        self._thread.join(30)
        self.app.state.server.scheduler.stop()
        assert not self._thread.is_alive()
