"""Draw synthetic chest, abdomen and water series, also as DICOM, for demo, docs and tests."""

from io import BytesIO
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from ctiqa.files import write_whole
from ctiqa.images.anatomy import draw_abdomen, draw_chest
from ctiqa.images.canvas import Canvas
from ctiqa.images.ct_slice import Acquisition, CTSlice, FloatImage, Identity
from ctiqa.images.uids import derived_uid

__all__ = [
    "abdomen_slice",
    "chest_slice",
    "ct_noise",
    "shoulder_slice",
    "water_slice",
    "write_phantom_series",
]

_SPACING_MM: Final = 6.0
_LOWEST_HU: Final = -1024


def water_slice(*, radius_mm: float, pixel_mm: float = 0.7, size: int = 512) -> CTSlice:
    """Return a disc of water in air, (size, size), its edge sampled by area.

    >>> density = water_slice(radius_mm=100, pixel_mm=1, size=256).hu / 1000 + 1
    >>> round(float(density.sum()) / (np.pi * 100**2), 3)
    1.0
    """
    canvas = Canvas.of_air(size, pixel_mm)
    canvas.ellipse(0.0, (0, 0), (radius_mm, radius_mm))
    return _slice(canvas.hu, pixel_mm, "water")


def shoulder_slice(*, pixel_mm: float = 0.7, size: int = 512) -> CTSlice:
    """Return 344 x 170 mm of water with two discs of bone, 8.0 along the longest ray.

    The object of the photon starvation test: streaks run from bone to bone.
    """
    canvas = Canvas.of_air(size, pixel_mm)
    canvas.ellipse(0.0, (0, 0), (172, 85))
    for side in (-1, 1):
        canvas.ellipse(800.0, (side * 105, 0), (22, 22))
    return _slice(canvas.hu, pixel_mm, "shoulder")


def chest_slice(*, level: float, seed: int = 0, pixel_mm: float = 0.75, size: int = 512) -> CTSlice:
    """Return a slice through a synthetic chest, without noise.

    Args:
        level: 0 at the shoulders, 1 under the diaphragm.
        seed: draws the patient; the same seed at another level is the same patient.
        pixel_mm: side of the pixel in mm.
        size: side of the matrix.
    """
    hu = draw_chest(level=level, seed=seed, pixel_mm=pixel_mm, size=size)
    return _slice(hu, pixel_mm, "chest", z_mm=-300 * level)


def abdomen_slice(
    *, level: float, seed: int = 0, pixel_mm: float = 0.75, size: int = 512
) -> CTSlice:
    """Return a slice through a synthetic abdomen, without noise; as :func:`chest_slice`."""
    hu = draw_abdomen(level=level, seed=seed, pixel_mm=pixel_mm, size=size)
    return _slice(hu, pixel_mm, "abdomen", z_mm=-200 * level)


def ct_noise(
    *, sd_hu: float, rng: np.random.Generator, pixel_mm: float = 0.75, size: int = 512
) -> FloatImage:
    """Return noise that looks like that of a scan, (size, size), ``sd_hu`` at the centre.

    White noise takes the spectrum of filtered back-projection with a Hann window, f W(f)^2, and
    falls off from the centre to 60 % as rays get shorter. The dose room makes the real thing; this
    is for pictures and tests that need no physics.

    Args:
        sd_hu: standard deviation at the centre in HU.
        rng: draws it.
        pixel_mm: side of the pixel in mm.
        size: side of the matrix.
    """
    white = rng.standard_normal((size, size), dtype=np.float32)
    across, down = np.fft.rfftfreq(size), np.fft.fftfreq(size)[:, None]
    frequency = np.minimum(np.hypot(across, down), 0.5)
    amplitude = np.sqrt(frequency) * (1 + np.cos(2 * np.pi * frequency)) / 2
    field = np.fft.irfft2(np.fft.rfft2(white) * amplitude, s=white.shape)
    place = (np.arange(size) - (size - 1) / 2) * pixel_mm / 130
    falloff = 0.6 + 0.4 * np.exp(-(place**2 + place[:, None] ** 2))
    return np.asarray(field * (sd_hu / field.std()) * falloff, np.float32)


def _slice(hu: FloatImage, pixel_mm: float, name: str, z_mm: float | None = None) -> CTSlice:
    return CTSlice(
        hu=hu,
        pixel_mm=pixel_mm,
        identity=Identity(path=name),
        z_mm=z_mm,
        acquisition=Acquisition(manufacturer="ctiqa", scanner="phantom", body_part=name.upper()),
    )


def write_phantom_series(
    folder: Path,
    *,
    slices: int = 24,
    seed: int = 0,
    kind: Literal["chest", "abdomen"] = "chest",
    noise_sd_hu: float = 14.0,
    pixel_mm: float = 0.75,
    size: int = 512,
) -> list[Path]:
    """Write a synthetic CT series as DICOM; the same arguments give the same bytes.

    Args:
        folder: where the files go; made if need be.
        slices: how many, from the top of the region to its bottom.
        seed: draws the patient and the noise.
        kind: which region.
        noise_sd_hu: noise at the centre (:func:`ct_noise`); 0 for none.
        pixel_mm: side of the pixel in mm.
        size: side of the matrix.

    Returns:
        The files in table order, from the head down.

    Raises:
        WriteError: if a file cannot be written.
    """
    draw = {"chest": chest_slice, "abdomen": abdomen_slice}[kind]
    written = []
    for index in range(slices):
        level = index / max(slices - 1, 1)
        hu = draw(level=level, seed=seed, pixel_mm=pixel_mm, size=size).hu
        rng = np.random.default_rng([seed, 4, index])
        hu = hu + ct_noise(sd_hu=noise_sd_hu, rng=rng, pixel_mm=pixel_mm, size=size)
        dataset = _dataset(hu, pixel_mm=pixel_mm, index=index, kind=kind, seed=seed)
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        written.append(write_whole(folder / f"{index:04d}.dcm", buffer.getvalue()))
    return written


def _dataset(hu: FloatImage, *, pixel_mm: float, index: int, kind: str, seed: int) -> Dataset:
    """Return a CT image (DICOM PS3.3, A.3) of a patient that does not exist."""
    stored = np.clip(np.rint(hu), _LOWEST_HU, _LOWEST_HU + 4095) - _LOWEST_HU
    corner = -pixel_mm * (len(hu) - 1) / 2
    z_mm = -index * _SPACING_MM
    patient = f"{kind}-{seed}"
    day = "20250101"
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = UID(derived_uid("ctiqa"))
    dataset.file_meta.ImplementationVersionName = "CTIQA"
    elements = {
        "SpecificCharacterSet": "ISO_IR 192",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": derived_uid("phantom", patient, len(hu), "image", index),
        "StudyDate": day,
        "SeriesDate": day,
        "AcquisitionDate": day,
        "ContentDate": day,
        "StudyTime": "120000",
        "SeriesTime": "120000",
        "AcquisitionTime": "120000",
        "ContentTime": "120000",
        "AccessionNumber": "",
        "Modality": "CT",
        "Manufacturer": "ctiqa",
        "ReferringPhysicianName": "",
        "StudyDescription": "ctiqa phantom",
        "SeriesDescription": f"synthetic {kind}",
        "ManufacturerModelName": "phantom",
        "PatientName": "PHANTOM^CTIQA",
        "PatientID": f"PHANTOM-{patient}",
        "PatientBirthDate": "",
        "PatientSex": "O",
        "BodyPartExamined": kind.upper(),
        "ScanOptions": "HELIX",
        "SliceThickness": 3,
        "KVP": 120,
        "SoftwareVersions": "1",
        "ReconstructionDiameter": pixel_mm * len(hu),
        "GantryDetectorTilt": 0,
        "XRayTubeCurrent": 200,
        "ConvolutionKernel": "HANN",
        "PatientPosition": "HFS",
        "StudyInstanceUID": derived_uid("phantom", patient, "study"),
        "SeriesInstanceUID": derived_uid("phantom", patient, len(hu), "series"),
        "StudyID": "1",
        "SeriesNumber": 1,
        "AcquisitionNumber": 1,
        "InstanceNumber": index + 1,
        "ImagePositionPatient": [corner, corner, z_mm],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "FrameOfReferenceUID": derived_uid("phantom", patient, "frame of reference"),
        "PositionReferenceIndicator": "",
        "SliceLocation": z_mm,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": len(hu),
        "Columns": len(hu),
        "PixelSpacing": [pixel_mm, pixel_mm],
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "WindowCenter": 40,
        "WindowWidth": 400,
        "RescaleIntercept": _LOWEST_HU,
        "RescaleSlope": 1,
        "RescaleType": "HU",
    }
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.add_new("PixelData", "OW", stored.astype("<u2").tobytes())
    return dataset
