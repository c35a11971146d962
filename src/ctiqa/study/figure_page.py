"""The page of the paper's Figure 4: the losses of teachers and student."""

from collections.abc import Callable

from ctiqa.measures.correlation import Column
from ctiqa.study.page_parts import Found, bullets, done_runs, markdown, page_head, spread_words
from ctiqa.study.runs import Table
from ctiqa.study.worth import Spread

__all__ = ["figure_page", "losses"]


def figure_page(
    table: Table, found: Found, *, picture: str, loss_of: Callable[[str], Column]
) -> str:
    """Return the page of the figure: the losses of its networks as a table beside the picture.

    Args:
        table: the figure's networks.
        found: what the page is made of.
        picture: file name of the drawing, "" if there is none.
        loss_of: the loss of a run in each epoch, by its name.
    """
    cells = []
    for row in table.rows:
        curves = [loss_of(name) for name in done_runs(row, found)]
        if curves:
            ends = [Spread.of([float(curve[at]) for curve in curves]) for at in (0, -1)]
            epochs = str(max(len(curve) for curve in curves))
            cells.append(
                [row.words, str(len(curves)), epochs, *(spread_words(end, 5) for end in ends)]
            )
    columns = ("", "seeds", "epochs", "first loss", "last loss")
    blocks = [page_head(table, found)]
    if picture:
        blocks.append(f"![Loss in each epoch of the teachers and of the student]({picture})")
    blocks.append(markdown(columns, cells or [["no run is done yet", "", "", "", ""]]))
    blocks.append(
        "## Reading\n\n"
        + bullets(
            (
                (
                    "The loss is that of the images learnt from, the mean of an epoch; the drawing "
                    "shows the first seed that is done for each network."
                ),
                (
                    "The student's loss is the label's and beta times the teachers' (equation 6), "
                    "so that its height cannot be compared with that of a teacher."
                ),
                "A falling loss says nothing about patients that were not seen: the tables do.",
            )
        )
    )
    return "\n\n".join(blocks) + "\n"


def losses(table: Table, found: Found, loss_of: Callable[[str], Column]) -> dict[str, Column]:
    """Return the curve of each network of the figure, of its first seed that is done."""
    first = {row.words: next(iter(done_runs(row, found)), None) for row in table.rows}
    return {words: loss_of(name) for words, name in first.items() if name is not None}
