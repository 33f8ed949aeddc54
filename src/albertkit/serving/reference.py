"""/docs: what the server's OpenAPI says, as a page without scripts that needs no other host."""

import html
import json
from collections.abc import Iterator, Mapping
from typing import Any

from albertkit.typing import Json, Record

_MANY = 5
"""Kinds of values from which on a field takes nearly any."""
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="page/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="page/reference.css">
<h1>{title}</h1>
<p>{description} As JSON for programs: <a href="openapi.json">openapi.json</a>. In the
commands <code>$ADDRESS</code> is that of this server, such as http://127.0.0.1:8080.</p>
<nav><ul>
{contents}
</ul></nav>
{routes}
<h2 id="refusals">Refusals</h2>
<p>Each is JSON with <code>error</code> and <code>error_type</code>, and repeats nothing that was sent;
under /v1 <code>error</code> has a <code>message</code>, as clients of OpenAI read it.</p>
<table><thead><tr><th scope="col">status</th><th scope="col">when</th></tr></thead><tbody>
{refusals}
</tbody></table>
</html>
"""


def page(description: Mapping[str, Any], refusals: Mapping[int, str]) -> str:
    """An OpenAPI as HTML, and the statuses that any route may answer."""
    routes = [
        (method.upper(), path, one) for path, methods in description["paths"].items() for method, one in methods.items()
    ]
    contents = [f'<li><a href="#{_anchor(*route[:2])}">{_name(*route[:2])}</a></li>' for route in routes]
    return _PAGE.format(
        title=html.escape(f"{description['info']['title']} {description['info']['version']}"),
        description=html.escape(description["info"].get("description", "")),
        contents="\n".join(contents),
        routes="\n".join(_route(description, *route) for route in routes),
        refusals="\n".join(
            f"<tr><td>{status}</td><td>{html.escape(why)}</td></tr>" for status, why in refusals.items()
        ),
    )


def _name(method: str, path: str) -> str:
    return f"<code>{method} {html.escape(path)}</code>"


def _anchor(method: str, path: str) -> str:
    return html.escape(f"{method.lower()}-{path.strip('/').replace('/', '-')}")


def _route(description: Mapping[str, Any], method: str, path: str, one: Mapping[str, Any]) -> str:
    """A route: what it is for, the fields of its body, and a command that asks it."""
    told = one.get("description") or one.get("summary", "")
    parts = [f'<h2 id="{_anchor(method, path)}">{_name(method, path)}</h2>', f"<p>{html.escape(told)}</p>"]
    schema = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if schema:
        body = _resolved(description, schema)
        rows = "\n".join(_rows(description, body))
        head = "".join(f'<th scope="col">{name}</th>' for name in ("field", "what it takes", "default", "about"))
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table>")
        parts.append(f"<pre><code>{html.escape(_command(method, path, body))}</code></pre>")
    return "\n".join(parts)


def _rows(description: Mapping[str, Any], body: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """A row for each field, those of the objects in it behind it."""
    for name, field in body.get("properties", {}).items():
        default = "" if name in body.get("required", ()) else json.dumps(field.get("default"))
        cells = (_kind(description, field), default, field.get("description", ""))
        shown = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        yield f"<tr><td><code>{html.escape(before + name)}</code></td>{shown}</tr>"
        for option in (field, *field.get("anyOf", ())):
            yield from _rows(
                description, _resolved(description, option) if "$ref" in option else {}, f"{before}{name}."
            )


def _kind(description: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """In words what a field takes."""
    if "$ref" in schema:
        return "an object"
    if options := schema.get("anyOf", ()):
        kinds = dict.fromkeys(_kind(description, one) for one in options)
        return "a value" if len(kinds) > _MANY else " or ".join(kinds)
    if "enum" in schema:
        return " or ".join(json.dumps(one) for one in schema["enum"])
    if schema.get("type") == "array":
        return f"a list of {_kind(description, schema['items'])}"
    words = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}
    kind: str = schema.get("type", "a value")
    return words.get(kind, kind)


def _command(method: str, path: str, body: Mapping[str, Any]) -> str:
    """A line for a shell that asks with the example of each field."""
    example: Record = {
        name: field["examples"][0] for name, field in body.get("properties", {}).items() if field.get("examples")
    }
    written: Json = json.dumps(example, ensure_ascii=False).replace("'", "'\\''")
    return f"curl -s -X {method} $ADDRESS{path} -H 'Content-Type: application/json' \\\n  -d '{written}'"


def _resolved(description: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = description
    for part in schema.get("$ref", "").split("/")[1:]:
        found = found[part]
    return found if "$ref" in schema else schema
