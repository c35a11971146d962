"""Read the fields of a DICOM header as they are meant, however they are written."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

__all__ = ["Fields", "parse_number"]

# Written by scanners and toolkits, beside the standard's form: "001.000000E+00", "1,5", "1.0D+02".
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

# Struct code of one value of each binary value representation (DICOM PS3.5, table 6.2-1).
_BINARY: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "OW": "H"}


def parse_number(text: str) -> float | None:
    """Return the number that a decimal or integer string means, None where it means none.

    >>> [parse_number(text) for text in ("001.000000E+00", " -01.024000E+03 ", "1,5", "")]
    [1.0, -1024.0, 1.5, None]
    """
    tidy = text.strip("\0 \t\r\n").replace(",", ".").replace("D", "E").replace("d", "e")
    return float(tidy) if _NUMBER.fullmatch(tidy) else None


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one data set, or of several that complete one another.

    Values are parsed from the bytes of the file, since pydicom raises or warns on numbers that
    scanners do write. A field missing in the first data set is looked for in the next: the frame
    of an enhanced image, its shared groups, the image.
    """

    layers: tuple[Dataset, ...]

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Return the values of a text field, printable and stripped; empty where it is absent."""
        return tuple(
            "".join(filter(str.isprintable, value)).strip() for value in self._strings(keyword)
        )

    def text(self, keyword: str) -> str:
        """Return a text field in one line, its values joined by "/"; "" where it is absent."""
        return "/".join(filter(None, self.texts(keyword)))

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """Return the finite values of a number field; empty where it is absent or no number."""
        numbers = [parse_number(value) for value in self._strings(keyword)]
        known = tuple(number for number in numbers if number is not None)
        finite = all(abs(number) < float("inf") for number in known)
        return known if len(known) == len(numbers) and finite else ()

    def number(self, keyword: str) -> float | None:
        """Return the first value of a number field, None where it is absent or no number."""
        numbers = self.numbers(keyword)
        return numbers[0] if numbers else None

    def integer(self, keyword: str) -> int | None:
        """Return the first value of a number field as an integer, None where it is none."""
        number = self.number(keyword)
        return int(number) if number is not None and number == int(number) else None

    def items(self, keyword: str) -> tuple[Dataset, ...]:
        """Return the items of a sequence; empty where it is absent."""
        tag = _tag(keyword)
        for layer in self.layers:
            if tag in layer:
                value = layer[tag].value
                return tuple(value) if isinstance(value, Sequence) else ()
        return ()

    def _strings(self, keyword: str) -> tuple[str, ...]:
        tag = _tag(keyword)
        for layer in self.layers:
            element = layer.get_item(tag) if tag in layer else None
            if element is None or element.value in (None, b"", ""):
                continue
            if isinstance(element, RawDataElement):
                return tuple(_raw_strings(element))
            value = element.value
            many = value if isinstance(value, (list, tuple)) or element.VM > 1 else [value]
            return tuple(str(one) for one in many)
        return ()


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


def _raw_strings(element: RawDataElement) -> Iterator[str]:
    value = element.value or b""
    representation = element.VR
    if representation in (None, "UN"):
        representation = dictionary_VR(element.tag).split(" ")[0]
    code = _BINARY.get(representation)
    if code is None:
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            text = value.decode("latin-1")
        yield from text.split("\\")
        return
    size = struct.calcsize(code)
    order = "<" if element.is_little_endian else ">"
    usable = value[: len(value) // size * size]
    yield from (str(number) for (number,) in struct.iter_unpack(order + code, usable))
