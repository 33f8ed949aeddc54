"""Counters of a server in the form of Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from albertkit.serving.scheduler import Batch, Scheduler

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_TOKENS = (16, 64, 256, 1024, 2048, 4096, 8192, 16384)


class Metrics:
    """Of one server: several in a process do not share them."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter("albertkit_requests", "Requests that are over", ["route", "status"], registry=registry)
        self.seconds = Histogram(
            "albertkit_request_seconds", "From arrival to answer", ["route"], buckets=_SECONDS, registry=registry
        )
        self.waited = Histogram(
            "albertkit_wait_seconds", "From arrival in the queue to the first batch", ["model"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.tokens = Counter("albertkit_tokens", "Tokens that were asked about", ["model"], registry=registry)
        self.batch_tokens = Histogram(
            "albertkit_batch_tokens", "Tokens computed together", buckets=_TOKENS, registry=registry
        )
        self.batch_seconds = Histogram(
            "albertkit_batch_seconds", "Computing of a batch", buckets=_SECONDS, registry=registry
        )
        self.waiting_requests = Gauge("albertkit_waiting_requests", "Requests in the queue", registry=registry)
        self.waiting_tokens = Gauge("albertkit_waiting_tokens", "Tokens in the queue", registry=registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        """One that is over."""
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def batch(self, batch: Batch, seconds: float) -> None:
        """One that was computed."""
        self.batch_tokens.observe(batch.tokens)
        self.batch_seconds.observe(seconds)

    def watch(self, scheduler: Scheduler) -> None:
        """Read the queue of a scheduler whenever metrics are asked for."""
        self.waiting_requests.set_function(lambda: scheduler.waiting_requests)
        self.waiting_tokens.set_function(lambda: scheduler.waiting_tokens)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)
