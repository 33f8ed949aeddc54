"""/docs shows every route with an example that is answered, and needs nothing of another host."""

import json
import re
from html.parser import HTMLParser

from albertkit.serving import reference
from albertkit.serving.errors import STATUSES

VOID = {"meta", "link"}


class Read(HTMLParser):
    """What a page holds, for which every element must be closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.addresses, self.anchors, self.commands, self.tags = [], [], set(), [], set()
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.add(tag)
        self.addresses += [found[name] for name in ("href", "src") if name in found]
        self.anchors |= {found["id"]} if "id" in found else set()
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-2:] == ["pre", "code"]:
            self.commands.append(data)


def test_every_route_is_there_and_the_page_asks_no_other_host_and_has_no_script(client):
    found = client.get("/docs")
    assert (found.status_code, found.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in found.headers["content-security-policy"]
    read = Read(found.text)
    assert not any("//" in address for address in read.addresses)
    assert not read.tags & {"script", "iframe", "img", "style"}
    for address in read.addresses:
        assert address[1:] in read.anchors if address.startswith("#") else client.get(f"/{address}").status_code == 200
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in found.text
    assert "<code>parameters.top_k</code>" in found.text
    assert all(f"<td>{status}</td>" in found.text for status in STATUSES)


def test_every_example_is_answered(client):
    commands = Read(client.get("/docs").text).commands
    assert len(commands) >= 12
    for command in commands:
        path = re.search(r"ADDRESS(\S+)", command)[1]
        body = json.loads(re.search(r"-d '(.*)'", command, re.DOTALL)[1])
        assert client.post(path, json=body).status_code == 200, command


def test_what_a_description_holds_is_no_markup():
    described = {
        "info": {"title": "<b>", "version": "1"},
        "paths": {"/<i>": {"post": {"summary": "<script>", "responses": {}}}},
    }
    shown = reference.page(described, {404: "<img>"})
    assert not re.search("<(b|i|img)>", shown)
    assert "&lt;script&gt;" in shown


def test_with_keys_it_needs_one(serve):
    client = serve(keys=["a-key"])
    assert client.get("/docs").status_code == 401
    assert client.get("/docs", headers={"Authorization": "Bearer a-key"}).status_code == 200
