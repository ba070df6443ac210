"""The noise of a blurred photo, from the frequencies at which next to nothing else is left of it."""

from __future__ import annotations

import torch

from kdcli.blur.convolve import power_of

ROUNDING = 1 / 255 / 12**0.5  # standard deviation of rounding to 8 bits
SENSOR = 1.25 * ROUNDING  # from which on there is a sensor's noise as well, as a rule
_LOUD = 2 * ROUNDING  # from which on it is noise beyond doubt: texture is hardly ever taken for so much
_BLOCK = 32
_INNER = slice(1, _BLOCK // 2)  # columns of the half spectrum that stand for two frequencies
_EMPTY = 0.25  # share of the frequencies that blur leaves to the noise; less would miss more of JPEG's
_EMPTIEST = 0.1  # share of those at which a kernel is known to leave least
_NONE = 1.15  # times the noise of rounding: what these may hold of a photo that has no other
_RING = (0.2, 0.35)  # cycles per pixel: where grain lies, and much of what a restoration makes of noise
_RING_EMPTIEST = 0.3
_BLURRED = 0.1  # power of the kernel up to which a frequency counts as one that blur has emptied


def noise_level(
    y: torch.Tensor,
    kernel: torch.Tensor | None = None,
    *,
    known: bool = True,
    from_camera: torch.Tensor | bool = False,
) -> torch.Tensor:
    """The standard deviation of the noise in photos (N, C, H, W) in [0, 1]: (N, 1, 1, 1).

    Never less than that of rounding to 8 bits. They have 4 pixels a side or more.

    Args:
        kernel: (N, 1, 64, 64), of their blur. It tells where a sensor's noise can be seen that demosaicking,
            scaling or JPEG have made coarse, of which the highest frequencies hold least.
        known: whether the kernel is known. Then it also tells whether there is any noise but that of rounding
            in a photo whose texture would be taken for some. What an estimated kernel doesn't explain had
            better count as noise.
        from_camera: (N,) or one for all, whether photos are known to be straight from a camera, so that noise
            that could be texture is a sensor's.
    """
    power = _power(y)
    level = _floor(power).clamp(min=ROUNDING)
    if kernel is None or min(y.shape[-2:]) < _BLOCK:
        return level
    kept = _kernel_power(kernel)
    camera = torch.as_tensor(from_camera, device=y.device).expand(len(y))[:, None, None, None]
    noisy = level >= torch.where(camera, SENSOR, _LOUD)
    level = torch.where(noisy, torch.maximum(level, _in_ring(power, kept)), level)
    if not known:
        return level
    return torch.where(_where_least_is_left(power, kept) < _NONE * ROUNDING, ROUNDING, level)


def is_sensor_noise(noise: torch.Tensor) -> torch.Tensor:
    """Whether noise is more than rounding's, as that of photos straight from a camera: of the same shape."""
    return noise >= SENSOR


def noise_floor(y: torch.Tensor) -> torch.Tensor:
    """The standard deviation of the noise in images (N, C, H, W), in their own units: (N, 1, 1, 1).

    The lower quartile, over the frequencies, of Bartlett's power spectrum (the mean of those of blocks, under
    a window). White noise has the same power everywhere and a blurred photo little at most frequencies, where
    differences of pixels take any texture that is left for noise.
    """
    return _floor(_power(y))


def _floor(power: torch.Tensor) -> torch.Tensor:
    return _amplitude(power.flatten(1).quantile(_EMPTY, dim=1))


def _where_least_is_left(power: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """The same by the median of the frequencies of which a kernel and a photo's spectrum leave least.

    Args:
        kept: (N, side, columns), the ``_kernel_power``.
    """
    left = _photo_spectrum(power.device) * kept
    return _median(power.flatten(1), _least(left.flatten(1), _EMPTIEST))


def _in_ring(power: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """The same among the middle frequencies; 0 where the kernel has emptied too few of them to tell."""
    frequency = _frequency(power.device)[..., _INNER]
    ring = (frequency >= _RING[0]) & (frequency < _RING[1])
    least = _least((_photo_spectrum(power.device) * kept)[:, ring], _RING_EMPTIEST)
    emptied = kept[:, ring].gather(1, least).amax(1) <= _BLURRED
    return torch.where(emptied[:, None, None, None], _median(power[:, ring], least), 0)


def _least(left: torch.Tensor, share: float) -> torch.Tensor:
    """Which frequencies (N, M) are the share of which least is left: (N, share M)."""
    return left.argsort(1)[:, : int(share * left.shape[1])]


def _median(power: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    """The level by the median of some of the frequencies (N, M)."""
    return _amplitude(power.gather(1, which).median(1).values)


def _kernel_power(kernel: torch.Tensor) -> torch.Tensor:
    """What kernels (N, 1, 64, 64) leave of every frequency of Bartlett's spectrum: (N, side, columns)."""
    folded = kernel[:, 0].unflatten(-1, (-1, _BLOCK)).sum(-2).unflatten(-2, (-1, _BLOCK)).sum(-3)
    kept = power_of(torch.fft.fft2(folded))
    for dim in (-2, -1):  # the window mixes neighbours: Hann's main lobe
        kept = (kept.roll(1, dim) + 4 * kept + kept.roll(-1, dim)) / 6
    return kept[..., _INNER]


def _photo_spectrum(device: torch.device) -> torch.Tensor:
    """How the power of sharp photos falls with frequency: (side, columns)."""
    return 1 / (_frequency(device).square() + 1 / _BLOCK**2)[..., _INNER]


def _frequency(device: torch.device) -> torch.Tensor:
    """Cycles per pixel: (side, side)."""
    rows, columns = torch.fft.fftfreq(_BLOCK)[:, None], torch.fft.fftfreq(_BLOCK)[None]
    return (rows.square() + columns.square()).sqrt().to(device)


def _amplitude(power: torch.Tensor) -> torch.Tensor:
    return power.sqrt()[:, None, None, None]


def _power(y: torch.Tensor) -> torch.Tensor:
    """Bartlett's spectrum (N, side, columns), without the columns that stand for one frequency only."""
    side = min(_BLOCK, y.shape[-2], y.shape[-1])
    window = torch.hann_window(side, device=y.device)
    window = window[:, None] * window
    blocks = y.unfold(-2, side, side).unfold(-2, side, side).flatten(1, -3)
    blocks = (blocks - blocks.mean((-2, -1), keepdim=True)) * (window / window.square().sum().sqrt())
    return power_of(torch.fft.rfft2(blocks)).mean(1)[..., 1 : (side + 1) // 2]
