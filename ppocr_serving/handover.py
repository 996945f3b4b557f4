"""Handover of open connections from a process that exits to one that keeps running."""

import socket
from collections.abc import Sequence

__all__ = ["Handover"]


class Handover:
    """A queue of connections in the kernel, like a listening socket's backlog, but for connections already in use.

    Closing an idle connection loses a request that its client is just sending, and platforms do not retry a POST. A
    connection that is handed over stays open: incoming data waits in its buffer for the next process.

    Must be created before the processes are forked.

    Attributes:
        max_batch: Maximum number of connections per call of `give`.
    """

    max_batch = 16  # per message; the kernel queues a few hundred messages

    def __init__(self) -> None:
        self._sender, self._receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sender.setblocking(False)
        self._receiver.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor to select on: readable while a connection is waiting."""
        return self._receiver.fileno()

    def give(self, connections: Sequence[socket.socket]) -> bool:
        """Put connections into the queue; the caller then closes its own descriptors, without a shutdown.

        Args:
            connections: From 1 to `max_batch`, without a request that has been read but not answered.

        Returns:
            True if there was room; otherwise the connections stay with the caller.
        """
        try:
            socket.send_fds(self._sender, [b"\0"], [connection.fileno() for connection in connections])
        except OSError:  # the queue is full, or holds as many files as the process may open
            return False
        return True

    def take(self) -> list[socket.socket]:
        """Remove the next connections from the queue and return them; none if another process was faster."""
        try:
            _, files, _, _ = socket.recv_fds(self._receiver, 1, self.max_batch)
        except BlockingIOError:
            return []
        return [socket.socket(fileno=file) for file in files]
