"""Processes to kill."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess


@contextmanager
def victim(nursery, target, *args) -> Iterator[tuple[BaseProcess, Connection]]:
    """Give a process that runs `target(*args, connection)`; what it is given to kill, it is killed at the end."""
    ours, theirs = nursery.Pipe(duplex=False)
    process = nursery.Process(target=target, args=(*args, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        exitcode = process.exitcode
        process.close()
        ours.close()
    assert exitcode == -signal.SIGKILL, f"it ended by itself, with {exitcode}, before it was killed"


def hang(connection: Connection, what: object = None) -> None:
    """Say that the point is reached, and stay there."""
    connection.send(what)
    threading.Event().wait()
