"""Say which slices a corpus is made of: each once as scanned, those of training once more."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ctiqa.corpus.reconstruction import Reconstructed, Reconstruction, drawn
from ctiqa.dose.series import Readable
from ctiqa.dose.simulate import Slices
from ctiqa.images.refusal import Refusal
from ctiqa.images.series import Series
from ctiqa.images.slice_header import SliceHeader

__all__ = ["Scanned", "part_name", "scanned_slices"]

_FEWEST_SLICES = 3
"""Slices of a reconstruction, whose noise spectrum and quanta are read off nothing else."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """Slices of one series that are calibrated together: as scanned, or reconstructed anew."""

    headers: tuple[SliceHeader, ...]
    split: str
    other: Reconstruction | None = None

    def slices(self) -> Slices:
        """Return them, read one at a time."""
        # A slice that cannot be read is refused when its part is made, not here.
        scanned = Readable(self.headers)
        return Reconstructed(scanned, self.other) if self.other else scanned

    def part(self, header: SliceHeader) -> str:
        """Return the name of a slice's part."""
        return part_name(header, self.other)

    def key(self) -> str:
        """Return a name that belongs to exactly these slices."""
        parts = "".join(self.part(header) for header in self.headers)
        return hashlib.sha256(parts.encode()).hexdigest()[:16]


def scanned_slices(
    series: Iterable[Series],
    split_of: Callable[[str], str | None],
    *,
    reconstructions: int,
    seed: int,
) -> tuple[list[Scanned], list[Refusal]]:
    """Return what a corpus is made of, and the files that hold an image once more.

    Args:
        series: as they were found.
        split_of: the split of a patient's pseudonym; None leaves the patient out.
        reconstructions: drawn for each training series, fewer for a series of few slices; its
            slices are shared out over them.
        seed: the same seed draws the same reconstructions.
    """
    scanned: list[Scanned] = []
    refusals: list[Refusal] = []
    first_paths: dict[str, str] = {}
    for one in series:
        split = split_of(one.headers[0].identity.patient_key)
        if split is None:
            continue
        headers = []
        for header in one.headers:
            path, name = header.identity.path, part_name(header)
            if name in first_paths:
                reason = f"the same image (SOP Instance UID) as {first_paths[name]}; taken once"
                refusals.append(Refusal(path, reason, header.identity))
            else:
                first_paths[name] = path
                headers.append(header)
        if not headers:
            continue
        as_scanned = Scanned(tuple(headers), split)
        scanned.append(as_scanned)
        if split == "train":
            rng = np.random.default_rng([seed, int(as_scanned.key(), 16), 2])
            count = min(reconstructions, len(headers) // _FEWEST_SLICES)
            scanned += [
                Scanned(as_scanned.headers[start::count], split, drawn(rng))
                for start in range(count)
            ]
    return scanned, refusals


def part_name(header: SliceHeader, other: Reconstruction | None = None) -> str:
    """Return the name of a slice's part, which depends on the image and nothing else."""
    identity = header.identity
    unique = f"{identity.sop_instance_uid or identity.path}#{identity.frame or 0}"
    again = f"#{other}" if other else ""
    return hashlib.sha256((unique + again).encode()).hexdigest()[:16]
