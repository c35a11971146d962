"""A path tells neither a patient's name nor, on request, anything."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from ctiqa.errors import ReadError
from ctiqa.images.ct_slice import Identity
from ctiqa.images.patient import Patient
from ctiqa.images.refusal import Refusal
from ctiqa.scoring.privacy import DISCREET, Discretion, Privacy, read_secret

DOE = Patient("4711", words=frozenset({"doe", "4711"}))
ROE = Patient("4712", words=frozenset({"roe", "4712"}))


def test_a_name_that_holds_a_patient_is_numbered_and_keeps_its_number() -> None:
    discretion = Discretion(DISCREET, [DOE])
    paths = ["scan/1.dcm", "Doe/1.dcm", "Doe/4711.dcm", "doe/x", "Doe/1.dcm"]
    told = ["scan/1.dcm", "hidden-1/1.dcm", "hidden-1/hidden-2.dcm", "hidden-3/x", "hidden-1/1.dcm"]
    assert [discretion.path(path) for path in paths] == told


def test_what_follows_a_dot_is_kept_only_where_it_is_the_kind_of_a_file() -> None:
    discretion = Discretion(DISCREET, [DOE])
    assert discretion.path("scan.doe") == "hidden-1"
    assert discretion.path("doe.nii.gz") == "hidden-2.nii.gz"


def test_a_file_that_is_no_image_is_judged_by_the_patients_of_the_run() -> None:
    refusal = Discretion(DISCREET, [DOE]).refusal(Refusal("Doe/notes", "not a DICOM file"))
    assert refusal.path == "hidden-1/notes"
    assert refusal.identity == Identity("hidden-1/notes")


def test_patients_may_come_one_by_one() -> None:
    discretion = Discretion(DISCREET)
    doe, roe = Identity("Doe/Roe", patient=DOE), Identity("Doe/Roe", patient=ROE)
    assert discretion.of(doe).path == "hidden-1/Roe"
    assert discretion.of(roe).path == "hidden-1/hidden-2"


def test_names_stand_where_the_user_asks_for_them() -> None:
    assert Discretion(Privacy(keep_names=True), [DOE]).path("Doe/1.dcm") == "Doe/1.dcm"


def test_a_hashed_path_is_the_hash_of_the_path_that_would_stand_there() -> None:
    path = Discretion(Privacy(hash_paths=True), [DOE]).path("Doe/1.dcm")
    assert path == f"{sha256(b'hidden-1/1.dcm').hexdigest()[:16]}.dcm"


def test_a_patient_is_hashed_only_with_a_secret() -> None:
    identity = Identity("a", patient=DOE)
    secret = b"0123456789abcdef"
    assert Discretion(DISCREET).of(identity).patient_hash is None
    hashed = Discretion(Privacy(secret=secret)).of(identity).patient_hash
    assert hashed == DOE.hashed(secret)
    assert Discretion(Privacy(secret=secret)).of(Identity("a")).patient_hash == ""


def test_a_secret_does_not_show() -> None:
    assert "0123" not in repr(Privacy(secret=b"0123456789abcdef"))
    assert replace(Privacy(secret=b"0123456789abcdef"), hash_paths=True).secret is not None


def test_a_secret_is_read_without_the_space_about_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("0123456789abcdef\r\n")
    assert read_secret(tmp_path / "secret") == b"0123456789abcdef"


def test_no_secret_and_a_short_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"No such file.*; name the file that holds the secret"):
        read_secret(tmp_path / "missing")
    (tmp_path / "short").write_text("4711")
    with pytest.raises(ReadError, match="a secret of 4 characters can be guessed"):
        read_secret(tmp_path / "short")
