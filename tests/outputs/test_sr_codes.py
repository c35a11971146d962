"""Codes of the standard are those of pydicom's copy of it, and ours fit and are told apart."""

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from ctiqa.outputs import sr_codes
from ctiqa.outputs.sr_codes import SCHEME, SERIES_MEASURES, SLICE_MEASURES


def used() -> list[Code]:
    found = [value for value in vars(sr_codes).values() if isinstance(value, Code)]
    found += sr_codes.STATUS_VALUES.values()
    for measure in (*SLICE_MEASURES, *SERIES_MEASURES):
        found += [measure.name, *(code for _, code in measure.interval)]
    return found


def test_a_code_of_the_standard_means_what_the_standard_says() -> None:
    known = [
        codes.DCM.Comment,
        codes.DCM.ImageQuality,
        codes.cid7162.ArtificialIntelligence,
        codes.cid7162.HistogramAnalysis,
        codes.cid100.CTUnspecifiedBodyRegion,
        codes.cid7181.NoUnits,
        codes.cid7181.HounsfieldUnit,
        codes.cid7464.Median,
        codes.cid7464.Mean,
        codes.cid7464.Minimum,
        codes.cid7464.Maximum,
        getattr(codes.cid226, "_5thPercentileValueOfPopulation"),  # noqa: B009 - no private name
        getattr(codes.cid226, "_95thPercentileValueOfPopulation"),  # noqa: B009
    ]
    standard = {tuple(code)[:3] for code in used() if code.scheme_designator != SCHEME}
    assert standard == {tuple(code)[:3] for code in known}


def test_a_private_code_has_one_meaning_and_fits_its_fields() -> None:
    own = {tuple(code)[:3] for code in used() if code.scheme_designator == SCHEME}
    assert len({value for value, _, _ in own}) == len(own)
    # SH and LO of DICOM PS3.5, table 6.2-1.
    assert all(len(value) <= 16 and len(meaning) <= 64 for value, _, meaning in own)
