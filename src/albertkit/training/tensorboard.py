"""Numbers in the form that TensorBoard reads: events, one after the other, as bytes for whoever writes them.

In place of a writer that has a thread of its own, which ends on a full disk and leaves the run waiting for it.
"""

# pyright: reportAttributeAccessIssue=false
# The classes of tensorboardX.proto are made when it is imported.

import socket
import struct
import time
from collections.abc import Mapping

from albertkit.errors import MissingDependency

try:
    from tensorboardX.proto.event_pb2 import Event, SessionLog
    from tensorboardX.proto.summary_pb2 import Summary
    from tensorboardX.record_writer import masked_crc32c
except ImportError as missing:
    raise MissingDependency("TensorBoard's log", missing.name or "tensorboardX", "train") from None


def name() -> str:
    """What a file of events that begins now is called."""
    return f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}"


def beginning(step: int) -> bytes:
    """What a file begins with: that a run begins with this step, or goes on with it and forgets what came after."""
    return _record(file_version="brain.Event:2") + _record(step=step, session_log=SessionLog(status=SessionLog.START))


def scalars(step: int, values: Mapping[str, float]) -> bytes:
    """Numbers of a step by name."""
    pairs = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
    return _record(step=step, summary=Summary(value=pairs))


def _record(**fields: object) -> bytes:
    """An event of now as a record: its length, the event, and a checksum behind each."""
    content = Event(wall_time=time.time(), **fields).SerializeToString()
    parts = struct.pack("<Q", len(content)), content
    return b"".join(part + struct.pack("<I", masked_crc32c(part)) for part in parts)
