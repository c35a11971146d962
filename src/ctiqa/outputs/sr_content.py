"""Build the content tree of a structured report: TID 1500 with one group for each slice."""

from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    DeviceObserverIdentifyingAttributes,
    Measurement,
    MeasurementProperties,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    MeasurementStatisticalProperties,
    NumContentItem,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.sr.coding import Code

from ctiqa.images.uids import derived_uid
from ctiqa.outputs import sr_codes
from ctiqa.outputs.sr_codes import Measure
from ctiqa.outputs.sr_evidence import Evidence, ScoredImage
from ctiqa.scoring.result import ScoreReport, SeriesSummary

__all__ = ["content_of"]

_DEVICE = CodedConcept("121007", "DCM", "Device")


def content_of(
    report: ScoreReport, summary: SeriesSummary, evidence: Evidence
) -> MeasurementReport:
    """Return the Measurement Report (DICOM PS3.16, TID 1500) of one series.

    The first group (TID 1501) is that of the series, then one follows for each scored slice, which
    names its image, or its frame of one. Nothing is rounded: beside the decimal string of sixteen
    characters each number stands as a double.

    Args:
        report: tells the model.
        summary: of the series.
        evidence: the slices that get groups.
    """
    return MeasurementReport(
        observation_context=ObservationContext(observer_device_context=_observer(report)),
        procedure_reported=sr_codes.CT_PROCEDURE,
        imaging_measurements=[
            _series_group(report, summary, evidence),
            *(_slice_group(report, scored) for scored in evidence.scored),
        ],
    )


def _observer(report: ScoreReport) -> ObserverContext:
    return ObserverContext(
        observer_type=_DEVICE,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=derived_uid("model", report.model_sha256),
            name="ctiqa",
            manufacturer_name="ctiqa",
            model_name=report.card.name,
            serial_number=report.model_sha256,
        ),
    )


def _series_group(
    report: ScoreReport, summary: SeriesSummary, evidence: Evidence
) -> MeasurementsAndQualitativeEvaluations:
    values = asdict(summary)
    for end in ("worst", "best"):
        values[f"score_{end}"] = (values[end] or {}).get("score")
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking("series", summary.series_instance_uid),
        finding_category=sr_codes.IMAGE_QUALITY,
        finding_type=sr_codes.OF_SERIES,
        measurements=_measurements(report, values, sr_codes.SERIES_MEASURES),
    )
    _add_texts(group, sr_codes.COMMENT, (*summary.notes, *evidence.notes))
    return group


def _slice_group(report: ScoreReport, scored: ScoredImage) -> MeasurementsAndQualitativeEvaluations:
    row, image, frame = scored.row, scored.image, scored.frame
    place = f"slice {image.SOPInstanceUID}" + ("" if frame is None else f" frame {frame}")
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(place, image.SeriesInstanceUID),
        finding_category=sr_codes.IMAGE_QUALITY,
        finding_type=sr_codes.OF_SLICE,
        measurements=_measurements(report, asdict(row), sr_codes.SLICE_MEASURES),
        qualitative_evaluations=[
            QualitativeEvaluation(sr_codes.STATUS, sr_codes.STATUS_VALUES[row.status])
        ],
        source_images=[
            SourceImageForMeasurementGroup(
                image.SOPClassUID, image.SOPInstanceUID, None if frame is None else [frame]
            )
        ],
    )
    _add_texts(group, sr_codes.CAUTION_REASON, row.reasons)
    return group


def _tracking(place: str, series_instance_uid: str) -> TrackingIdentifier:
    """Return what names the same thing in every report on it, whichever model it is by."""
    return TrackingIdentifier(
        uid=derived_uid("image quality", series_instance_uid, place),
        identifier=f"image quality, {place}",
    )


def _measurements(
    report: ScoreReport, values: dict[str, Any], measures: Sequence[Measure]
) -> list[Measurement]:
    """Return the numbers (TID 300) that a result holds."""
    return [
        Measurement(
            name=measure.name,
            value=values[measure.field],
            unit=measure.unit,
            derivation=measure.derivation,
            algorithm_id=_algorithm(report, measure),
            properties=_interval(measure, values),
        )
        for measure in measures
        if values.get(measure.field) is not None
    ]


def _algorithm(report: ScoreReport, measure: Measure) -> AlgorithmIdentification | None:
    """Return who says a number (TID 4019); None of what was only counted."""
    match measure.by:
        case "network":
            return AlgorithmIdentification(
                name=report.card.name,
                version=version("ctiqa"),
                parameters=[f"model sha256 {report.model_sha256}"],
                family=sr_codes.AI,
            )
        case "meter":
            return AlgorithmIdentification(
                name="ctiqa global noise", version=version("ctiqa"), family=sr_codes.HISTOGRAM
            )
        case None:
            return None


def _interval(measure: Measure, values: dict[str, Any]) -> MeasurementProperties | None:
    """Return the ends of a number's interval (TID 310 and 311), None where nobody knows them."""
    ends = [
        NumContentItem(
            name=name,
            value=values[field],
            unit=measure.unit,
            relationship_type=RelationshipTypeValues.HAS_PROPERTIES,
        )
        for field, name in measure.interval
        if values.get(field) is not None
    ]
    if not ends:
        return None
    return MeasurementProperties(
        measurement_statistical_properties=MeasurementStatisticalProperties(ends)
    )


def _add_texts(
    group: MeasurementsAndQualitativeEvaluations, name: Code, texts: Sequence[str]
) -> None:
    group[0].ContentSequence.extend(
        TextContentItem(name, text, RelationshipTypeValues.CONTAINS) for text in texts
    )
