"""Make what the corpus holds of one slice: pixels, noise fields, labels, noise."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ctiqa.corpus.label import WINDOWS, Fidelity, ideal_fidelity, noise_free, routine_fidelity
from ctiqa.dose.simulate import Scan, added_noise, lower_dose, noise_parts, noise_scale
from ctiqa.files import write_whole
from ctiqa.images.ct_slice import CTSlice, FloatImage
from ctiqa.measures.global_noise import global_noise_hu

__all__ = ["CorpusSettings", "Part", "degraded", "make_part", "write_part"]

HalfImage: TypeAlias = npt.NDArray[np.float16]
Table: TypeAlias = npt.NDArray[np.float64]


_LABEL_DOSES = (8.0, 4.0, 2.0, 1.0, 0.75, 0.5, 0.35, 0.25, 0.18, 0.13, 0.1)


@dataclass(frozen=True, slots=True)
class CorpusSettings:
    """What decides the content of a corpus; stored with it, word for word.

    Args:
        image_doses: dose fractions at which every slice becomes a labelled image, for fixed sets
            and for evaluation.
        label_doses: dose fractions at which the ideal label is measured, for training at any dose
            between; holds the image doses. Above 1 it is that of the slice without its noise and
            with less noise than it had.
        realisation: "independent" draws a noise field for each dose, "shared" scales the field of
            the lowest dose (the paper).
        quantum_fields: stored fields of quantum noise a slice; random mixtures of them are new
            fields.
        electronic_fields: the same for electronic noise.
        electronic: variance of the electronic noise in quanta squared.
        reconstructions: other pixel sizes and kernels drawn for each training series, in one of
            which each of its slices appears once more; 0 leaves training as it was scanned.
        seed: makes the corpus repeatable.

    Raises:
        ValueError: if a value breaks these rules.
    """

    image_doses: tuple[float, ...] = (1.0, 0.75, 0.5, 0.25)
    label_doses: tuple[float, ...] = _LABEL_DOSES
    realisation: str = "independent"
    quantum_fields: int = 4
    electronic_fields: int = 2
    electronic: float = 10.0
    reconstructions: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.image_doses[:1] != (1.0,) or not _falling(self.image_doses):
            raise ValueError(f"image doses fall from 1, above 0, not {self.image_doses}")
        if not _falling(self.label_doses) or not set(self.image_doses) <= set(self.label_doses):
            raise ValueError(f"label doses fall and hold the image doses, not {self.label_doses}")
        if self.realisation not in ("independent", "shared"):
            raise ValueError(f"realisation is independent or shared, not {self.realisation!r}")
        if self.quantum_fields < 2 or self.electronic_fields < 1:
            raise ValueError("noise is mixed of at least 2 quantum fields and 1 electronic field")
        if self.electronic < 0 or self.reconstructions < 0:
            raise ValueError("electronic noise and the number of reconstructions are at least 0")


@dataclass(frozen=True, slots=True)
class Part:
    """One slice of a corpus.

    Args:
        images: (image doses, rows, columns) int16 in HU, rounded as a scanner stores them.
        fields: (quantum_fields + electronic_fields, rows, columns) float16 in HU: noise of variance
            e^p/I0 and of variance N_e (e^p/I0)^2, from which noise at any dose is mixed.
        clean: (rows, columns) int16 in HU, the slice without its noise.
        ideal: (label doses, windows, 2), PSNR in dB and SSIM against the noise-free truth.
        routine: (image doses, windows, 2), the same against the slice as it was scanned.
        noise_hu: global noise of the image at each image dose; NaN without soft tissue.
    """

    images: npt.NDArray[np.int16]
    fields: HalfImage
    clean: npt.NDArray[np.int16]
    ideal: Table
    routine: Table
    noise_hu: npt.NDArray[np.float64]


def make_part(ct_slice: CTSlice, scan: Scan, settings: CorpusSettings, *, seed: int) -> Part:
    """Simulate, label and measure one slice; ``seed`` is the slice's own."""
    images = [np.rint(hu) for hu in degraded(ct_slice, scan, settings, seed=seed)]
    rng = np.random.default_rng([settings.seed, seed, 1])
    fields = noise_parts(
        ct_slice,
        scan=scan,
        rng=rng,
        quantum=settings.quantum_fields,
        electronic=settings.electronic_fields,
    )
    clean = np.rint(noise_free(ct_slice, scan))
    ideal = ideal_fidelity(ct_slice, scan=scan, doses=settings.label_doses, rng=rng, clean=clean)
    return Part(
        images=_whole(np.stack(images)),
        fields=np.clip(fields, -60000, 60000).astype(np.float16),
        clean=_whole(clean),
        ideal=_table(ideal),
        routine=_table(routine_fidelity(ct_slice, images)),
        noise_hu=np.array([global_noise_hu(image) for image in images]),
    )


def degraded(
    ct_slice: CTSlice, scan: Scan, settings: CorpusSettings, *, seed: int
) -> list[FloatImage]:
    """Return the slice at every image dose, in HU; the same seed gives the same images."""
    if settings.realisation == "shared":
        lowest = min(settings.image_doses)
        rng = np.random.default_rng([settings.seed, seed, 0])
        field = added_noise(ct_slice, dose_fraction=lowest, scan=scan, rng=rng)
        return [
            ct_slice.hu + np.float32(noise_scale(dose, lowest=lowest)) * field
            for dose in settings.image_doses
        ]
    return [
        lower_dose(
            ct_slice,
            dose_fraction=dose,
            scan=scan,
            rng=np.random.default_rng([settings.seed, seed, 0, index]),
        ).hu
        for index, dose in enumerate(settings.image_doses)
    ]


def write_part(part: Part, pixels: Path, facts: Path) -> None:
    """Write a part's pixels and then its facts, each beside its place and renamed.

    A part whose facts exist is whole. The half-precision fields are stored by their bits, so that
    one array holds everything and can be mapped into memory.
    """
    bits = np.concatenate([part.images, part.fields.view(np.int16), part.clean[None]])
    write_whole(pixels, lambda file: np.save(file, bits, allow_pickle=False))
    measured = {
        "ideal": part.ideal.tolist(),
        "routine": part.routine.tolist(),
        "noise_hu": part.noise_hu.tolist(),
    }
    write_whole(facts, json.dumps(measured).encode())


def _whole(hu: FloatImage) -> npt.NDArray[np.int16]:
    return np.clip(hu, -32768, 32767).astype(np.int16)


def _falling(doses: Sequence[float]) -> bool:
    return all(high > low > 0 for high, low in pairwise(doses))


def _table(fidelities: Sequence[Fidelity]) -> Table:
    return np.array([[fidelity[name] for name in WINDOWS] for fidelity in fidelities])
