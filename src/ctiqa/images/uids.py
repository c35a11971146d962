"""Make DICOM UIDs that need no registered root."""

import uuid

__all__ = ["derived_uid"]


def derived_uid(*parts: object) -> str:
    """Return a UID that follows from what it names (DICOM PS3.5, B.2): same parts, same UID.

    >>> derived_uid("series", 1) == derived_uid("series", 1) != derived_uid("series", 2)
    True
    """
    name = "\0".join(map(str, parts))
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, name).int}"
