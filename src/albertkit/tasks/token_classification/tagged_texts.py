"""Texts with entities: from columns of words and tags, from lists of them, or from texts with spans of characters.

Whatever the form, an example is a text, its words as spans of characters where they are given, and its entities as
spans of characters.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from albertkit.errors import InputError, abbreviate
from albertkit.tasks import piece_splits
from albertkit.tasks.bad_rows import BadRows
from albertkit.tasks.data_options import DataOptions, option
from albertkit.tasks.examples import Examples
from albertkit.tasks.scripts import is_unspaced
from albertkit.tasks.spans import Span, is_place
from albertkit.tasks.token_classification import tags
from albertkit.typing import Json, Record


@dataclass(frozen=True)
class TagOptions(DataOptions):
    """Where words, tags and entities stand, and how they become labels of tokens."""

    text_column: str = option("", "Column of the words or the text: a name, or a number from 1 in CoNLL files.")
    tag_column: str = option("", "Column of the tags or entities; default: by what it holds and the usual names.")
    tag_names: list[str] = option(
        [], "Comma-separated names of tags that the file has as numbers from 0.", is_kept=True
    )
    scheme: str = option("", "IOB1, IOB2, IOBES, BILOU or IO; default: what the tags follow.")
    split_pieces: str = option("", piece_splits.HELP, is_kept=True)
    label_all_tokens: bool = option(False, "Label all pieces of a word, not the first alone.")
    doc_stride: int = option(0, "Tokens that two windows of a long text share; default: a quarter of a window.", ge=0)


@dataclass(frozen=True)
class TaggedExamples(Examples):
    """Texts with their words and entities if any, and where they come from. All spans are of characters."""

    columns = ("sentences", "words", "entities", "lines", "documents")
    bound = frozenset({"document"})

    sentences: list[str]
    words: list[list[Span]] | None
    """The words of each text, where they are given; their type is empty."""
    entities: list[list[Span]] | None
    lines: list[int]
    documents: list[tuple[Hashable, ...]] | None = None
    """What the file says of the document that each text is of, where it does."""

    def texts(self) -> Iterable[str]:
        """The texts; words stand with a blank between them, but for scripts that write none."""
        return self.sentences

    def place(self, number: int) -> str:
        """The line."""
        return f"line {self.lines[number]}"

    def line(self, number: int) -> int:
        """The first line of its row."""
        return self.lines[number]

    def noted(self, found: str) -> "TaggedExamples":
        """The same with one thing more that was found."""
        return replace(self, found=f"{self.found}, {found}" if self.found else found)

    def shown(self, number: int) -> Record:
        """The text, and what else stands in its row."""
        return self.with_rest({"text": self.sentences[number]}, number)

    def label_key(self, number: int) -> tuple[Span, ...]:
        """The entities."""
        return tuple(self.entities[number]) if self.entities else ()

    def shared(self) -> dict[str, list[tuple[Hashable, ...]]]:
        """The document."""
        return {} if self.documents is None else {"document": self.documents}


def joined(words: Sequence[str], by: str = " ") -> tuple[str, list[Span]]:
    """Words as a text, and where each stands in it."""
    places, start = [], 0
    for word in words:
        places.append(Span(start, start + len(word), ""))
        start += len(word) + len(by)
    return by.join(words), places


def separator(sentences: Sequence[Sequence[str]]) -> str:
    """What stands between words: nothing where most are a single character of a script that writes no blanks."""
    words = [word for sentence in sentences[:1000] for word in sentence if word.isalpha()]
    return "" if words and 2 * sum(len(word) == 1 and is_unspaced(word) for word in words) > len(words) else " "


def from_tags(
    path: str,
    sentences: Sequence[Sequence[str]],
    tagged: Sequence[Sequence[str]] | None,
    lines: Sequence[int],
    options: TagOptions,
    bad: BadRows,
) -> TaggedExamples:
    """Examples of words with a tag each. Sentences whose tags do not follow the scheme go to `bad`."""
    by = separator(sentences)
    pairs = [joined(words, by) for words in sentences]
    texts, words = [text for text, _ in pairs], [places for _, places in pairs]
    if tagged is None:
        return TaggedExamples(path, texts, words, None, list(lines))
    tagged, are_unnamed = tags.with_types(tagged)
    scheme, broken = tags.of_scheme(tagged, options.scheme) if options.scheme else tags.detect(tagged)
    entities = [
        [Span(places[span.start].start, places[span.stop - 1].stop, span.type) for span in tags.spans(one, scheme)]
        for places, one in zip(words, tagged, strict=True)
    ]
    examples = TaggedExamples(path, texts, words, entities, list(lines))
    rule = f"The tags of every sentence must follow {scheme}, as {len(tagged) - len(broken):,} sentences do."
    more = f"The first has {abbreviate(' '.join(tagged[broken[0]]), 80)}." if broken else ""
    kept = _without(examples, broken, bad, rule, more)
    blank = [
        number
        for number, (text, found) in enumerate(zip(kept.sentences, kept.entities or (), strict=True))
        if any(_is_blank(text, span) for span in found)
    ]
    kept = _without(kept, blank, bad, "The words of an entity must have a character that is no blank.")
    kept = _counted(kept, f"{scheme} tags, words joined {'by blanks' if by else 'without blanks'}")
    return kept.noted(f"of the type {tags.UNNAMED}, for the tags name none") if are_unnamed else kept


def of_one_type(examples: TaggedExamples) -> TaggedExamples:
    """Examples of tags I and O alone, as IOB1 without types has where no entities are neighbours: I is no type."""
    found = [[span._replace(type=tags.UNNAMED) for span in one] for one in examples.entities or ()]
    is_bare = {span.type for one in examples.entities or () for span in one} == {"I"}
    return replace(examples, entities=found) if is_bare else examples


def _counted(examples: TaggedExamples, how: str) -> TaggedExamples:
    """The examples with a note of how many entities they have."""
    count = sum(map(len, examples.entities or ()))
    return replace(examples, found=f"{count:,} {'entity' if count == 1 else 'entities'} by {how}")


def _without(
    examples: TaggedExamples, broken: Sequence[int], bad: BadRows, rule: str, more: str = ""
) -> TaggedExamples:
    """The examples without those that break a rule, which go to `bad`."""
    bad.add_all([examples.place(number) for number in broken], len(examples), rule, more)
    left = set(broken)
    return examples.take(number for number in range(len(examples)) if number not in left)


def from_spans(
    path: str, texts: Sequence[Json], spans: Sequence[Json], lines: Sequence[int], bad: BadRows
) -> TaggedExamples:
    """Examples of texts with entities by their characters.

    An entity is [start, end, type], or a mapping of `start` and `end`, or a `span` of both, and of one of `type`,
    `label`, `entity_group` and `entity`; where it names its `text`, `name` or `word`, that must stand there. A text
    with one that lies outside of it, is empty or overlaps another goes to `bad`.
    """
    found: list[list[Span]] = []
    broken: list[tuple[int, str]] = []
    for number, (text, entities) in enumerate(zip(texts, spans, strict=True)):
        try:
            if not isinstance(entities, (list, type(None))):
                raise InputError(f"{entities!r:.60} is no list of entities")
            entities = entities or []
            found.append(_checked(text, [_span(one) for one in entities], entities))
        except InputError as error:
            found.append([])
            broken.append((number, str(error)))
    examples = TaggedExamples(path, [str(text) for text in texts], None, found, list(lines))
    rule = "Entities must have a start, an end and a type, lie within their text and not overlap."
    more = f"The first, in line {lines[broken[0][0]]}: {broken[0][1]:.200}." if broken else ""
    return _counted(_without(examples, [number for number, _ in broken], bad, rule, more), "characters")


def _span(entity: Json) -> Span:
    """InputError for what is neither [start, end, type] nor a mapping of these."""
    parts = entity if isinstance(entity, (list, tuple)) else ()
    if isinstance(entity, dict):
        place = entity["span"] if "span" in entity else [entity.get("start"), entity.get("end")]
        kinds = [entity[key] for key in ("type", "label", "entity_group", "entity") if key in entity]
        parts = [*place, *kinds[:1]] if isinstance(place, (list, tuple)) else ()
    if len(parts) != 3 or not all(is_place(one) for one in parts[:2]) or not _is_type(parts[2]):
        raise InputError(f"{entity!r:.60} lacks a start, an end or a type")
    return Span(int(parts[0]), int(parts[1]), str(parts[2]))


def _is_type(value: Json) -> bool:
    """Whether a value can be the type of an entity: not blank, and not what lies outside of all."""
    return isinstance(value, (str, int)) and str(value).strip() not in ("", tags.OUTSIDE)


def _checked(text: str, spans: Sequence[Span], entities: Sequence[Json]) -> list[Span]:
    before = Span(0, 0, "")
    for span, entity in sorted(zip(spans, entities or (), strict=True), key=lambda pair: pair[0]):
        if not before.stop <= span.start < span.stop <= len(text):
            raise InputError(f"{span.start} to {span.stop} in {len(text)} characters, behind {before.stop}")
        if _is_blank(text, span):
            raise InputError(f"{span.start} to {span.stop}, where the text has nothing but blanks")
        named = next((entity[k] for k in ("text", "name", "word") if isinstance(entity, dict) and k in entity), None)
        if named is not None and named != text[span.start : span.stop]:
            raise InputError(f"{named!r} where the text has {text[span.start : span.stop]!r}")
        before = span
    return sorted(spans)


def _is_blank(text: str, span: Span) -> bool:
    return not text[span.start : span.stop].strip()
