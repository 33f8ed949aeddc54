"""The folder that a corpus is built in: what it may hold, what a build was begun with, and whether it may go on.

`build.json` is written before anything else and holds the inputs, tokenizer and settings of the build. Once a shard is
finished, the build goes on only with the same; the finished shards say how far it is.
"""

import hashlib
import itertools
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from albertkit import storage
from albertkit.corpus import duplicates, layout
from albertkit.corpus.inputs import decode_path
from albertkit.corpus.layout import InputFile, Settings, ShardRecord
from albertkit.corpus.shard_writer import save_tokenizer
from albertkit.errors import ConfigError, InputError
from albertkit.tokenization.base import AlbertTokenizerBase

BUILD_FILE = "build.json"
"""What a build was begun with."""

_HALF_WRITTEN = f".{BUILD_FILE}-*"
"""What is left of BUILD_FILE where a process was killed while it wrote it."""
_OWN_FILES = (
    layout.CORPUS_FILE,
    BUILD_FILE,
    _HALF_WRITTEN,
    f".{layout.CORPUS_FILE}-*",
    layout.TOKENIZER_FOLDER,
    f"{duplicates.FILE_NAME}*",
    "shard-*",
    ".shard-*",
)
"""All that a corpus and its build may hold."""


def describe_input(path: Path) -> InputFile:
    """A file as a corpus remembers it. The digest takes little: a build reads a hundred times slower."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise InputError(
            f"An input must be a file that can be read. Reading {decode_path(path)} failed: {error}. Leave it out, or "
            "repeat the command when it can be read."
        ) from error
    return {"name": decode_path(path.name), "bytes": path.stat().st_size, "digest": digest}


def is_finished(folder: Path) -> bool:
    """Whether a folder holds a finished corpus."""
    return (folder / layout.CORPUS_FILE).exists()


def finished_shards(folder: Path) -> list[ShardRecord]:
    """The records of the shards that an earlier run finished, in order."""
    names = (layout.shard_name(number) for number in itertools.count())
    existing = itertools.takewhile(Path.exists, (folder / name / layout.SHARD_FILE for name in names))
    return [cast("ShardRecord", storage.read_json(path)) for path in existing]


def require_empty_or_begun(folder: Path) -> None:
    """InputError for a folder that holds something and no build."""
    names = sorted(path.name for path in folder.iterdir() if not path.match(_HALF_WRITTEN))
    if names and not (folder / BUILD_FILE).exists():
        raise InputError(
            f"A corpus is built in a new or empty folder. {folder} holds {_first_of(names)}. Give another --output, or "
            "pass --overwrite to replace a corpus."
        )


def begin(folder: Path, inputs: Sequence[InputFile], tokenizer: AlbertTokenizerBase, settings: Settings) -> None:
    """Write down what a build begins with; where shards are finished, make sure that it is what they were made with.

    ConfigError where it is not. CheckpointError where writing fails.
    """
    with tempfile.TemporaryDirectory() as aside:
        digest = save_tokenizer(aside, tokenizer)
    now = {"files": inputs, "tokenizer": digest, **settings}
    if (folder / BUILD_FILE).exists():
        if is_finished(folder) or any(folder.glob("shard-*")):
            _require_same(folder, now)
        else:  # nothing is finished, so nothing binds
            for path in folder.glob(f"{duplicates.FILE_NAME}*"):
                path.unlink()
    if not is_finished(folder):
        storage.write_json(folder / BUILD_FILE, now)
        save_tokenizer(folder, tokenizer)


def _require_same(folder: Path, now: Mapping[str, object]) -> None:
    """ConfigError where what is finished was made of something else: of a build under way, the inputs read so far."""
    then: Mapping[str, object] = storage.read_json(folder / BUILD_FILE)
    if not is_finished(folder):
        if then.get("skip_broken") is False:
            # Nothing was broken so far: whoever meets the first broken record may pass over it from there on.
            then = {**then, "skip_broken": now["skip_broken"]}
        if records := finished_shards(folder):
            files_read = records[-1]["position"][0] + 1
            then, now = ({**begun, "files": _files(begun)[:files_read]} for begun in (then, now))
    different = [f"{key}: {_describe_change(then.get(key), now[key])}" for key in now if then.get(key) != now[key]]
    if different:
        raise ConfigError(
            f"A build goes on only with what it was begun with. In {folder}, then and now: {'; '.join(different)}. "
            "Give the same, or another --output, or begin anew with --overwrite."
        )


def _files(begun: Mapping[str, object]) -> list[InputFile]:
    return cast("list[InputFile]", begun.get("files", []))


def _describe_change(then: object, now: object) -> str:
    """The two values of a setting; of the inputs the first that differ."""
    if isinstance(now, list):
        pairs = itertools.zip_longest(cast("list[InputFile]", then or []), cast("list[InputFile]", now))
        then, now = map(_describe_file, next(pair for pair in pairs if pair[0] != pair[1]))
        now = "the same name and size with other contents" if then == now else now
    return f"{then} and {now}"


def _describe_file(file: InputFile | None) -> str:
    return f"{file['name']}, {file['bytes']:,} bytes" if file else "nothing"


def clear(folder: Path) -> None:
    """Remove a corpus, finished or only begun; a folder without one is left as it is.

    InputError where the folder holds anything else beside it: nothing is removed then.
    """
    paths = list(folder.iterdir())
    if not any(path.name in (layout.CORPUS_FILE, BUILD_FILE) for path in paths):
        return
    other = sorted(path.name for path in paths if not any(path.match(pattern) for pattern in _OWN_FILES))
    if other:
        raise InputError(
            f"--overwrite replaces a corpus and nothing else. {folder} holds {_first_of(other)} beside one. Move that "
            "away, or give another --output."
        )
    with storage.translate_os_errors(folder, "Part of the corpus is gone: run the same command again."):
        storage.write_json(folder / BUILD_FILE, {})  # cut off from here on, it goes on with nothing but --overwrite
        for path in paths:
            if path.name != BUILD_FILE:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        (folder / BUILD_FILE).unlink()


def _first_of(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
