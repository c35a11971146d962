"""No result holds what identifies a person: every command runs on a scan full of identifiers.

A new command is one line in ``OUTPUTS``, or one in ``EXCEPTED`` with the reason.
"""

import csv
import gzip
import hmac
import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import onnx
import pydicom
import pytest
from pyarrow import parquet
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from ctiqa.card import Card
from ctiqa.cli.main import COMMANDS, app
from ctiqa.images.facts import patient_key
from ctiqa.images.phantom import write_phantom_series
from ctiqa.protocol import self_test

IDENTIFIER = "ZX-90210"

FILED = ".dcm"
"""What an archive files by the patient's name: structured reports and maps, and nothing else."""

# Words of the planted names, numbers, dates and places, and the hash that can be undone.
FORBIDDEN = (
    "zwölfender",
    "zwolfender",
    "änne",
    "90210",
    "oid77",
    "oid88",
    "geborene",
    "1943",
    "acc776655",
    "quacksalber",
    "nirgendwo",
    "hinterweg",
    patient_key(IDENTIFIER),
)

OUTPUTS = {
    "score to csv": "score {scan} -o {out}/scores.csv --series-table {out}/series.csv -v",
    "score to json": "score {scan} -o {out}/scores.json --series-table {out}/series.json",
    "score to parquet": "score {scan} -o {out}/scores.parquet --series-table {out}/series.parquet",
    "score to excel": "score {scan} -o {out}/scores.xlsx --series-table {out}/series.xlsx",
    "score to stdout": "score {scan} --json --patient-key {secret}",
    "score of two inputs": "score {scan} {other} --hash-paths",
    "score with a manifest": "score {scan} -o {out}/scores.csv --manifest {out}/manifest.json",
    "score with pages": "score {scan} --report {out}/pages",
    "score with maps": "score {scan} -m {mapping} --quality-map {out}/maps --report {out}/pages",
    "compare": "compare {scan} {scan} -o {out}/pairs.json --picture {out}/pairs.png",
    "track": "track add {results} --store sqlite:///{out}/store.sqlite",
    "measure to csv": "measure {scan} -o {out}/measured.csv -v",
    "measure to json": "measure {scan} {other} -o {out}/measured.json --patient-key {secret}",
    "measure to parquet": "measure {scan} -o {out}/measured.parquet",
    "measure to excel": "measure {scan} -o {out}/measured.xlsx",
    "dose-curve": "dose-curve {scan} --step 3 -o {out}/curve.json --picture {out}/curve.png",
    "selftest": "selftest {scan} --slices 6 -o {out}/certificate.md --json",
    "calibrate": "calibrate {scores} {readers} -o {out}/calibration.json --scale 0 99 --force",
    "info": "info",
}
EXCEPTED = {
    "simulate": "writes images of the patient, which keep the patient's header (PS3.3, A.3)",
    "corpus": "holds the images themselves, of patients by a pseudonym",
    "degrade": "adds images to a corpus",
    "train": "reads a corpus, which holds no header",
    "distil": "reads a corpus, which holds no header",
    "quality-map": "reads a corpus, which holds no header",
    "interval": "reads a corpus, which holds no header",
    "export": "reads a run, which holds no header",
    "evaluate": "reads a corpus or a table, which hold no header",
    "study": "reads corpora and runs, which hold no header",
}

# Mean of the HU in thousands plus 0.9.
NETWORK = """
<ir_version: 8, opset_import: ["" : 17]>
mean (float[N, 128, 128] hu) => (float[N, 1] scores)
<float thousandth = {0.001}, float half = {0.9}>
{
   mean = ReduceMean<axes = [1, 2], keepdims = 0>(hu)
   unit = Mul(mean, thousandth)
   last = Constant<value_ints = [1]>()
   column = Unsqueeze(unit, last)
   scores = Add(column, half)
}
"""


def plant(path: Path, *, encoding: str) -> None:
    """Write every kind of identifier into the header of an image, in one of two encodings."""
    dataset = pydicom.dcmread(path)
    dataset.SpecificCharacterSet = encoding
    dataset.PatientName = "Zwölfender^Änne"
    dataset.OtherPatientNames = "Geborene^Änne"
    dataset.PatientID = IDENTIFIER
    dataset.IssuerOfPatientID = "Nirgendwo"
    dataset.OtherPatientIDs = "OID77"
    other = Dataset()
    other.PatientID = "OID88"
    dataset.OtherPatientIDsSequence = [other]
    dataset.PatientBirthDate = "19431117"
    dataset.PatientAddress = "Hinterweg 3"
    dataset.AccessionNumber = "ACC776655"
    dataset.ReferringPhysicianName = "Quacksalber^Änne"
    dataset.InstitutionName = "St. Nirgendwo"
    dataset.InstitutionAddress = "Hinterweg 1"
    dataset.save_as(path)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, map_model: Path) -> dict[str, Path]:
    """Return the paths that the commands name: two folders full of identifiers, and a model."""
    root = tmp_path_factory.mktemp("planted")
    scan = root / "Zwölfender_Änne_1943"
    for number, encoding in enumerate(("ISO_IR 192", "ISO_IR 100")):
        visit = scan / ("ZWÖLFENDER 1943-11-17", "ACC776655-St-Nirgendwo")[number]
        for path in write_phantom_series(
            visit, slices=10 - 9 * number, seed=number, size=128, pixel_mm=3
        ):
            plant(path, encoding=encoding)
            path.rename(path.with_name(f"ZX90210-{path.name}"))
        (visit / "zwolfender.oid77").write_text("no image")
    other = root / "Quacksalber"
    (path,) = write_phantom_series(other, slices=1, size=128, pixel_mm=3, seed=2)
    plant(path, encoding="ISO_IR 192")
    (root / "secret").write_text("0123456789abcdef\n")
    model = root / "mean.onnx"
    network = onnx.parser.parse_model(NETWORK)
    card = Card(name="mean", outputs=1, size=128, windows_hu=((2000.0, 0.0),))
    onnx.helper.set_model_props(network, {"ctiqa_card": card.to_json()})
    model.write_bytes(network.SerializeToString())
    scores = root / "scores.csv"
    results = root / "scores.json"
    for table in (scores, results):
        ctiqa(f"score {{scan}} -o {table} -q", {"scan": scan, "model": model})
    return {
        "scan": scan,
        "other": other,
        "secret": root / "secret",
        "model": model,
        "mapping": map_model,
        "scores": scores,
        "results": results,
        "readers": write_readers(root / "readers.csv", scores),
    }


def write_readers(path: Path, scores: Path) -> Path:
    """Write grades of readers who name the patients, in a table of the site's own."""
    with scores.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["score"]]
    rows.sort(key=lambda row: float(row["score"]))
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["sop_instance_uid", "patient", "reference"])
        for number, row in enumerate(rows):
            table.writerow([row["sop_instance_uid"], f"Zwölfender {number % 3}", number])
        table.writerow(["1.2.3", "Zwölfender", 1])
    return path


def ctiqa(line: str, places: dict[str, Path]) -> Any:
    words = [word.format_map(places) for word in line.split(" ")]
    environment = {"CTIQA_MODEL": str(places["model"])}
    return CliRunner().invoke(app, words, env=environment)


def told(path: Path) -> Iterator[str]:
    """Yield everything that a file says, whatever its form and encoding."""
    yield path.name
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(BytesIO(content)) as parts:
            yield from (parts.read(name).decode("utf-8") for name in parts.namelist())
    elif path.suffix == ".parquet":
        table = parquet.read_table(path)
        yield f"{table.schema.metadata} {table.to_pylist()}"
    elif path.suffix not in {".gz", ".png", ".sqlite"}:
        yield content.decode("utf-8")
    yield content.decode("latin-1")


def test_every_command_is_looked_at_or_excepted_with_a_reason() -> None:
    assert {line.split()[0] for line in OUTPUTS.values()} | set(EXCEPTED) == set(COMMANDS)


@pytest.mark.parametrize("name", OUTPUTS)
def test_no_result_holds_what_identifies_a_person(
    name: str, places: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The slow ones say nothing about anybody that the fast one does not say.
    monkeypatch.setattr(self_test, "denoisers", lambda: ("total_variation",))
    shown = ctiqa(OUTPUTS[name], places | {"out": tmp_path})
    # 1, since the folders hold files that are no images, and the model breaks laws.
    assert shown.exit_code in {0, 1}, shown.output
    assert shown.exception is None or isinstance(shown.exception, SystemExit)
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != FILED]
    assert len(written) >= len(re.findall(r"\{out\}", OUTPUTS[name])), shown.output
    text = " ".join([shown.output, *(each for path in written for each in told(path))]).casefold()
    assert [word for word in FORBIDDEN if word in text] == []


def test_the_words_that_are_looked_for_are_there_to_be_found(places: dict[str, Path]) -> None:
    shown = ctiqa("score {scan} --keep-names -v", places)
    assert {"zwölfender", "90210", "acc776655", "nirgendwo", "oid77"} <= {
        word for word in FORBIDDEN if word in shown.output.casefold()
    }


def rows_of(line: str, places: dict[str, Path]) -> list[dict[str, str]]:
    return list(csv.DictReader(ctiqa(line, places).stdout.splitlines()))


def test_names_that_hold_a_patient_are_numbered_and_the_others_stand(
    places: dict[str, Path],
) -> None:
    paths = [row["path"] for row in rows_of("score {scan}", places)]
    assert len(set(paths)) == len(paths) == 13
    assert all(re.fullmatch(r"hidden-\d+/hidden-\d+(\.dcm)?", path) for path in paths)


def test_a_hashed_path_keeps_its_suffix_and_is_its_own(places: dict[str, Path]) -> None:
    paths = [row["path"] for row in rows_of("measure {scan} --hash-paths", places)]
    images = [path for path in paths if path]
    assert len(set(images)) == len(images) == 13
    assert all(re.fullmatch(r"[0-9a-f]{16}(\.dcm)?", path) for path in images)


def test_the_hash_of_a_patient_joins_visits_and_needs_the_secret(places: dict[str, Path]) -> None:
    line = "score {scan} --patient-key {secret}"
    rows = rows_of(line, places)
    words = f"{IDENTIFIER}\0Nirgendwo".encode()
    expected = hmac.new(b"0123456789abcdef", words, "sha256").hexdigest()[:16]
    assert {row["patient_hash"] for row in rows if row["sop_instance_uid"]} == {expected}
    assert {row["patient_hash"] for row in rows if not row["sop_instance_uid"]} == {""}
    assert list(rows[0])[-1] == "patient_hash"
    assert len({row["study_instance_uid"] for row in rows if row["score"]}) == 2
    assert "patient_hash" not in rows_of("score {scan}", places)[0]


def test_a_secret_that_can_be_guessed_is_refused(places: dict[str, Path], tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("4711\n")
    shown = ctiqa(f"score {{scan}} --patient-key {short}", places)
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert "a secret of 4 characters can be guessed" in shown.stderr
