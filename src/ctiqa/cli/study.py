"""Make the paper's tables on one's own data."""

import time
from enum import StrEnum
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ctiqa.cli.console import stderr
from ctiqa.cli.extras import extra_installed
from ctiqa.cli.options import Quiet
from ctiqa.cli.train import Accelerator, Threads, Where, training

if TYPE_CHECKING:
    from ctiqa.study.publish import Draw, Publisher
    from ctiqa.study.run_table import Record
    from ctiqa.study.runs import Run, Table

__all__ = ["study"]

RUNS = "runs.sqlite"


class What(StrEnum):
    """What of the paper is to be made."""

    TABLE1 = "table1"
    TABLE2 = "table2"
    TABLE3 = "table3"
    TABLE4 = "table4"
    FIGURE4 = "figure4"
    IDEAL = "ideal"
    ALL = "all"


def study(
    what: Annotated[What, typer.Argument(help="Which table of the paper, or all of them.")],
    corpus: Annotated[Path, typer.Argument(help="Corpus that 'ctiqa corpus' made.")],
    *,
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder of the study.")],
    scale: Annotated[
        str,
        typer.Option(help="full (the paper's network), compact (a small one), or a recipe.toml."),
    ] = "compact",
    seeds: Annotated[int, typer.Option(min=1, help="How often each network is trained.")] = 3,
    vit_weights: Annotated[
        Path | None, typer.Option(help="ImageNet weights of a ViT-B/16, for --scale full.")
    ] = None,
    only_pages: Annotated[
        bool, typer.Option("--only-pages", help="Train nothing, write the pages anew.")
    ] = False,
    accelerator: Accelerator = "auto",
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Make Tables 1 to 4 and Figure 4 of the paper on your data, beside the printed values.

    "ideal" is its main rows once more with labels that no patient's own noise spoils, validated on
    patients not learnt from.

    Networks that tables share are trained once. Killed at any moment, the same command goes on;
    given on several machines or devices with one folder, they share the work. Pages are written
    to the folder whenever a row is complete.

    Exit code 1 if a network could not be trained; runs.csv says why.

    For example:

      ctiqa study table1 corpus -o study --threads 2

      ctiqa study all corpus -o study --scale full --vit-weights vit_b_16.pth

      ctiqa study all corpus -o study --only-pages
    """
    choice = Choice(what, scale, seeds, vit_weights, accelerator, threads, quiet)
    made = _opened(choice, corpus, folder) if only_pages else _trained(choice, corpus, folder)
    made.write(made.tables)
    records = _records(made)
    if only_pages and not quiet:
        _tell_progress(made)
    failed = [record for record in records if record.state == "failed"]
    for record in failed:
        stderr().print(f"{record.name} failed: {record.reason}")
    if failed:
        raise typer.Exit(1)


class Choice(NamedTuple):
    """How a study is to be made."""

    what: What
    scale: str
    seeds: int
    vit_weights: Path | None
    accelerator: str
    threads: int
    quiet: bool

    def recipe(self) -> tuple[str, str]:
        """Return what the scale is called, and its recipe."""
        from ctiqa.errors import RecipeError
        from ctiqa.study.grid import scale_recipe
        from ctiqa.study.recipe_text import varied

        name, own = self.scale, Path(self.scale)
        if own.suffix == ".toml":
            name = own.stem
            try:
                text = own.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise RecipeError(f"{own} cannot be read as a recipe ({error})") from error
        else:
            text = scale_recipe(self.scale)
        if self.vit_weights is not None:
            text = varied(text, {"vit.weights": str(self.vit_weights.resolve())})
        return name, text

    def tables(self, recipe: str) -> list["Table"]:
        """Return the tables that are wanted, by the recipe of a scale."""
        from ctiqa.study.grid import tables

        made = tables(recipe, seeds=self.seeds)
        return list(made.values()) if self.what is What.ALL else [made[self.what]]

    def command(self, corpus: Path, folder: Path) -> str:
        """Return the command as it stands on a page, where paths of one machine have no place."""
        weights = f" --vit-weights {self.vit_weights.name}" if self.vit_weights else ""
        return (
            f"ctiqa study {self.what} {corpus.resolve().name} -o {folder.resolve().name} "
            f"--scale {Path(self.scale).name} --seeds {self.seeds}{weights}"
        )


def _trained(choice: Choice, corpus: Path, folder: Path) -> "Publisher":
    """Train what is wanted and not trained yet, and return who writes the pages."""
    with extra_installed():
        from ctiqa.corpus.store import Corpus
        from ctiqa.study.tables import Bench, plan_study
    from ctiqa.study.publish import Publisher
    from ctiqa.study.run_table import RunTable
    from ctiqa.study.runs import distinct
    from ctiqa.study.workshop import work

    name, base = choice.recipe()
    wanted, opened = choice.tables(base), Corpus.open(corpus)
    runs = distinct(wanted)
    plan = plan_study(opened, wanted, folder, scale=name, base=base)
    if plan.caution:
        stderr().print(f"caution: {plan.caution}")
    table = RunTable(folder / RUNS)
    table.register(runs)
    table.retry([run.name for run in runs])
    made = Publisher(folder, wanted, table, choice.command(corpus, folder), _drawer())
    if not choice.quiet:
        _tell_progress(made)

    def told(run: "Run") -> None:
        made.ended(run)
        if not choice.quiet:
            _tell_progress(made)

    def waits() -> None:
        if not choice.quiet:
            stderr().print("what can be trained now is in the hands of other processes; waiting")

    where = Where(folder, plan.precision, choice.accelerator, 1, choice.threads)
    with training(where, quiet=choice.quiet) as (fabric, watch):
        bench = Bench(opened, folder, fabric, watch)
        work(table, runs, bench.perform, told=told, waits=waits)
    return made


def _opened(choice: Choice, corpus: Path, folder: Path) -> "Publisher":
    """Return who writes the pages of a study that was begun before."""
    from ctiqa.study.about import read_about
    from ctiqa.study.publish import Publisher
    from ctiqa.study.run_table import RunTable

    about = read_about(folder)
    command = choice._replace(scale=about.scale).command(corpus, folder)
    wanted = choice.tables(about.recipe)
    return Publisher(folder, wanted, RunTable(folder / RUNS), command, _drawer())


def _records(made: "Publisher") -> tuple["Record", ...]:
    from ctiqa.study.runs import distinct

    return made.runs.records([run.name for run in distinct(made.tables)])


def _tell_progress(made: "Publisher") -> None:
    from ctiqa.study.run_progress import progress_words

    stderr().print(progress_words(_records(made), now=time.time()))


def _drawer() -> "Draw | None":
    """Return what draws the figure, None without Pillow."""
    if find_spec("PIL") is None:
        return None
    from ctiqa.outputs.chart import line_chart

    return partial(
        line_chart, x_label="epoch", y_label="loss (logarithmic)", title="Figure 4 on this data"
    )
