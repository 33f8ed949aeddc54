"""Compiles the encoder of `albertkit.kernels` when the package is built, where there is a compiler for it.

Without one the package is whole all the same: PyTorch or NumPy multiply in its place, and answers take longer.
"""

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("src/albertkit/kernels")
SOURCES = ("encoder.cpp", "encoder_avx2.cpp", "encoder_avx2_vnni.cpp", "encoder_avx512.cpp", "training.cpp")
LIBRARY = FOLDER / "libalbertkit.so"
FLAGS = ("-std=c++17", "-O3", "-fPIC", "-shared", "-fno-exceptions", "-fno-rtti", "-pthread")
STATIC = ("-static-libgcc", "-static-libstdc++")  # nothing is wanted of the system but its C library


class CompileKernels(BuildHookInterface):
    """Puts the library into wheels, which are for one platform then, and beside its source for an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See hatchling: called before files are gathered."""
        if self.target_name != "wheel" or not _compile(Path(self.root)):
            return
        build_data["artifacts"].append(LIBRARY.as_posix())
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def _compile(root: Path) -> bool:
    """Whether the library is there now; why it is not is said on the standard error, which pip shows with --verbose."""
    library = root / LIBRARY
    library.unlink(missing_ok=True)  # one of older sources would be taken for that of these
    why = _reason_against(root, library)
    if why:
        library.unlink(missing_ok=True)  # what a compiler left that was stopped halfway
        print(f"albertkit.kernels is left out, and answers take longer: {why}", file=sys.stderr)  # noqa: T201
    return not why


def _reason_against(root: Path, library: Path) -> str:
    """Why the library could not be compiled, or nothing."""
    if platform.machine().lower() not in ("x86_64", "amd64") or sys.platform == "win32":
        return f"it is for x86-64 processors, not under Windows, and this is {sys.platform} on {platform.machine()}."
    found = next(filter(shutil.which, ("c++", "g++", "clang++")), "")
    compiler = shlex.split(os.environ.get("CXX") or found)  # CXX may have options, or be "ccache g++"
    if not compiler:
        return "there is no C++ compiler. Install g++, or name one in the environment variable CXX."
    command = [*compiler, *FLAGS, *STATIC, "-o", str(library), *(str(root / FOLDER / one) for one in SOURCES)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"the compiler {shlex.join(compiler)} cannot be run: {error.strerror}."
    if done.returncode:
        return "\n".join([f"{shlex.join(compiler)} did not compile it:", *done.stderr.splitlines()[:5]])
    return ""


if __name__ == "__main__":
    sys.exit(not _compile(Path(__file__).parent))
