"""The page of a server: files of this package that browsers read. They ask the same routes as every client."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.staticfiles import StaticFiles

from albertkit.serving.middleware import PAGE

FILES = Path(__file__).parent / "page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".json": "application/json"}
TYPES[".svg"] = "image/svg+xml"
"""What browsers are told of the files, whatever the machine's own table of types says: they take it at its word."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "Cache-Control": "no-cache",  # asked for each time, by its ETag: another version's files never stay
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Nothing of another host, nothing inline, in no frame; and texts never become markup."""


def page() -> APIRouter:
    """Routes of the page and of its files."""
    router, files = APIRouter(include_in_schema=False), StaticFiles(directory=FILES)

    async def answer(request: Request, name: str) -> Response:
        response = await files.get_response(name, request.scope)
        response.headers.update(HEADERS)
        if response.status_code == 200:
            response.headers["Content-Type"] = f"{TYPES[Path(name).suffix]}; charset=utf-8"
        return response

    @router.api_route("/", methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        return await answer(request, "index.html")

    @router.api_route(PAGE + "{name:path}", methods=["GET", "HEAD"])
    async def file(request: Request, name: str) -> Response:
        return await answer(request, name)

    return router
