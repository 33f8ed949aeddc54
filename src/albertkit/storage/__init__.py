"""Files that are read with care and written so that nothing is ever half there.

Reading never writes, moves or removes anything: a folder is read through `Folder`, which gives only regular files of
plain names. A single file is written to a temporary one and renamed. Files that belong together are saved by
`atomic_replace`: however the process ends, a reader then finds the old files or the new ones, never a mixture.

A save leaves names that begin with `.albertkit-`:

    .albertkit-save-XXXX/     files that are being written; their process holds a lock on the folder
    .albertkit-commit/        files that are complete, on their way into the folder
        files/  head/         the files, and the one without which nothing loads; each moves up in turn, the head last
        stale/                empty files, named like the old files that are to be removed: files of a model alone
    .albertkit-write-XXXX     a single file that is being written

No name is ever read from a file's contents. Processes that save and load at the same time take turns by a lock on the
folder itself, which ends with the process that holds it.
"""

from albertkit.storage.filesystem import translate_os_errors
from albertkit.storage.folder import Folder, open_folder, require_plain_name
from albertkit.storage.locks import exclusive_lock, shared_lock, try_exclusive_lock
from albertkit.storage.pointers import require_content
from albertkit.storage.readers import read_bytes, read_json, read_text
from albertkit.storage.saving import (
    atomic_replace,
    clear_abandoned,
    remove_named,
    replacing,
    require_writable,
    write_bytes,
    write_json,
    write_text,
)

__all__ = [
    "Folder",
    "atomic_replace",
    "clear_abandoned",
    "exclusive_lock",
    "open_folder",
    "read_bytes",
    "read_json",
    "read_text",
    "remove_named",
    "replacing",
    "require_content",
    "require_plain_name",
    "require_writable",
    "shared_lock",
    "translate_os_errors",
    "try_exclusive_lock",
    "write_bytes",
    "write_json",
    "write_text",
]
