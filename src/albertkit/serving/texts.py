"""A text as a client sends it."""

from typing import Annotated

from pydantic import AfterValidator, StrictStr


def _well_formed(text: str) -> str:
    """The same text. ValueError for one that has no UTF-8, for an answer may repeat parts of it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text must be well-formed Unicode, without a half of a surrogate pair") from None
    return text


Text = Annotated[StrictStr, AfterValidator(_well_formed)]
"""A text as a client sends it."""
