"""Compiles the encoder of `albertkit.kernels` when the package is built, where there is a compiler for it.

Without one the package is whole all the same: PyTorch or NumPy multiply in its place, and answers take longer.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path("src/albertkit/kernels/encoder.cpp")
LIBRARY = SOURCE.with_name("libalbertkit.so")
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
    """Whether the library is there now."""
    library = root / LIBRARY
    library.unlink(missing_ok=True)  # one of older sources would be taken for that of these
    compiler = os.environ.get("CXX") or next(filter(shutil.which, ("c++", "g++", "clang++")), None)
    if compiler is None or platform.machine().lower() not in ("x86_64", "amd64") or sys.platform == "win32":
        return False
    command = [compiler, *FLAGS, *STATIC, "-o", str(library), str(root / SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        told = "\n".join(done.stderr.splitlines()[:5])
        print(f"albertkit.kernels is left out, for {compiler} did not compile it:\n{told}", file=sys.stderr)  # noqa: T201
    return not done.returncode


if __name__ == "__main__":
    sys.exit(not _compile(Path(__file__).parent))
