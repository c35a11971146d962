"""Write down how scores were made: with what, of how much, when, and what the files hold."""

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from ctiqa.files import write_whole
from ctiqa.scoring.result import ScoreReport

__all__ = ["Manifest", "Output"]

SCHEMA_VERSION = 1
_DECIDING = ("ctiqa", "numpy", "scipy", "onnxruntime", "pydicom")


@dataclass(frozen=True, slots=True)
class Output:
    """A file that was written, known by what it holds: its name may be that of a patient."""

    form: str
    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return what a file holds."""
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        return cls(path.suffix.lower(), path.stat().st_size, digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A run of ``ctiqa score`` that came to its end.

    Args:
        options: what the user or the defaults said, by the names of the options; "FILE" for a path.
        versions: of what decides the numbers, by package.
        model: its name.
        model_sha256: of its file.
        inputs: how many files, folders and zips the user named.
        images: how many were found in them, refused ones included.
        refused: how many of these carry no score.
        started: when, ISO 8601; ``ended`` likewise.
        exit_status: 0 where every image has a score, else 1.
        outputs: the files that were written.
    """

    options: Mapping[str, Any]
    versions: Mapping[str, str]
    model: str
    model_sha256: str
    inputs: int
    images: int
    refused: int
    started: str
    ended: str
    exit_status: int
    outputs: tuple[Output, ...]

    @classmethod
    def of(
        cls,
        report: ScoreReport,
        parameters: Mapping[str, Any],
        *,
        started: datetime,
        outputs: Iterable[Path | None],
    ) -> Self:
        """Return what is to be written down of a run that ends now.

        Args:
            report: what it found.
            parameters: of the command, by name, its ``inputs`` among them.
            started: when it began.
            outputs: the files that it wrote; None for one that nobody asked for.
        """
        told = {
            name: "FILE" if isinstance(value, Path) else value
            for name, value in parameters.items()
            if value is not None and name != "inputs"
        }
        return cls(
            options=told,
            versions={"python": platform.python_version()}
            | {name: version(name) for name in _DECIDING},
            model=report.card.name,
            model_sha256=report.model_sha256,
            inputs=len(parameters["inputs"]),
            images=len(report),
            refused=len(report.refused),
            started=started.isoformat(timespec="seconds"),
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            exit_status=1 if report.refused else 0,
            outputs=tuple(Output.of(path) for path in outputs if path is not None),
        )

    def write(self, path: Path) -> None:
        """Write the manifest as JSON.

        Raises:
            WriteError: if the file could not be written whole.
        """
        values = {"schema_version": SCHEMA_VERSION, "command": "score", **asdict(self)}
        write_whole(path, f"{json.dumps(values, ensure_ascii=False, indent=1)}\n".encode())
