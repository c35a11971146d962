"""A patient can be compared and hashed, and gets into no result by accident."""

import json
import pickle
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from ctiqa.images.ct_slice import Identity
from ctiqa.images.patient import NOBODY, Patient, folded
from ctiqa.images.series import read

SOMEBODY = Patient("hospital-4711", "Nirgendwo", frozenset({"hospital4711", "somebody"}))


def test_the_hash_is_that_of_openssl() -> None:
    # printf 'hospital-4711\0Nirgendwo' | openssl dgst -sha256 -hmac 0123456789abcdef
    assert SOMEBODY.hashed(b"0123456789abcdef") == "79e5eaf390a71b89"


def test_the_hash_depends_on_secret_identifier_and_issuer() -> None:
    secrets = (b"0123456789abcdef", b"fedcba9876543210")
    patients = (SOMEBODY, Patient("hospital-4711"), Patient("4711", "Nirgendwo"))
    assert len({one.hashed(secret) for one in patients for secret in secrets}) == 6


def test_whoever_has_no_identifier_has_no_hash() -> None:
    assert NOBODY.hashed(b"0123456789abcdef") == ""


def test_a_patient_does_not_show_in_words_and_does_not_fit_into_json() -> None:
    identity = Identity("a.dcm", patient=SOMEBODY)
    assert "4711" not in f"{identity}{SOMEBODY!s}{asdict(identity)}"
    with pytest.raises(TypeError, match="Patient is not JSON serializable"):
        json.dumps(asdict(identity))


def test_a_patient_survives_the_way_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(SOMEBODY)) == SOMEBODY  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("SOMEBODY", True),
        ("mr_somebody.dcm", True),
        ("Hospital 4711", True),
        ("hospital", False),
        ("1.2.840.4711", False),
        ("0001.dcm", False),
    ],
)
def test_a_name_is_found_however_it_is_written(name: str, *, named: bool) -> None:
    assert SOMEBODY.is_named_in(name) is named


def test_a_short_word_must_stand_alone() -> None:
    patient = Patient(words=frozenset({"li", "4711"}))
    assert patient.is_named_in("Li_Wei")
    assert patient.is_named_in("pat4711")
    assert not patient.is_named_in("slice")
    assert not patient.is_named_in("1.2.94711")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_name_is_read_in_both_encodings(write_dicom: Callable[..., Path], encoding: str) -> None:
    name = "Zwölfender^Änne".encode(encoding)
    path = write_dicom("a.dcm", PatientName=name, IssuerOfPatientID="Nirgendwo")
    (series,) = read(path).series
    patient = series.headers[0].identity.patient
    assert {folded("Zwölfender"), folded("Änne"), "hospital4711", "19700101"} == patient.words
    assert patient.hashed(b"0123456789abcdef") == SOMEBODY.hashed(b"0123456789abcdef")


def test_slices_of_one_patient_share_one_object(write_dicom: Callable[..., Path]) -> None:
    paths = [write_dicom(f"{number}.dcm") for number in range(2)]
    (series,) = read(paths).series
    assert series.headers[0].identity.patient is series.headers[1].identity.patient
