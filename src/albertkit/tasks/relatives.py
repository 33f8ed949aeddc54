"""Columns of tables that say which rows come from one source, such as an article: a split should not part these."""

from collections.abc import Collection, Hashable

from albertkit.tasks.tables import Table

_NAMES = frozenset(
    (
        *("curid", "doc_id", "docid", "document", "document_id", "article", "article_id", "title", "page_id", "pageid"),
        *("wiki_id", "dialogue_id", "conversation_id", "thread_id", "user_id", "author_id", "url", "group_id"),
    )
)


def of_table(table: Table, others: Collection[str] = ()) -> dict[str, list[tuple[Hashable, ...]]]:
    """The values of such columns by name, one for each row or none where there is none; `others` are not looked at."""
    found = {}
    for name in table.columns:
        if name.lower() in _NAMES and name not in others:
            values = table.columns[name]
            found[name] = [(value,) if isinstance(value, str | int) and value != "" else () for value in values]
    return found
