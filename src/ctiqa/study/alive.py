"""Name a process so that others can tell whether it still lives."""

import os
import secrets
import socket
from pathlib import Path

__all__ = ["dead", "process_name"]


def process_name() -> str:
    """Return a name that no other process has, now or later: host, where its number counts, number.

    Two containers of one host name may have a process of the same number.
    """
    return f"{socket.gethostname()} {_namespace()} {os.getpid()} {secrets.token_hex(4)}"


def dead(who: str) -> bool:
    """Say whether a process is known to have ended; of another machine nobody knows."""
    host, namespace, number, _ = who.split(" ")
    # Signal 0 asks on POSIX, and is no question on Windows.
    if os.name != "posix" or (host, namespace) != (socket.gethostname(), _namespace()):
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return "-"
