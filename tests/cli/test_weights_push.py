"""`kd weights push`, and the way from training to a deblurred photo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kdcli.cli import run
from kdcli.weights.package import write_package
from tests.cli.small import SMALL, small_kernel, small_solver
from tests.hub import TOKEN, Hub


@pytest.fixture
def package(files: list[Path], tmp_path: Path) -> Path:
    write_package(tmp_path / "upload", files, licence="MIT")
    (tmp_path / "upload" / "checkpoint.pt").write_bytes(b"nobody else's business")
    return tmp_path / "upload"


def test_push(hub: Hub, package: Path) -> None:
    done = hub.kd("weights", "push", "upload", "me/mine", "--private", HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    repo = hub.repos["me/mine"]
    (commit, held), *none = repo.commits.items()
    assert (done.stdout, done.stderr, none) == (f"hf://me/mine@{commit}\n", "", [])
    assert repo.private
    assert set(held) == {"config.json", "README.md", "kernel.safetensors", "solver.safetensors"}
    for name in set(held) - {"README.md"}:
        assert held[name] == (package / name).read_bytes()
    assert b"--weights hf://me/mine\n" in held["README.md"]
    (package / "README.md").write_text((package / "README.md").read_text() + "More words.\n")
    again = hub.kd("weights", "push", "upload", "me/mine", HF_TOKEN=TOKEN)
    assert again.stdout == f"hf://me/mine@{repo.refs['main']}\n" != done.stdout


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "it refuses (401): log in (hf auth login, or HF_TOKEN) as someone who may"),
        ({"HF_TOKEN": "hf_wrong"}, "it refuses (401)"),
        ({"HF_TOKEN": TOKEN, "manner": "down"}, "it answers 503: try again later"),
        ({"HF_TOKEN": TOKEN, "HF_ENDPOINT": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
        ({"HF_TOKEN": TOKEN, "owner": "you"}, "it refuses (403)"),
    ],
)
def test_a_push_that_fails(hub: Hub, package: Path, settings: dict[str, Any], reason: str) -> None:
    owner = settings.pop("owner", "me")
    hub.manner = settings.pop("manner", "well")
    done = hub.kd("weights", "push", "upload", f"{owner}/mine", **settings)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"kd: error: nothing was pushed to {owner}/mine on the Hub: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert not any(repo.commits for repo in hub.repos.values())


def test_train_push_fetch_by_name_deblur(
    hub: Hub, register: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The round trip, with networks of few channels and two steps of training."""
    import kdcli.training.run as training
    from tests.training.conftest import SmallMaker, textured

    for name, small in (("KernelNet", small_kernel), ("Solver", small_solver), ("PairMaker", SmallMaker)):
        monkeypatch.setattr(training, name, small)
    (tmp_path / "photos").mkdir()
    for i in range(3):
        Image.fromarray(textured(i)).save(tmp_path / "photos" / f"{i}.png")
    Image.fromarray(textured(9, 96, 96)).save(tmp_path / "blurred.png")
    given = "--photos photos --steps 2 --batch 1 --size 96 --device cpu -q"
    assert run(f"train kernel --out one --fine 0 {given}".split()) == 0
    assert run(f"train solver --out two --estimator one/kernel.safetensors {given}".split()) == 0

    pushed = hub.kd("weights", "push", "two/upload", "me/mine", HF_TOKEN=TOKEN)
    assert pushed.returncode == 0, pushed.stderr
    address = pushed.stdout.strip()
    names = {"config.json", "README.md", "samples.png", "kernel.safetensors", "solver.safetensors"}
    assert set(hub.repos["me/mine"].commits[address.partition("@")[2]]) == names
    for words in (("add", "mine", address), ("fetch", "mine")):
        done = hub.kd("weights", *words)
        assert done.returncode == 0, done.stderr

    photo = ["deblur", "blurred.png", "--preset", "fast", "--device", "cpu", "--json", "-q"]
    mine = hub.kd(*photo, "-o", "mine.png", "--weights", "mine", code=SMALL, HF_HUB_OFFLINE="1")
    far = hub.kd(*photo, "-o", "far.png", "--weights", "hf://me/mine", code=SMALL)
    assert (mine.returncode, mine.stderr, far.returncode, far.stderr) == (0, "", 0, "")
    assert [json.loads(done.stdout)["weights"] for done in (mine, far)] == ["mine", address]
    assert run([*photo, "-o", "default.png"]) == 0
    mine_png, far_png, default_png = (
        (tmp_path / f"{n}.png").read_bytes() for n in ("mine", "far", "default")
    )
    assert mine_png == far_png != default_png
