"""The Dockerfile: two stages, nobody's root, and a process that hears SIGTERM. No engine builds it here."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from typer.main import get_command

from albertkit.cli.app import app

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stages():
    """The instructions of each stage, as pairs of name and value; what stands before the first is left out."""
    parser = pytest.importorskip("dockerfile_parse")
    found = parser.DockerfileParser(path=str(ROOT / "Dockerfile")).structure
    steps = [(one["instruction"], one["value"]) for one in found if one["instruction"] != "COMMENT"]
    starts = [number for number, (name, _) in enumerate(steps) if name == "FROM"]
    return [steps[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


def of(stage, name):
    return [value for instruction, value in stage if instruction == name]


def test_the_image_has_what_the_first_of_two_stages_built_and_runs_as_nobody_special(stages):
    build, image = stages
    assert re.fullmatch(r"python:\$\{PYTHON\}-slim AS build", of(build, "FROM")[0])
    assert of(image, "COPY") == ["--from=build /opt/albertkit /opt/albertkit"]
    (user,) = of(image, "USER")
    assert all(int(number) > 0 for number in user.split(":"))
    names = [name for name, _ in image]
    assert names.index("USER") > max(number for number, name in enumerate(names) if name in ("RUN", "COPY"))


def test_its_process_is_albertkit_itself_so_that_signals_reach_it(stages):
    _, image = stages
    (entry,), (default,) = of(image, "ENTRYPOINT"), of(image, "CMD")
    program, verb, *arguments = [*json.loads(entry), *json.loads(default)]
    assert (program, verb) == ("albertkit", "serve")
    given = get_command(app).commands[verb].make_context(verb, arguments).params
    assert (given["host"], str(given["port"])) == ("0.0.0.0", of(image, "EXPOSE")[0])
    assert of(image, "STOPSIGNAL") == ["SIGTERM"]


def test_pytorch_comes_first_and_at_the_version_that_is_tested(stages):
    build, _ = stages
    installs = [one for one in of(build, "RUN") if "pip install" in one]
    assert "torch;" in installs[0]
    assert all("--constraint requirements/constraints.txt" in one for one in installs)
    assert re.search(r"^torch==\d+\.\d+\.\d+$", (ROOT / "requirements" / "constraints.txt").read_text(), re.MULTILINE)


def test_what_it_copies_is_there_and_all_else_stays_outside(stages):
    build, _ = stages
    copied = [name for value in of(build, "COPY") for name in value.split()[:-1]]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert allowed == set(copied)
    assert all((ROOT / name).exists() for name in copied)


def test_its_check_of_health_fails_where_no_server_is_ready(stages):
    _, image = stages
    (check,) = of(image, "HEALTHCHECK")
    options, _, command = check.partition("CMD ")
    assert "--start-period" in options
    program, *arguments = json.loads(command)
    assert program == "python"
    code = [one.replace("8080", "9") for one in arguments]  # where nothing listens
    assert "/ready" in code[-1]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    assert subprocess.run([sys.executable, *code], capture_output=True, env=environment).returncode != 0


def test_no_secret_stands_in_it(stages):
    for stage in stages:
        for name in ("ENV", "ARG"):
            assert not re.search(r"KEY|TOKEN|SECRET|PASSWORD", " ".join(of(stage, name)))
