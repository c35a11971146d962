"""Which slices a corpus is made of."""

import pytest

from ctiqa.corpus.scanned import Scanned, scanned_slices
from ctiqa.images.phantom import write_phantom_series
from ctiqa.images.series import Series, read


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> list[Series]:
    """Return two series, of seven slices and of two."""
    folder = tmp_path_factory.mktemp("scans")
    write_phantom_series(folder / "long", slices=7, size=32, pixel_mm=12)
    write_phantom_series(folder / "short", slices=2, size=32, pixel_mm=12, kind="abdomen")
    return sorted(read(folder).series, key=len, reverse=True)


def chosen(series: list[Series], split: str | None, *, count: int, seed: int = 0) -> list[Scanned]:
    scanned, refusals = scanned_slices(
        series, lambda _patient: split, reconstructions=count, seed=seed
    )
    assert refusals == []
    return scanned


def test_a_series_is_shared_out_over_its_reconstructions_each_slice_once(
    series: list[Series],
) -> None:
    as_scanned, *anew = chosen(series[:1], "train", count=2)
    assert as_scanned.other is None
    assert [len(one.headers) for one in anew] == [4, 3]
    shared_out = [header for one in anew for header in one.headers]
    assert sorted(map(id, shared_out)) == sorted(map(id, as_scanned.headers))
    assert anew[0].other != anew[1].other


def test_a_short_series_gets_fewer_reconstructions_and_a_very_short_one_none(
    series: list[Series],
) -> None:
    assert [len(one.headers) for one in chosen(series, "train", count=9)] == [7, 4, 3, 2]


@pytest.mark.parametrize("split", ["test", "calibration", None])
def test_only_training_is_reconstructed_anew(series: list[Series], split: str | None) -> None:
    assert len(chosen(series, split, count=2)) == (2 if split else 0)


def test_the_seed_draws_the_reconstructions(series: list[Series]) -> None:
    one, same, other = (chosen(series, "train", count=2, seed=seed) for seed in (0, 0, 1))
    assert [each.other for each in one] == [each.other for each in same]
    assert [each.other for each in one][1:] != [each.other for each in other][1:]


def test_every_part_has_a_name_of_its_own(series: list[Series]) -> None:
    scanned = chosen(series, "train", count=2)
    names = [one.part(header) for one in scanned for header in one.headers]
    assert len(set(names)) == len(names) == 16
    assert len({one.key() for one in scanned}) == len(scanned)
