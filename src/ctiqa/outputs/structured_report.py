"""Write the scores of a series as a DICOM structured report (TID 1500)."""

import hashlib
from importlib.metadata import version
from io import BytesIO

from highdicom.sr import EnhancedSR
from pydicom.dataset import Dataset

from ctiqa.images.dicom_file import quiet
from ctiqa.images.uids import derived_uid
from ctiqa.outputs.sr_codes import SCHEMES
from ctiqa.outputs.sr_content import content_of
from ctiqa.outputs.sr_evidence import Evidence
from ctiqa.scoring.result import ScoreReport, SeriesSummary

__all__ = ["as_bytes", "structured_report"]

# Far above the series of a scanner, and beside those that 'ctiqa simulate' derives.
_SERIES_NUMBER = 9500


def structured_report(
    report: ScoreReport, summary: SeriesSummary, evidence: Evidence
) -> EnhancedSR:
    """Return the report of one series, in the study of its images.

    It holds no coordinates and no relations by reference, so Enhanced SR (DICOM PS3.3, A.35.2) is
    enough, which more archives and viewers take than its larger kin. Its SOP Instance UID follows
    from all that it says: the same results of the same model on the same images are the same
    instance, so that an archive that gets it twice holds it once; only the moment of its making
    differs.

    Args:
        report: tells the model.
        summary: of the series.
        evidence: patient, study and images.
    """
    content = content_of(report, summary, evidence)
    said = hashlib.sha256(content[0].to_json(suppress_invalid_tags=True).encode()).hexdigest()
    series = evidence.scored[0].image.SeriesInstanceUID
    series_uid = derived_uid("structured reports", series, report.model_sha256)
    with quiet():
        return EnhancedSR(
            evidence=[evidence.study, *(scored.image for scored in evidence.scored)],
            content=content,
            series_instance_uid=series_uid,
            series_number=evidence.series_number + _SERIES_NUMBER,
            sop_instance_uid=derived_uid(series_uid, said),
            instance_number=1,
            manufacturer="ctiqa",
            manufacturer_model_name=report.card.name,
            software_versions=version("ctiqa"),
            device_serial_number=report.model_sha256,
            series_description="Image quality: scores",
            is_complete=True,
            coding_schemes=SCHEMES,
        )


def as_bytes(dataset: Dataset) -> bytes:
    """Return a data set as a DICOM file."""
    file = BytesIO()
    with quiet():
        dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()
