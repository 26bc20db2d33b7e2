"""Small packets between processes, and open files that travel with them.

Packets are atomic (SOCK_SEQPACKET): a process that dies leaves none half sent, and its peer sees the end at once.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from springline.engines.real.codec import decode, encode

Packet = dict[str, Any]
LARGEST = 1 << 16


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def listen(path: str) -> socket.socket:
    """A socket that others connect to by the path of a file."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(1024)
    return listener


def connect(path: str) -> socket.socket:
    """Raises OSError if nobody listens there."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


def send(sock: socket.socket, packet: Packet | bytes, fds: list[int] | None = None) -> bool:
    """False if nobody is at the other end any more."""
    data = packet if isinstance(packet, bytes) else encode(packet)
    assert len(data) <= LARGEST, f"a packet of {len(data)} bytes is too large"
    try:
        if fds:
            socket.send_fds(sock, [data], fds)
        else:
            sock.send(data)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def receive(sock: socket.socket, *, wait: bool = True) -> Packet | None:
    """The next packet; None at the end of the connection. Raises BlockingIOError if none is there, without waiting."""
    try:
        data = sock.recv(LARGEST, 0 if wait else socket.MSG_DONTWAIT)
    except ConnectionResetError:
        return None
    return _read(data)


def waiting(sock: socket.socket) -> Packet | None:
    """A packet that has come already; None if there is none, or the connection has ended."""
    try:
        return _read(sock.recv(LARGEST, socket.MSG_DONTWAIT))
    except (BlockingIOError, ConnectionResetError):
        return None


def receive_fds(sock: socket.socket) -> tuple[Packet | None, list[int]]:
    """The next packet with the files that came with it, closed in programs that this one starts."""
    data, fds, _, _ = socket.recv_fds(sock, LARGEST, 8)
    for fd in fds:
        os.set_inheritable(fd, False)
    return _read(data), list(fds)


def _read(data: bytes) -> Packet | None:
    if not data:
        return None
    try:
        packet = decode(data)
    except ValueError:
        return {}
    return packet if isinstance(packet, dict) else {}
