"""Servers with small models of every task, and pages of them in headless Chromium.

Where Playwright or Chromium is missing these tests are skipped, unless ALBERTKIT_BROWSER is "required".
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest

from albertkit.checkpoint import files
from albertkit.config import AlbertConfig
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks.common import SMALL, random_tensors

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = [name for name in ("fastapi", "playwright", "axe_playwright_python") if importlib.util.find_spec(name) is None]
if CHROMIUM is None:
    MISSING.append("Chromium")

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
        if "browser" not in item.path.parent.name:
            continue
        item.add_marker(pytest.mark.browser)
        if MISSING and os.environ.get("ALBERTKIT_BROWSER") != "required":
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
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    first = process.stderr.readline()
    found = re.search(r"(http://\S+:\d+)", first)
    assert found, first + process.stderr.read()
    subprocess_log = process.stderr
    try:
        yield found[1]
    finally:
        process.kill()
        process.wait(30)
        subprocess_log.close()


@pytest.fixture(scope="session")
def server(folders):
    """The address of a server of all models."""
    with serving(folders, [*MODELS, *OTHERS]) as address:
        yield address
