"""Keeps a server from asking other machines for anything.

Libraries for web pages report their use, look for updates, and fetch what an address in
a request names. Python tells its audit hooks of every connection and every look-up of a
name before it happens, and an exception of a hook prevents it.
"""

import errno
import ipaddress
import socket
import sys
from typing import Any

# Events with the host in their first or second argument; see the "audit events table"
# of Python's documentation.
_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_CONNECTIONS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_hosts: set[str] = set()


def is_local(host: str) -> bool:
    """Whether a host is this machine, as nobody else can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def stay(*hosts: str) -> None:
    """Refuses connections to other machines, until this process ends.

    Args:
        *hosts: Further names and addresses of this machine, such as one to listen on.
    """
    if not _hosts:
        _hosts.add(socket.gethostname())
        sys.addaudithook(_check)
    _hosts.update(hosts)


def _check(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _LOOKUPS:
        host = arguments[0]
    elif event in _CONNECTIONS and isinstance(arguments[1], tuple):
        host = arguments[1][0]  # Else it is a socket of this machine's file system.
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if isinstance(host, str) and host not in _hosts and not is_local(host):
        number = errno.EACCES
        raise PermissionError(number, "Connections to other machines are off", host)
