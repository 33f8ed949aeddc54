"""The server: routes for models, for vectors, and for whoever runs it."""

import ctypes
import gc
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from albertkit import __version__
from albertkit.kernels import library
from albertkit.serving import reference, schemas
from albertkit.serving.answering import Answering
from albertkit.serving.browser import HEADERS, page
from albertkit.serving.direct import Direct, targets
from albertkit.serving.embeddings import of_vectors
from albertkit.serving.errors import STATUSES, Refusal, described
from albertkit.serving.limits import Limits
from albertkit.serving.metrics import Metrics
from albertkit.serving.middleware import WARNINGS, Bounded, Keyed, Observed, Warned
from albertkit.serving.models import Models
from albertkit.serving.scheduler import Scheduler
from albertkit.typing import Record

logger = logging.getLogger(__name__)

_TYPES = {one.__name__ for one in (str, int, float, bool)}


@dataclass
class Server:
    """What a running server holds."""

    models: Models
    limits: Limits
    metrics: Metrics = field(default_factory=Metrics)
    is_stopping: bool = False

    def __post_init__(self) -> None:
        limits = self.limits
        self.scheduler = Scheduler(limits.max_batch_tokens, limits.max_waiting_tokens, self.metrics.batch)
        self.metrics.watch(self.scheduler)
        self.answering = Answering(self.scheduler, limits, self.metrics)

    def reload(self) -> None:
        """Load all models again; requests that were taken are answered by the former ones."""
        self.models.load()
        settle()


def settle() -> None:
    """Leave all that a server holds from its start on out of Python's search for garbage.

    That search holds everything up: for a third of a second with PyTorch and a model among what it goes through.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    _give_back()


def _give_back() -> None:
    """Give the system the memory that is free: glibc keeps that of former models among what is used."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def create_app(
    models: Models, limits: Limits | None = None, keys: Sequence[str] = (), origins: Sequence[str] = ()
) -> FastAPI:
    """The application for models that are loaded, ready for an ASGI server; `app.state.server` is its Server.

    With `keys` every request needs one of them; pages of the `origins` may ask from a browser.
    """
    server = Server(models, limits or Limits.model_validate({}))
    about: Record = {"title": "albertkit", "version": __version__, "description": "ALBERT models behind HTTP."}
    elsewhere: Record = {"docs_url": None, "redoc_url": None}  # pages that need another host
    app = FastAPI(**about, responses=described("/"), redirect_slashes=False, **elsewhere)
    app.state.server = server
    first = models.names[0]
    paths = {f"/models/{name}": name for name in models.loaded()} | {"/": first}
    asked = [
        *(
            _of_model(server, name, schemas.request_model(models.loaded()[name].task), path)
            for path, name in paths.items()
        ),
        of_vectors(server.models, server.answering),
    ]
    for router in (*asked, _of_operation(server, has_keys=bool(keys)), page()):
        app.include_router(router)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(reference.page(app.openapi(), STATUSES), headers=HEADERS, media_type="text/html")

    _add_handlers(app)
    app.add_middleware(Direct, targets=targets([route for router in asked for route in router.routes]))
    app.add_middleware(Warned)
    app.add_middleware(Bounded, max_body_bytes=server.limits.max_body_bytes, deadline=server.limits.deadline)
    if keys:
        app.add_middleware(Keyed, keys=list(keys))
    if origins:
        shown = [WARNINGS, "Retry-After"]
        app.add_middleware(
            CORSMiddleware, allow_origins=list(origins), allow_methods=["*"], allow_headers=["*"], expose_headers=shown
        )
    app.add_middleware(Observed, seen=server.metrics.request)
    return app


def _of_model(server: Server, name: str, body_model: Any, path: str) -> APIRouter:
    """The route on which one model answers for its task."""

    async def answer(request: Request, body: Any) -> Response:
        model = server.models.get(name)
        if model is None:
            raise Refusal(503)
        given = body.parameters.model_dump(exclude_unset=True) if body.parameters else {}
        return await server.answering.answer(request, name, model, schemas.plain(body.inputs), **given)

    answer.__annotations__["body"] = body_model  # known only now, to FastAPI and to who reads its description
    router = APIRouter(tags=["models"])
    router.post(path, summary=f"Answers of {name}")(answer)
    return router


def _of_operation(server: Server, has_keys: bool) -> APIRouter:
    """Routes for whoever runs the server."""
    router = APIRouter(tags=["operation"])

    @router.get("/health")
    async def health() -> Record:
        """Whether the process answers at all."""
        return {"status": "ok"}

    @router.get("/ready")
    async def ready() -> Record:
        """Whether requests are taken: not before all models have answered once, nor once the server stops."""
        if server.is_stopping or not server.models.are_ready:
            raise Refusal(503)
        return {"status": "ready"}

    @router.get("/info")
    async def info() -> Record:
        """The models, what may be asked of them, and the instructions that the compiled encoder uses."""
        models, limits = server.models.describe(), server.limits.model_dump()
        return {"version": __version__, "models": models, "limits": limits, "compiled_encoder": library.fastest()}

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Counters in the form of Prometheus."""
        return Response(server.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    if has_keys:

        @router.post("/reload")
        async def reload() -> Record:
            """Load all models again; requests that were taken are answered by the former ones."""
            await to_thread.run_sync(server.reload)
            return {"models": server.models.names}

    return router


def _add_handlers(app: FastAPI) -> None:
    """What is answered in place of what FastAPI says, which repeats what was sent."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> Response:
        return JSONResponse(error.body(request.url.path), error.status, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        places = [{"where": _steps(one["loc"][1:], one["type"]), "rule": one["msg"]} for one in error.errors()[:8]]
        return JSONResponse(Refusal(422).body(request.url.path, places), 422)

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        status = 422 if error.status_code == 400 else error.status_code  # bytes that are no text
        return JSONResponse(Refusal(status).body(request.url.path), status, error.headers)


def _steps(place: Sequence[str | int], kind: str) -> list[str]:
    """The way to a wrong field, without the types that were tried on it, such as `list[str]` or `constrained-int`.

    A name that is none of a schema's is the client's own: it is repeated if it may be a name.
    """
    steps = [str(part) for part in place]
    if kind == "extra_forbidden":
        *before, own = steps
        return [*_fields(before), own if own.isidentifier() and len(own) <= 32 else "..."]
    return _fields(steps)


def _fields(steps: list[str]) -> list[str]:
    return [step for step in steps if step.isdigit() or (step.isidentifier() and step not in _TYPES)]
