"""Write a trained network as one ONNX file with its card inside."""

from pathlib import Path
from typing import Annotated

import typer

from ctiqa.cli.console import stderr
from ctiqa.cli.extras import extra_installed
from ctiqa.cli.options import Quiet

__all__ = ["export"]


def export(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The .onnx file to write.")],
    which: Annotated[
        str, typer.Option(help="student, ensemble, or a teacher: teacher-0.")
    ] = "student",
    data_note: Annotated[
        Path | None,
        typer.Option(help="A .toml file with what training cannot know: data, licences, figures."),
    ] = None,
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(help="A .json file of 'ctiqa evaluate' whose figures the card tells."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write a trained network of a run as one ONNX file that explains itself.

    For example:

    ctiqa export run -o model.onnx --data-note data.toml

    ctiqa evaluate corpus -m model.onnx -o test.json

    ctiqa export run -o model.onnx --data-note data.toml --evaluation test.json
    """
    with extra_installed():
        from ctiqa.model.export import export as export_network
        from ctiqa.training.finished import evaluated, finished, read_note
    note = read_note(data_note)
    note["figures"] = {**note.get("figures", {}), **evaluated(evaluation or [])}
    done = finished(run, which, note=note)
    export_network(done.network, done.card, output)
    if not quiet:
        size_mb = output.stat().st_size / 1e6
        stderr().print(f"{output}: {done.card.name}, {size_mb:.1f} MB")
