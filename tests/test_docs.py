"""What the documentation promises: every block runs, every link leads somewhere, generated pages are fresh."""

import importlib.util
import os
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("torch")

import albertkit
import pages
from albertkit.training import finetune
from training import common

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")]
)
NEEDS = {
    "exports.md": "onnx",
    "export-onnx.md": "onnx",
    "export-openvino.md": "openvino",
    "export-stablehlo.md": "flax",
    **dict.fromkeys(("export-saved-model.md", "export-litert.md"), "tensorflow"),
}
"""Pages whose blocks need more than a framework."""


def marks(page):
    needed = NEEDS.get(page.name)
    return pytest.mark.skipif(bool(needed) and find_spec(str(needed)) is None, reason=f"needs {needed}")


BLOCKS = [
    pytest.param(language, code, id=f"{page.name}-{number}", marks=marks(page))
    for page in PAGES
    if page.parent.name not in ("tutorials", "ja")  # which test_tutorials.py runs as a whole
    if page.name != "serving.md"  # serving/test_page.py does, beside a server
    for number, (language, code) in enumerate(pages.BLOCK.findall(page.read_text(encoding="utf-8")))
]

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with what the documentation speaks of: data, a checkpoint, a trained model."""
    folder = tmp_path_factory.mktemp("docs")
    finetune.run(common.recipe(folder), folder / "my-checkpoint")
    shutil.copytree(folder / "my-checkpoint", folder / "my-model")
    lines = (ROOT / "tests" / "data" / "text.txt").read_text(encoding="utf-8").splitlines()
    documents = ("\n".join(lines[start : start + 20]) for start in range(0, len(lines), 20))
    (folder / "text.txt").write_text("\n\n".join(documents), encoding="utf-8")
    return folder


@pytest.mark.parametrize(("language", "code"), BLOCKS)
def test_every_block_of_code_runs(workplace, language, code, monkeypatch, capsys):
    if "pip install" in code:
        pytest.skip("installing is what the set-up of these tests has done")
    monkeypatch.chdir(workplace)
    code = code.replace("--output my-model", "--output another --overwrite --max-length 32 --epochs 1")
    if language == "python":
        pages.run_python(code, workplace, monkeypatch)
    else:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        pages.run_sh(code, monkeypatch, env={**os.environ, "PATH": path})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_index_of_public_names_is_complete():
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(albertkit.__all__)


def test_the_page_of_weights_is_fresh():
    spec = importlib.util.spec_from_file_location("make_weights", ROOT / "docs" / "make_weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "weights.md").read_text(encoding="utf-8") == module.text()


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text()
    assert all(page.name in index for page in (ROOT / "docs").glob("*.md") if page.name != "index.md")
    numbers = sorted(int(page.name[:4]) for page in (ROOT / "docs" / "decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
