"""Lower the dose of whole series: which doses, what each slice becomes, what to doubt."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ctiqa.dose.projection import ParallelBeam
from ctiqa.dose.quanta import ELECTRONIC
from ctiqa.dose.simulate import Scan, added_noise, noise_scale
from ctiqa.errors import ReadError
from ctiqa.images.ct_slice import AIR_HU, CTSlice, FloatImage, Identity
from ctiqa.images.refusal import Refusal
from ctiqa.images.slice_header import SliceHeader
from ctiqa.measures.body import body_mask, cut_off_px

__all__ = ["LowerDose", "Readable", "at_doses"]

_FEWEST_COUNTS = 10
_CUT_OFF_PX = 16


@dataclass(frozen=True, slots=True)
class LowerDose:
    """Which doses a scan is to be simulated at, and how.

    Args:
        doses: fractions of the scan's own dose, in (0, 1].
        shared_field: scale one noise field, made for the lowest dose, to all doses, as the paper
            does; the images of a slice then share one noise pattern.
        seed: the same seed gives the same bytes.
        electronic: variance of the electronic noise in quanta squared.

    Raises:
        ValueError: if there is no dose, or one outside (0, 1].
    """

    doses: tuple[float, ...]
    shared_field: bool = False
    seed: int = 0
    electronic: float = ELECTRONIC

    def __post_init__(self) -> None:
        if not self.doses or not all(0 < dose <= 1 for dose in self.doses):
            raise ValueError(f"dose fractions lie in (0, 1], not at {self.doses}")


@dataclass(frozen=True, eq=False)
class Readable:
    """The slices of one series, decoded one at a time; one that cannot be read stands as air.

    Air tells nothing of noise, so calibration goes on with the slices that can be read.

    Args:
        headers: the slices in table order.
        on_load: called after every slice.
        refusals: receives the slices that could not be read, by their index.
    """

    headers: Sequence[SliceHeader]
    on_load: Callable[[], None] = lambda: None
    refusals: dict[int, Refusal] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.headers)

    def __iter__(self) -> Iterator[CTSlice]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> CTSlice:
        header = self.headers[index]
        try:
            ct_slice = header.load()
        except ReadError as error:
            self.refusals[index] = Refusal(header.identity.path, str(error), header.identity)
            side = header.size or max(header.rows, header.columns)
            air = np.full((side, side), AIR_HU, np.float32)
            ct_slice = CTSlice(air, header.pixel_mm, header.identity, header.z_mm)
        self.on_load()
        return ct_slice


def at_doses(
    ct_slice: CTSlice, *, scan: Scan, lower: LowerDose
) -> tuple[list[FloatImage], list[str]]:
    """Return the slice at every dose, in HU, and what is doubtful about it, in words.

    The noise of a slice at one dose depends on the seed, the slice and the dose alone, not on the
    other doses and slices of the call; a shared field depends on the lowest dose.

    Args:
        ct_slice: a square slice.
        scan: how it was made.
        lower: which doses, and how.
    """
    beam = ParallelBeam.of_size(ct_slice.hu.shape[0])
    rays = beam.line_integrals(ct_slice.hu, pixel_mm=ct_slice.pixel_mm)
    lowest = min(lower.doses)

    def noise(dose: float) -> FloatImage:
        rng = np.random.default_rng([lower.seed, _key(ct_slice.identity), round(1e6 * dose)])
        return added_noise(ct_slice, dose_fraction=dose, scan=scan, rng=rng, rays=rays)

    if lower.shared_field and lowest < 1:
        field_of_lowest = noise(lowest)
        images = [
            ct_slice.hu + np.float32(noise_scale(dose, lowest=lowest)) * field_of_lowest
            for dose in lower.doses
        ]
    else:
        images = [ct_slice.hu + noise(dose) if dose < 1 else ct_slice.hu for dose in lower.doses]
    return images, _doubts(ct_slice, counts=scan.quanta * lowest * float(np.exp(-rays.max())))


def _key(identity: Identity) -> int:
    unique = f"{identity.sop_instance_uid or identity.path}#{identity.frame or 0}"
    return int(hashlib.sha256(unique.encode()).hexdigest()[:8], 16)


def _doubts(ct_slice: CTSlice, *, counts: float) -> list[str]:
    doubts = []
    if counts < _FEWEST_COUNTS:
        doubts.append(
            f"some rays keep fewer than {_FEWEST_COUNTS} quanta at the lowest dose, where a"
            " scanner's own corrections decide what its streaks look like"
        )
    if _is_cut_off(ct_slice):
        doubts.append(
            "the body is cut off by the field of view, so rays through the missing part get too"
            " little noise"
        )
    return doubts


def _is_cut_off(ct_slice: CTSlice) -> bool:
    return cut_off_px(body_mask(ct_slice.hu), ct_slice.padding) > _CUT_OFF_PX
