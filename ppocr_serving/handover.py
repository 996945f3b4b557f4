"""Open connections on their way from a process that ends to one that goes on."""

import socket
from collections.abc import Sequence

__all__ = ["Handover"]


class Handover:
    """A queue of connections in the kernel, like the one of a listening socket, but of connections already in use.

    Closing an idle connection loses the request that its client is sending at this moment, and platforms do not repeat
    a POST. A connection that is handed over stays open: what arrives waits in its buffer for the next process.

    Must be created before the processes are forked.

    Attributes:
        most: How many connections can be given at a time.
    """

    most = 16  # a message; the kernel holds a few hundred messages

    def __init__(self) -> None:
        self._entrance, self._exit = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._entrance.setblocking(False)
        self._exit.setblocking(False)

    def fileno(self) -> int:
        """For selectors: readable where a connection is waiting."""
        return self._exit.fileno()

    def give(self, connections: Sequence[socket.socket]) -> bool:
        """Put connections into the queue; the caller closes its own ends afterwards, without shutting them down.

        Args:
            connections: From 1 to `most`, with nothing read from them that has not been answered.

        Returns:
            Whether there was room; the connections remain the caller's otherwise.
        """
        try:
            socket.send_fds(self._entrance, [b"\0"], [connection.fileno() for connection in connections])
        except OSError:  # the queue is full, or holds as many files as the process may open
            return False
        return True

    def take(self) -> list[socket.socket]:
        """Take the next connections out of the queue; none where another process was faster."""
        try:
            _, files, _, _ = socket.recv_fds(self._exit, 1, self.most)
        except BlockingIOError:
            return []
        return [socket.socket(fileno=file) for file in files]
