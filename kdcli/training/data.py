"""Training pairs, synthesised on the device: photos and kernels are held, blurs are made as needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from kdcli.blur.convolve import convolve, pad_reflect
from kdcli.blur.degrade import add_noise, jpeg, soften, to_8_bit
from kdcli.blur.families import sample
from kdcli.blur.kernels import KERNEL_SIZE, normalise, radius
from kdcli.blur.turns import turn, turn_kernel
from kdcli.blur.uneven import convolve_uneven
from kdcli.errors import KdError, UsageError
from kdcli.files.encode import SUFFIXES
from kdcli.files.photo import read_colour
from kdcli.files.samples import to_integers

_MARGIN = KERNEL_SIZE // 2
_GAMMA = 2.2
_BEND = 0.3  # pixels that kernels change from the middle to an edge, in root mean square


_Rows = TypeVar("_Rows", bound="Rows")


@dataclass(frozen=True)
class Rows:
    """Tensors (N, ...) that belong together, row by row."""

    def part(self: _Rows, first: int, last: int) -> _Rows:
        """The rows from first to last, last left out."""
        return type(self)(*(getattr(self, f.name)[first:last] for f in fields(self)))

    @classmethod
    def joined(cls: type[_Rows], parts: Sequence[_Rows]) -> _Rows:
        """The rows of all parts."""
        return cls(*(torch.cat([getattr(part, f.name) for part in parts]) for f in fields(cls)))


@dataclass(frozen=True)
class Batch(Rows):
    """Pairs on one device.

    Attributes:
        sharp, blurred: (N, C, S, S) float32 in [0, 1].
        kernel: (N, 1, 64, 64).
        noise_level: (N,), the standard deviation of the added noise.
    """

    sharp: torch.Tensor
    blurred: torch.Tensor
    kernel: torch.Tensor
    noise_level: torch.Tensor


@dataclass(frozen=True)
class Accidents(Rows):
    """What happens to each of N samples besides the blur by one kernel.

    Attributes:
        gamma: (N,), by which files encode the light that is blurred.
        gain: (N,), of the exposure; what goes beyond 1 is clipped.
        noise: (N,), its standard deviation.
        quality: (N,), of JPEG; above 100 for none.
        softness: (N,), of the camera, in pixels.
        grain: (N,), how coarse the noise is, in pixels.
        bend: (N, 2, 2, 2), how far kernels change from the middle to the edges, in pixels.
    """

    gamma: torch.Tensor
    gain: torch.Tensor
    noise: torch.Tensor
    quality: torch.Tensor
    softness: torch.Tensor
    grain: torch.Tensor
    bend: torch.Tensor

    @classmethod
    def none(cls, count: int) -> Accidents:
        """So many samples to which nothing happens."""
        nothing, one = torch.zeros(count), torch.ones(count)
        return cls(one, one, nothing, 101 * one, nothing, nothing, torch.zeros(count, 2, 2, 2))

    def to(self, device: torch.device) -> Accidents:
        """The same on another device."""
        return Accidents(*(getattr(self, f.name).to(device) for f in fields(self)))


def load_photos(folder: Path) -> list[np.ndarray]:
    """Every photo of a folder as (H, W, 3) uint8, in the order of their names.

    Raises:
        UsageError: no folder, or no photo of at least 256 pixels a side in it.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder: --photos wants a folder of sharp photos")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    with ThreadPoolExecutor(4) as pool:
        photos = list(pool.map(_load_photo, files))
    photos = [p for p in photos if min(p.shape[:2]) >= 256]
    if not photos:
        raise UsageError(f"{folder} holds no photo of at least 256x256 pixels")
    return photos


def _load_photo(file: Path) -> np.ndarray:
    try:
        return to_integers(read_colour(file), None, 8)
    except KdError as error:
        raise KdError(f"{error}; take it out of the folder") from error


def split_photos(photos: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Training and held-out photos: every 27th is held out, at most 48 of them."""
    held = set(range(0, len(photos), 27)[:48])
    if len(photos) < 27:
        held = {len(photos) - 1}
    train = [p for i, p in enumerate(photos) if i not in held] or list(photos)
    return train, [photos[i] for i in sorted(held)]


class PairMaker:
    """Makes batches from photos and a pool of kernels, every random choice from its own generator."""

    def __init__(
        self,
        photos: Sequence[np.ndarray],
        *,
        pool: int,
        family: str = "mixed",
        colour: bool,
        size: int = 256,
        seed: int,
        device: torch.device,
        clean: bool = False,
    ):
        self.photos, self.colour, self.size, self.device, self.clean = photos, colour, size, device, clean
        self.rng = np.random.default_rng(seed)
        self.kernels = sample(family, pool, self.rng).astype(np.float16)
        self.generator = torch.Generator(device).manual_seed(seed)

    def make(self, count: int, kernels: torch.Tensor | None = None, clean: bool | None = None) -> Batch:
        """A new batch of so many pairs, blurred by kernels (count, 1, 64, 64), else by those of the pool.

        Args:
            clean: without accidents, under mirrored borders; by default as all of the maker's.
        """
        rng, clean = self.rng, self.clean if clean is None else clean
        wide = rng.uniform(size=count) < 0.5  # real surroundings, or a mirrored border as benchmarks have
        if clean:
            wide[:] = False
        scenes = torch.stack([self._scene(bool(w)) for w in wide]).to(self.device)
        if kernels is None:
            kernels = torch.stack([self._kernel() for _ in range(count)]).to(self.device)
        happened = (Accidents.none(count) if clean else self._accidents(count)).to(self.device)
        gamma, gain = (v[:, None, None, None] for v in (happened.gamma, happened.gain))

        scenes = soften(scenes, happened.softness).clamp(0, 1)
        linear = scenes**gamma * gain
        bend = happened.bend / radius(kernels)[..., None, None]
        if bool(bend.any()):
            blurred = convolve_uneven(linear, kernels, bend, "valid")
        else:
            blurred = convolve(linear, kernels, "valid")
        # The valid part starts one pixel before the scene's own margin ends.
        blurred = blurred[..., 1:, 1:].clamp(0, 1) ** (1 / gamma)
        blurred = to_8_bit(add_noise(blurred, happened.noise, self.generator, happened.grain))
        blurred = to_8_bit(jpeg(blurred, happened.quality))
        inner = slice(_MARGIN, _MARGIN + self.size)
        sharp = (linear[..., inner, inner].clamp(0, 1)) ** (1 / gamma)
        return Batch(sharp, blurred, kernels, happened.noise)

    def _scene(self, wide: bool) -> torch.Tensor:
        """A crop with its surroundings: (C, size + 64, size + 64) in [0, 1]."""
        rng = self.rng
        photo = self.photos[int(rng.integers(len(self.photos)))]
        side = self.size + (2 * _MARGIN if wide else 0)
        side_y, side_x = min(side, photo.shape[0]), min(side, photo.shape[1])
        top = rng.integers(photo.shape[0] - side_y + 1)
        left = rng.integers(photo.shape[1] - side_x + 1)
        crop = photo[top : top + side_y, left : left + side_x]
        if not self.colour:
            crop = crop.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
            crop = crop[..., None]
        scene = torch.from_numpy(np.ascontiguousarray(crop)).permute(2, 0, 1).float() / 255
        missing = self.size + 2 * _MARGIN - min(side_y, side_x)
        if missing > 0:  # the photo ends here: mirror it
            scene = pad_reflect(scene, (missing + 1) // 2)
            top = (scene.shape[1] - self.size) // 2 - _MARGIN
            left = (scene.shape[2] - self.size) // 2 - _MARGIN
            full = self.size + 2 * _MARGIN
            scene = scene[:, top : top + full, left : left + full]
        return turn(scene, self._which())

    def _kernel(self) -> torch.Tensor:
        kernel = torch.from_numpy(self.kernels[self.rng.integers(len(self.kernels))]).float()[None]
        kernel = normalise(kernel)  # half precision has rounded its sum
        if self.clean:
            return kernel
        return turn_kernel(kernel, self._which())

    def _which(self) -> int:
        """One of the eight flips and quarter turns, by its number."""
        flipped = self.rng.uniform() < 0.5
        return 4 * flipped + int(self.rng.integers(4))

    def _accidents(self, count: int) -> Accidents:
        """As cameras and files have them.

        Photos straight from a camera are softer than those that were made smaller, their noise is coarser,
        and their blur not quite the same everywhere. Without such, networks take the camera's softness for a
        part of the blur, and kernels come out fat; and a solver trusts known kernels further than it should.
        """
        rng = self.rng
        uniform = rng.uniform(size=(6, count))
        gamma = np.where(uniform[0] < 0.2, _GAMMA, 1.0)
        gain = np.where(uniform[1] < 0.15, rng.uniform(1, 1.5, count), 1.0)
        noise = np.where(uniform[2] < 0.5, 0.02 * rng.uniform(size=count) ** 1.5, 0.0)
        quality = np.where(uniform[3] < 0.2, rng.uniform(75, 98, count), 101.0)
        softness = np.where(uniform[4] < 0.35, rng.uniform(0.3, 1.0, count), 0.0)
        grain = np.where(uniform[5] < 0.4, rng.uniform(0.3, 0.8, count), 0.0)
        uneven = rng.uniform(size=count) < 0.35
        softness = np.where(uneven, rng.uniform(0.3, 1.2, count), softness)
        extent = np.where(uneven, _BEND * rng.uniform(size=count), 0.0)
        bend = extent[:, None, None, None] * rng.standard_normal((count, 2, 2, 2))
        accidents = (gamma, gain, noise, quality, softness, grain, bend)
        return Accidents(*(torch.from_numpy(v).float() for v in accidents))

    def state(self) -> dict[str, Any]:
        """The state of the random generators, for a checkpoint."""
        return {"numpy": json.dumps(self.rng.bit_generator.state), "torch": self.generator.get_state()}

    def part_from(self, rank: int) -> None:
        """Go other ways than the makers of other processes, which have been in the same state; 0 stays."""
        if rank > 0:
            self.rng = np.random.default_rng([rank, *self.rng.integers(2**32, size=4)])
            self.generator.manual_seed(int(self.rng.integers(2**62)))

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint's state."""
        self.rng.bit_generator.state = json.loads(state["numpy"])
        self.generator.set_state(state["torch"].cpu())
