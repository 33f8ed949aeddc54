"""CleaningSetting: how a tokenizer cleans text, as attributes such as `tokenizer.do_lower_case`."""

from typing import Any, Protocol

from albertkit.errors import InputError
from albertkit.typing import Json, Record


class _Tokenizer(Protocol):
    init_kwargs: Record

    def _clean_with(self, settings: Record) -> None: ...


class CleaningSetting:
    """A setting that the constructor takes by the same name. Setting it changes how the next text is cut.

    InputError for what is neither true nor false, and where a file alone decides how text is cleaned.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, tokenizer: _Tokenizer | None, owner: type | None = None) -> Any:
        return self if tokenizer is None else tokenizer.init_kwargs[self._name]

    def __set__(self, tokenizer: _Tokenizer, value: Json) -> None:
        if not isinstance(value, bool) and not (value is None and self._name == "strip_accents"):
            raise InputError(f"`{self._name}` must be true or false. Received: {value!r}.")
        tokenizer._clean_with({**tokenizer.init_kwargs, self._name: value})
        tokenizer.init_kwargs[self._name] = value
