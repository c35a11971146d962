"""Say in what two sides differ beside what is compared, and what the model says of each."""

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from ctiqa.scoring.result import SliceResult

__all__ = ["doubts"]

_FAR_APART = 1.1
"""Ratio of two lengths from which noise is no longer the same thing: 10 % in the pixel's side."""

Rows = Sequence[SliceResult]


def doubts(a: Rows, b: Rows) -> Iterator[str]:
    """Yield, in words, each reason why two sides are not well comparable.

    A fact that a header does not tell is no difference.

    Args:
        a: the slices of one side that are compared.
        b: those of the other.
    """
    parts, kernels = _known(a, b, "body_part"), _known(a, b, "kernel")
    if parts:
        yield f"body parts differ ({parts}), and with them what the score must be"
    if kernels:
        yield (
            f"kernels differ ({kernels}): a smoother one has less noise and less detail, of which "
            "the score sees the noise; hold their resolution together with 'ctiqa measure'"
        )
    for name, words in (("pixel_mm", "pixel sizes"), ("slice_thickness_mm", "thicknesses")):
        one, other = _middle(a, name), _middle(b, name)
        if one and other and max(one, other) > _FAR_APART * min(one, other):
            yield f"{words} differ (A {one:.4g} mm, B {other:.4g} mm), which alone changes noise"
    yield from _cautions(a, b)


def _known(a: Rows, b: Rows, name: str) -> str:
    """Return what each side says of a fact, in words; "" where they agree or one is silent."""
    one, other = (sorted({getattr(row, name) for row in rows} - {""}) for rows in (a, b))
    same = {each.casefold() for each in one} == {each.casefold() for each in other}
    return "" if same or not one or not other else f"A {'/'.join(one)}, B {'/'.join(other)}"


def _middle(rows: Rows, name: str) -> float | None:
    values = [value for row in rows if (value := getattr(row, name)) is not None]
    return median(values) if values else None


def _cautions(a: Rows, b: Rows) -> Iterator[str]:
    """Yield what the model says of the slices before it scores them, kind by kind."""
    one, other = _kinds(a), _kinds(b)
    for kind in dict.fromkeys([*one, *other]):
        whose = (
            "A and B" if kind in one and kind in other else "only A" if kind in one else "only B"
        )
        examples = [
            f"{side}: {found[kind].most_common(1)[0][0]}, {found[kind].total()} of {len(rows)}"
            for side, found, rows in (("A", one, a), ("B", other, b))
            if kind in found
        ]
        yield f"the model warns of {whose} ({'; '.join(examples)})"


def _kinds(rows: Rows) -> dict[str, Counter[str]]:
    """Return the reasons for caution by their first word, which says what they speak of."""
    kinds: dict[str, Counter[str]] = {}
    for row in rows:
        for reason in row.reasons:
            kinds.setdefault(reason.partition(" ")[0], Counter())[reason] += 1
    return kinds
