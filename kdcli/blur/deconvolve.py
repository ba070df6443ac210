"""Non-blind deconvolution with an unknown border: least squares by conjugate gradients.

The latent image is larger than the photo by the kernel's reach, and nothing is assumed about what lies
outside: ``y = crop(k * x)``. With a mask w of trusted pixels and a gradient prior the estimate is

    x = argmin || w (crop(k * x) - y) ||^2 + strength || grad x ||^2

whose normal equations are solved by conjugate gradients, preconditioned with the circulant solution of
the problem without borders (Almeida and Figueiredo, "Deconvolving images with unknown boundaries",
IEEE TIP 2013, state the model). Differentiable in y, k and the strength.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F

from kdcli.blur.convolve import otf, pad_reflect, power_of

_TOGETHER = 2**21  # pixels of a canvas up to which its channels are restored together: a third of the memory


def unclipped(y: torch.Tensor) -> torch.Tensor:
    """Trust in the pixels of a photo (N, C, H, W) in [0, 1]: what is clipped did not follow the model.

    1 up to the last fiftieth of the range, then falling to a tenth: enough to hold a white wall in place.
    """
    return ((1 - y) * 50).clamp(0.1, 1)


def laplacian_spectrum(size: tuple[int, int], device: torch.device | None = None) -> torch.Tensor:
    """Power spectrum of the forward differences, |d_x|^2 + |d_y|^2: (H, W // 2 + 1) float32."""
    rows = torch.fft.fftfreq(size[0], device=device)[:, None]
    columns = torch.fft.rfftfreq(size[1], device=device)[None]
    return 4 - 2 * torch.cos(2 * torch.pi * rows) - 2 * torch.cos(2 * torch.pi * columns)


def fast_size(length: int) -> int:
    """The smallest even length, no less than this one, whose only prime factors are 2, 3 and 5."""
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1 and length % 2 == 0:
            return length
        length += 1


class UnknownBorder:
    """The linear model of a photo: x on a larger canvas, blurred, cropped and weighted.

    Args:
        kernel: (N, 1, K, K).
        size: (H, W) of the photo.
        weight: (N, 1 or C, H, W) or None, trust in each pixel in [0, 1]; 0 leaves it out.
    """

    def __init__(self, kernel: torch.Tensor, size: tuple[int, int], weight: torch.Tensor | None = None):
        self.kernel = kernel
        self.reach = kernel.shape[-1] // 2
        self.size = size
        self.canvas = (fast_size(size[0] + 2 * self.reach), fast_size(size[1] + 2 * self.reach))
        self.otf = self.spectrum(kernel)
        self.conjugate = self.otf.conj().resolve_conj()
        self.square = None if weight is None else weight.square()

    def by_channel(
        self, solved: Callable[[UnknownBorder, slice], torch.Tensor], channels: int
    ) -> torch.Tensor:
        """The canvas image (N, C, H, W) of a solution for some channels: of all together, or one by one.

        Args:
            solved: from this model for the channels of a slice.
        """
        if self.canvas[0] * self.canvas[1] <= _TOGETHER:
            return solved(self, slice(None))
        whole = self.kernel.new_empty((len(self.kernel), channels, *self.canvas))
        for channel in range(channels):
            part = slice(channel, channel + 1)
            whole[:, part] = solved(self._only(part), part)
        return whole

    def _only(self, part: slice) -> UnknownBorder:
        """The model of some channels."""
        model = copy.copy(self)
        if self.square is not None and self.square.shape[1] > 1:
            model.square = self.square[:, part]
        return model

    def crop(self, x: torch.Tensor) -> torch.Tensor:
        """The photo's part (N, C, H, W) of a canvas image."""
        return x[..., self.reach : self.reach + self.size[0], self.reach : self.reach + self.size[1]]

    def embed(self, y: torch.Tensor) -> torch.Tensor:
        """The adjoint of ``crop``: a photo on a canvas of zeros."""
        below = self.canvas[0] - self.size[0] - self.reach
        right = self.canvas[1] - self.size[1] - self.reach
        return F.pad(y, (self.reach, right, self.reach, below))

    def extend(self, y: torch.Tensor) -> torch.Tensor:
        """A first guess of the canvas image: the photo, mirrored outwards."""
        margin = max(self.canvas[0] - self.size[0], self.canvas[1] - self.size[1]) - self.reach
        mirrored = pad_reflect(y, max(margin, self.reach))
        first = max(margin, self.reach) - self.reach
        return mirrored[..., first : first + self.canvas[0], first : first + self.canvas[1]]

    def blur(self, x: torch.Tensor) -> torch.Tensor:
        """crop(k * x): (N, C, H, W) from a canvas image."""
        return self.crop(self.image(self.transform(x) * self.otf))

    def paste(self, y: torch.Tensor, canvas: torch.Tensor) -> torch.Tensor:
        """A canvas image with another photo's part."""
        pasted = canvas.clone()
        self.crop(pasted).copy_(y)
        return pasted

    def spectrum(self, kernel: torch.Tensor) -> torch.Tensor:
        """That of a kernel (N, 1, K, K) on the canvas."""
        return otf(kernel, self.canvas)

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        """The half spectrum (N, C, H, W // 2 + 1) of a canvas image."""
        return torch.fft.rfft2(x)

    def image(self, spectrum: torch.Tensor) -> torch.Tensor:
        """The canvas image of a half spectrum."""
        return torch.fft.irfft2(spectrum, s=self.canvas)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """The spectrum of A^T W^2 y, for a photo y."""
        seen = self.embed(y if self.square is None else self.square * y)
        return self.transform(seen) * self.conjugate

    def normal(self, spectrum: torch.Tensor) -> torch.Tensor:
        """The spectrum of A^T W^2 A x, from that of x."""
        image = self.image(spectrum * self.otf)  # made into what is seen of it in place: here goes the time
        if self.square is not None:
            self.crop(image).mul_(self.square)
        below, right = self.reach + self.size[0], self.reach + self.size[1]
        image[..., : self.reach, :], image[..., below:, :] = 0, 0
        image[..., : self.reach], image[..., right:] = 0, 0
        return self.transform(image) * self.conjugate


def conjugate_gradients(
    y: torch.Tensor,
    model: UnknownBorder,
    *,
    strength: torch.Tensor | float = 1e-3,
    steps: int = 20,
    start: torch.Tensor | None = None,
) -> torch.Tensor:
    """Restore a photo with a known kernel.

    Args:
        y: (N, C, H, W) blurred.
        model: of these photos.
        strength: of the gradient prior, relative to a signal of range 1; a scalar or (N, 1, 1, 1).
        steps: of conjugate gradients, a fixed number.
        start: canvas image to start from; by default the photo mirrored outwards.

    Returns:
        (N, C, H + K, W + K) or a little larger: the canvas image; ``UnknownBorder.crop`` cuts the photo.
    """
    prior = strength * laplacian_spectrum(model.canvas, y.device)
    inverse = 1 / (power_of(model.otf) + prior + 1e-4)
    prior = prior.to(model.otf.dtype)
    guess = model.extend(y) if start is None else start

    def solved(model: UnknownBorder, part: slice) -> torch.Tensor:
        x, right = model.transform(guess[:, part]), model.adjoint(y[:, part])
        return model.image(
            solve(lambda u: torch.addcmul(model.normal(u), prior, u), right, x, inverse, steps)
        )

    return model.by_channel(solved, y.shape[1])


def pull_towards(
    y: torch.Tensor,
    model: UnknownBorder,
    guess: torch.Tensor,
    *,
    strength: torch.Tensor,
    steps: int,
) -> torch.Tensor:
    """The data step of plug-and-play restoration.

        argmin || w (crop(k * x) - y) ||^2 + || sqrt(strength) (x - guess) ||^2

    Args:
        y, model, steps: as in ``conjugate_gradients``.
        guess: canvas image, where to start, too.
        strength: (N, 1, 1, 1), or of every pixel of the canvas (N, 1, H, W).

    Returns:
        The canvas image.
    """
    everywhere = strength.shape[-2:] == (1, 1)
    inverse = 1 / (power_of(model.otf) + strength.mean((-2, -1), keepdim=True))

    def solved(model: UnknownBorder, part: slice) -> torch.Tensor:
        def held(u: torch.Tensor) -> torch.Tensor:
            """The spectrum of strength x, from that of x."""
            return strength * u if everywhere else model.transform(strength * model.image(u))

        start = model.transform(guess[:, part])
        right = model.adjoint(y[:, part]) + held(start)
        return model.image(solve(lambda u: model.normal(u) + held(u), right, start, inverse, steps))

    return model.by_channel(solved, y.shape[1])


def wiener(y: torch.Tensor, kernel: torch.Tensor, strength: torch.Tensor | float) -> torch.Tensor:
    """Wiener's filter with a gradient prior, in one step on the photo mirrored outwards.

    What the mirror shows is not what was there: most of the error comes from the border. For comparison.

    Args:
        y: (N, C, H, W) blurred.
        kernel: (N, 1, K, K).
        strength: of the gradient prior, a scalar or (N, 1, 1, 1).

    Returns:
        (N, C, H, W).
    """
    model = UnknownBorder(kernel, (y.shape[-2], y.shape[-1]))
    power = power_of(model.otf) + strength * laplacian_spectrum(model.canvas, y.device)
    spectrum = model.transform(model.extend(y)) * model.conjugate
    return model.crop(model.image(spectrum / power.clamp(min=1e-12)))


def half_dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The product of two real images, channel by channel, from their half spectra: (N, C, 1, 1).

    The inner columns stand for two.
    """
    product = torch.view_as_real(a) * torch.view_as_real(b)
    edges = product[..., 0, :].sum((-2, -1)) + product[..., -1, :].sum((-2, -1))
    return (2 * product.sum((-3, -2, -1)) - edges)[..., None, None]


def solve(
    apply: Callable[[torch.Tensor], torch.Tensor],
    right: torch.Tensor,
    x: torch.Tensor,
    inverse: torch.Tensor,
    steps: int,
    dot: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = half_dot,
) -> torch.Tensor:
    """Preconditioned conjugate gradients for apply(x) = right, a fixed number of steps.

    All in half spectra (N, C, H, W // 2 + 1), W even: there the preconditioner is a product, and a step of
    the unknown-border model takes two Fourier transforms instead of six.

    Args:
        inverse: (N, 1, H, W // 2 + 1), real: the preconditioner.
        dot: the product (N, C, 1, 1) of two such images; with that of whole spectra, all are whole.
    """
    inverse = inverse.to(right.dtype)  # once and for all: a product of both kinds would do so every time
    along = torch.addcmul if torch.is_grad_enabled() else torch.Tensor.addcmul_
    x = x.clone()
    residual = right - apply(x)
    z = inverse * residual
    direction = z
    power = dot(residual, z)
    for _ in range(steps):
        image = apply(direction)
        rate = power / dot(direction, image).clamp(min=1e-20)
        x = along(x, rate, direction)
        residual = along(residual, rate, image, value=-1)
        z = inverse * residual
        before, power = power, dot(residual, z)
        direction = torch.addcmul(z, power / before.clamp(min=1e-20), direction)
    return x
