"""Whose image it is: known while a program runs, compared and hashed, never shown."""

import hmac
import re
import unicodedata
from collections.abc import Iterable

__all__ = ["NOBODY", "Patient", "folded"]


class Patient:
    """What a header tells of a person, so that results can leave it out.

    No dataclass, so that neither ``asdict`` nor ``repr`` nor JSON can carry it into a result.

    Args:
        identifier: PatientID, "" where the header names none.
        issuer: IssuerOfPatientID, which tells equal identifiers of two hospitals apart.
        words: names, numbers and dates that no result may hold, as :func:`folded` has them.
    """

    __slots__ = ("_identifier", "_issuer", "words")

    def __init__(
        self, identifier: str = "", issuer: str = "", words: frozenset[str] = frozenset()
    ) -> None:
        self._identifier, self._issuer, self.words = identifier, issuer, words

    def __repr__(self) -> str:
        return "Patient(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Patient) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)

    @property
    def _parts(self) -> tuple[object, ...]:
        return self._identifier, self._issuer, self.words

    @classmethod
    def together(cls, patients: Iterable["Patient"]) -> "Patient":
        """Return somebody without identifier who answers to every word of some patients."""
        return cls(words=frozenset[str]().union(*(one.words for one in patients)))

    def hashed(self, secret: bytes) -> str:
        r"""Return 16 hex digits of the HMAC-SHA256 (RFC 2104) of identifier, NUL and issuer.

        Equal for every visit of a patient, and worthless to whoever lacks the secret: an unkeyed
        hash is undone by trying every identifier. "" for an image that names no patient.

        >>> # printf '4711\0' | openssl dgst -sha256 -hmac 'a secret of the site'
        >>> Patient("4711").hashed(b"a secret of the site")
        'dc3ee365b9d06d64'
        """
        if not self._identifier:
            return ""
        words = f"{self._identifier}\0{self._issuer}".encode()
        return hmac.new(secret, words, "sha256").hexdigest()[:16]

    def is_named_in(self, name: str) -> bool:
        """Return whether the name of a file or folder holds a word of the patient.

        Case, accents and what stands between letters do not matter. A short word must stand alone.

        >>> patient = Patient(words=frozenset({"muller", "19700101", "4711"}))
        >>> names = ("MÜLLER_A", "1970-01-01", "pat4711", "1.2.947110", "scan")
        >>> [patient.is_named_in(name) for name in names]
        [True, True, True, False, False]
        """
        plain = _plain(name)
        alone = {*re.findall(r"[^\W_]+", plain), *re.findall(r"[^\W\d_]+|\d+", plain)}
        together = folded(name)
        return any(
            word in alone or (len(word) >= _least_unlikely(word) and word in together)
            for word in self.words
        )


NOBODY = Patient()
"""Of whom nothing is known."""


def folded(text: str) -> str:
    """Return the letters and digits of a text, without case and accents.

    >>> folded("Müller^Ann-Sophie")
    'mullerannsophie'
    """
    return re.sub(r"[\W_]+", "", _plain(text))


def _least_unlikely(word: str) -> int:
    """Return how long such a word is that does not turn up in the digits of a UID by chance."""
    return 6 if word.isdigit() else 4


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
