"""Write files whole or not at all."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ctiqa.errors import WriteError

__all__ = ["write_whole"]


def write_whole(path: Path, content: bytes | Callable[[BinaryIO], object]) -> Path:
    """Write a file beside its place, then rename it: a full disk or a kill leaves no half of it.

    Args:
        path: where the file goes; an older file there stays until the new one is whole, folders
            above are made.
        content: the bytes, or a function that writes them to an open file.

    Returns:
        ``path``.

    Raises:
        WriteError: if the disk is full, the folder is read-only or a file stands in its way.
    """
    beside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("xb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)
        beside.replace(path)
    except OSError as error:
        reason = error.strerror or "the file could not be written"
        raise WriteError(
            f"{path}: {reason}, so nothing was written; free some space or choose another folder"
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink()
    return path
