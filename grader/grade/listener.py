"""A Unix socket whose clients are untrusted: each wait for one of them has a bound that it cannot choose.

Few connections are open at once; the others wait in the kernel's queue. A new connection closes the
oldest one that has not sent its request. The end of the listener ends all reads and writes of all
connections.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

AT_ONCE = 8  # open connections
RETRY_SECONDS = 0.5  # until a file descriptor or a thread may be free again
END_SECONDS = 300  # for the work that is under way at the end


class Listener:
    """A context that listens at `path` and calls `serve(connection)` for each one, in a thread of its own."""

    def __init__(self, path: Path, serve: Callable[[socket.socket], None]):
        self.path, self.serve = path, serve
        self.over = threading.Event()  # set at the end: what has not begun by then is dropped
        self._socket = socket.socket(socket.AF_UNIX)
        self._threads: dict[socket.socket, threading.Thread] = {}  # by open connection, oldest first
        self._silent: list[socket.socket] = []  # those of them that have not sent their request
        self._change = threading.Condition()  # guards both

    def __enter__(self):
        self._socket.bind(str(self.path))
        os.chmod(self.path, 0o666)  # the sandbox may run as another user; the parent folder is private
        self._socket.listen(socket.SOMAXCONN)  # a client with a timeout does not wait for a full queue
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        """End every thread. Raises TimeoutError if one still works after END_SECONDS."""
        deadline = time.monotonic() + END_SECONDS
        self.over.set()
        hang_up(self._socket)  # wakes accept()
        with self._change:
            self._change.notify_all()
        self._thread.join(END_SECONDS)
        self._socket.close()
        self.path.unlink(missing_ok=True)
        with self._change:
            threads = [*self._threads.values()]
            for connection in self._threads:
                hang_up(connection)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            raise TimeoutError(f"judging did not end within {END_SECONDS} s after the sandbox")

    def heard(self, connection: socket.socket) -> None:
        """Note that a connection has sent its request, so that no new one closes it."""
        with self._change:
            if connection in self._silent:
                self._silent.remove(connection)

    def is_older(self, connection: socket.socket, other: socket.socket) -> bool:
        """Whether a connection was opened before another one that is still open."""
        with self._change:
            order = [*self._threads]
            return other in order and order.index(connection) < order.index(other)

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:  # the end, or no file descriptor is free
                self.over.wait(RETRY_SECONDS)
                continue
            with self._change:
                self._make_room()
                self._start(connection)

    def _make_room(self) -> None:
        """Wait until another connection may be open."""
        while len(self._threads) >= AT_ONCE and not self.over.is_set():
            if self._silent:
                hang_up(self._silent.pop(0))
            self._change.wait()

    def _start(self, connection: socket.socket) -> None:
        thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
        self._threads[connection] = thread
        self._silent.append(connection)
        try:
            if self.over.is_set():
                raise RuntimeError("the listener has ended")
            thread.start()
        except RuntimeError:  # also when this process may start no more threads now
            self._forget(connection)

    def _run(self, connection: socket.socket) -> None:
        try:
            self.serve(connection)
        finally:
            self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        connection.close()
        self.heard(connection)
        with self._change:
            del self._threads[connection]
            self._change.notify_all()


def hang_up(connection: socket.socket) -> None:
    """End every read and write of a socket, in whatever thread."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
