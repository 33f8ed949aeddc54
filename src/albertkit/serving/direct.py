"""Requests that are as a route describes them, answered where they arrive.

FastAPI describes the routes, and says of any other request what is wrong with it. On its own way to a route, by its
search, its dependencies and its stacks of what is to be closed, a request takes a third as long again.
"""

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from albertkit.serving.errors import Refusal
from albertkit.serving.middleware import refuse


class Target(NamedTuple):
    """A route that takes a body of JSON."""

    route: APIRoute
    answer: Callable[[Request, Any], Awaitable[Response]]
    body: type[BaseModel]

    def checked(self, content: bytes) -> BaseModel | None:
        """A body as the route takes it, or None for one that it does not take."""
        try:
            return self.body.model_validate(json.loads(content))
        except (ValueError, RecursionError):
            return None


def targets(routes: Iterable[BaseRoute]) -> dict[str, Target]:
    """By address those routes whose functions take a `request` and a `body`."""
    return {
        route.path: Target(route, route.endpoint, route.endpoint.__annotations__["body"])
        for route in routes
        if isinstance(route, APIRoute) and {"request", "body"} <= route.endpoint.__annotations__.keys()
    }


class Direct:
    """Lets such requests past FastAPI; wants their bodies whole, as `Bounded` gives them."""

    def __init__(self, app: ASGIApp, targets: dict[str, Target]) -> None:
        self.app, self.targets = app, targets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        target = self.targets.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if target is None or not _is_json(scope):
            return await self.app(scope, receive, send)
        messages: list[Message] = [await receive()]
        body = target.checked(messages[0].get("body", b""))

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        if body is None:
            return await self.app(scope, again, send)
        scope["route"] = target.route
        try:
            response = await target.answer(Request(scope, again, send), body)
        except Refusal as refusal:
            return await refuse(refusal, scope, again, send)
        return await response(scope, again, send)


def _is_json(scope: Scope) -> bool:
    """Whether a request says that its body is JSON."""
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    return len(kinds) == 1 and kinds[0].partition(b";")[0].strip().lower() == b"application/json"
