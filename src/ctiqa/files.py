"""Write files whole or not at all."""

import os
from pathlib import Path

from ctiqa.errors import WriteError

__all__ = ["write_whole"]


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside its place, then rename it, so that a reader never sees half of it.

    Raises:
        WriteError: if it could not be written; what was there before is untouched.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise WriteError(
            f"{path} could not be written ({reason}); nothing was changed: "
            "make room or choose another place"
        ) from error
