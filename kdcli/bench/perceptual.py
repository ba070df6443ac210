"""LPIPS and FID, which need other people's networks: measured only where they are asked for.

Both come from torchmetrics (``pip install 'kdcli[bench]'``), whose networks read their weights from PyTorch's
cache. They are pickles, which can run code, so that kd fetches them itself and lets nobody read a file that
has not the SHA-256 known here. They see pictures of 8 bit, as files hold them.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kdcli.bench.pairs import to_8_bit
from kdcli.errors import KdError, UsageError
from kdcli.weights.header import digest

NAMES = ("lpips", "fid")

# Where each network's weights come from, and their SHA-256, whose first digits are in the name as well.
_WEIGHTS = {
    "lpips": (
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    ),
    "fid": (
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
        "weights-inception-2015-12-05-6726825d.pth",
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    ),
}

Picture = NDArray[np.floating[Any]]


class Perceptual:
    """Measures restored photos with learned networks.

    - LPIPS (Zhang et al. 2018), a picture's distance from the sharp one in the features of AlexNet.
    - FID (Heusel et al. 2017), the distance of all restored pictures from all sharp ones as Gaussians of
      Inception's 2048 last features, pictures resized as TensorFlow did. It falls with the number of
      pictures: compare only those of equally many.

    Args:
        names: of ``NAMES``; they may be none.
        device: where the networks compute.

    Raises:
        UsageError: an unknown name, or the libraries are not installed.
        KdError: the libraries do not work, or their weights cannot be had.
    """

    def __init__(self, names: Sequence[str], device: torch.device):
        for name in names:
            if name not in NAMES:
                raise UsageError(f"--measure {name}: choose one of {', '.join(NAMES)}")
        self._device = device
        self._nets = {name: _load(name).to(device) for name in dict.fromkeys(names)}

    def __bool__(self) -> bool:
        return bool(self._nets)

    def __call__(
        self, pairs: Iterable[tuple[Picture, Picture]]
    ) -> tuple[list[dict[str, float]], dict[str, float]]:
        """Measure restored and sharp pictures, (H, W, 3) in [0, 1] each.

        Returns:
            The measures of every picture, and those of all together; a set of one has none.
        """
        each: list[dict[str, float]] = []
        lpips, fid = self._nets.get("lpips"), self._nets.get("fid")
        for pair in pairs:
            restored, sharp = (self._tensor(picture) for picture in pair)
            scores = {}
            if lpips is not None:
                scores["lpips"] = float(lpips(restored / 255, sharp / 255))
                lpips.reset()
            if fid is not None:
                fid.update(sharp, real=True)
                fid.update(restored, real=False)
            each.append(scores)
        if fid is None or len(each) < 2:
            return each, {}
        distance = float(fid.compute())
        fid.reset()
        return each, {"fid": distance}

    def _tensor(self, picture: Picture) -> torch.Tensor:
        return torch.from_numpy(to_8_bit(picture)).permute(2, 0, 1)[None].to(self._device)


def _load(name: str) -> Any:
    """A measure of torchmetrics with its network."""
    try:
        import torchvision  # noqa: F401  # torchmetrics needs it and would not say why it fails
        from torchmetrics.image.fid import FrechetInceptionDistance
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
    except ImportError as error:
        raise UsageError(
            f"--measure {name} needs more libraries: pip install 'kdcli[bench]' ({_say(error)})"
        ) from error
    except Exception as error:
        raise KdError(
            f"--measure {name} needs the torchvision made for torch {torch.__version__}, and the one here "
            f"does not work ({_say(error)}): install that"
        ) from error
    _fetch(name)
    if name == "lpips":
        return LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)
    return FrechetInceptionDistance(feature=2048, antialias=False)


def _fetch(name: str) -> None:
    """Put a measure's weights where its network looks for them, and check them."""
    url, known = _WEIGHTS[name]
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            # Beside it first, then renamed if it is the right one.
            torch.hub.download_url_to_file(url, str(file), hash_prefix=known, progress=sys.stderr.isatty())
        right = digest(file) == known
    except RuntimeError as error:
        raise KdError(
            f"--measure {name}: what came from {url} has not the SHA-256 that is known of it, and was thrown "
            "away unread: try again"
        ) from error
    except (OSError, HTTPException) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise KdError(
                f"--measure {name}: the disk is full: make room in {file.parent}, or set TORCH_HOME"
            ) from error
        raise KdError(
            f"--measure {name}: its weights cannot be had ({_say(error)}): put {url} into {file.parent}"
        ) from error
    if not right:
        raise KdError(
            f"--measure {name}: {file} has not the SHA-256 that is known of it, and was not read: remove "
            "it to fetch it again"
        )


def _say(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
