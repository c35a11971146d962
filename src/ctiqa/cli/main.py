"""The command ``ctiqa``: name the commands, load the one that is asked for, say what went wrong."""

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ctiqa.errors import CtiqaError

__all__ = ["COMMANDS", "SETTINGS", "app", "run"]

COMMANDS = {
    "score": "Score every slice of DICOM or NIfTI scans, with the noise in HU beside it.",
    "compare": "Say which of two scans or reconstructions scores better, and how sure that is.",
    "selftest": "Prove the score on your own scan: does it do what a score must do?",
    "calibrate": "Learn from readers' grades what a model's scores mean on their scale.",
    "measure": "Measure noise, its spectrum, detectability, patient size and dose; needs no model.",
    "track": "Keep results over time, and say when a scanner is not what it was.",
    "simulate": "Write a scan as it would look at a lower dose.",
    "dose-curve": "Draw the score against simulated dose, and find the lowest dose that keeps it.",
    "corpus": "Make a labelled corpus for training from any number of scans.",
    "degrade": "Degrade the slices of a corpus in more ways than noise, with labels in parts.",
    "train": "Train the teachers on a corpus.",
    "distil": "Distil the teachers into one student.",
    "quality-map": "Train where in a slice quality is lost, on top of the student.",
    "export": "Write a trained network as one .onnx file with its card.",
    "interval": "Give a model honest intervals on patients that it never saw.",
    "evaluate": "Compare scores with labels or readers, beside trivial baselines.",
    "study": "Make the paper's tables on your data, beside the printed values.",
    "info": "Show a model's card, or draw its network.",
}
"""Each command, a function or several in the module of its own name, and its line of help."""

# Markdown, so that paragraphs of a docstring are filled to the width of the terminal.
SETTINGS: dict[str, Any] = {
    "context_settings": {"help_option_names": ["-h", "--help"]},
    "rich_markup_mode": "markdown",
    "pretty_exceptions_enable": False,
}


class _LateCommands(TyperGroup):
    """A group that imports a command when it is run, so that ``--help`` is instant."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # A stand-in knows its name and its line of help, enough to be listed.
        for name, line in COMMANDS.items():
            self.add_command(TyperCommand(name=name, help=line))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command itself, to run it or to complete its options."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and _load(str(name)), rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and say in one sentence what went wrong where the user can mend it."""
        try:
            return super().invoke(ctx)
        except CtiqaError as error:
            _say(str(error))
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            _say("stopped before the end; no unfinished result was written")
            raise typer.Exit(130) from error


def _load(name: str) -> Any:
    """Return the command ``name``, made from the function of that name, or a group of actions."""
    word = name.replace("-", "_")
    offered = getattr(import_module(f"ctiqa.cli.{word}"), word)
    if isinstance(offered, typer.Typer):
        return typer.main.get_command(offered)
    single = typer.Typer(add_completion=False, **SETTINGS)
    single.command(name)(offered)
    return typer.main.get_command(single)


def _say(sentence: str) -> None:
    print(f"ctiqa: {sentence}", file=sys.stderr)


def _print_version(wanted: bool) -> None:
    if wanted:
        import ctiqa

        print(f"ctiqa {ctiqa.__version__}")
        raise typer.Exit


app = typer.Typer(cls=_LateCommands, no_args_is_help=True, **SETTINGS)


@app.callback()
def ctiqa(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Reference-free image quality for CT: a score in [0, 1] for every slice, higher is better.

    Research and quality-assurance software, not a medical device.
    """


def run() -> None:
    """Run the command line: exit 0 done, 1 data or model at fault, 2 a wrong call."""
    app(prog_name="ctiqa")
