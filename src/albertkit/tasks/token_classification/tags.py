"""Tags of words and the entities that they mark: IOB1, IOB2, IOBES and BILOU, read, told apart and written.

A tag is `O`, or a prefix and a type such as `B-PER`. An entity is (start, stop, type): words from `start` to before
`stop`.
"""

from collections.abc import Iterable, Sequence

from albertkit.errors import InputError, did_you_mean
from albertkit.tasks.spans import Span

OUTSIDE = "O"
_SINGLE, _END = {"IOBES": "S", "BILOU": "U"}, {"IOBES": "E", "BILOU": "L"}
_BEGINS, _ENDS = frozenset("BSU"), frozenset("SUEL")
_PREFIXES = frozenset("BIESLU")
_BARE = (frozenset("BIES"), frozenset("BILU"))
UNNAMED = "ENTITY"
"""The type of entities whose tags name none."""

SCHEMES = ("IOB2", "IOB1", "IOBES", "BILOU", "IO")
"""IO: a type without prefixes, or `I-` alone, so that two entities of one type cannot stand side by side."""


def parse(tag: str) -> tuple[str, str]:
    """A tag -> (prefix, type). A tag without a prefix is one of `IO`: ("I", the tag)."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if len(tag) > 2 and tag[1] in "-_" and tag[0] in _PREFIXES:
        return tag[0], tag[2:]
    return "I", tag


def with_types(sentences: Sequence[Sequence[str]]) -> tuple[Sequence[Sequence[str]], bool]:
    """Tags of which none names a type, such as B, I and O, as those of `UNNAMED`, and whether they are; others stay.

    B must be among them: without it a single letter is a type of `IO`.
    """
    bare = {tag[:-1] if tag[1:] in ("-", "_") else tag for one in sentences for tag in one} - {OUTSIDE}
    if "B" not in bare or not any(bare <= prefixes for prefixes in _BARE):
        return sentences, False
    return [[tag if tag == OUTSIDE else f"{tag[0]}-{UNNAMED}" for tag in one] for one in sentences], True


def types(tags: Iterable[str]) -> list[str]:
    """The types that tags name, sorted."""
    return sorted({parse(tag)[1] for tag in tags} - {""})


def scheme_of(tags: Iterable[str]) -> str:
    """The scheme of a set of tags that a model knows: by its prefixes alone."""
    prefixes = {parse(tag)[0] for tag in tags}
    if prefixes & {"L", "U"}:
        return "BILOU"
    if prefixes & {"E", "S"}:
        return "IOBES"
    return "IOB2" if "B" in prefixes else "IO"


def detect(sentences: Sequence[Sequence[str]]) -> tuple[str, list[int]]:
    """The scheme that sentences were tagged in, and the numbers of those that do not follow it.

    By prefixes: E- and S- are those of IOBES, L- and U- those of BILOU, and IOB1 writes `B-` only between two entities
    of one type, IOB2 at the start of each. Where some sentences do not follow what the prefixes of all of them say, as
    after a slip in one, the scheme is taken that the fewest break.
    """
    prefixes = {parse(tag)[0] for tag in {tag for sentence in sentences for tag in sentence}}
    candidates = [scheme for scheme, end in _END.items() if prefixes & {end, _SINGLE[scheme]}]
    candidates += ["IOB2", "IOB1"] if "B" in prefixes else ["IO"]
    best = of_scheme(sentences, candidates[0])
    for scheme in candidates[1:]:
        if best[1]:
            best = min(best, of_scheme(sentences, scheme), key=lambda one: len(one[1]))
    return best


def of_scheme(sentences: Sequence[Sequence[str]], scheme: str) -> tuple[str, list[int]]:
    """A scheme that was named, and the numbers of the sentences that do not follow it. InputError for another name."""
    if scheme not in SCHEMES:
        raise InputError(
            f"The scheme of tags must be one of {', '.join(SCHEMES)}. Received: {scheme!r}."
            f"{did_you_mean(scheme.upper(), SCHEMES)}"
        )
    return scheme, [number for number, one in enumerate(sentences) if not follows(one, scheme)]


def follows(tags: Sequence[str], scheme: str) -> bool:
    """Whether tags are those that the scheme writes for the entities that they mark."""
    written = to_tags(spans(tags, scheme), len(tags), scheme)
    return [parse(tag) for tag in written] == [parse(tag) for tag in tags]


def spans(tags: Sequence[str], scheme: str = "IOB2", strict: bool = False) -> list[Span]:
    """The entities that tags mark.

    As the script of CoNLL-2000 reads them: an entity begins at a `B-`, behind an end, or where the type changes.
    `strict` takes only entities that are whole in their scheme: one that begins with `I-` in IOB2 is none.
    """
    found: list[Span] = []
    begin, before = 0, (OUTSIDE, "")
    for place, tag in enumerate([*tags, OUTSIDE]):
        here = parse(tag)
        if before[0] != OUTSIDE and (here[0] in _BEGINS or before[0] in _ENDS or here[1] != before[1]):
            found.append(Span(begin, place, before[1]))
            begin = place
        elif before[0] == OUTSIDE:
            begin = place
        before = here
    return [span for span in found if not strict or _is_whole(tags, span, scheme)]


def runs(tags: Sequence[str], scheme: str = "IOB2") -> list[Span]:
    """The entities that tags mark, and what lies between them as runs of the type O."""
    found: list[Span] = []
    place = 0
    for span in [*spans(tags, scheme), Span(len(tags), len(tags), "")]:
        if span.start > place:
            found.append(Span(place, span.start, OUTSIDE))
        found.append(span)
        place = span.stop
    return found[:-1]


def _is_whole(tags: Sequence[str], span: Span, scheme: str) -> bool:
    inner = [parse(tag)[0] for tag in tags[span.start : span.stop]]
    if scheme == "IO":
        return True
    if scheme == "IOB1":
        is_beside = span.start > 0 and parse(tags[span.start - 1])[1] == span.type
        return inner[0] == ("B" if is_beside else "I") and set(inner[1:]) <= {"I"}
    return inner == [parse(tag)[0] for tag in to_tags([Span(0, len(inner), span.type)], len(inner), scheme)]


def to_tags(entities: Iterable[Span], length: int, scheme: str = "IOB2") -> list[str]:
    """The tags of `length` words for entities that do not overlap, in their order."""
    tags, last = [OUTSIDE] * length, Span(0, 0, "")
    for span in entities:
        inner = ["I"] * (span.stop - span.start)
        if scheme not in ("IO", "IOB1") or (scheme == "IOB1" and (last.stop, last.type) == (span.start, span.type)):
            inner[0] = "B"
        if scheme in _END:
            inner[-1] = _END[scheme] if len(inner) > 1 else _SINGLE[scheme]
        tags[span.start : span.stop] = [f"{prefix}-{span.type}" for prefix in inner]
        last = span
    return tags
