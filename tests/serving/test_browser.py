"""The page that a server has for browsers: how its files are served, its words, and what they may not do."""

import json
import re
from pathlib import Path

import pytest

from albertkit.config import AlbertConfig
from albertkit.serving.browser import FILES
from albertkit.tasks.text_classification.task import TextClassification

LANGUAGES = {name: json.loads((FILES / f"{name}.json").read_text(encoding="utf-8")) for name in ("en", "ja")}
SCRIPTS = sorted(FILES.rglob("*.js"))
ENDS = ("other", "one")


def test_the_page_and_its_files_come_without_a_key_and_with_a_strict_policy(serve):
    client = serve(keys=["a-key"])
    kinds = {"": "text/html", "page/page.js": "text/javascript", "page/views/masks.js": "text/javascript"}
    kinds |= {"page/page.css": "text/css", "page/ja.json": "application/json", "page/icon.svg": "image/svg+xml"}
    for address, kind in kinds.items():
        found = client.get(f"/{address}")
        assert (found.status_code, found.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
        policy = found.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert found.headers["x-content-type-options"] == "nosniff"
        assert client.head(f"/{address}").status_code == 200
        again = client.get(f"/{address}", headers={"If-None-Match": found.headers["etag"]})
        assert (again.status_code, again.headers["cache-control"]) == (304, "no-cache")
    assert client.post("/", json={"inputs": "a"}).status_code == 401
    assert client.get("/info").status_code == client.post("/page/page.js").status_code == 401


@pytest.mark.parametrize("name", ["nothing.js", "", "views", "../browser.py", "..%2fbrowser.py", "%2e%2e/browser.py"])
def test_nothing_else_is_served_as_a_file(client, name):
    found = client.get(f"/page/{name}")
    assert found.status_code == 404
    assert "error_type" in found.json()


def test_all_languages_say_the_same_things_with_the_same_values():
    english, japanese = LANGUAGES.values()
    assert english.keys() == japanese.keys()
    for key in english.keys() - {"examples"}:
        assert placeholders(english[key]) == placeholders(japanese[key]), key
        assert isinstance(english[key], str) or tuple(sorted(english[key])) == tuple(sorted(ENDS)), key
    assert {name: one.keys() for name, one in english["examples"].items()} == {
        name: one.keys() for name, one in japanese["examples"].items()
    }


def placeholders(said):
    return set(re.findall(r"\{(\w+)\}", said if isinstance(said, str) else " ".join(said.values())))


def test_every_key_that_the_page_says_has_words_and_none_is_left_over():
    code = "\n".join(path.read_text(encoding="utf-8") for path in [*SCRIPTS, FILES / "index.html"])
    words = LANGUAGES["en"].keys() - {"examples"}
    said = set(re.findall(r"say\('([\w.]+)'", code)) | set(re.findall(r'data-say="([\w.]+)"', code))
    assert said <= words
    begun = tuple(re.findall(r"`([\w]+\.)\$\{", code))  # such as `task.${name}`
    listed = set(re.findall(r"'([\w.]+)'", code))
    assert {key for key in words if key not in said | listed and not key.startswith(begun)} == set()


def test_browsers_are_told_of_all_files_at_once():
    index = (FILES / "index.html").read_text(encoding="utf-8")
    told = set(re.findall(r"(?:href|src)=\"page/([^\"]+)\"", index))
    assert told == {path.relative_to(FILES).as_posix() for path in FILES.rglob("*.*")} - {"index.html", "reference.css"}


def test_scripts_make_no_markup_of_texts_and_name_no_other_host():
    for path in [*SCRIPTS, FILES / "index.html", FILES / "page.css", FILES / "reference.css"]:
        code = path.read_text(encoding="utf-8")
        sinks = re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|style=|onclick=\"", code)
        assert sinks == [], path
        hosts = re.findall(r"(?:https?:)?//[\w-]+\.[\w.-]+", code)
        assert [host for host in hosts if host != "http://www.w3.org"] == [], path


def test_what_speaks_against_an_answer_stands_in_a_header(client):
    def told(model, inputs, **parameters):
        found = client.post(f"/models/{model}", json={"inputs": inputs, "parameters": parameters})
        assert found.status_code == 200
        return found.headers.get("albertkit-warnings")

    assert told("sequence", "A fine film.") is None
    assert told("sequence", ["A fine film.", "word " * 99, "", "漢字仮名"]) == "truncated=1, empty=1, unknown=1"
    assert told("sequence", "word " * 99, long="windows") is None
    found = client.post("/embed", json={"inputs": ["word " * 99, "word " * 99]})
    assert found.headers["albertkit-warnings"] == "truncated=2"
    refused = client.post("/models/masks", json={"inputs": "word " * 99 + "[MASK]"})
    assert (refused.status_code, "albertkit-warnings" in refused.headers) == (422, False)


def test_pages_of_other_origins_may_read_what_speaks_against_an_answer(serve):
    client = serve(origins=["https://example.org"], headers={"Origin": "https://example.org"})
    found = client.post("/models/sequence", json={"inputs": "word " * 99})
    assert "Albertkit-Warnings" in found.headers["access-control-expose-headers"]


def test_info_says_what_who_reads_answers_must_know(client):
    found = {one["name"]: one for one in client.get("/info").json()["models"]}
    known = ("single_label_classification", None, "[MASK]")
    assert tuple(found["sequence"][name] for name in ("problem_type", "is_pair", "mask_token")) == known
    assert "problem_type" not in found["tokens"]
    trained = {"name": "text-classification", "data": {"pair_column": "b"}, "calibration": {"thresholds": {"b": 0.2}}}
    config = AlbertConfig(id2label={0: "a", 1: "b"}, problem_type="multi_label_classification")
    of_pairs = AlbertConfig.from_dict({**config.to_dict(), "task": trained})
    expected = {"problem_type": "multi_label_classification", "is_pair": True, "thresholds": [0.5, 0.2]}
    assert TextClassification().about(of_pairs) == expected


def test_pictures_of_the_page_are_shown_and_small():
    docs = Path(__file__).parents[2] / "docs"
    shown = set(re.findall(r"images/[\w-]+\.png", (docs / "serving.md").read_text(encoding="utf-8")))
    assert shown == {path.relative_to(docs).as_posix() for path in docs.glob("images/page-*")}
    assert all((docs / name).stat().st_size < 150_000 for name in shown)
