"""Options from `KD_*` variables and `kd.toml`, with a stand-in for the engine."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from kdcli.cli import app, run
from kdcli.cli.config import config_files, tomllib
from kdcli.cli.known import OTHER_VARIABLES, KnownOptions, variables
from kdcli.weights.register import own_register
from tests.conftest import FakeEngine

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def here(photo_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a photo."""
    photo_file("in.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def configure(text: str, file: Path = Path("kd.toml")) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def own() -> Path:
    return config_files()[1]


def deblur(*words: str) -> int:
    return run(["deblur", "in.png", "-o", "out.png", "--overwrite", "-q", *words])


def seed(engine: FakeEngine) -> int:
    options: Any = engine.calls[-1]["options"]
    return int(options.seed)


def test_who_comes_first(engine: FakeEngine, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last to the first: one after another says something else."""

    def sets(number: int) -> None:
        assert deblur() == 0
        assert seed(engine) == number

    sets(0)
    configure("seed = 1", own())
    sets(1)
    configure("seed = 1\n[deblur]\nseed = 2", own())
    sets(2)
    configure("seed = 3")
    sets(3)
    configure("seed = 3\n[deblur]\nseed = 4\n[synth]\nseed = 9")
    sets(4)
    monkeypatch.setenv("KD_SEED", "5")
    sets(5)
    monkeypatch.setenv("KD_DEBLUR_SEED", "6")
    monkeypatch.setenv("KD_SYNTH_SEED", "9")
    sets(6)
    assert deblur("--seed", "7") == 0
    assert seed(engine) == 7
    monkeypatch.setenv("KD_DEBLUR_SEED", "")  # as if it were not there
    sets(5)


def test_files_add_up(engine: FakeEngine, here: Path) -> None:
    configure('seed = 1\npreset = "fast"', own())
    configure("seed = 2")
    assert deblur() == 0
    options = engine.calls[-1]["options"]
    assert (options.seed, options.preset) == (2, "fast")


def test_every_kind_of_option(engine: FakeEngine, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here / "home"))
    monkeypatch.setenv("USERPROFILE", str(here / "home"))
    (here / "home").mkdir()
    configure(
        "guidance = 1\nquiet = true\n"
        '[deblur]\nsteps = 9\noutput = "~/out.jpg"\nquality = 40\nsave-psf = true\n'
        'compare = "~/c.png"\n'
    )
    assert run(["deblur", "in.png"]) == 0
    assert engine.calls[-1]["options"].guidance == 1.0
    assert sorted(path.name for path in (here / "home").iterdir()) == ["c.png", "out.jpg"]
    assert (here / "in.psf.png").is_file()


def test_options_without_a_value_from_variables(
    engine: FakeEngine, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("KD_DEBLUR_OVERWRITE", "yes")
    monkeypatch.setenv("KD_SAVE_PSF", "1")
    monkeypatch.setenv("KD_COMPARE", "0")
    for _ in range(2):
        assert run(["deblur", "in.png", "-q"]) == 0
    assert (here / "in.psf.png").is_file()
    assert not (here / "in.compare.png").exists()


def test_the_command_line_undoes_flags(engine: FakeEngine, here: Path, capsys: Capture) -> None:
    configure("quiet = true\n[deblur]\noverwrite = true\nsave-psf = true")
    (here / "out.png").touch()
    assert run(["deblur", "in.png", "-o", "out.png"]) == 0
    assert (here / "in.psf.png").is_file()
    assert run(["deblur", "in.png", "-o", "out.png", "--no-overwrite"]) == 2
    assert "already: choose another name" in capsys.readouterr().err
    assert run(["deblur", "in.png", "-o", "new.png", "--no-save-psf", "--no-overwrite", "--no-quiet"]) == 0
    assert "new.png written" in capsys.readouterr().err


def test_a_required_option_may_be_set(here: Path, capsys: Capture) -> None:
    configure('[synth]\noutput = "nowhere/set"')
    assert run(["synth", "."]) == 2
    assert "the folder nowhere does not exist" in capsys.readouterr().err


def test_lists(here: Path, capsys: Capture) -> None:
    for text in ('method = ["kd", "identity", "kd"]', 'measure = "speed"'):
        configure(f'[bench]\ndataset = "demo"\n{text}')
        assert run(["bench"]) == 2
    said = capsys.readouterr().err
    assert "a --method is named twice" in said
    assert "speed" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("presett = 1", "kd has no option presett: did you mean preset?"),
        ("[deblur]\nsave_psf = true", "[deblur] has no option save_psf: did you mean save-psf?"),
        ("[deblurr]\nseed = 1", "there is no command for [deblurr]: did you mean deblur?"),
        ("[bench.compaer]\nimages = 1", "there is no command for [bench.compaer]"),
        ("[synth]\npreset = 'fast'", "[synth] has no option preset"),
        ("[deblur]\nversion = true", "[deblur] has no option version"),
        ("json = true", "json means different things to different commands: put it below one of [deblur], "),
        ("seed = 'one'", "seed is 'one': write a whole number"),
        ("seed = 1.5", "seed is 1.5: write a whole number"),
        ("seed = true", "seed is True: write a whole number"),
        ("guidance = 'much'", "guidance is 'much': write a number"),
        ("quiet = 'yes'", "quiet is 'yes': write true or false"),
        ("quiet = 1", "quiet is 1: write true or false"),
        ("preset = 1", "preset is 1: write a text in quotes"),
        ("preset = 1979-05-27", "write a text in quotes"),
        ("[deblur]\nsave-psf = 1", "save-psf is 1: write a text in quotes"),
        ("[bench]\nmethod = ['kd', 1]", "method is 1: write a text in quotes"),
        ("[bench]\nmethod = ['kd', 'cmd:rm {input} {output}']", "method names a program to run: that is for"),
        ("seed = [1]", "seed is [1]: write a whole number"),
        ("seed = ", "no TOML: "),
        ("seed = 1\nseed = 2", "no TOML: "),
    ],
)
@pytest.mark.parametrize("users", [False, True])
def test_what_is_wrong_is_one_line_that_names_the_file(
    engine: FakeEngine, here: Path, capsys: Capture, text: str, said: str, users: bool
) -> None:
    file = own() if users else Path("kd.toml")
    configure(text, file)
    assert deblur() == 2
    error = capsys.readouterr().err
    assert error.startswith(f"kd: error: {file}")
    assert said in error
    assert error.count("\n") == 1
    assert engine.calls == []
    assert run(["--help"]) == run(["--version"]) == 0  # for which no settings are needed


def test_a_file_that_cannot_be_read(engine: FakeEngine, here: Path, capsys: Capture) -> None:
    Path("kd.toml").mkdir()
    assert deblur() == 2
    assert capsys.readouterr().err.startswith("kd: error: kd.toml cannot be read: ")
    Path("kd.toml").rmdir()
    Path("kd.toml").write_bytes(b"\xff")
    assert deblur() == 2
    assert capsys.readouterr().err.startswith("kd: error: kd.toml is no TOML: ")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("KD_SEED", "many", "--seed is set by KD_SEED;"),
        ("KD_DEBLUR_SEED", "-1", "--seed is set by KD_DEBLUR_SEED;"),
        ("KD_PRESET", "slow", "--preset is set by KD_PRESET;"),
        ("KD_DEVICE", "gpu", "--device gpu: use auto, cpu, cuda or cuda:N (--device is set by KD_DEVICE)"),
        ("KD_DEBLUR_STEPS", "0", "(--steps is set by KD_DEBLUR_STEPS)"),
        ("KD_QUIET", "quite", "is set by KD_QUIET;"),
        ("KD_DEBLUR_SKIP_EXISTING", "1", "(--skip-existing is set by KD_DEBLUR_SKIP_EXISTING)"),
    ],
)
def test_an_error_tells_what_no_command_line_shows(
    engine: FakeEngine,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    variable: str,
    value: str,
    said: str,
) -> None:
    monkeypatch.setenv(variable, value)
    assert run(["deblur", "in.png", "-o", "out.png", "--overwrite"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert engine.calls == []


def test_an_error_tells_which_file_it_was(engine: FakeEngine, here: Path, capsys: Capture) -> None:
    configure("seed = -1", own())
    assert deblur() == 2
    assert f"(--seed is set by {own()}; see kd deblur --help)" in capsys.readouterr().err
    assert deblur("--seed", "-2") == 2
    assert "set by" not in capsys.readouterr().err


def test_a_file_on_the_command_line_needs_no_other_name(
    engine: FakeEngine, here: Path, capsys: Capture
) -> None:
    """Settings for outputs without a name, and for a cluster, are not in its way."""
    configure('suffix = "_s"\nformat = "jpg"\nray-address = "10.0.0.1:6379"', own())
    assert deblur() == 0
    assert deblur("--suffix", "_t") == 2
    assert "--suffix _t has no use" in capsys.readouterr().err
    assert deblur("--ray-address", "10.0.0.2:1") == 2
    assert "--ray-address 10.0.0.2:1 has no use" in capsys.readouterr().err
    assert run(["deblur", "in.png", "-o", "out/", "-q"]) == 0
    assert run(["deblur", "in.png", "-o", "plain/", "-q", "--suffix", "", "--format", "png"]) == 0
    assert [path.name for path in (*Path("out").iterdir(), *Path("plain").iterdir())] == [
        "in_s.jpg",
        "in.png",
    ]


def test_a_folder_does_not_choose_the_cluster(engine: FakeEngine, here: Path, capsys: Capture) -> None:
    configure('[deblur]\nray-address = "evil.example:6379"')
    assert deblur() == 2
    assert capsys.readouterr().err.startswith(
        "kd: error: kd.toml: ray-address is not for a folder's own settings"
    )


def shown(capsys: Capture, *words: str) -> tuple[str, dict[str, Any]]:
    capsys.readouterr()
    assert run(["--show-config", *words]) == 0
    text = capsys.readouterr().out
    return text, tomllib.loads(text)


def test_show_config_tells_every_value_and_its_origin(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    configure("[synth]\ncount = 3\n[deblur]\nsave-psf = true\n[bench]\nmethod = 'kd'")
    configure('preset = "best"', own())
    monkeypatch.setenv("KD_SEED", "7")
    monkeypatch.setenv("KD_SYNTH_QUIET", "1")
    monkeypatch.setenv("KD_SPEED", "9")
    monkeypatch.setenv("KD_DEBUG", "1")
    text, config = shown(capsys)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[:3] == ["# kd.toml: read", f"# {own()}: read", "# KD_SPEED is set, but names no option"]
    assert "count = 3 # kd.toml" in lines
    assert lines.count(f'preset = "best" # {own()}') == 3
    assert lines.count("seed = 7 # KD_SEED") == 5
    assert "quiet = true # KD_SYNTH_QUIET" in lines
    assert "overwrite = false # default" in lines
    assert "# suffix: none in a folder, .deblurred beside IN" in lines
    assert config["deblur"]["save-psf"] is True
    assert config["bench"]["method"] == ["kd"]
    assert config["train"]["lr"] == 0.002
    assert set(config) == {"deblur", "estimate-kernel", "synth", "train", "bench", "weights"}


def test_show_config_has_every_option_of_the_help(here: Path, capsys: Capture) -> None:
    text, _ = shown(capsys)
    for known in KnownOptions(typer.main.get_command(app)).all:
        table = text.split(f"[{'.'.join(known.command)}]")[1]
        assert f"\n{known.key} = " in table or f"\n# {known.key}: " in table


def test_what_show_config_prints_can_be_a_kd_toml(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("KD_DEBLUR_SUFFIX", 'a "b" \\c')
    _, config = shown(capsys)
    text, _ = shown(capsys, "deblur")
    configure(text)
    monkeypatch.delenv("KD_DEBLUR_SUFFIX")
    assert shown(capsys)[1] == config


def test_show_config_of_one_command(here: Path, capsys: Capture) -> None:
    assert list(shown(capsys, "synth")[1]) == ["synth"]
    assert shown(capsys, "bench", "compare")[1]["bench"]["compare"]["images"] == 20


def test_show_config_tells_what_is_wrong(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("KD_SYNTH_COUNT", "0")
    assert run(["--show-config"]) == 2
    assert "--count is set by KD_SYNTH_COUNT" in capsys.readouterr().err


def test_settings_need_neither_torch_nor_numpy(here: Path) -> None:
    configure('preset = "best"\n[deblur]\nsave-psf = true')
    code = """
import sys
from kdcli.cli import run
code = run(["--show-config"])
print(code, [name for name in ("torch", "numpy", "PIL") if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == "0 []\n"


def test_variables_name_one_thing_each() -> None:
    options = KnownOptions(typer.main.get_command(app))
    options.name_variables()
    first = Counter(variables(known.option)[0] for known in options.all)
    assert max(first.values()) == 1
    meanings: dict[str, set[str | None]] = {}
    for known in options.all:
        for name in variables(known.option):
            meanings.setdefault(name, set()).add(known.option.help)
    assert [name for name, helps in meanings.items() if len(helps) > 1] == []
    assert not set(OTHER_VARIABLES) & set(meanings)
    assert {known.command for known in options.all if "KD_DATA" in variables(known.option)} == {("bench",)}
    assert meanings.keys() >= {"KD_PRESET", "KD_DEBLUR_PRESET", "KD_BENCH_COMPARE_IMAGES", "KD_SUFFIX"}
    assert not meanings.keys() & {"KD_JSON", "KD_STEPS", "KD_OUTPUT"}  # which mean several things


@pytest.mark.parametrize(
    ("variables", "folder"),
    [({"XDG_CONFIG_HOME": "/x"}, "/x/kd"), ({}, "/h/.config/kd"), ({"XDG_CONFIG_HOME": ""}, "/h/.config/kd")],
)
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_where_a_users_settings_and_register_are(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], folder: str
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in {"HOME": "/h", **variables}.items():
        monkeypatch.setenv(name, value)
    assert config_files() == [Path("kd.toml"), Path(folder, "kd.toml")]
    assert own_register() == Path(folder, "weights.toml")
