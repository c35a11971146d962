"""Measurements of slices, series and exams, as plain data."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, TypeAlias

from ctiqa.images.ct_slice import Acquisition, Identity
from ctiqa.measures.detectability import TASKS
from ctiqa.measures.global_noise import NOISE_VARIANTS
from ctiqa.measures.spectrum import NoiseSpectrum
from ctiqa.scoring.columns import PATIENT_COLUMNS

__all__ = [
    "COLUMNS",
    "D_PRIME",
    "FIGURES",
    "NOISE",
    "Figures",
    "MeasureReport",
    "Measured",
]

SCHEMA_VERSION: Final = 1

Figures: TypeAlias = Mapping[str, float]

NOISE = ("noise_hu", *(f"noise_{variant.name}_hu" for variant in NOISE_VARIANTS))
"""Our own meter, then each published variant by its authors' name."""

D_PRIME = tuple(f"d_prime_{task.name}" for task in TASKS)

FIGURES = (
    *NOISE,
    "nps_peak_per_mm",
    "nps_mean_per_mm",
    "nps_patches",
    "edge_f50_per_mm",
    "edge_sigma_mm",
    *D_PRIME,
    "d_prime_sigma_mm",
    "water_equivalent_mm",
    "effective_mm",
    "lateral_mm",
    "ap_mm",
    "cut_off_mm",
    "tube_current_ma",
    "ctdivol_mgy",
    "ssde_mgy",
    "ssde_phantom_mm",
    "noise2_ctdivol_hu2_mgy",
)
"""Everything that is measured or made from measurements, with its unit at the end of its name."""

_WHICH = ("level", "path", "study_instance_uid", "series_instance_uid", "sop_instance_uid")
_HOW_MADE = ("kvp", "kernel", "slice_thickness_mm", "manufacturer", "scanner", "body_part")

COLUMNS = (
    *_WHICH,
    "instance_number",
    "z_mm",
    "slices",
    "status",
    "reasons",
    *FIGURES,
    *_HOW_MADE,
    "pixel_mm",
)
"""Columns of a table of measurements, in order; later versions add to its end and rename none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured on one slice, series or exam.

    Args:
        level: which of the three.
        identity: of the slice; of a series or exam only what its slices share.
        z_mm: of a slice, None where unknown.
        slices: how many slices were measured.
        status: "not_measured" where nothing could be.
        reasons: what the reader has to know, in words.
        figures: by the names of :data:`FIGURES`; what is unknown is absent.
        acquisition: as the header has it; of a series that of its first slice.
        pixel_mm: side of the pixel, likewise.
        spectrum: of the noise, where enough flat tissue was seen.
    """

    level: Literal["slice", "series", "exam"]
    identity: Identity
    z_mm: float | None = None
    slices: int = 1
    status: Literal["measured", "not_measured"] = "measured"
    reasons: tuple[str, ...] = ()
    figures: Figures = field(default_factory=dict)
    acquisition: Acquisition = field(default_factory=Acquisition)
    pixel_mm: float | None = None
    spectrum: NoiseSpectrum | None = None

    def row(self) -> dict[str, Any]:
        """Return the columns of a table, in order, None or "" where nothing is known.

        The hash of the patient is among them only where there is one.
        """
        values = asdict(self.identity) | asdict(self.acquisition)
        values |= {name: self.figures.get(name) for name in FIGURES}
        values |= {
            "level": self.level,
            "z_mm": self.z_mm,
            "slices": self.slices,
            "status": self.status,
            "reasons": "; ".join(self.reasons),
            "pixel_mm": self.pixel_mm,
        }
        hashed = self.identity.patient_hash is not None
        return {name: values[name] for name in (*COLUMNS, *(PATIENT_COLUMNS if hashed else ()))}

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain data that JSON can hold, with the noise power spectrum."""
        found = self.row() | {"reasons": list(self.reasons), "frame": self.identity.frame}
        if self.spectrum is not None:
            found["nps"] = {
                "frequency_per_mm": self.spectrum.frequency_per_mm.tolist(),
                "power_hu2_mm2": self.spectrum.radial.tolist(),
            }
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureReport:
    """Everything that one run measured.

    Args:
        slices: in the order of the series and their slices, then what was refused.
        series: one each.
        exams: one for each study.
        step: every how many slices of a series one was measured.
    """

    slices: tuple[Measured, ...]
    series: tuple[Measured, ...]
    exams: tuple[Measured, ...]
    step: int = 1

    @property
    def rows(self) -> tuple[Measured, ...]:
        """Slices, then series, then exams."""
        return (*self.slices, *self.series, *self.exams)

    @property
    def refused(self) -> tuple[Measured, ...]:
        """The images that could not be measured."""
        return tuple(each for each in self.slices if each.status == "not_measured")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its table, the hash of the patient only where a secret was given."""
        hashed = any(each.identity.patient_hash is not None for each in self.slices)
        return (*COLUMNS, *(PATIENT_COLUMNS if hashed else ()))

    def table(self) -> Iterable[Iterable[object]]:
        """Return the cells of each row: slices, then series, then exams."""
        return (each.row().values() for each in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data that JSON can hold, noise power spectra included."""
        return {
            "schema_version": SCHEMA_VERSION,
            "step": self.step,
            "exams": [each.to_dict() for each in self.exams],
            "series": [each.to_dict() for each in self.series],
            "slices": [each.to_dict() for each in self.slices],
        }
