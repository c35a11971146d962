"""Say in one sentence which extra a command needs."""

from collections.abc import Iterator
from contextlib import contextmanager

from ctiqa.errors import CtiqaError

__all__ = ["extra_installed"]


@contextmanager
def extra_installed(work: str = "training", extra: str = "train") -> Iterator[None]:
    """Say in one sentence what to install, should an import inside fail.

    Args:
        work: what needs it, in words.
        extra: of this package, that brings it.

    Raises:
        CtiqaError: if a package of the extra is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "ctiqa":
            raise
        raise CtiqaError(
            f"{work} needs {error.name}, which is not installed: pip install 'ctiqa[{extra}]'"
        ) from error
