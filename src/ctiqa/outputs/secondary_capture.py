"""Write the summary page of a series as a DICOM image, for viewers without structured reports."""

from collections.abc import Sequence
from importlib.metadata import version

from highdicom.sc import SCImage

from ctiqa.images.dicom_file import quiet
from ctiqa.images.uids import derived_uid
from ctiqa.outputs.sr_evidence import Evidence, ScoredImage
from ctiqa.outputs.summary_page import GreyImage
from ctiqa.scoring.result import ScoreReport

__all__ = ["secondary_capture"]

_SERIES_NUMBER = 9600


def secondary_capture(
    page: GreyImage,
    report: ScoreReport,
    evidence: Evidence,
    *,
    shown: Sequence[ScoredImage],
    structured_report_uid: str,
) -> SCImage:
    """Return the page as a Secondary Capture Image (DICOM PS3.3, A.8.1) in the study of its images.

    Every archive and viewer takes one, which of an encapsulated PDF not all can say, and a PDF
    would need one more library to be made.

    Args:
        page: (rows, columns) uint8.
        report: tells the model.
        evidence: tells patient and study.
        shown: the images that the page shows.
        structured_report_uid: SOP Instance UID of the report beside it, from which the UID of the
            page follows: the same report has the same page.
    """
    study = evidence.study
    series_uid = derived_uid("summary pages", study.SeriesInstanceUID, report.model_sha256)
    with quiet():
        image = SCImage(
            page,
            "MONOCHROME2",
            8,
            "PATIENT",
            study.StudyInstanceUID,
            series_uid,
            evidence.series_number + _SERIES_NUMBER,
            derived_uid("summary page", structured_report_uid),
            1,
            "ctiqa",
            patient_orientation=("L", "P"),
            series_description="Image quality: summary",
            manufacturer_model_name=report.card.name,
            software_versions=version("ctiqa"),
            specific_character_set="ISO_IR 192",
        )
        image.copy_patient_and_study_information(study)
        # A page has no sides of a patient, no digital interface sent it, and it names nobody.
        image.PatientOrientation = []
        image.Laterality = ""
        image.ConversionType = "WSD"
        image.BurnedInAnnotation = "NO"
        image.SourceImageSequence = [one.reference() for one in shown]
    return image
