"""The command line is instant, speaks in sentences and ends with the right code."""

import os
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

import ctiqa
from ctiqa.cli import main, options
from ctiqa.errors import ModelError

Act = Callable[[], None]


@pytest.fixture
def run() -> Callable[..., Any]:
    return lambda *arguments: CliRunner().invoke(main.app, list(arguments), prog_name="ctiqa")


@pytest.fixture
def acting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Act], None]:
    """Return a function that puts an act in place of ``ctiqa info``."""

    def put(act: Act) -> None:
        module = ModuleType("ctiqa.cli.info")
        module.info = act  # type: ignore[attr-defined]  # a stand-in
        monkeypatch.setitem(sys.modules, "ctiqa.cli.info", module)

    return put


def test_help_names_every_command_with_a_line(run: Callable[..., Any]) -> None:
    shown = run("--help")
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    for name, line in main.COMMANDS.items():
        assert any(name in each and line[:20] in each for each in lines), name


def test_the_commands_are_the_promised_ones() -> None:
    promised = (
        "score compare selftest calibrate measure track simulate dose-curve corpus degrade train "
        "distil quality-map export interval evaluate study info"
    )
    assert list(main.COMMANDS) == promised.split()


def test_help_takes_less_than_twice_the_time_of_an_empty_command_line() -> None:
    """The empty one does nothing but load typer and rich, which ours needs as well."""
    empty = "import typer; app = typer.Typer(); app.command()(lambda: None); app()"
    ours = "from ctiqa.cli.main import run; run()"
    # The least of three, since a busy machine makes some of them late.
    seconds = {code: min(helped(code) for _ in range(3)) for code in (empty, ours)}
    assert seconds[ours] < 2 * seconds[empty]


def helped(code: str) -> float:
    """Return the processor time that the help of a command line takes, in seconds."""
    before = os.times()
    subprocess.run([sys.executable, "-c", code, "--help"], check=True, capture_output=True)
    after = os.times()
    user, system = after.children_user, after.children_system
    return user + system - before.children_user - before.children_system


def test_help_imports_neither_a_command_nor_anything_heavy() -> None:
    code = (
        "import sys\nfrom ctiqa.cli.main import run\n"
        "try:\n    run()\n"
        "except SystemExit:\n    pass\n"
        "names = {'numpy', 'torch', 'onnxruntime', 'pydicom', 'ctiqa.cli.score'}\n"
        "sys.exit(str(names & set(sys.modules)) if names & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code, "--help"], check=True, stdout=subprocess.DEVNULL)


def test_no_colour_is_written_where_it_is_not_wanted() -> None:
    code = "from ctiqa.cli.main import run; run()"
    environment = os.environ | {"NO_COLOR": "1", "FORCE_COLOR": "1"}
    shown = subprocess.run(
        [sys.executable, "-c", code, "--help"], env=environment, capture_output=True, check=True
    )
    assert b"\x1b[3" not in shown.stdout


def test_the_version_is_shown(run: Callable[..., Any]) -> None:
    shown = run("--version")
    assert (shown.exit_code, shown.stdout) == (0, f"ctiqa {ctiqa.__version__}\n")


@pytest.mark.parametrize(
    "arguments", [["scoer"], ["--verison"], ["score"], ["score", "--nonsense"]]
)
def test_a_wrong_call_ends_with_code_2(run: Callable[..., Any], arguments: list[str]) -> None:
    shown = run(*arguments)
    assert shown.exit_code == 2
    assert shown.stdout == ""


def test_a_mistyped_command_is_guessed(run: Callable[..., Any]) -> None:
    assert "Did you mean 'score'" in run("scoer").stderr


def test_what_the_user_can_mend_is_one_sentence_and_code_1(
    run: Callable[..., Any], acting: Callable[[Act], None]
) -> None:
    def act() -> None:
        raise ModelError("model.onnx is damaged; copy it again")

    acting(act)
    shown = run("info")
    assert shown.exit_code == 1
    assert (shown.stdout, shown.stderr) == ("", "ctiqa: model.onnx is damaged; copy it again\n")


def test_an_interrupt_says_so_and_ends_with_code_130(
    run: Callable[..., Any], acting: Callable[[Act], None]
) -> None:
    def act() -> None:
        raise KeyboardInterrupt

    acting(act)
    shown = run("info")
    assert shown.exit_code == 130
    assert shown.stderr.startswith("ctiqa: stopped")


def test_a_fault_of_the_program_is_not_hidden(
    run: Callable[..., Any], acting: Callable[[Act], None]
) -> None:
    def act() -> None:
        raise ZeroDivisionError

    acting(act)
    assert isinstance(run("info").exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("words", "completed"),
    [("ctiqa sel", ["selftest"]), ("ctiqa score --mod", ["--model"])],
)
def test_commands_and_their_options_are_completed_by_the_shell(
    words: str, completed: list[str]
) -> None:
    code = "from ctiqa.cli.main import run; run()"
    environment = os.environ | {
        "_CTIQA_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    shown = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert shown.stdout.split() == completed


def test_completion_can_be_installed(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Tests that run side by side have no shell above them that could be detected.
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    shown = run("--show-completion", "bash")
    assert shown.exit_code == 0
    assert "complete -o default -F _ctiqa_completion ctiqa" in shown.stdout


@pytest.mark.parametrize("name", main.COMMANDS)
def test_an_option_is_called_and_explained_alike_in_every_command(name: str) -> None:
    short = {"--output": "-o", "--model": "-m", "--device": "-d", "--quiet": "-q"}
    short |= {"--verbose": "-v", "--recipe": "-r"}
    alike = {"--json": options.Json, "--quiet": options.Quiet, "--verbose": options.Verbose}
    for option in main._load(name).params:
        long = option.opts[0]
        assert option.opts[1:] == ([short[long]] if long in short else []), long
        if long in alike:
            assert option.help == get_args(alike[long])[1].help
