"""`kd weights import`: the authors' files as PyTorch writes them, and files that are anything else."""

from __future__ import annotations

import pickle
import shutil
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from kdcli.cli import run
from kdcli.engine.arrays import to_array, to_tensor
from kdcli.nets.paper.dwdn import DWDN
from kdcli.nets.paper.unet import KernelUNet
from kdcli.weights import load_models
from kdcli.weights.architectures import ARCHITECTURES, Architecture
from kdcli.weights.register import read_sets
from tests.weights.test_source import Bomb


def numbers(network: nn.Module, seed: int) -> OrderedDict[str, torch.Tensor]:
    """A state dict of fixed random numbers that keep signals in range."""
    generator = torch.Generator().manual_seed(seed)
    state = OrderedDict()
    for name, value in network.state_dict().items():
        noise = torch.randn(value.shape, generator=generator)
        state[name] = noise / value[0].numel() ** 0.5 if value.ndim > 1 else 0.1 * noise
        if value.ndim == 1 and name.endswith("weight"):
            state[name] += 1
    return state


def checkpoint(network: dict[str, torch.Tensor], solver: dict[str, torch.Tensor]) -> dict[str, Any]:
    """What the authors' training writes: the averaged diffusion, with everything in it, and the optimiser."""
    diffusion = {"betas": torch.linspace(1e-4, 0.02, 1000), "alphas_cumprod": torch.ones(1000)}
    diffusion |= {f"model.{name}": value for name, value in network.items()}
    diffusion |= {f"nb_solver.{name}": value for name, value in solver.items()}
    groups = [{"lr": 1e-5, "betas": (0.9, 0.99), "foreach": None, "params": [0]}]
    moments = {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2)}}
    return {
        "step": 499_999,
        "model": OrderedDict(diffusion),
        "opt": {"state": moments, "param_groups": groups},
    }


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with kernel-diff.pt and model_DWDN.pt, of the published sizes and in the published layouts."""
    folder = tmp_path_factory.mktemp("published")
    network, solver = numbers(KernelUNet(), 1), numbers(DWDN(), 2)
    torch.save(checkpoint(network, solver), folder / "kernel-diff.pt")
    torch.save(solver, folder / "model_DWDN.pt", _use_new_zipfile_serialization=False)
    yield folder
    shutil.rmtree(folder)  # 200 MB that pytest would keep


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own register; there is none yet."""
    path = tmp_path / "config" / "weights.toml"
    monkeypatch.setenv("KD_WEIGHTS_FILE", str(path))
    monkeypatch.chdir(tmp_path)
    return path


def said(capsys: pytest.CaptureFixture[str], words: list[str], code: int = 0) -> str:
    assert run(words) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


def importing(kernel_diff: Path, dwdn: Path) -> list[str]:
    return ["weights", "import", "--kernel-diff", str(kernel_diff), "--dwdn", str(dwdn)]


def refusal(capsys: pytest.CaptureFixture[str], kernel_diff: Path, dwdn: Path, code: int) -> str:
    """The one line with which an import ends that leaves nothing behind."""
    before = sorted(Path.cwd().rglob("*"))
    text = said(capsys, importing(kernel_diff, dwdn), code)
    assert text.startswith("kd: error: ")
    assert text.count("\n") == 1
    assert sorted(Path.cwd().rglob("*")) == before
    return text


def test_both_networks_come_through_as_they_are(
    published: Path, register: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = importing(published / "kernel-diff.pt", published / "model_DWDN.pt")
    out = tmp_path / "out"
    text = said(capsys, [*words, "-o", str(out), "--register", str(register)])
    assert text == f"kd: {register} has paper, in {out}: use --weights paper --preset paper\n"
    assert "paper kernel: ok\npaper solver: ok\n" in said(capsys, ["weights", "verify", "paper"])
    loaded = load_models("cpu", "paper")
    shutil.rmtree(out)
    assert isinstance(loaded.kernel, KernelUNet)
    assert isinstance(loaded.solver, DWDN)
    given = torch.load(published / "kernel-diff.pt", weights_only=True)["model"]
    for name, value in loaded.kernel.state_dict().items():
        assert torch.equal(value, given[f"model.{name}"]), name
    for name, value in torch.load(published / "model_DWDN.pt", weights_only=True).items():
        assert torch.equal(loaded.solver.state_dict()[name], value), name


def small_kernel() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.GroupNorm(1, 2))


def small_solver() -> DWDN:
    return DWDN(features=4, width=4)


def test_deblur_as_published(
    published: Path,
    register: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(ARCHITECTURES, "dwdn-1", Architecture("solver", __name__, "small_solver"))
    torch.save(numbers(small_solver(), 2), tmp_path / "small.pt")
    said(capsys, importing(published / "kernel-diff.pt", tmp_path / "small.pt"))
    photo = (np.random.default_rng(0).random((8, 9, 3)) * 255).astype(np.uint8)
    Image.fromarray(photo).resize((72, 64)).save(tmp_path / "photo.png")
    deblur = ["deblur", "photo.png", "-q", "--weights", "paper", "--device", "cpu", "-o"]
    assert "use --preset paper" in said(capsys, [*deblur, "no.png"], 2)
    assert not (tmp_path / "no.png").exists()
    steps = ["--preset", "paper", "--steps", "1", "--refine-steps", "1", "--save-psf", "psf.npy"]
    assert said(capsys, [*deblur, "sharp.png", *steps]) == ""
    kernel = np.load(tmp_path / "psf.npy")
    assert kernel.sum() == pytest.approx(1, abs=1e-4)
    blurred = np.asarray(Image.open(tmp_path / "photo.png"), np.float32) / 255
    solver = load_models("cpu", "paper").solver
    with torch.no_grad():
        expected = solver(to_tensor(blurred, torch.device("cpu")), torch.from_numpy(kernel)[None, None])
    restored = np.asarray(Image.open(tmp_path / "sharp.png"), np.float32) / 255
    np.testing.assert_allclose(restored, to_array(expected, blurred).clip(0, 1), atol=0.51 / 255)
    # With a known kernel there is nothing to sample: any preset will do, and it is DWDN that restores.
    assert said(capsys, [*deblur, "known.png", "--psf", "psf.npy"]) == ""
    known = np.asarray(Image.open(tmp_path / "known.png"), np.float32) / 255
    np.testing.assert_allclose(known, restored, atol=1.01 / 255)  # a kernel that is read is normalised anew
    shutil.rmtree(register.parent / "paper")


@pytest.fixture
def small(register: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The two files of small networks, which stand for the published ones: importing takes no time."""
    for name, role in (("kernel-diff-1", "kernel"), ("dwdn-1", "solver")):
        monkeypatch.setitem(ARCHITECTURES, name, Architecture(role, __name__, f"small_{role}"))
    network, solver = numbers(small_kernel(), 1), numbers(small_solver(), 2)
    torch.save(checkpoint(network, solver), tmp_path / "kernel-diff.pt")
    torch.save(solver, tmp_path / "model_DWDN.pt")
    return tmp_path / "kernel-diff.pt", tmp_path / "model_DWDN.pt"


def test_names_and_places(
    small: tuple[Path, Path], register: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, [*importing(*small), "-q"])
    folder = register.parent / "paper"
    assert sorted(path.name for path in folder.iterdir()) == ["kernel.safetensors", "solver.safetensors"]
    assert read_sets(register)["paper"].folder == folder
    again = importing(*small)
    assert "has weights paper already: choose another name or add --overwrite" in said(capsys, again, 2)
    said(capsys, [*again, "--overwrite"])
    said(capsys, [*again, "--name", "smaller"])
    assert set(read_sets(register)) == {"paper", "smaller"}
    assert "'../x' is no name for weights" in said(capsys, [*again, "--name", "../x"], 2)
    assert "paper  kernel (kernel-diff-1), solver (dwdn-1)" in said(capsys, ["weights", "list"])


def test_what_to_do_where_nothing_is_imported(register: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register.parent.mkdir()
    register.touch()
    text = said(capsys, ["weights", "path", "paper"], 2)
    assert "make them of the authors' files with kd weights import --kernel-diff kernel-diff.pt" in text


def test_a_bare_state_dict_and_half_precision_will_do(
    small: tuple[Path, Path], tmp_path: Path, register: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = numbers(small_kernel(), 1)
    torch.save({name: value.half() for name, value in state.items()}, small[0])
    said(capsys, importing(*small))
    network = load_models("cpu", "paper").kernel.state_dict()
    assert all(torch.equal(network[name], value.half().float()) for name, value in state.items())


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_code_is_refused_and_not_run(
    small: tuple[Path, Path], which: int, protocol: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, write in (("plain", pickle.dump), ("torch", torch.save)):
        trace = tmp_path / f"trace-{name}"
        content = {"model": Bomb(trace), "x": torch.zeros(1)}
        with open(small[which], "wb") as file:
            if name == "plain":
                write({"model": Bomb(trace)}, file, protocol=protocol)
            else:
                write(content, file, pickle_protocol=max(protocol, 2))
        text = refusal(capsys, *small, code=1)
        assert f"{small[which]} is no PyTorch file of tensors alone, or is damaged: nothing of it was" in text
        assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a pickle", b"\x80\x02}q\x00.", b"\x80\x02N."])
def test_what_is_no_checkpoint_is_refused(
    small: tuple[Path, Path], content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    small[1].write_bytes(content)
    assert str(small[1]) in refusal(capsys, *small, code=1)


def test_a_torn_file_is_refused(small: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    small[0].write_bytes(small[0].read_bytes()[:-1000])
    assert "is damaged" in refusal(capsys, *small, code=1)


def test_a_missing_file(small: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert "nowhere.pt: no such file" in refusal(capsys, small[0], Path("nowhere.pt"), code=2)
    assert "no such file" in refusal(capsys, Path.cwd(), small[1], code=2)


def broken(state: dict[str, Any], how: str) -> Any:
    """A state dict that is not the network's any more, and what the message says of it."""
    first = next(iter(state))
    if how == "missing":
        del state[first]
    elif how == "more":
        state["extra.weight"] = torch.zeros(1)
    elif how == "shape":
        state[first] = torch.zeros(2, 3)
    elif how == "integers":
        state[first] = torch.zeros_like(state[first], dtype=torch.int64)
    elif how == "sparse":
        state[first] = state[first].to_sparse()
    elif how == "no tensor":
        state[first] = 5
    elif how == "infinite":
        state[first][0] = float("inf")
    elif how == "list":
        return list(state.values())
    elif how == "number":
        return {"model": 5}
    return state


@pytest.mark.parametrize(
    ("how", "words", "code"),
    [
        ("missing", "it has no FeatureBlock.0.body.0.weight", 2),
        ("more", "it has extra.weight, which that network has not", 2),
        ("shape", "it has FeatureBlock.0.body.0.weight of (2, 3) float32 instead of (4, 3, 5, 5) float32", 2),
        ("integers", "it has FeatureBlock.0.body.0.weight of (4, 3, 5, 5) int64 instead of", 2),
        ("sparse", "it has FeatureBlock.0.body.0.weight of (4, 3, 5, 5)", 2),
        ("no tensor", "it has FeatureBlock.0.body.0.weight of int instead of", 2),
        ("infinite", "holds numbers that are not finite", 1),
        ("list", "holds no tensors by name", 2),
        ("number", "it has no FeatureBlock.0.body.0.weight (and 112 more)", 2),
    ],
)
def test_other_contents_are_refused(
    small: tuple[Path, Path], how: str, words: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(broken(numbers(small_solver(), 2), how), small[1])
    text = refusal(capsys, *small, code=code)
    assert words in text
    assert str(small[1]) in text


def test_the_files_the_wrong_way_round(small: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    text = refusal(capsys, small[1], small[0], code=2)
    assert f"{small[1]} is of another network than kernel-diff-1: it has no 0.weight" in text


def test_a_folder_that_cannot_be_made(
    small: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "occupied").touch()
    text = said(capsys, [*importing(*small), "-o", str(tmp_path / "occupied")], 1)
    assert text.startswith(f"kd: error: cannot make the folder {tmp_path / 'occupied'}")
