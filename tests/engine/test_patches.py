"""Which parts of a photo are looked at, and whether there are any."""

from __future__ import annotations

import torch

from kdcli.engine.patches import informative_patches, is_flat


def subject_on(ground: float, size: tuple[int, int], side: int) -> torch.Tensor:
    """A photo (1, 3, H, W) of something textured in a corner, before an even ground."""
    photo = torch.full((1, 3, *size), ground)
    photo[..., 20 : 20 + side, 20 : 20 + side] = torch.rand(
        (3, side, side), generator=torch.Generator().manual_seed(0)
    )
    return photo


def test_patches_without_edges_do_not_outvote_those_with_some() -> None:
    assert len(informative_patches(subject_on(0.9, (600, 800), 130), 4)) == 1
    noise = 0.002 * torch.randn((1, 3, 600, 800), generator=torch.Generator().manual_seed(1))
    assert len(informative_patches(subject_on(0.9, (600, 800), 130) + noise, 4)) == 1
    everywhere = torch.rand((1, 3, 600, 800), generator=torch.Generator().manual_seed(2))
    assert len(informative_patches(everywhere, 4)) == 4


def test_a_small_subject_before_a_large_ground_has_edges() -> None:
    moon = 0.15 * subject_on(0.0, (1500, 2000), 60)
    assert is_flat(moon)  # in the mean, that is
    assert not is_flat(informative_patches(moon, 1))
    assert is_flat(informative_patches(torch.full((1, 3, 300, 300), 0.5), 1))
