"""An evaluation as tables, for a terminal and as Markdown."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from ctiqa.measures.agreement import Interval
from ctiqa.study.evaluation import Entry, Evaluation
from ctiqa.study.map_evidence import GOOD, MapAgreement

__all__ = ["render_csv", "render_table"]

Style: TypeAlias = Literal["text", "markdown"]
Row: TypeAlias = list[str]

_FIGURES = {
    "PLCC": "plcc",
    "SROCC": "srocc",
    "KROCC": "krocc",
    "OPM": "opm",
    "signed OPM": "signed_opm",
    "MAE": "mae",
    "MSE": "mse",
}
_LITERAL = {"SROCC, equation 8": "srocc_eq8", "KROCC, equation 9": "tau_a"}
_MOST_LEVELS = 10


def render_table(evaluation: Evaluation, *, style: Style = "text") -> str:
    """Return an evaluation as tables with aligned columns, the verdict and the notes.

    Args:
        evaluation: the figures.
        style: "text" for a terminal, "markdown" for a document.
    """
    blocks = []
    for title, rows in _sections(evaluation):
        heading = f"### {title}\n" if style == "markdown" else title
        blocks.append(f"{heading}\n{_aligned(rows, style)}")
    mark = "- " if style == "markdown" else ""
    sentences = [f"The model is {evaluation.verdict}.", *_held(evaluation), *evaluation.notes]
    blocks.append("\n".join(mark + sentence for sentence in sentences))
    return "\n\n".join(blocks) + "\n"


def render_csv(evaluation: Evaluation) -> str:
    """Return one line for each entry and figure: entry, patient, figure, value, low, high.

    ``patient`` is blank for the pooled figures, which alone have an interval.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["entry", "patient", "figure", "value", "low", "high"])
    for entry in evaluation.entries:
        for figure in (_FIGURES | _LITERAL).values():
            value, ends = getattr(entry.pooled, figure), entry.intervals[figure]
            writer.writerow([entry.name, "", figure, *map(_cell, (value, *ends))])
        for dose, value in entry.within_dose.items():
            writer.writerow([entry.name, "", f"srocc at dose {dose:g}", _cell(value), "", ""])
        for patient, inside in entry.per_patient.items():
            for figure in (_FIGURES | _LITERAL).values():
                value = getattr(inside, figure)
                writer.writerow([entry.name, patient, figure, _cell(value), "", ""])
    return text.getvalue()


def _held(evaluation: Evaluation) -> Iterator[str]:
    if (held := evaluation.coverage) is not None:
        yield (
            f"Its intervals, {held.mean_width:.3f} wide in the mean, held the reference of "
            f"{held.share:.1%} of the images ({held.patients} patients weigh the same; "
            f"95 %: {held.low:.1%} to {held.high:.1%})."
        )


def _sections(evaluation: Evaluation) -> Iterator[tuple[str, list[Row]]]:
    entries = evaluation.entries
    about = ", ".join(f"{name}: {words}" for name, words in evaluation.about.items())
    patients = {0: "unnamed patients", 1: "1 patient"}
    whom = patients.get(evaluation.patients, f"{evaluation.patients} patients")
    counted = f"{evaluation.images} images of {whom}"
    title = f"Agreement with the reference ({counted}{about and '; ' + about})"
    yield title, _pooled(entries)
    yield "The same by the paper's equations, which know no ties", _literal(entries)
    if gains := _gains(entries[1:]):
        yield "Signed OPM of the model less that of", [["", "gain", "95 %"], *gains]
    levels = list(entries[0].within_dose)
    if 0 < len(levels) <= _MOST_LEVELS:
        yield "Spearman within each dose; adjacent doses of a slice in order", _doses(entries)
    if evaluation.model.per_kind:
        yield "Signed OPM within each degradation", _kinds(entries)
    if evaluation.quality_map is not None:
        yield (
            "Spearman of the quality map with the label of its cells",
            _map(evaluation.quality_map),
        )
    if len(evaluation.model.per_patient) > 1:
        yield "Signed OPM within each patient", _patients(entries)


def _pooled(entries: Sequence[Entry]) -> list[Row]:
    rows = [["", *_FIGURES]]
    for entry in entries:
        rows.append([entry.name, *(_figure(getattr(entry.pooled, f)) for f in _FIGURES.values())])
        rows.append(["  95 %", *(_ends(entry.intervals[f]) for f in _FIGURES.values())])
    return rows


def _literal(entries: Sequence[Entry]) -> list[Row]:
    rows = [[e.name, *(_figure(getattr(e.pooled, f)) for f in _LITERAL.values())] for e in entries]
    return [["", *_LITERAL], *rows]


def _gains(rivals: Sequence[Entry]) -> list[Row]:
    gains = [(entry.name, entry.gain) for entry in rivals if entry.gain is not None]
    return [
        [name, f"{gain.signed_opm:+.4f}", _ends(gain.interval)]
        for name, gain in gains
        if math.isfinite(gain.signed_opm)
    ]


def _doses(entries: Sequence[Entry]) -> list[Row]:
    rows = [["", *(f"{dose:g}" for dose in entries[0].within_dose), "in order"]]
    for entry in entries:
        right, pairs = (sum(getattr(s, n) for s in entry.ordered) for n in ("right", "pairs"))
        order = f"{right}/{pairs} ({100 * right / pairs:.1f} %)" if pairs else "-"
        rows.append([entry.name, *map(_figure, entry.within_dose.values()), order])
    return rows


def _kinds(entries: Sequence[Entry]) -> list[Row]:
    entries = [entry for entry in entries if math.isfinite(entry.pooled.signed_opm)]
    rows = [["degradation", "images", *(entry.name for entry in entries), "MAE of the model"]]
    for kind, model in entries[0].per_kind.items():
        figures = [_figure(entry.per_kind[kind].signed_opm) for entry in entries]
        rows.append([_words(kind), str(model.n), *figures, _figure(model.mae)])
    return rows


def _map(found: MapAgreement) -> list[Row]:
    rows = [["within an image", "Spearman"], ["median", _figure(found.median)]]
    rows.append(["95 % reach", _figure(found.lowest_twentieth)])
    for kind, value in found.per_kind.items():
        rows.append([f"median, {_words(kind)}", _figure(value)])
    return [*rows, [f"reaches {GOOD}", f"{found.share_good:.1%} of {found.images}"]]


def _words(kind: str) -> str:
    return kind.replace("_", " ") or "lower dose alone"


def _patients(entries: Sequence[Entry]) -> list[Row]:
    model_figures = entries[0].per_patient
    entries = [entry for entry in entries if math.isfinite(entry.pooled.signed_opm)]
    rows = [["patient", "images", *(entry.name for entry in entries), "MAE of the model"]]
    for patient, model in model_figures.items():
        figures = [_figure(entry.per_patient[patient].signed_opm) for entry in entries]
        rows.append([patient, str(model.n), *figures, _figure(model.mae)])
    return rows


def _aligned(rows: Sequence[Row], style: Style) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = [
        [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        for row in rows
    ]
    if style == "text":
        return "\n".join("  ".join(row).rstrip() for row in padded)
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (padded[0], rule, *padded[1:]))


def _figure(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "-"


def _ends(ends: Interval) -> str:
    return f"{ends.low:.4f}..{ends.high:.4f}" if math.isfinite(ends.low) else "-"


def _cell(value: float) -> str:
    return repr(value) if math.isfinite(value) else ""
