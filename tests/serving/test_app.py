"""A server answers what pipelines answer, and every refusal has its status and repeats nothing that was sent."""

import asyncio
import base64
import json
import shutil
import threading
from concurrent.futures import Future

import numpy as np
import pytest

from albertkit.errors import InputError
from albertkit.pipelines import pipeline
from albertkit.serving import json_parts
from albertkit.serving.answering import connected
from albertkit.serving.errors import Refusal, rule_of
from albertkit.serving.middleware import Bounded
from albertkit.serving.models import Models, Source
from albertkit.serving.scheduler import Job

SECRET = "Quetzalcoatl"
INPUTS = {
    "sequence": ["A fine film.", {"text": "A fine film.", "text_pair": "Or not."}, ["One.", "Two of them."]],
    "tokens": ["Anna went to Rome.", ["One.", "Two of them."]],
    "questions": [{"question": "Who came?", "context": "Peter came on Friday, and Anna on Monday."}],
    "choices": [{"context": "It rained.", "question": "What is wet?", "choices": ["the moon", "the grass", "tea"]}],
    "masks": ["A [MASK] of tea.", ["A [MASK].", "Some [MASK] and [MASK]."]],
    "vectors": ["A text.", ["One.", "Two."]],
    "likelihood": ["A cup of tea.", ["One.", "Two of them."]],
}


def near(one, other):
    """Whether two answers are alike: numbers to 1e-5, all else the same."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(near(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(near, one, other))
    return one == pytest.approx(other, abs=1e-5) if isinstance(one, float) else one == other


def plain(answer):
    if isinstance(answer, np.ndarray | np.generic):
        return answer.tolist()
    if isinstance(answer, dict):
        return {name: plain(one) for name, one in answer.items()}
    return [plain(one) for one in answer] if isinstance(answer, list | tuple) else answer


@pytest.mark.parametrize("name", INPUTS)
def test_answers_are_those_of_the_pipeline(client, models, name):
    for inputs in INPUTS[name]:
        found = client.post(f"/models/{name}", json={"inputs": inputs})
        assert found.status_code == 200, found.text
        assert near(found.json(), plain(models.get(name)(inputs)))


def test_requests_that_come_together_get_their_own_answers(client, models):
    texts = [f"A text of {'many ' * (number % 7)}words, number {number}." for number in range(40)]
    found = {}

    def ask(number):
        found[number] = client.post("/models/sequence", json={"inputs": texts[number], "parameters": {"top_k": None}})

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, text in enumerate(texts):
        assert near(found[number].json(), plain(models.get("sequence")(text, top_k=None)))


def test_options_of_a_call_are_parameters(client, models):
    text, options = "A [MASK] of tea.", {"top_k": 3, "targets": ["cup", "bit", "pot"]}
    found = client.post("/models/masks", json={"inputs": text, "parameters": options})
    assert near(found.json(), plain(models.get("masks")(text, **options)))


def test_the_first_model_answers_without_being_named(client):
    asked = {"json": {"inputs": "A film."}}
    assert client.post("/", **asked).json() == client.post("/models/sequence", **asked).json()


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/models/sequence", {"inputs": 5}, "inputs"),
        ("/models/sequence", {"inputs": SECRET, "parameters": {"topk": 3}}, "parameters"),
        ("/models/sequence", {"inputs": SECRET, "other": 3}, "other"),
        ("/models/sequence", {"inputs": SECRET, "parameters": {"top_k": "all"}}, "top_k"),
        ("/models/sequence", {"inputs": SECRET, "parameters": {"top_k": 0}}, "top_k"),
        ("/models/sequence", {"inputs": SECRET, "parameters": {"abstain_below": 2}}, "abstain_below"),
        ("/models/sequence", {"inputs": SECRET, "parameters": {"stride": -1}}, "stride"),
        ("/models/tokens", {"inputs": SECRET, "parameters": {"ignore_labels": "O"}}, "ignore_labels"),
        ("/models/sequence", {"inputs": "a", f"{SECRET} as a key": 3}, "..."),
        ("/models/sequence", {}, "inputs"),
        ("/models/questions", {"inputs": {"question": SECRET}}, "context"),
        ("/models/choices", {"inputs": {"question": SECRET, "choices": ["one"]}}, "choices"),
        ("/embed", {"inputs": {"a": SECRET}}, "inputs"),
        ("/v1/embeddings", {"input": SECRET, "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_wrong_fields_are_422_and_named_without_what_was_sent(client, path, body, where):
    found = client.post(path, json=body)
    assert found.status_code == 422
    assert any(where in one["where"] for one in found.json()["fields"])
    assert SECRET not in found.text


@pytest.mark.parametrize(
    ("path", "body", "places"),
    [
        ("/embed", {"inputs": ["a", 3]}, [["inputs"], ["inputs", "1"]]),
        ("/v1/embeddings", {"input": [[1, 2]]}, [["input"], ["input", "0"]]),
        ("/models/sequence", {"inputs": {"text": 3}}, [["inputs"], ["inputs", "Pair", "text"], ["inputs"]]),
        ("/models/sequence", {"inputs": "a", "a]": 3}, [["..."]]),
        ("/models/sequence", {"inputs": "a", "body": 3}, [["body"]]),
        ("/models/sequence", {"inputs": "a", "parameters": {"top_k": 0}}, [["parameters", "top_k"]] * 2),
        ("/models/masks", {"inputs": "a", "parameters": {"return_tensors": 3}}, [["parameters", "return_tensors"]]),
    ],
)
def test_places_of_wrong_fields_are_of_the_body_and_not_of_the_code(client, path, body, places):
    assert [one["where"] for one in client.post(path, json=body).json()["fields"]] == places


@pytest.mark.parametrize(
    ("path", "body", "rule"),
    [
        ("/models/masks", {"inputs": f"{SECRET} without one"}, "must hold"),
        ("/models/questions", {"inputs": {"question": SECRET, "context": " "}}, "context"),
        ("/models/sequence", {"inputs": f"{SECRET} " * 99, "parameters": {"truncation": False}}, "fit into 64 tokens"),
        (
            "/models/sequence",
            {"inputs": SECRET, "parameters": {"long": "windows", "stride": 60}},
            "half of the longest",
        ),
        ("/v1/embeddings", {"input": SECRET, "dimensions": 99}, "at most 16"),
        ("/v1/embeddings", {"input": []}, "must hold"),
    ],
)
def test_what_cannot_be_answered_is_422_and_names_the_rule_without_what_was_sent(client, path, body, rule):
    found = client.post(path, json=body)
    assert found.status_code == 422
    error = found.json()["error"]
    assert rule in (error["message"] if path.startswith("/v1/") else error)
    assert SECRET not in found.text


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"input": [[1, 2]]}, 422, "(input: Input should be a valid string)"),
        ({"input": [5, 6], "model": "vectors"}, 422, "(input.0: Input should be a valid string)"),
        ({"input": "a", "model": "none"}, 404, "No model of this server gives vectors"),
        ({"input": "a", "dimensions": 99}, 422, "at most 16"),
    ],
)
def test_refusals_of_openai_s_routes_have_the_message_that_its_clients_show(client, body, status, told):
    found = client.post("/v1/embeddings", json=body)
    error = found.json()["error"]
    assert (found.status_code, error["code"], error["type"]) == (status, str(status), "invalid_request_error")
    assert told in error["message"]
    assert client.get("/v1/nothing").json()["error"]["message"]


def test_similarity_takes_the_parameters_of_inference_clients(client):
    asked = {"inputs": {"source_sentence": "tea " * 99, "sentences": ["Rain."]}, "parameters": {}}
    assert client.post("/similarity", json=asked).status_code == 200
    refused = client.post("/similarity", json={**asked, "parameters": {"truncate": False}})
    assert refused.status_code == 422
    assert "fit into" in refused.json()["error"]


@pytest.mark.parametrize("name", INPUTS)
def test_half_a_character_is_422_and_named(client, name):
    sample = INPUTS[name][0]
    broken = {**sample, "question": "\ud83d"} if isinstance(sample, dict) else f"{sample} \ud83d"
    sent = {"content": json.dumps({"inputs": broken}), "headers": {"Content-Type": "application/json"}}
    found = client.post(f"/models/{name}", **sent)
    assert found.status_code == 422
    assert any("well-formed Unicode" in one["rule"] for one in found.json()["fields"])


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe{}", b"[]", b'"text"', b"", b'{"inputs": NaN}'])
def test_bytes_that_are_no_request_are_422(client, content):
    found = client.post("/models/sequence", content=content, headers={"content-type": "application/json"})
    assert found.status_code == 422


def test_a_large_body_is_413_whether_it_says_its_size_or_not(serve):
    client = serve(max_body_bytes=1000)
    body = b'{"inputs": "' + b"a " * 800 + b'"}'
    assert client.post("/models/sequence", content=body).status_code == 413
    assert client.post("/models/sequence", content=iter([body[:500], body[500:]])).status_code == 413
    assert client.post("/models/sequence", json={"inputs": "a"}).status_code == 200


def test_more_tokens_than_a_request_may_have_are_413(serve):
    client = serve(max_request_tokens=20, max_waiting_tokens=30)
    client.app.state.server.scheduler._waiting = 25  # too large is told before too busy
    assert client.post("/models/sequence", json={"inputs": ["one two three"] * 20}).status_code == 413
    client.app.state.server.scheduler._waiting = 0
    assert client.post("/models/sequence", json={"inputs": "one two three"}).status_code == 200


def test_when_too_much_waits_it_is_429_with_when_to_come_back(serve, monkeypatch):
    client = serve(max_waiting_tokens=10)
    scheduler = client.app.state.server.scheduler
    monkeypatch.setattr(scheduler, "_waiting", 10)
    found = client.post("/models/sequence", json={"inputs": "one two three"})
    assert (found.status_code, found.headers["retry-after"]) == (429, "1")


def test_more_requests_at_a_time_than_may_be_are_429(serve):
    client = serve(max_requests=1)
    client.app.state.server.answering._requests = 1
    assert client.post("/models/sequence", json={"inputs": "a"}).status_code == 429
    client.app.state.server.answering._requests = 0
    assert client.post("/models/sequence", json={"inputs": "a"}).status_code == 200


def test_scores_of_words_are_bounded_for_a_request_and_for_all(serve, models):
    words = models.get("masks").config.vocab_size
    client = serve(max_mask_scores=3 * words)
    answering = client.app.state.server.answering
    found = client.post("/models/masks", json={"inputs": ["A [MASK].", "A [MASK] of [MASK] and [MASK]."]})
    assert (found.status_code, "may have 3 masks" in found.json()["error"]) == (413, True)
    answering._scores = 2 * words
    found = client.post("/models/masks", json={"inputs": "A [MASK] of [MASK]."})
    assert (found.status_code, found.headers["retry-after"]) == (429, "1")
    for _ in range(3):  # what was answered, or refused, is not kept
        assert client.post("/models/masks", json={"inputs": "A [MASK]."}).status_code == 200
    assert answering._scores == 2 * words
    assert client.post("/models/sequence", json={"inputs": ["Of no mask."] * 9}).status_code == 200


def test_limits_of_time_and_number_hold_without_a_model_too(serve):
    client = serve(deadline=0.001, max_requests=1)
    long = {"inputs": ["one two three"] * 3000}
    assert client.post("/tokenize", json=long).status_code in (408, 504)
    client.app.state.server.answering._requests = 1
    assert client.post("/tokenize", json={"inputs": "a"}).status_code == 429


def test_clients_that_go_take_no_more_threads_than_there_are(client):
    answering, gate, begun = client.app.state.server.answering, threading.Event(), []

    def work(number):
        begun.append(number)
        gate.wait(20)

    async def leave():
        tasks = [asyncio.create_task(answering._done(lambda number=number: work(number))) for number in range(6)]
        while len(begun) < 2:
            await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        gate.set()
        last = await answering._done(lambda: "the last")
        return found, last

    found, last = asyncio.run(leave())
    assert all(isinstance(one, asyncio.CancelledError) for one in found)
    assert (sorted(begun), last) == ([0, 1], "the last")


def test_a_deadline_that_passes_is_504_and_the_server_goes_on(serve):
    client = serve(deadline=0.001)
    assert client.post("/models/sequence", json={"inputs": ["one two three"] * 200}).status_code in (408, 504)
    assert client.get("/health").status_code == 200


def test_once_it_stops_requests_are_503_and_it_is_not_ready(client):
    server = client.app.state.server
    assert client.get("/ready").status_code == 200
    server.is_stopping = True
    server.scheduler.stop()
    assert client.get("/ready").status_code == 503
    assert client.post("/models/sequence", json={"inputs": "a"}).status_code == 503
    assert client.get("/health").status_code == 200


def test_keys_are_asked_for_everywhere_but_for_health(serve):
    client = serve(keys=["first-key", "second-key"])
    asked = {"json": {"inputs": "a"}}
    for header in [None, "Bearer wrong", "Basic first-key", "Bearer", "Bearer first-key2", "Bearer ö"]:
        headers = {} if header is None else {"Authorization": header.encode("latin-1")}
        found = client.post("/models/sequence", **asked, headers=headers)
        assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
    for key in ("first-key", "second-key"):
        assert client.post("/models/sequence", **asked, headers={"Authorization": f"Bearer {key}"}).status_code == 200
    assert client.get("/health").status_code == client.get("/ready").status_code == 200
    assert client.get("/metrics").status_code == client.get("/info").status_code == 401


def test_pages_of_other_origins_may_ask_only_if_they_are_named(serve):
    asked = {"headers": {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}}
    assert "access-control-allow-origin" not in serve().options("/embed", **asked).headers
    allowed = serve(origins=["https://example.org"]).options("/embed", **asked)
    assert allowed.headers["access-control-allow-origin"] == "https://example.org"


def test_what_there_is_none_of_is_404_and_wrong_methods_are_405(client):
    assert client.post("/models/nothing", json={"inputs": "a"}).status_code == 404
    found = client.get("/embed")
    assert (found.status_code, found.headers["allow"]) == (405, "POST")
    assert client.post("/embed/", json={"inputs": "a"}, follow_redirects=False).status_code == 404
    asked = {"input": "a", "model": "sequence"}  # gives no vectors
    assert client.post("/v1/embeddings", json=asked).status_code == 404


def test_an_error_of_the_model_fails_one_request_without_a_word_of_it(serve, models, monkeypatch, caplog):
    client, broken = serve(), models.get("sequence")

    def run(features, most):
        raise RuntimeError(SECRET)

    with monkeypatch.context() as patched:
        patched.setattr(broken, "run", run)
        found = client.post("/models/sequence", json={"inputs": "a"})
    assert (found.status_code, found.json()["error_type"]) == (500, "500")
    assert SECRET not in found.text
    assert SECRET not in caplog.text
    assert 'route="/models/sequence",status="500"} 1.0' in client.get("/metrics").text
    assert client.post("/models/sequence", json={"inputs": "a"}).status_code == 200


def test_a_model_that_is_loaded_again_answers_as_before_and_a_broken_one_leaves_the_former(serve, folders):
    client = serve(keys=["key"], headers={"Authorization": "Bearer key"})
    models, before = client.app.state.server.models, client.post("/embed", json={"inputs": "a"}).json()
    former = models.get("vectors")
    assert client.post("/reload").status_code == 200
    assert models.get("vectors") is not former
    assert near(client.post("/embed", json={"inputs": "a"}).json(), before)
    weights = folders / "masks" / "model.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:100])
    found = client.post("/reload")
    weights.write_bytes(kept)
    assert found.status_code == 500
    assert str(folders) not in found.text
    assert near(client.post("/embed", json={"inputs": "a"}).json(), before)


def test_a_model_of_another_task_takes_no_place(folders, tmp_path):
    served = tmp_path / "served"
    shutil.copytree(folders / "sequence", served)
    models = Models([Source.of(str(served), framework="torch")])
    models.load()
    former = models.get("served")
    shutil.rmtree(served)
    shutil.copytree(folders / "tokens", served)
    with pytest.raises(InputError, match="must answer for text-classification, as before"):
        models.load()
    assert models.get("served") is former


def test_without_keys_nobody_may_have_models_loaded_again(client):
    assert client.post("/reload").status_code == 404


def test_vectors_are_those_of_the_pipeline_in_every_form(client, models):
    texts = ["One text.", "Another one."]
    expected = np.array(models.get("vectors")(texts))
    np.testing.assert_allclose(client.post("/embed", json={"inputs": texts}).json(), expected, atol=1e-5)
    found = client.post("/v1/embeddings", json={"input": texts}).json()
    np.testing.assert_allclose([one["embedding"] for one in found["data"]], expected, atol=1e-5)
    assert [one["index"] for one in found["data"]] == [0, 1]
    assert (found["model"], found["usage"]["total_tokens"]) == ("vectors", found["usage"]["prompt_tokens"])
    coded = client.post("/v1/embeddings", json={"input": texts, "encoding_format": "base64"}).json()["data"]
    read = [np.frombuffer(base64.b64decode(one["embedding"]), "<f4") for one in coded]
    np.testing.assert_allclose(read, expected, atol=1e-5)
    cut = client.post("/v1/embeddings", json={"input": texts[0], "dimensions": 5}).json()["data"][0]["embedding"]
    np.testing.assert_allclose(cut, expected[0, :5] / np.linalg.norm(expected[0, :5]), atol=1e-5)


def test_long_answers_have_the_same_content_as_short_ones(client, models, monkeypatch):
    texts = [f"Text number {number}." for number in range(50)]
    asked = [
        ("/embed", {"inputs": texts}),
        ("/v1/embeddings", {"input": texts}),
        ("/tokenize", {"inputs": texts}),
        ("/models/masks", {"inputs": "A [MASK] and a [MASK].", "parameters": {"top_k": 200}}),
    ]
    whole = [client.post(path, json=body) for path, body in asked]
    monkeypatch.setattr(json_parts, "SIZE", 100)
    monkeypatch.setattr(json_parts, "_TOGETHER", 50)
    for (path, body), before in zip(asked, whole, strict=True):
        found = client.post(path, json=body)
        assert "content-length" in before.headers
        assert "content-length" not in found.headers
        assert found.headers["content-type"] == before.headers["content-type"] == "application/json"
        assert found.content == before.content


def test_no_texts_have_no_vectors_nor_ranks(client):
    assert client.post("/embed", json={"inputs": []}).json() == []
    assert client.post("/rerank", json={"query": "a", "texts": []}).json() == []
    assert client.post("/similarity", json={"inputs": {"source_sentence": "a", "sentences": []}}).json() == []
    assert client.post("/tokenize", json={"inputs": []}).json() == []


def test_similarity_and_rerank_go_by_the_cosine(client, models):
    source, others = "A cup of tea.", ["Rain.", "A cup of tea.", "A pot of tea."]
    vectors = np.array(models.get("vectors")([source, *others]))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors[1:] @ vectors[0]
    asked = {"inputs": {"source_sentence": source, "sentences": others}}
    np.testing.assert_allclose(client.post("/similarity", json=asked).json(), cosines, atol=1e-5)
    ranked = client.post("/rerank", json={"query": source, "texts": others, "return_text": True}).json()
    assert [one["index"] for one in ranked] == np.argsort(-cosines).tolist()
    assert [one["text"] for one in ranked] == [others[one["index"]] for one in ranked]
    assert ranked[0]["score"] == pytest.approx(1, abs=1e-5)


def test_rerank_goes_by_a_model_of_pairs_where_one_is_served(folders, tmp_path):
    from fastapi.testclient import TestClient

    from albertkit.checkpoint import files
    from albertkit.serving.app import create_app
    from albertkit.tokenization.fast import AlbertTokenizerFast
    from frameworks.common import random_tensors

    config = files.load(folders / "sequence").config.changed(num_labels=1, problem_type="regression")
    head = "ForSequenceClassification"
    files.save(tmp_path / "pairs", config, random_tensors(config, head), f"Albert{head}")
    AlbertTokenizerFast.from_pretrained(folders / "masks").save_pretrained(tmp_path / "pairs")
    models = Models([Source.of(str(tmp_path / "pairs"), framework="torch")])
    models.load()
    client = TestClient(create_app(models))
    asked = {"query": "What is tea?", "texts": ["A drink.", "Rain falls on the plain.", "Tea is a drink."]}
    answers = pipeline("text-classification", tmp_path / "pairs", "torch")
    pairs = [{"text": asked["query"], "text_pair": text} for text in asked["texts"]]
    raw = [answers(pair, function_to_apply="none")["score"] for pair in pairs]
    found = {one["index"]: one["score"] for one in client.post("/rerank", json={**asked, "raw_scores": True}).json()}
    assert [found[number] for number in range(3)] == pytest.approx(raw, abs=1e-5)
    found = client.post("/rerank", json=asked).json()
    assert [one["score"] for one in found] == pytest.approx(sorted(1 / (1 + np.exp(-np.array(raw))), reverse=True))
    client.app.state.server.scheduler.stop()


def test_pieces_come_with_their_places(client, models):
    text = "A cup of tea."
    found = client.post("/tokenize", json={"inputs": text}).json()[0]
    assert [one["id"] for one in found] == models.get("sequence").tokenizer(text)["input_ids"]
    assert [one["special"] for one in found] == [True, *[False] * (len(found) - 2), True]
    assert "".join(text[one["start"] : one["stop"]] for one in found).replace(" ", "") == text.replace(" ", "")
    bare = client.post("/tokenize", json={"inputs": text, "add_special_tokens": False}).json()[0]
    assert [one["id"] for one in bare] == [one["id"] for one in found[1:-1]]


def test_info_names_models_and_limits_and_no_path(client, folders):
    found = client.get("/info")
    assert [one["name"] for one in found.json()["models"]][:2] == ["sequence", "tokens"]
    assert found.json()["limits"]["max_batch_tokens"] == 4096
    assert str(folders) not in found.text


def test_models_that_give_vectors_are_listed_as_clients_of_openai_ask_for_them(client):
    found = client.get("/v1/models").json()
    assert found["object"] == "list"
    for one in found["data"]:
        assert (one["object"], type(one["created"])) == ("model", int)
        asked = {"input": "A cup of tea.", "model": one["id"]}
        assert client.post("/v1/embeddings", json=asked).json()["model"] == one["id"]
    names = {one["name"] for one in client.get("/info").json()["models"] if one["task"] == "sentence-embedding"}
    assert {one["id"] for one in found["data"]} == names != set()


def test_metrics_count_requests_by_route_and_status(client):
    client.post("/models/sequence", json={"inputs": "a"})
    client.post("/models/sequence", json={"inputs": 5})
    found = client.get("/metrics").text
    assert 'albertkit_requests_total{route="/models/sequence",status="200"} 1.0' in found
    assert 'albertkit_requests_total{route="/models/sequence",status="422"} 1.0' in found
    assert 'albertkit_tokens_total{model="sequence"} 3.0' in found
    assert "albertkit_waiting_tokens 0.0" in found


def test_the_log_has_a_line_for_each_request_and_no_text_of_it(client, caplog):
    with caplog.at_level("INFO", "albertkit.serving.access"):
        client.post("/models/sequence", json={"inputs": SECRET})
        client.post(f"/models/{SECRET}", json={"inputs": SECRET})
    told = [record.getMessage() for record in caplog.records if record.name == "albertkit.serving.access"]
    assert '"route": "/models/sequence"' in told[0]
    assert '"tokens": ' in told[0]
    assert SECRET not in "".join(told)


def test_the_description_shows_an_example_a_route_and_every_refusal(client):
    described = client.get("/openapi.json").json()
    routes = {path: one["post"] for path, one in described["paths"].items() if "post" in one}
    assert {"/", "/embed", "/similarity", "/rerank", "/tokenize", "/v1/embeddings", "/models/choices"} <= routes.keys()
    for route in routes.values():
        assert {"401", "404", "408", "413", "422", "429", "500", "503", "504"} <= route["responses"].keys()
    for path, asked in (("/embed", {"inputs": 1}), ("/v1/embeddings", {"input": 1})):
        example = routes[path]["responses"]["422"]["content"]["application/json"]["example"]
        answered = client.post(path, json=asked).json()
        assert example.keys() == answered.keys() - {"fields"}
        assert type(example["error"]) is type(answered["error"])
    for name, one in described["components"]["schemas"].items():
        if name.endswith("Request"):
            assert any("examples" in field for field in one["properties"].values()), name


def test_a_body_that_does_not_come_in_time_is_408():
    sent = []

    async def receive():
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    async def never(*_):
        raise AssertionError("nothing reaches the routes")

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    asyncio.run(Bounded(never, max_body_bytes=10, deadline=0.01)(scope, receive, send))
    assert sent[0]["status"] == 408


def test_what_nobody_waits_for_any_more_is_cancelled_and_said_to_be_499(client):
    class Gone:
        async def receive(self):
            return {"type": "http.disconnect"}

    async def wait():
        async with connected(Gone()):
            await client.app.state.server.answering._wait(job)

    job = Job(run=None, features=None, lengths=[3], future=Future(), deadline=0, submitted=0)
    with pytest.raises(Refusal) as refused:
        asyncio.run(wait())
    assert refused.value.status == 499
    assert job.is_cancelled


def test_a_deadline_that_ends_an_answer_is_not_taken_for_a_client_that_is_gone():
    class There:
        async def receive(self):
            await asyncio.sleep(60)

    async def wait():
        async with asyncio.timeout(0.01), connected(There()):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        asyncio.run(wait())


def test_a_model_that_is_slow_is_504_at_the_deadline_and_answers_others_afterwards(serve, models, monkeypatch):
    client, slow, gate = serve(deadline=0.5), models.get("sequence"), threading.Event()
    run = slow.run
    with monkeypatch.context() as patched:
        patched.setattr(slow, "run", lambda features, most: (gate.wait(20), run(features, most))[1])
        assert client.post("/models/sequence", json={"inputs": "a"}).status_code == 504
        gate.set()
    assert client.post("/models/tokens", json={"inputs": "a"}).status_code == 200


def test_a_rule_that_quotes_a_text_is_told_without_it():
    error = InputError(f"The text {SECRET!r} must be short. Received: {SECRET} and 3 more. Cut it.")
    told = rule_of(error, {"inputs": [{"text": SECRET}]})
    assert told == "The text '...' must be short."
