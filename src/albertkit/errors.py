"""Every exception albertkit raises on purpose.

    AlbertkitError
    ├── ConfigError            a configuration that cannot be built or read     (also ValueError)
    ├── CheckpointError        files that cannot be read as a checkpoint        (also OSError)
    │   ├── CheckpointNotFound nothing is there to read
    │   ├── UnsafeCheckpoint   the file asks to run code while being read
    │   └── WeightMismatch     tensors that do not fit the model                (also RuntimeError and ValueError)
    ├── InputError             text, ids or data files that cannot be used      (also ValueError)
    │   ├── TokenIdError       an id outside the embedding table                (also IndexError)
    │   ├── WrongType          an argument of the wrong kind, or one too many   (also TypeError)
    │   ├── UnusableRows       rows of data that a model cannot be given
    │   ├── NoRows             a data file that is whole and holds none
    │   └── NameConflict       a setting with the name of a method              (also AttributeError)
    ├── TrainingError          a run that must stop                             (also RuntimeError)
    ├── OutdatedDependency     a package that is too old                        (also ImportError)
    └── MissingDependency      an optional package that is not installed        (also ImportError)

Each class is also the built-in exception that people already catch for such a case. A message states the rule, what was
received, and the way out.

Interrupted is apart from them: what Ctrl-C has ended is no error, and stays a KeyboardInterrupt.
"""

import difflib
import signal
from collections.abc import Iterable, Mapping, Sequence

_LONGEST = 1_000


class AlbertkitError(Exception):
    """Root of the tree."""

    def __str__(self) -> str:
        """The message as it may be printed: names out of files can hold anything, and be of any length."""
        text = super().__str__()
        if len(text) > 2 * _LONGEST:
            text = f"{text[:_LONGEST]} ... {text[-_LONGEST + 5 :]}"
        if text.isprintable():
            return text
        return "".join(sign if sign.isprintable() or sign in "\n\t" else ascii(sign)[1:-1] for sign in text)


class ConfigError(AlbertkitError, ValueError):
    """A configuration that cannot be built or read."""


class CheckpointError(AlbertkitError, OSError):
    """Files that cannot be read as a checkpoint."""


class CheckpointNotFound(CheckpointError):
    """No checkpoint where one was expected."""


class UnsafeCheckpoint(CheckpointError):
    """A pickled checkpoint that would run code while being read."""


class WeightMismatch(CheckpointError, RuntimeError, ValueError):
    """Tensors that do not fit the model they are loaded into.

    Transformers raises a RuntimeError for such tensors in PyTorch, and a ValueError in TensorFlow and JAX.
    """


class InputError(AlbertkitError, ValueError):
    """Text, ids or data files that cannot be used."""


class TokenIdError(InputError, IndexError):
    """A token id outside the embedding table."""


class WrongType(InputError, TypeError):
    """An argument of the wrong kind, or one that there is not."""


class UnusableRows(InputError):
    """Rows of data that a model cannot be given, while others of the same data may well be."""

    def __init__(self, message: str, rules: Mapping[int, str] | None = None) -> None:
        """`rules` has for each such row its number among those that were passed, and the rule that it breaks."""
        super().__init__(message)
        self.rules = dict(rules or {})


class NoRows(InputError):
    """A data file that is whole and holds no row."""


class NameConflict(InputError, AttributeError):
    """A setting with the name of a method."""


class TrainingError(AlbertkitError, RuntimeError):
    """A training run that must stop."""


class OutdatedDependency(AlbertkitError, ImportError):
    """A package that is too old."""


class Interrupted(KeyboardInterrupt):
    """What a signal has stopped in good order. Its text says what is kept and how to go on."""

    def __init__(self, text: str, number: int = signal.SIGINT) -> None:
        super().__init__(text)
        self.number = number

    @classmethod
    def of(cls, stopped: KeyboardInterrupt, text: str) -> "Interrupted":
        """The same interruption, with a text by whoever knows what was kept."""
        return cls(text, stopped.number if isinstance(stopped, Interrupted) else signal.SIGINT)

    @property
    def status(self) -> int:
        """The exit status of a program that the signal ends."""
        return 128 + self.number


class MissingDependency(AlbertkitError, ImportError):
    """An optional package that is not installed."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f'{what} needs {package}. Install it with: pip install "albertkit[{extra}]"')
        self.what, self.package, self.extra = what, package, extra

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.what, self.package, self.extra)

    def needed_by(self, what: str) -> "MissingDependency":
        """The same, said of something else that needs the package."""
        return MissingDependency(what, self.package, self.extra)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The sentence `` Did you mean `x`?`` for the known name nearest to `name`, or nothing when none is near."""
    near = nearest(name, known)
    return f" Did you mean `{near}`?" if near else ""


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name nearest to `name`, or None when none is as near as `cutoff`, of 1."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return near[0] if near else None


def few(names: Sequence[str], most: int = 5) -> str:
    """Names for a message, of many the first: "line 3, line 8 and 12 more"."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def abbreviate(value: object, limit: int = 200) -> str:
    """The `repr` of a value for a message, in `limit` characters or few more, whatever the value is."""
    try:
        text = repr(value)
    except ValueError:  # Python does not write whole numbers of thousands of digits
        return f"{type(value).__name__} with too many digits to print"
    return text if len(text) <= limit else f"{text[:limit]}..."
