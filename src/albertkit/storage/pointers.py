"""What git-lfs leaves in place of a file whose contents it has not fetched: a few lines of text that name them."""

import os
import re
from pathlib import Path

from albertkit.errors import AlbertkitError, CheckpointError

_MARKS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
_LONGEST = 1024
"""Bytes that a pointer has at most, by the specification of git-lfs."""


def require_no_pointer(path: str | os.PathLike[str], content: bytes, error: type[AlbertkitError]) -> None:
    """`error` where `content`, which is all of a file or its beginning, is a pointer of git-lfs."""
    if len(content) > _LONGEST or not content.startswith(_MARKS):
        return
    size = re.search(rb"^size (\d{1,18})$", content, re.MULTILINE)
    told = f" of {int(size[1]):,} bytes" if size else ""
    raise error(
        f"{path} must hold its contents. It is a pointer of git-lfs, a few lines of text in the place of a file{told}. "
        "Fetch the contents with `git lfs pull` in its repository (after `git lfs install`, once on a machine), or "
        "download the file itself."
    )


def require_content(path: str | os.PathLike[str], error: type[AlbertkitError] = CheckpointError) -> None:
    """`error` where a file that is about to be read is a pointer of git-lfs. What cannot be read is left to others."""
    try:
        file = Path(path)
        content = file.read_bytes() if file.stat().st_size <= _LONGEST and file.is_file() else b""
    except (OSError, ValueError):  # ValueError: a name with a zero byte
        return
    require_no_pointer(path, content, error)
