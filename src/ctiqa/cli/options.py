"""Arguments and options that several commands share, with one wording."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

__all__ = ["Json", "Model", "Quiet", "Scans", "Table", "WorkThreads", "check_form"]

Scans: TypeAlias = Annotated[
    list[Path],
    typer.Argument(metavar="INPUT", help="Files, folders or zips of DICOM; NIfTI files."),
]
Table: TypeAlias = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write a table (.csv) or all that is known (.json)."),
]
Model: TypeAlias = Annotated[
    Path | None,
    typer.Option("--model", "-m", envvar="CTIQA_MODEL", help="Not the shipped model but this."),
]
WorkThreads: TypeAlias = Annotated[
    int | None, typer.Option(min=1, help="How many threads work; one a core by default.")
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, not a table.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No summary, no progress.")]


def check_form(output: Path | None, *forms: str, option: str = "--output") -> None:
    """Refuse before the work a file whose name ends in none of some forms.

    Raises:
        typer.BadParameter: naming the forms.
    """
    if output is not None and output.suffix.lower() not in forms:
        raise typer.BadParameter(f"{output} must end in {' or '.join(forms)}", param_hint=option)
