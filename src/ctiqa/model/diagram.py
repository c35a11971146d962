"""Draw boxes and arrows, as text for a terminal and as SVG for a page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TypeAlias

__all__ = ["Box", "Figure", "as_svg", "as_text"]

Box: TypeAlias = tuple[str, ...]
"""The lines that stand in one box."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Rows of boxes from top to bottom; what a row yields goes to every box of the next one.

    Args:
        title: stands above.
        rows: of each row the boxes, from left to right.
        notes: stand below.
    """

    title: str
    rows: tuple[tuple[Box, ...], ...]
    notes: tuple[str, ...] = ()


def as_text(figure: Figure) -> str:
    """Return a figure in box-drawing characters, its rows centred on one another."""
    drawn = [_Row.of(row) for row in figure.rows]
    whole = max(row.width for row in drawn)
    middles = [row.middles((whole - row.width) // 2) for row in drawn]
    lines = [figure.title, ""]
    for index, row in enumerate(drawn):
        up = [] if index == 0 else middles[index]
        down = middles[index] if index + 1 < len(drawn) else []
        lines += row.lines((whole - row.width) // 2, arrives=bool(up), leaves=bool(down))
        if down and down != middles[index + 1]:
            lines.append(_bus(down, middles[index + 1]))
    return "\n".join([*lines, *([""] if figure.notes else []), *figure.notes]) + "\n"


@dataclass(frozen=True, slots=True)
class _Row:
    boxes: tuple[Box, ...]
    widths: tuple[int, ...]

    @classmethod
    def of(cls, boxes: tuple[Box, ...]) -> "_Row":
        # Odd widths, three blanks apart, make odd rows, whose middles can stand in one column.
        return cls(boxes, tuple(max(map(len, box)) // 2 * 2 + 5 for box in boxes))

    @property
    def width(self) -> int:
        return sum(self.widths) + 3 * (len(self.widths) - 1)

    def middles(self, left: int) -> list[int]:
        """Return the column in which the arrows of each box run."""
        starts = [left + sum(self.widths[:i]) + 3 * i for i in range(len(self.widths))]
        return [start + width // 2 for start, width in zip(starts, self.widths, strict=True)]

    def lines(self, left: int, *, arrives: bool, leaves: bool) -> Iterator[str]:
        """Yield the row's lines, ``left`` blanks in front."""
        yield self._joined(left, [_edge("┌┐", w, "▼" if arrives else "─") for w in self.widths])
        for line in range(max(map(len, self.boxes))):
            parts = [box[line] if line < len(box) else "" for box in self.boxes]
            yield self._joined(
                left, [f"│ {part:<{w - 4}} │" for part, w in zip(parts, self.widths, strict=True)]
            )
        yield self._joined(left, [_edge("└┘", w, "┬" if leaves else "─") for w in self.widths])

    @staticmethod
    def _joined(left: int, parts: Sequence[str]) -> str:
        return " " * left + "   ".join(parts)


def _edge(corners: str, width: int, mark: str) -> str:
    inner = "─" * (width // 2 - 1) + mark
    return corners[0] + inner + "─" * (width - 2 - len(inner)) + corners[1]


def _bus(above: Sequence[int], below: Sequence[int]) -> str:
    """Return the line that joins the arrows of one row to those of the next."""
    first, last = min(*above, *below), max(*above, *below)
    line = [" "] * first + ["─"] * (last - first + 1)
    for column in {*above, *below}:
        side = -1 if column == first else int(column == last)
        joint = "├┼┤" if column in above and column in below else "└┴┘"
        line[column] = (joint if column in above else "┌┬┐")[side + 1]
    return "".join(line)


_CHARACTER, _LINE, _PAD, _BETWEEN, _ARROW = 8.2, 18, 10, 16, 34
"""Pixels: a character of the 13 pixel monospace face, a line, and what lies between boxes."""


def as_svg(figures: Sequence[Figure]) -> str:
    """Return figures one under another as one SVG document, which needs no other file."""
    width = max(_figure_width(figure) for figure in figures) + 2 * _ARROW
    parts: list[str] = []
    top = float(_ARROW)
    for figure in figures:
        drawn, top = _svg_figure(figure, width / 2, top)
        parts += drawn
        top += _ARROW
    size = f'width="{width:.0f}" height="{top:.0f}" viewBox="0 0 {width:.0f} {top:.0f}"'
    return _SVG.format(size=size, parts="\n".join(parts))


_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" {size}>
<style>
text {{ font: 13px monospace; fill: #1b2733 }}
.title {{ font-weight: bold }}
rect {{ fill: #eef3f8; stroke: #44617b }}
.page {{ fill: #ffffff; stroke: none }}
path {{ fill: none; stroke: #44617b }}
</style>
<defs>
<marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"
 orient="auto">
<polygon points="0,0 8,4 0,8" fill="#44617b"/>
</marker>
</defs>
<rect class="page" width="100%" height="100%"/>
{parts}
</svg>
"""


def _box_width(box: Box) -> float:
    return max(map(len, box)) * _CHARACTER + 2 * _PAD


def _row_width(row: tuple[Box, ...]) -> float:
    return sum(map(_box_width, row)) + _BETWEEN * (len(row) - 1)


def _figure_width(figure: Figure) -> float:
    words = max(map(len, (figure.title, *figure.notes))) * _CHARACTER
    return max(words, *map(_row_width, figure.rows))


def _svg_figure(figure: Figure, middle: float, top: float) -> tuple[list[str], float]:
    """Return a figure's elements around the column ``middle``, and where the next may begin."""
    parts = [_svg_words(figure.title, middle, top, ' class="title" text-anchor="middle"')]
    top += _LINE
    ends: list[list[tuple[float, float, float]]] = []
    for row in figure.rows:
        left, height = middle - _row_width(row) / 2, max(map(len, row)) * _LINE + _PAD
        ends.append([])
        for box in row:
            wide = _box_width(box)
            parts.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{height}" rx="4"/>'
            )
            for index, line in enumerate(box):
                parts.append(_svg_words(line, left + _PAD, top + _LINE * (index + 1) - 1))
            ends[-1].append((left + wide / 2, top, top + height))
            left += wide + _BETWEEN
        top += height + _ARROW
    for above, below in pairwise(ends):
        parts += [_svg_arrow(one, other) for one in above for other in below]
    for note in figure.notes:
        parts.append(_svg_words(note, middle - _figure_width(figure) / 2, top - _PAD))
        top += _LINE
    return parts, top


def _svg_words(words: str, x: float, y: float, extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{extra}>{escape(words)}</text>'


def _svg_arrow(above: tuple[float, float, float], below: tuple[float, float, float]) -> str:
    (start, _, bottom), (end, top, _) = above, below
    bend = (bottom + top) / 2
    way = f"M{start:.1f} {bottom:.1f}V{bend:.1f}H{end:.1f}V{top:.1f}"
    return f'<path d="{way}" marker-end="url(#head)"/>'
