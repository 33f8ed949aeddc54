"""What docs/serving.md shows: the server it starts, and every line that asks it."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("torch")

import pages
from albertkit.training import finetune
from training import common

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")


def test_every_line_of_the_page_is_answered(tmp_path, monkeypatch):
    finetune.run(common.learnable(tmp_path), tmp_path / "my-model")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    blocks = [(language, code.replace("8080", str(port))) for language, code in pages.BLOCK.findall(PAGE)]
    (_, start), *asked = blocks
    command = [sys.executable, "-m", *start.split(), "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as server:
        try:
            line = server.stderr.readline()
            assert re.search(r"Serving my-model, fill, vectors at", line), line + server.stderr.read()
            answers = [answer for language, code in asked for answer in answered(language, code, tmp_path, monkeypatch)]
        finally:
            server.terminate()
            server.stderr.close()
    assert len(answers) == sum(code.count("curl ") for _, code in blocks)
    for answer in answers:
        assert "error" not in answer[:12]
        assert answer.startswith("# HELP") or json.loads(answer)


def answered(language, code, folder, monkeypatch):
    """What each line of a block got back."""
    if language == "python":
        pages.run_python(code, folder, monkeypatch)
        return []
    found = []
    for line in pages.commands(code):
        done = subprocess.run(["bash", "-euc", line], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        found.append(done.stdout)
    return found
