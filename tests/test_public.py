"""What ``import ctiqa`` offers, and what it costs."""

import os
import subprocess
import sys
from importlib.metadata import version
from typing import get_type_hints

import pytest

import ctiqa


@pytest.mark.parametrize("name", ctiqa.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(ctiqa, name) is not None
    assert name in dir(ctiqa)


def test_public_names_are_sorted_and_each_has_a_home() -> None:
    homes = [name for names in ctiqa._HOMES.values() for name in names]
    assert sorted([*homes, "__version__"]) == sorted(ctiqa.__all__)


def test_a_name_that_does_not_exist_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        _ = ctiqa.scores


def test_the_version_is_that_of_the_installed_package() -> None:
    assert ctiqa.__version__ == version("ctiqa")


def test_public_functions_are_typed() -> None:
    for function in (ctiqa.score, ctiqa.read, ctiqa.write_csv, ctiqa.write_json):
        assert "return" in get_type_hints(function)


def test_importing_is_instant_and_imports_nothing_heavy() -> None:
    code = "import ctiqa, sys; assert not {'numpy', 'pydicom', 'onnxruntime'} & set(sys.modules)"
    # Processor time, since a busy machine makes every wall clock late.
    before = os.times()
    subprocess.run([sys.executable, "-c", code], check=True)
    after = os.times()
    user, system = after.children_user, after.children_system
    assert user + system - before.children_user - before.children_system < 0.3


def test_scoring_needs_no_torch() -> None:
    modules = "{'torch', 'onnx', 'pandas', 'rich'}"
    code = (
        f"import ctiqa, sys; ctiqa.score, ctiqa.write_csv; assert not {modules} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
