"""Write the certificate of a self-test as data (JSON) or as a page (Markdown)."""

import json
from pathlib import Path

from ctiqa.files import write_whole
from ctiqa.protocol.laws import Check
from ctiqa.protocol.self_test import Certificate

__all__ = ["as_data", "as_page", "write_certificate"]

_VERDICT = {True: "holds", False: "BROKEN", None: "not tried"}


def as_page(certificate: Certificate) -> str:
    """Return the certificate as Markdown; here numbers are rounded, and only here."""
    tried = [check for check in certificate.checks if check.passed is not None]
    held = sum(check.passed is True for check in tried)
    series = certificate.series_instance_uid or "without UID"
    lines = [
        "# Self-test",
        "",
        f"- model: {certificate.model} (sha256 {certificate.model_sha256[:12]}...)",
        f"- series: {series}, {certificate.slices} slices",
        f"- date: {certificate.date}, seed {certificate.seed}",
        f"- result: {held} of {len(tried)} laws hold",
        *(f"- caution: {reason}" for reason in certificate.cautions),
        "",
        "| | a score must | tried | found | bound | |",
        "| --- | --- | --- | ---: | ---: | --- |",
        *(_line(check) for check in certificate.checks),
    ]
    return "\n".join(lines) + "\n"


def as_data(certificate: Certificate) -> bytes:
    """Return the certificate as JSON; what could not be tried is null."""
    words = json.dumps(certificate.to_dict(), ensure_ascii=False, allow_nan=False, indent=1)
    return f"{words}\n".encode()


def write_certificate(certificate: Certificate, path: Path) -> None:
    """Write the certificate: as data where the name ends in .json, else as a page.

    Raises:
        WriteError: if the file could not be written whole; nothing is left of it then.
    """
    is_data = path.suffix.lower() == ".json"
    write_whole(path, as_data(certificate) if is_data else as_page(certificate).encode())


def _line(check: Check) -> str:
    found = "-" if check.figure is None else _number(check.figure, check.unit)
    bound = f"{'>=' if check.at_least else '<='} {check.bound:g}{_unit(check.unit)}"
    cells = (check.law, check.words, check.tried, found, bound, _VERDICT[check.passed])
    return f"| {' | '.join(cells)} |"


def _number(figure: float, unit: str) -> str:
    digits = f"{figure:.1f}" if unit == "%" else f"{figure:.3g}"
    return f"{digits}{_unit(unit)}"


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""
