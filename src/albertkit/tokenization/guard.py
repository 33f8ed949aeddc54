"""The border to the libraries that read and run tokenizer files."""

import contextlib
from collections.abc import Iterator

from albertkit.errors import AlbertkitError, CheckpointError

_PASS = (AlbertkitError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError)


@contextlib.contextmanager
def guarded(source: object) -> Iterator[None]:
    """Turn whatever a library does over a file into a CheckpointError that names the file, `source`.

    A panic of the tokenizers library, which is written in Rust, is no Exception: it comes as a BaseException.
    """
    try:
        yield
    except _PASS:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise CheckpointError(
            f"A tokenizer must come from a file that its library can use. It failed over {source}: "
            f"{type(error).__name__}: {error!s:.200}. Repeat the download or copy, or ask the author of the file."
        ) from error
