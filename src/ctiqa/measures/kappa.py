"""Quadratic weighted kappa: agreement of two columns of grades beyond chance."""

import numpy as np
import numpy.typing as npt

from ctiqa.measures.correlation import Column, columns

__all__ = ["grades", "quadratic_kappa"]


def grades(score: Column) -> Column:
    """Return scores as whole grades, halves upwards: what a reader who knows no halves would say.

    >>> grades(np.array([0.4, 2.5, 3.5])).tolist()
    [0.0, 3.0, 4.0]
    """
    return np.floor(score + 0.5)


def quadratic_kappa(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return Cohen's kappa of whole grades with quadratic weights, at most 1.

    The weights of a disagreement are its square, so the table of grades is not needed: kappa is 1
    less the mean squared difference over the one that chance would give (Cohen, Psychological
    Bulletin 70, 1968, 213, doi 10.1037/h0026256).

    Args:
        first: (n,) scores on a scale of whole grades; mean scores are rounded by :func:`grades`.
        second: (n,) scores of the same images.

    Returns:
        Kappa; NaN where both columns hold one and the same grade only.

    Raises:
        ValueError: if the columns are empty, differ in length or hold NaN or infinity.

    >>> quadratic_kappa([0, 1, 2, 3], [0, 1, 2, 3])
    1.0
    """
    x, y = (grades(column) for column in columns(first, second))
    seen = float(np.mean((x - y) ** 2))
    by_chance = float(x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    return 1 - seen / by_chance if by_chance > 0 else float("nan")
