"""Levin's set: 4 photos under 8 camera shakes, with kernels measured at the points of light.

Levin, Weiss, Durand and Freeman, *Understanding and Evaluating Blind Deconvolution Algorithms*, CVPR 2009.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kdcli.bench.dataset import Dataset, Pair
from kdcli.bench.datasets.places import find_set, require
from kdcli.blur.kernels import KERNEL_SIZE, centred, mnc
from kdcli.errors import KdError
from kdcli.files.photo import read_photo
from kdcli.files.psf import read_psf, to_kernel

NAME = "levin"
OFFER = "https://webee.technion.ac.il/people/anat.levin"

_IMAGES, _KERNELS = range(1, 5), range(1, 9)


@dataclass(frozen=True, eq=False)
class LevinDataset(Dataset):
    """32 pairs of 255x255 pixels, ``imI_kernelK_img.png`` by name, K counting first.

    Attributes:
        name, path, names: see ``Dataset``.
        kernels: (8, 64, 64) float32.
    """

    name: str
    path: Path
    names: tuple[str, ...]
    kernels: NDArray[np.float32]

    def __getitem__(self, index: int) -> Pair:
        i, k = divmod(range(len(self))[index], len(_KERNELS))
        sharp, recorded = (np.repeat(x[..., None], 3, -1) for x in _shot(self.path, i + 1, k + 1))
        return Pair(self.names[index], sharp, recorded, self.kernels[k])


def open_levin(data_dir: Path | None) -> LevinDataset:
    """Levin's pairs with their kernels.

    Read is ``levin/`` with the publishers' ``im05_flit01.mat`` .. ``im08_flit08.mat`` (x sharp, y recorded,
    f the kernel), or with ``imI.png``, ``imI_kernelK_img.png`` and ``kernelK.png``, I = 1..4, K = 1..8.
    Recorded and sharp photos are not aligned, so that only the aligned measures mean anything. Copies of
    the set differ in which way round their kernels are, kernel by kernel: each is turned to fit its photos.

    Raises:
        UsageError: something is missing.
        KdError: a file is damaged.
    """
    folder = find_set(data_dir, NAME, ("levin", "LevinEtalCVPR09Data"), OFFER)
    names = tuple(f"im{i}_kernel{k}_img.png" for i in _IMAGES for k in _KERNELS)
    if any(folder.glob("im*_flit*.mat")):
        wanted = [_mat(folder, i, k).name for i in _IMAGES for k in _KERNELS]
    else:
        wanted = [*names, *(f"im{i}.png" for i in _IMAGES), *(f"kernel{k}.png" for k in _KERNELS)]
    require([name for name in wanted if not (folder / name).is_file()], folder, NAME, OFFER)
    return LevinDataset(NAME, folder, names, np.stack([_kernel(folder, k) for k in _KERNELS]))


def _mat(folder: Path, i: int, k: int) -> Path:
    return folder / f"im{i + 4:02}_flit{k:02}.mat"


def _read_mat(path: Path, variable: str) -> NDArray[np.float32]:
    from scipy.io import loadmat

    try:
        return np.asarray(loadmat(path, variable_names=[variable])[variable], dtype=np.float32)
    # The reader lets out whatever a damaged file drives it into: value, key, index, zlib, type errors.
    except Exception as error:
        raise KdError(f"{path} is damaged ({error}): get it again from {OFFER}") from error


def _shot(folder: Path, i: int, k: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The sharp and the recorded photo, (H, W) each."""
    mat = _mat(folder, i, k)
    if mat.is_file():
        sharp, recorded = (_read_mat(mat, variable).clip(0, 1) for variable in "xy")
    else:
        photos = (read_photo(folder / f).pixels for f in (f"im{i}.png", f"im{i}_kernel{k}_img.png"))
        sharp, recorded = (photo if photo.ndim == 2 else photo.mean(-1) for photo in photos)
    if sharp.ndim != 2 or sharp.shape != recorded.shape or min(sharp.shape) <= KERNEL_SIZE:
        raise KdError(f"{folder}: photo {i} and its shot {k} do not fit: get them again from {OFFER}")
    return sharp, recorded


def _kernel(folder: Path, k: int) -> NDArray[np.float32]:
    """A kernel (64, 64), as it is or turned by 180 degrees: whichever its photos speak for."""
    mat = _mat(folder, 1, k)
    try:
        stored = to_kernel(_read_mat(mat, "f")) if mat.is_file() else None
    except KdError as error:
        raise KdError(f"{mat} is damaged ({error}): get it again from {OFFER}") from error
    if stored is None:
        stored = read_psf(folder / f"kernel{k}.png")
    turned = centred(np.ascontiguousarray(stored[::-1, ::-1]))
    seen = _measured(folder, k)
    likeness = [float(mnc(seen, torch.from_numpy(kernel))) for kernel in (stored, turned)]
    return stored if likeness[0] >= likeness[1] else turned


def _measured(folder: Path, k: int) -> torch.Tensor:
    """A rough kernel (64, 64) from the photos: least squares on their gradients, in the Fourier domain."""
    cross, power = np.zeros(1, complex), np.zeros(1)
    for i in _IMAGES:
        sharp, recorded = (_gradients(photo) for photo in _shot(folder, i, k))
        cross = cross + (sharp.conj() * recorded).sum(0)
        power = power + np.square(np.abs(sharp)).sum(0)
    kernel = np.fft.fftshift(np.fft.ifft2(cross / (power + 1e-3 * power.mean())).real)
    top, left = (side // 2 - KERNEL_SIZE // 2 for side in kernel.shape)
    kernel = kernel[top : top + KERNEL_SIZE, left : left + KERNEL_SIZE]
    return torch.from_numpy(np.where(kernel > 0.08 * kernel.max(), kernel, 0).astype(np.float32))


def _gradients(grey: NDArray[np.float32]) -> NDArray[np.complex128]:
    """Spectra (2, H - 1, W - 1) of the windowed differences of a photo (H, W)."""
    down, right = np.diff(grey, axis=0)[:, :-1], np.diff(grey, axis=1)[:-1]
    window = np.outer(*(np.hanning(side) for side in down.shape))
    return np.fft.fft2(np.stack([down, right]) * window)
