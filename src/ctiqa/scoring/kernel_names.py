"""What the name of a reconstruction kernel says: sharp, or of an iterative reconstruction."""

import re
from typing import Final

__all__ = ["is_iterative", "is_sharp"]

# Siemens: a letter, perhaps a second, and a number that grows with sharpness (B30f, Br40d, I70f).
_SIEMENS: Final = re.compile(r"\b([A-Z])([a-z]?)(\d\d)[a-z]?\b")
_SHARP_FROM: Final = 50

# Those of GE and Philips, and Toshiba's for lung and bone, as their manuals list them.
_SHARP_WORDS: Final = frozenset(
    {"lung", "bone", "boneplus", "edge", "ultra", "detail", "l", "yc", "yd", "ya", "yb", "e"}
)
_TOSHIBA: Final = re.compile(r"\bFC(\d\d)\b")
_TOSHIBA_SHARP: Final = (30, 90)

_ITERATIVE_LETTERS: Final = frozenset("IJQ")
_ITERATIVE_WORDS: Final = re.compile(
    r"\b(asir|veo|mbir|idose|imr|aidr|first|safire|admire|iris|dlir|truefidelity|aice)",
    re.IGNORECASE,
)


def is_sharp(kernel: str) -> bool:
    """Say whether a kernel is one for lung or bone, by its name alone.

    >>> [is_sharp(name) for name in ("B70f", "LUNG", "FC51", "B30f", "STANDARD", "")]
    [True, True, True, False, False, False]
    """
    if any(word in _SHARP_WORDS for word in re.split(r"[^a-z]+", kernel.casefold())):
        return True
    low, high = _TOSHIBA_SHARP
    if any(low <= int(number) < high for number in _TOSHIBA.findall(kernel)):
        return True
    return any(int(number) >= _SHARP_FROM for _, _, number in _SIEMENS.findall(kernel))


def is_iterative(kernel: str) -> bool:
    """Say whether a kernel is one of an iterative or learnt reconstruction, by its name alone.

    Siemens names those of IRIS, SAFIRE and ADMIRE by a first letter I, J or Q.

    >>> [is_iterative(name) for name in ("I40f/2", "Qr40", "iDose 4", "B30f", "STANDARD")]
    [True, True, True, False, False]
    """
    if _ITERATIVE_WORDS.search(kernel):
        return True
    return any(letter in _ITERATIVE_LETTERS for letter, _, _ in _SIEMENS.findall(kernel))
