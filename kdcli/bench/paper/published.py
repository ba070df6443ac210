"""What the paper states, by the keys of our measures. BSD100, 100 crops and motion kernels of its own."""

from __future__ import annotations

from collections.abc import Mapping

KERNEL_DIFF: Mapping[str, float] = {"psnr": 18.95, "ssim": 0.492, "lpips": 0.335, "fid": 172.3, "mnc": 0.698}
UNGUIDED: Mapping[str, float] = {"psnr": 17.83}
DWDN: Mapping[str, float] = {"psnr": 22.95, "ssim": 0.810, "lpips": 0.169, "fid": 79.1}

TABLES: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "table1": {"Kernel-Diff": KERNEL_DIFF, "DWDN, true kernel": DWDN},
    "table2": {"Kernel-Diff": KERNEL_DIFF, "without guidance": UNGUIDED},
    "table4": {},  # not found: see docs/paper.md
}
"""Rows by table."""
