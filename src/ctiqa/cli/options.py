"""Arguments and options that several commands share, with one wording."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from ctiqa.scoring.privacy import Privacy

__all__ = [
    "Device",
    "HashPaths",
    "Json",
    "KeepNames",
    "Model",
    "PatientKey",
    "Quiet",
    "Scans",
    "Table",
    "Verbose",
    "WorkThreads",
    "Workers",
    "check_form",
    "check_table",
    "privacy_of",
]

Scans: TypeAlias = Annotated[
    list[Path],
    typer.Argument(metavar="INPUT", help="Files, folders or zips of DICOM; NIfTI files."),
]
Table: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Write a table (.csv, .parquet, .xlsx) or all that is known (.json)."
    ),
]
Model: TypeAlias = Annotated[
    Path | None,
    typer.Option("--model", "-m", envvar="CTIQA_MODEL", help="Not the shipped model but this."),
]
Device: TypeAlias = Annotated[
    str, typer.Option("--device", "-d", envvar="CTIQA_DEVICE", help="cpu, cuda or cuda:1.")
]
HashPaths: TypeAlias = Annotated[
    bool, typer.Option("--hash-paths", help="Write a hash of each path instead of the path.")
]
KeepNames: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--keep-names", help="Show names of files and folders that hold the patient's own."
    ),
]
PatientKey: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        envvar="CTIQA_PATIENT_KEY",
        help="File with a secret: adds patient_hash, equal for all visits of a patient.",
    ),
]
WorkThreads: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1, envvar="CTIQA_THREADS", help="How many threads work; one a core by default."
    ),
]
Workers: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1, envvar="CTIQA_WORKERS", help="How many processes work; one a core by default."
    ),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, not words or a table.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No summary, no progress.")]
Verbose: TypeAlias = Annotated[
    bool, typer.Option("--verbose", "-v", help="Name every image that has reasons, with them.")
]


def check_form(output: Path | None, *forms: str, option: str = "--output") -> None:
    """Refuse before the work a file whose name ends in none of some forms.

    Raises:
        typer.BadParameter: naming the forms.
    """
    if output is not None and output.suffix.lower() not in forms:
        raise typer.BadParameter(f"{output} must end in {' or '.join(forms)}", param_hint=option)


def check_table(output: Path | None, *, option: str = "--output") -> None:
    """Refuse before the work a file for results that could not be written after it.

    Raises:
        typer.BadParameter: if its name ends in no known form.
        CtiqaError: if the form lacks its package.
    """
    from ctiqa.outputs.forms import FORMS, check_installed

    check_form(output, *FORMS, option=option)
    if output is not None:
        check_installed(output)


def privacy_of(*, hash_paths: bool, keep_names: bool, patient_key: Path | None) -> "Privacy":
    """Return what results may tell of patients.

    Raises:
        ReadError: if the secret cannot be read or is too short.
    """
    from ctiqa.scoring.privacy import Privacy, read_secret

    secret = None if patient_key is None else read_secret(patient_key)
    return Privacy(hash_paths=hash_paths, keep_names=keep_names, secret=secret)
