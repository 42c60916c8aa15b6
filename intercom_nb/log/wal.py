"""What an interrupted log has lost: reads the tail of SQLite's write-ahead log.

SQLite silently drops a tail that is not a whole transaction. A person should be told, so the frames are read here
the way SQLite reads them (its documented file format, section "The Write-Ahead Log"): a frame counts if its salts are
those of the header and the running checksum fits, and a transaction counts up to its last frame, which says so.
"""

import struct
from pathlib import Path

__all__ = ["lost_bytes"]

_HEADER, _FRAME_HEADER = 32, 24
_RESTARTS = 1 << 20  # more than one log ever sees; anything further off is damage
_LITTLE, _BIG = 0x377F0682, 0x377F0683


def lost_bytes(log: Path) -> int:
    """Return how many bytes at the end of a log's write-ahead file belong to no whole transaction.

    Parameters
    ----------
    log : Path
        The log itself; a write-ahead file beside it is looked at if there is one.
    """
    wal = log.with_name(log.name + "-wal")
    data = wal.read_bytes() if wal.is_file() else b""
    if len(data) < _HEADER:
        return len(data)
    magic, _, page, _, *salts_and_sums = struct.unpack(">8I", data[:_HEADER])
    if magic not in (_LITTLE, _BIG):
        return len(data)
    order = ">" if magic == _BIG else "<"
    if _checksum(data[:24], order, (0, 0)) != tuple(salts_and_sums[2:]):
        return len(data)
    salts, sums = tuple(salts_and_sums[:2]), (salts_and_sums[2], salts_and_sums[3])
    at = whole = _HEADER
    size = _FRAME_HEADER + page
    while at + size <= len(data):
        _, commit, *rest = struct.unpack(">6I", data[at : at + _FRAME_HEADER])
        if tuple(rest[:2]) != salts:
            break
        sums = _checksum(data[at : at + 8] + data[at + _FRAME_HEADER : at + size], order, sums)
        if sums != tuple(rest[2:]):
            return len(data) - whole
        at += size
        if commit:
            whole = at
    # What follows with other salts is left over from before the last checkpoint, and safely in the log itself.
    stale = at + 16 <= len(data) and _is_older(struct.unpack(">2I", data[at + 8 : at + 16]), salts)
    return at - whole if stale else len(data) - whole


def _is_older(found: tuple[int, ...], salts: tuple[int, ...]) -> bool:
    # Each time the file is begun anew, the first salt grows by one and the second is drawn by lot.
    behind = (salts[0] - found[0]) & 0xFFFFFFFF
    return 0 < behind < _RESTARTS and found[1] != salts[1]


def _checksum(data: bytes, order: str, start: tuple[int, int]) -> tuple[int, int]:
    first, second = start
    for left, right in struct.iter_unpack(f"{order}2I", data):
        first = (first + left + second) & 0xFFFFFFFF
        second = (second + right + first) & 0xFFFFFFFF
    return first, second
