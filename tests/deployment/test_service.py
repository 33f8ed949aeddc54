"""The unit of systemd: what it starts is a command of albertkit, and systemd finds nothing wrong with it."""

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from typer.main import get_command

from albertkit.cli.app import app
from albertkit.serving import run
from albertkit.serving.limits import Limits

UNIT = Path(__file__).parents[2] / "packaging" / "albertkit.service"
LOOSEST = 25
"""Tenths of the exposure from 0 to 10 that systemd may see."""


class Repeated(dict):
    """Options of a section: what is said again stands beside what was said before."""

    def __setitem__(self, key, value):
        if key in self and isinstance(value, list):
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


@pytest.fixture(scope="module")
def service():
    unit = configparser.RawConfigParser(
        strict=False, dict_type=Repeated, delimiters=("=",), empty_lines_in_values=False
    )
    unit.optionxform = str
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    return unit["Service"]


def test_it_starts_a_command_that_albertkit_knows_with_keys_from_a_credential(service):
    program, verb, *arguments = shlex.split(service["ExecStart"])
    assert (Path(program).name, verb) == ("albertkit", "serve")
    command = get_command(app).commands[verb]
    given = command.make_context(verb, arguments).params
    assert (given["host"], given["port"]) == ("127.0.0.1", 8080)
    name, file = service["LoadCredential"].split(":")
    assert str(given["api_keys"]) == f"%d/{name}"
    assert file.startswith("/etc/")
    assert given["models"] == ["/srv/albertkit/my-model"]


def test_it_waits_for_what_was_taken_and_reloads_by_the_signal_that_the_server_knows(service):
    assert int(service["TimeoutStopSec"]) > Limits.model_validate({}).deadline + run._GRACE
    assert service["ExecReload"].endswith("kill -HUP $MAINPID")
    assert "KillSignal" not in service  # SIGTERM, which the server stops well by
    assert service["Type"] == "exec"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze, of the package systemd")
def test_systemd_finds_nothing_wrong_with_it(tmp_path):
    program = tmp_path / "albertkit"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/albertkit/bin/albertkit", str(program)))
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    if "--offline" not in subprocess.run(["systemd-analyze", "--help"], capture_output=True, text=True).stdout:
        pytest.skip("needs systemd 250 or newer")
    assert (verified.returncode, verified.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={LOOSEST}", "--no-pager", unit]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    level = re.search(r"exposure level .*", judged.stdout)
    assert judged.returncode == 0, level
