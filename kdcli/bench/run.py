"""Measures a method on a data set: what ``kd bench`` does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch

from kdcli.bench import measures
from kdcli.bench.dataset import Dataset, Pair
from kdcli.engine.deblur import deblur_image, to_tensor
from kdcli.engine.guidance import Guide
from kdcli.engine.options import Options
from kdcli.engine.patches import informative_patches
from kdcli.weights import Models

Method = Literal["kd", "oracle", "identity"]
METHODS: tuple[Method, ...] = ("kd", "oracle", "identity")


def run_bench(
    dataset: Dataset,
    models: Models | None,
    options: Options,
    *,
    method: Method = "kd",
    limit: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Measure one method.

    Args:
        dataset: the pairs.
        models: the networks; only ``identity`` (the blurred input itself) does without.
        options: how kernels are estimated; ``oracle`` takes the true ones.
        limit: measure only so many pairs, the first ones.

    Returns:
        dataset, method, count, preset, mean (of every measure) and images (the measures of each),
        ready for JSON. ``identity`` is judged with the kernel of no blur and has no losses.
    """
    count = len(dataset) if limit is None else min(limit, len(dataset))
    images = []
    for index in range(count):
        images.append(_measure(dataset[index], models, options, method))
        if progress:
            progress("bench", (index + 1) / count)
    names = [name for name in images[0] if name != "name"]
    mean = {name: float(np.mean([image[name] for image in images])) for name in names}
    return {
        "dataset": str(dataset.path),
        "method": method,
        "preset": options.preset,
        "count": count,
        "mean": mean,
        "better_than_input": sum(image["psnr"] > image["psnr_input"] for image in images),
        "images": images,
    }


def _measure(pair: Pair, models: Models | None, options: Options, method: Method) -> dict[str, Any]:
    began = time.perf_counter()
    kernel: np.ndarray | None = None
    restored = pair.blurred
    if method != "identity":
        assert models is not None
        given = pair.kernel if method == "oracle" else None
        result = deblur_image(pair.blurred, models, options, kernel=given)
        restored, kernel = result.restored, result.kernel
    seconds = time.perf_counter() - began
    scores: dict[str, Any] = {
        "name": pair.name,
        "psnr": measures.psnr(restored, pair.sharp),
        "ssim": measures.ssim(restored, pair.sharp),
        "psnr_aligned": measures.psnr_aligned(restored, pair.sharp),
        "ssim_aligned": measures.ssim_aligned(restored, pair.sharp),
        "psnr_input": measures.psnr(pair.blurred, pair.sharp),
        "seconds": seconds,
    }
    if kernel is not None and models is not None:
        scores["mnc"] = measures.mnc(kernel, pair.kernel)
        patches = informative_patches(to_tensor(pair.blurred, models.device), 1)
        both = torch.from_numpy(np.stack([kernel, pair.kernel])[:, None]).to(models.device)
        with torch.no_grad():
            loss, loss_true = Guide(models.solver, patches, samples=2).loss(both).tolist()
        scores |= {"reblur_loss": loss, "reblur_loss_true": loss_true}
    else:
        impulse = np.zeros_like(pair.kernel)
        impulse[32, 32] = 1
        scores["mnc"] = measures.mnc(impulse, pair.kernel)
    return scores
