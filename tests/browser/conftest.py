"""Servers with small models of every task, and pages of them in headless Chromium.

Where Playwright or Chromium is missing these tests are skipped, unless ALBERTKIT_BROWSER is "required".
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from albertkit.checkpoint import files
from albertkit.config import AlbertConfig
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks.common import SMALL, random_tensors

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 15_000
"""Milliseconds after which what does not come is missed."""
PACKAGES = ("fastapi", "playwright", "axe_playwright_python")
MISSING = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
if CHROMIUM is None:
    MISSING.append("Chromium")
if MISSING and os.environ.get("ALBERTKIT_BROWSER") == "required":
    raise RuntimeError(f"These tests may not be skipped here, and need {', '.join(MISSING)}: see `make browser`.")

SINGLE, MULTI, NUMBER = "single_label_classification", "multi_label_classification", "regression"
CLASSES = {"id2label": {0: "negative", 1: "neutral", 2: "positive"}, "problem_type": SINGLE}
TAGS = dict(enumerate(["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]))
MODELS = {
    "classes": ("ForSequenceClassification", CLASSES),
    "several": ("ForSequenceClassification", {**CLASSES, "problem_type": MULTI}),
    "many": ("ForSequenceClassification", {"id2label": {n: f"class {n}" for n in range(40)}, "problem_type": SINGLE}),
    "number": ("ForSequenceClassification", {"num_labels": 1, "problem_type": NUMBER}),
    "pairs": (
        "ForSequenceClassification",
        {**CLASSES, "task": {"name": "text-classification", "data": {"text_column": "one", "pair_column": "other"}}},
    ),
    "tags": ("ForTokenClassification", {"id2label": TAGS}),
    "questions": ("ForQuestionAnswering", {}),
    "choices": ("ForMultipleChoice", {}),
    "masks": ("ForMaskedLM", {}),
}
"""By name the head of a model, and what its config has beside the usual."""
OTHERS = {"vectors": "sentence-embedding", "states": "feature-extraction", "likelihood": "pseudo-perplexity"}
"""What the model of masks is served for, too."""


def pytest_collection_modifyitems(items):
    """Mark the tests of this folder; skip them where there is no browser, if they may be."""
    for item in items:
        if item.path.parent != Path(__file__).parent:
            continue
        item.add_marker(pytest.mark.browser)
        if MISSING:
            item.add_marker(pytest.mark.skip(reason=f"needs {', '.join(MISSING)}: `make chromium` installs it"))


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """The folders of the models, with weights of chance and the words of a real vocabulary."""
    root = tmp_path_factory.mktemp("browser")
    words = AlbertTokenizerFast.from_pretrained("albertkit/small-en")
    for name, (head, keys) in MODELS.items():
        sizes = {**SMALL, "vocab_size": words.vocab_size, "max_position_embeddings": 64}
        config = AlbertConfig.from_dict({**sizes, **keys})
        files.save(root / name, config, random_tensors(config, head), f"Albert{head}")
        words.save_pretrained(root / name)
    return root


@contextmanager
def serving(folders, names, *options):
    """The address of a server of some of the models."""
    others = [f"{name}:{OTHERS[name]}={folders / 'masks'}" for name in names if name in OTHERS]
    models = [*(str(folders / name) for name in names if name not in OTHERS), *others]
    command = [sys.executable, "-m", "albertkit", "serve", *models, "--framework", "numpy", "--port", "0", *options]
    with (folders / f"{len(names)}.log").open("w+") as log:  # a pipe would be full of the log of requests at last
        process = subprocess.Popen(command, stderr=log)
        try:
            while not (found := re.search(r"at (http://\S+:\d+)", Path(log.name).read_text())):
                assert process.poll() is None, Path(log.name).read_text()
                time.sleep(0.05)
            yield found[1]
        finally:
            process.kill()
            process.wait(30)


@pytest.fixture(scope="session")
def server(folders):
    """The address of a server of all models."""
    with serving(folders, [*MODELS, *OTHERS]) as address:
        yield address


@pytest.fixture(scope="session")
def strict(folders, tmp_path_factory):
    """The address of a server that asks for the key `a-key` and takes little."""
    keys = tmp_path_factory.mktemp("keys") / "keys.txt"
    keys.write_text("a-key\n")
    limits = ("--max-request-tokens", "40", "--max-body-bytes", "3000")
    with serving(folders, ["classes", "masks"], *limits, "--api-keys", str(keys)) as address:
        yield address


@pytest.fixture(scope="session")
def chromium():
    """The browser."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, server):
    """What opens the page at a model of a server; what a page asks of other hosts, or complains of, fails the test."""
    contexts, strangers, complaints = [], [], []

    def guarded(page, address):
        def refuse(route):
            strangers.append(route.request.url)
            route.abort()

        page.route(re.compile(f"^(?!{re.escape(address)}/)"), refuse)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)

    def opened(model="", language="en-GB", theme="light", width=1280, address=server, **options):
        context = chromium.new_context(
            locale=language, color_scheme=theme, viewport={"width": width, "height": 800}, **options
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        guarded(page, address)
        page.goto(f"{address}/#{model}")
        page.wait_for_selector("main form")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert strangers == []
    assert [one for one in complaints if not one.startswith("Failed to load resource")] == []
