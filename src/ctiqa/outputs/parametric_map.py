"""Write the quality maps of a series as a DICOM Parametric Map, for viewers to lay over it."""

import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Final

import numpy as np
from highdicom import (
    PixelMeasuresSequence,
    PlaneOrientationSequence,
    PlanePositionSequence,
    VOILUTTransformation,
)
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import CTImageStorage

from ctiqa.errors import ReadError
from ctiqa.images.ct_slice import FloatImage, Identity
from ctiqa.images.dicom_file import quiet
from ctiqa.images.uids import derived_uid
from ctiqa.outputs.map_volume import MapVolume, place_maps
from ctiqa.outputs.sr_codes import AI, QUALITY_LOSS, SCHEMES, UNIT_LESS
from ctiqa.outputs.sr_evidence import Evidence, ScoredImage
from ctiqa.scoring.result import ScoreReport

__all__ = ["parametric_map"]

_SERIES_NUMBER: Final = 9700
_SAME_PLACE_MM: Final = 0.01

# CID 7202 of DICOM PS3.16.
_SOURCE: Final = Code("121322", "DCM", "Source image for image processing operation")


def parametric_map(
    report: ScoreReport, evidence: Evidence, maps: Mapping[Identity, FloatImage]
) -> ParametricMap:
    """Return the maps of a series as one Parametric Map (DICOM PS3.3, A.75) in its study.

    Each frame lies where its slice lies, its pixels as large as the cells, and names the image
    that it was made from. The SOP Instance UID follows from all that the maps say.

    Args:
        report: tells the model.
        evidence: patient, study and the scored images.
        maps: the loss of each cell by identity; each scored image has one.

    Raises:
        ReadError: if an image does not tell where it lies, or several lie in one place.
    """
    scored = evidence.scored
    volume = place_maps([one.header for one in scored], maps, size=report.card.size)
    _check_places(volume)
    series_uid = derived_uid("quality maps", evidence.study.SeriesInstanceUID, report.model_sha256)
    said = hashlib.sha256(volume.loss.tobytes())
    for one in scored:
        said.update(f"{one.image.SOPInstanceUID} {one.frame}".encode())
    orientation = [*volume.along_row, *volume.along_column]
    with quiet():
        image = ParametricMap(
            [_source(evidence, volume)],
            volume.loss,
            series_uid,
            evidence.series_number + _SERIES_NUMBER,
            derived_uid(series_uid, said.hexdigest()),
            1,
            "ctiqa",
            report.card.name,
            version("ctiqa"),
            report.model_sha256,
            contains_recognizable_visual_features=False,
            real_world_value_mappings=[
                RealWorldValueMapping(
                    "LOSS",
                    QUALITY_LOSS.meaning,
                    UNIT_LESS,
                    (0.0, 1.0),
                    slope=1.0,
                    intercept=0.0,
                    quantity_definition=QUALITY_LOSS,
                )
            ],
            voi_lut_transformations=[VOILUTTransformation(window_center=0.5, window_width=1.0)],
            pixel_measures=PixelMeasuresSequence(
                [volume.cell_mm] * 2, slice_thickness=volume.thickness_mm
            ),
            plane_orientation=PlaneOrientationSequence("PATIENT", orientation),
            plane_positions=[PlanePositionSequence("PATIENT", place) for place in volume.places_mm],
            content_label="QUALITY_LOSS",
            content_description="What is lost of image quality in each cell",
            series_description="Image quality: map of what is lost",
            specific_character_set="ISO_IR 192",
        )
        image.CodingSchemeIdentificationSequence = list(SCHEMES)
        image.Laterality = ""  # asked for wherever no body part says that it has no sides
        _refer(image, scored, volume)
    return image


def _check_places(volume: MapVolume) -> None:
    """Refuse slices of one place, which a frame could not be told from another."""
    steps_mm = np.linalg.norm(np.diff(volume.places_mm, axis=0), axis=1)
    if (steps_mm < _SAME_PLACE_MM).any():
        raise ReadError(
            f"{volume.series}: several of its slices lie in one place, where a DICOM map holds one;"
            " split the series, or take the pictures"
        )


def _source(evidence: Evidence, volume: MapVolume) -> Dataset:
    """Return what highdicom wants to know of patient, study and geometry, as a plain CT image."""
    header = evidence.scored[0].header
    source = Dataset()
    source.update(evidence.study)
    source.SOPClassUID = CTImageStorage
    source.Rows, source.Columns = header.rows, header.columns
    source.PixelSpacing = [header.pixel_mm] * 2
    source.SliceThickness = volume.thickness_mm
    source.ImagePositionPatient = list(header.position_mm or ())
    source.ImageOrientationPatient = [*volume.along_row, *volume.along_column]
    source.FrameOfReferenceUID = header.frame_of_reference_uid or derived_uid(
        "FrameOfReferenceUID", source.SeriesInstanceUID
    )
    return source


def _refer(image: ParametricMap, scored: Sequence[ScoredImage], volume: MapVolume) -> None:
    """Name in each frame the image or the frame that it was made from, and all images in the map.

    highdicom can do so for single-frame images alone.
    """
    for frame in image.PerFrameFunctionalGroupsSequence:
        place_mm = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        nearest = np.linalg.norm(volume.places_mm - place_mm, axis=1).argmin()
        source = scored[int(nearest)].reference()
        source.SpatialLocationsPreserved = "NO"  # the pixels are larger
        source.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(_SOURCE)]
        derivation = Dataset()
        derivation.DerivationCodeSequence = [CodedConcept.from_code(AI)]
        derivation.SourceImageSequence = [source]
        frame.DerivationImageSequence = [derivation]
    images = {one.image.SOPInstanceUID: one.reference() for one in scored}.values()
    for whole in images:
        if "ReferencedFrameNumber" in whole:
            del whole.ReferencedFrameNumber
    image.SourceImageSequence = list(images)
    series = Dataset()
    series.SeriesInstanceUID = scored[0].image.SeriesInstanceUID
    series.ReferencedInstanceSequence = list(images)
    image.ReferencedSeriesSequence = [series]
