"""One case: a folder is written and mutated, a person does what people do with it, and the outcome is evaluated."""

import dataclasses
import functools
import hashlib
import random
import resource
import shutil
import stat
import time
import traceback
from pathlib import Path

from albertkit.errors import AlbertkitError, InputError
from fuzzing import journeys, judge
from fuzzing.kinds import KINDS, Kind, Mutation, mutate

SAME, REFUSED, SAID = "same answer", "refused", "changed and said"
FINE = (SAME, REFUSED, SAID, judge.STATED, judge.UNCHECKED)
"""Outcomes that are no faults, the best first. A case has the worst of its journeys."""
SECONDS, MEMORY = 5, 512 * 2**20
"""How much of a processor, and bytes beyond those of before, a case may take."""
LONGEST = 2_000
"""Characters of a message."""


@dataclasses.dataclass(frozen=True)
class Result:
    """The outcome of a case: one of FINE, or the name of a fault and what it looked like."""

    kind: str
    number: int
    outcome: str
    what: str = ""
    detail: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether this must not be."""
        return self.outcome not in FINE


class Bench:
    """A folder of one process, in which it tries cases one after another."""

    def __init__(self, root: Path, seed: int) -> None:
        self._root, self._seed = root, seed
        self._case = root / "case"

    @functools.cache  # noqa: B019  (as long as the process)
    def _template(self, name: str) -> tuple[Path, dict[str, tuple[str, list[str]]]]:
        """The folder that the cases of a kind begin as, and what each journey answers to it unmutated."""
        template = self._root / "templates" / name
        for age, part in enumerate(("model", "elsewhere")):
            (template / part).mkdir(parents=True)
            KINDS[name].build(template / part, age)
        (template / "home").mkdir()
        self._lay_out(template)
        answers = {journey.__name__: journeys.travel(journey, self._case / "model") for journey in KINDS[name].journeys}
        return template, answers

    def _lay_out(self, template: Path) -> None:
        shutil.rmtree(self._case, ignore_errors=True)
        shutil.copytree(template, self._case, symlinks=True)

    def prepare(self, name: str) -> None:
        """What a kind needs before its first case, so that no case takes longer than another."""
        self._template(name)

    def run(self, name: str, number: int) -> Result:
        """Try a case."""
        template, answers = self._template(name)
        self._lay_out(template)
        rng = random.Random(f"{self._seed} {name} {number}")
        mutation = mutate(KINDS[name], rng, self._case / "model", self._case / "elsewhere")
        before, seconds, memory = listing(self._case), time.process_time(), _peak()
        base = _resident()
        outcomes = [self._outcome(KINDS[name], mutation, journey, answers) for journey in KINDS[name].journeys]
        seconds, peak = time.process_time() - seconds, _peak()
        if peak > memory and peak - base > MEMORY:
            outcomes.append(("memory", f"{(peak - base) / 2**20:.0f} MiB"))
        if seconds > SECONDS:
            outcomes.append(("slow", f"{seconds:.1f} s"))
        if changed := before ^ listing(self._case):
            outcomes.append(("touched", ", ".join(sorted({path for path, *_ in changed}))))
        outcome, detail = max(outcomes, key=lambda outcome: FINE.index(outcome[0]) if outcome[0] in FINE else len(FINE))
        return Result(name, number, outcome, mutation.what, detail)

    def _outcome(self, kind: Kind, mutation: Mutation, journey, answers) -> tuple[str, str]:
        folder = self._case / "model"
        try:
            answer, said = journeys.travel(journey, folder)
        except AlbertkitError as error:
            return _of_message(error, folder, f"{journey.__name__}: {type(error).__name__}: {error}")
        except BaseException as error:
            return "raw exception", f"{journey.__name__}: {type(error).__name__}: {error!s:.200} {_place(error)}"
        expected, expected_said = answers[journey.__name__]
        if answer == expected:
            return SAME, ""
        if set(said) - set(expected_said):
            return SAID, ""
        if mutation.untold is not None:
            return mutation.untold, ""
        return "silent change", f"{journey.__name__}: {_difference(expected, answer)}"


def _of_message(error: AlbertkitError, folder: Path, detail: str) -> tuple[str, str]:
    """Whether a message is short, does nothing to a terminal, and names its file or folder where it is about one."""
    message, detail = str(error), detail[:400]
    if len(message) > LONGEST:
        return "long message", detail
    if not all(character.isprintable() or character in "\n\t" for character in message):
        return "unprintable message", repr(detail)
    is_named = str(folder) in message or (isinstance(error, InputError) and not isinstance(error, OSError))
    return (REFUSED, "") if is_named else ("nameless message", detail)


def _place(error: BaseException) -> str:
    """Where in albertkit an error came up, and the last line that ran."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/albertkit/" in frame.filename] or frames
    return " <- ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in (frames[-1], ours[-1]))


def _difference(expected: str, answer: str) -> str:
    """Where two answers differ first."""
    place = next((at for at, (a, b) in enumerate(zip(expected, answer, strict=False)) if a != b), len(expected))
    start = max(0, place - 30)
    return f"{expected[start : place + 40]!r} became {answer[start : place + 40]!r}"


def listing(folder: Path) -> set[tuple]:
    """All that lies below a folder: kind, size, time and contents, or where a link leads."""
    found = set()
    for path in (folder, *folder.rglob("*")):
        status = path.lstat()
        content: object = None
        if stat.S_ISLNK(status.st_mode):
            content = str(path.readlink())
        elif stat.S_ISREG(status.st_mode) and status.st_size < 2**28:
            content = hashlib.blake2b(path.read_bytes()).digest()
        place = str(path.relative_to(folder))
        found.add((place, status.st_mode, status.st_mtime_ns, status.st_size, content))
    return found


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _resident() -> int:
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * resource.getpagesize() if pages.exists() else _peak()
