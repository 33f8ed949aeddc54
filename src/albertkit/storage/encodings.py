"""What encoding text is in: byte-order marks are obeyed, and bytes that are not UTF-8 are explained, not guessed away.

A byte-order mark is the only sure sign of an encoding. Where there is none and text is not UTF-8, some encodings are
named with what they would make of it, and a person chooses. One that any bytes can be read in is never named: it turns
text into other letters without an error.
"""

import codecs
import functools
import io
import itertools
import logging
from collections.abc import Iterable, Iterator

from albertkit.errors import InputError

logger = logging.getLogger(__name__)

_MARKS = (  # the longer first: the mark of UTF-32 begins as that of UTF-16 does
    *((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be")),
    *((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")),
)
_WIDE = ("cp932", "euc_jp", "gb18030", "big5", "cp949")
_CANDIDATES = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1257", "cp1258", "cp874"),
    *("gb18030", "big5", "cp932", "euc_jp", "cp949"),
)
"""Encodings of data files in use, all of which refuse some bytes. As Python and iconv call them."""
_LISTED = 5
_SHOWN = 40
_HEAD = 64
_SAMPLE_LINES = 200
_SEARCHED = 2**20
"""Lines among which the first one that is not UTF-8 is looked for."""


def as_utf8(file: io.BufferedReader, path: object) -> io.BufferedReader:
    """A file with its bytes as they are, or as UTF-8 where a byte-order mark says UTF-16 or UTF-32, which is logged."""
    head = file.peek(_HEAD)
    for mark, name in _MARKS:
        if head.startswith(mark):
            _tell(str(path), name)
            file.read(len(mark))
            return io.BufferedReader(_Transcoded(file, name))
    return file


def decode(content: bytes) -> str:
    """The text of a whole file: by its byte-order mark, without one UTF-8. UnicodeDecodeError where it is not."""
    for mark, name in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(name)
    return content.decode("utf-8-sig")


def require_text(file: io.BufferedReader, path: object, name: str) -> None:
    """InputError where a file begins with zero bytes among others: valid UTF-8, but never text.

    `name` is what a command that converts the file would be told.
    """
    head = file.peek(_HEAD)[:_HEAD]
    zeros = head.count(0)
    if zeros * 4 >= len(head) > 0:
        width = 32 if zeros * 5 > len(head) * 3 else 16
        order = "BE" if head[:: width // 8].count(0) > head[width // 8 - 1 :: width // 8].count(0) else "LE"
        raise InputError(
            f"{path} must be UTF-8 text. It begins as UTF-{width} does, without a byte-order mark. Convert it, such "
            f"as: iconv -f UTF-{width}{order} -t UTF-8 {name} > utf8-{name}"
        )
    if zeros:
        raise InputError(
            f"{path} must be UTF-8 text. It holds a zero byte behind {head.index(0)} others. Take such bytes out, such "
            f"as: tr -d '\\000' < {name} > text-{name}"
        )


def advice(lines: Iterable[bytes], name: str) -> str:
    """What to do about the lines of a file that are not all UTF-8: sentences for an error.

    They name the first such line, and what it would read as in each encoding that it may be in.
    """
    numbered = enumerate(itertools.islice(lines, _SEARCHED), start=1)
    sample: list[bytes] = []
    before: list[bytes] = []
    place = 0
    for number, line in numbered:
        if sample or not _is_in(line, "utf-8"):
            place = place or number
            sample += [] if line.isascii() else [line]
        elif len(before) < _SAMPLE_LINES and not line.isascii():
            before.append(line)
        if len(sample) == _SAMPLE_LINES:
            break
    if sample and _is_mostly_utf8([*before, *sample]):
        return (
            f"It is UTF-8 but for some bytes, the first of them in line {place}. Mend such lines, or take the bytes "
            f"out: iconv -c -f UTF-8 -t UTF-8 {name} > utf8-{name}"
        )
    found = list(itertools.islice(_readings(b"".join(sample)), _LISTED)) if sample else []
    unknown = "from the encoding that it was written in, which whoever wrote it knows."
    if not found:
        return f"Convert it to UTF-8 {unknown}"
    where = f" Line {place} would read" if place > 1 else " It would read"
    told = ", or ".join(f"{shown!r} in {encoding}" for encoding, shown in found)
    return (
        f"It may be in another encoding.{where} {told}. If none of these reads right, convert it {unknown} Else take "
        f"the one that does, such as: iconv -f {found[0][0]} -t UTF-8 {name} > utf8-{name}"
    )


def _is_mostly_utf8(lines: Iterable[bytes]) -> bool:
    """Whether more letters that are not ASCII are UTF-8 than not: other encodings hit upon its patterns seldom."""
    letters = [letter for line in lines for letter in line.decode("utf-8", "replace") if not letter.isascii()]
    return letters.count("\N{REPLACEMENT CHARACTER}") * 2 < len(letters)


def _readings(sample: bytes) -> Iterator[tuple[str, str]]:
    """Encodings that the lines of a sample may be in, the likeliest first, and what its first one reads as.

    Of those that make the same of it only the first is given.
    """
    from charset_normalizer import from_bytes

    found = dict.fromkeys(
        name
        for match in from_bytes(sample, cp_isolation=list(_CANDIDATES))
        for name in sorted({match.encoding, *match.could_be_from_charset} & {*_CANDIDATES}, key=_CANDIDATES.index)
    )
    if 2 * sum(byte > 127 for byte in sample) > len(sample):  # few words say little to a detector
        found |= dict.fromkeys(filter(lambda name: _is_in(sample, name), _WIDE))
    seen = set()
    for name in found:
        first = _around(sample.decode(name, "replace").splitlines()[0].strip())
        if first not in seen:
            seen.add(first)
            yield name.upper().replace("_", "-"), first


def _around(text: str) -> str:
    """A piece of a line around its first letter that is not ASCII."""
    place = next((number for number, sign in enumerate(text) if not sign.isascii()), 0)
    start = max(place - _SHOWN // 2, 0)
    return text[start : start + _SHOWN]


def _is_in(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


@functools.cache  # a file may be opened several times
def _tell(path: str, name: str) -> None:
    logger.warning("%s is read as %s, for its byte-order mark says so.", path, name.upper())


class _Transcoded(io.RawIOBase):
    """The text of a file in another encoding, as UTF-8."""

    def __init__(self, file: io.BufferedReader, encoding: str) -> None:
        self._file, self._decoder, self._waiting = file, codecs.getincrementaldecoder(encoding)(), b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Close the file, too."""
        self._file.close()
        super().close()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # any buffer that is written
        is_last = False
        while not self._waiting and not is_last:
            read = self._file.read1(len(buffer))
            is_last = not read
            self._waiting = self._decoder.decode(read, is_last).encode()
        given, self._waiting = self._waiting[: len(buffer)], self._waiting[len(buffer) :]
        buffer[: len(given)] = given
        return len(given)
