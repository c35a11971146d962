"""Columns of a table of results, and which of them only some results have."""

__all__ = [
    "COLUMNS",
    "INTERVAL_COLUMNS",
    "MEANING",
    "OPTIONAL_COLUMNS",
    "PART_COLUMNS",
    "PATIENT_COLUMNS",
    "READER_COLUMNS",
]

MEANING = "score in [0, 1], higher is better"

COLUMNS = (
    "path",
    "study_instance_uid",
    "series_instance_uid",
    "sop_instance_uid",
    "instance_number",
    "z_mm",
    "score",
    "noise_hu",
    "status",
    "reasons",
    "kvp",
    "tube_current_ma",
    "ctdivol_mgy",
    "kernel",
    "slice_thickness_mm",
    "pixel_mm",
    "manufacturer",
    "scanner",
    "body_part",
    "model",
    "model_sha256",
)
"""Columns of a table of results, in order; later versions add to its end and rename none."""

PART_COLUMNS = {
    "noise": "score_noise",
    "sharpness": "score_sharpness",
    "streaks": "score_streaks",
}
"""Columns that follow where the model tells a score's parts, by what its card calls them."""

INTERVAL_COLUMNS = ("score_low", "score_high")
"""Columns that follow where the model's card tells how far a score may be trusted."""

READER_COLUMNS = ("reader_score", "reader_low", "reader_high")
"""Columns that follow where a calibration to readers was given, and nowhere else."""

PATIENT_COLUMNS = ("patient_hash",)
"""The column that follows where the user gave a secret to hash patients with."""

OPTIONAL_COLUMNS = frozenset(
    {*PART_COLUMNS.values(), *INTERVAL_COLUMNS, *READER_COLUMNS, *PATIENT_COLUMNS}
)
"""All that are left out where there is nothing to say."""
