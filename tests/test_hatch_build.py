"""Wheels with and without the compiled encoder, as hatchling builds them of the sources that are here."""

import platform
import shutil
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from albertkit.kernels import library

builders = pytest.importorskip("hatchling.builders.wheel")

ROOT = Path(__file__).parents[1]
CAN_COMPILE = platform.machine().lower() in ("x86_64", "amd64") and sys.platform == "linux" and shutil.which("g++")
ON_X86 = pytest.mark.skipif(not CAN_COMPILE, reason="wants g++ on Linux on x86-64")
FILE = "albertkit/kernels/libalbertkit.so"


@pytest.fixture
def sources(tmp_path):
    """A copy of what a wheel is built of, with a library of older sources in it."""
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    package = tmp_path / "src" / "albertkit"
    shutil.copytree(ROOT / "src" / "albertkit" / "kernels", package / "kernels")
    (package / "__init__.py").touch()
    (package / "kernels" / "libalbertkit.so").write_bytes(b"older")
    return tmp_path


def build(sources):
    """The name of the wheel, and the path of a library in it, or None."""
    (wheel,) = builders.WheelBuilder(str(sources)).build(directory=str(sources / "dist"), versions=["standard"])
    with zipfile.ZipFile(wheel) as packed:
        found = packed.extract(FILE, sources / "unpacked") if FILE in packed.namelist() else None
    return Path(wheel).name, found


def require_pure(sources):
    name, found = build(sources)
    assert name.endswith("-py3-none-any.whl")
    assert found is None
    assert not (sources / "src" / FILE).exists()


def test_other_processors_get_a_pure_wheel(sources, monkeypatch, capsys):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    require_pure(sources)
    assert "it is for x86-64 processors" in capsys.readouterr().err


@ON_X86
def test_without_a_compiler_the_wheel_is_pure(sources, monkeypatch, capsys):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(sources))
    require_pure(sources)
    assert "there is no C++ compiler. Install g++" in capsys.readouterr().err


@ON_X86
@pytest.mark.parametrize(
    ("compiler", "why"),
    [
        ("g++ --no-such-option", "g++ --no-such-option did not compile it:\ng++"),
        ("no-such-compiler", "the compiler no-such-compiler cannot be run: No such file"),
    ],
)
def test_a_compiler_that_fails_leaves_a_pure_wheel(sources, monkeypatch, capsys, compiler, why):
    monkeypatch.setenv("CXX", compiler)
    require_pure(sources)
    assert why in capsys.readouterr().err


@ON_X86
def test_a_compiled_wheel_is_for_its_platform_and_holds_a_library_of_these_sources(sources, monkeypatch):
    compiler = sources / "without-optimization"
    compiler.write_text('#!/bin/sh\nexec g++ "$@" -O0\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    name, found = build(sources)
    assert name.endswith(f"-py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}.whl")
    monkeypatch.setattr(library, "_FILE", Path(found))
    monkeypatch.delenv(library.SWITCH, raising=False)
    assert library.load.__wrapped__() is not None
