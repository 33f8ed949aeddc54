"""OpenVINO and NNCF without the reports that they send."""

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def unreported() -> Iterator[None]:
    """Around the first import of `openvino` or `nncf`: they tell Google Analytics of it, and of what is done later.

    Nobody is asked, and on Linux a process is forked for it. They leave it, for the life of the process, where they are
    imported while the variable CI is "true" (openvino-telemetry 2025.2.0).
    """
    before = os.environ.get("CI")
    os.environ["CI"] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ["CI"]
        else:
            os.environ["CI"] = before
