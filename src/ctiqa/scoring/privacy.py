"""Keep patients out of results, and out of the paths in them."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from ctiqa.errors import ReadError
from ctiqa.images.ct_slice import Identity
from ctiqa.images.patient import Patient
from ctiqa.images.refusal import Refusal
from ctiqa.images.series import Reading

__all__ = ["DISCREET", "Discretion", "Privacy", "discreet", "read_secret"]

_SHORTEST_SECRET_BYTES = 16
# What follows a dot in other names may be a word of the patient.
_SUFFIXES = (".nii.gz", ".nii", ".dcm", ".dicom", ".ima", ".img", ".zip", ".png", ".jpg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """What results may tell of patients; by default nothing that a header says of one.

    Args:
        hash_paths: put the first 16 hex digits of its SHA-256 in the place of each path, its suffix
            kept. Whoever guesses a path can recognise its hash.
        keep_names: leave the names of files and folders as they are, even where they hold a name
            or a number of the patient.
        secret: adds a keyed hash of the patient, by which visits can be joined; None adds none.
    """

    hash_paths: bool = False
    keep_names: bool = False
    secret: bytes | None = field(default=None, repr=False)


DISCREET = Privacy()
"""What holds where nobody asks for anything else."""


class Discretion:
    """Applies :class:`Privacy` to the images of one run.

    The name of a file or folder that holds a word of any patient of the run becomes ``hidden-1``,
    ``hidden-2`` and so on, in the order of their appearance: a hash of it could be undone by trying
    names. A file that is no image is named by the patients of its neighbours.
    """

    def __init__(self, privacy: Privacy, patients: Iterable[Patient] = ()) -> None:
        self._privacy = privacy
        self._anybody = Patient.together(set(patients))
        self._names: dict[str, str] = {}
        self._hidden = 0

    def of(self, identity: Identity) -> Identity:
        """Return which image it is, as results may say it."""
        self._meet(identity.patient)
        secret = self._privacy.secret
        hashed = None if secret is None else identity.patient.hashed(secret)
        return replace(identity, path=self.path(identity.path), patient_hash=hashed)

    def refusal(self, refusal: Refusal) -> Refusal:
        """Return what is said of a file that was refused, as results may say it."""
        identity = self.of(refusal.identity or Identity(refusal.path))
        return replace(refusal, path=self.path(refusal.path), identity=identity)

    def path(self, path: str) -> str:
        """Return a path as results may say it."""
        told = path if self._privacy.keep_names else "/".join(map(self._name, path.split("/")))
        if not self._privacy.hash_paths:
            return told
        digits = sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return digits + _suffix(told)

    def _meet(self, patient: Patient) -> None:
        """Learn of somebody new: slices that come one by one bring their patients with them."""
        if not patient.words <= self._anybody.words:
            self._anybody = Patient.together((self._anybody, patient))
            self._names = {name: told for name, told in self._names.items() if name != told}

    def _name(self, name: str) -> str:
        if name not in self._names:
            told = name
            if self._anybody.is_named_in(name):
                self._hidden += 1
                told = f"hidden-{self._hidden}{_suffix(name)}"
            self._names[name] = told
        return self._names[name]


def discreet(reading: Reading, privacy: Privacy) -> Reading:
    """Return what was found, as results may say it: always alike for the same reading."""
    identities = [header.identity for series in reading.series for header in series.headers]
    identities += [one.identity for one in reading.refusals if one.identity is not None]
    discretion = Discretion(privacy, (identity.patient for identity in identities))
    series = (
        replace(
            one,
            headers=tuple(
                replace(header, identity=discretion.of(header.identity)) for header in one.headers
            ),
        )
        for one in reading.series
    )
    return Reading(tuple(series), tuple(map(discretion.refusal, reading.refusals)))


def read_secret(path: Path) -> bytes:
    """Return the secret that a file holds, without the white space about it.

    Raises:
        ReadError: if it cannot be read or is too short to be one.
    """
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        reason = error.strerror or "it could not be read"
        raise ReadError(f"{path}: {reason}; name the file that holds the secret") from error
    if len(secret) < _SHORTEST_SECRET_BYTES:
        raise ReadError(
            f"{path}: a secret of {len(secret)} characters can be guessed; write at least "
            f"{_SHORTEST_SECRET_BYTES} into it, such as 'openssl rand -hex 32' prints"
        )
    return secret


def _suffix(name: str) -> str:
    """Return what tells the kind of a file, "" where the name ends otherwise.

    >>> [_suffix(name) for name in ("a/b.nii.gz", "b.dcm", "1.2.840.4711", "doe.john")]
    ['.nii.gz', '.dcm', '', '']
    """
    return next((known for known in _SUFFIXES if name.lower().endswith(known)), "")
