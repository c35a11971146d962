"""Say why a file is not scored."""

from dataclasses import dataclass

from ctiqa.images.ct_slice import Identity

__all__ = ["Refusal", "RefusedError"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file, folder or frame that holds no slice that can be scored, and why.

    Args:
        path: relative to the input that the user gave.
        reason: one sentence: what is wrong and how to mend it.
        identity: which image it is, as far as its header says.
    """

    path: str
    reason: str
    identity: Identity | None = None


class RefusedError(Exception):
    """Carries the reason from where a file is found wanting to where it is listed."""
