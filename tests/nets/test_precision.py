"""bfloat16 only where it is fast."""

from __future__ import annotations

import pytest
import torch

from kdcli.nets import precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("able", "expected"),
    [({"avx512_bf16": True}, torch.bfloat16), ({"avx2": True, "avx512_bf16": False}, torch.float32)],
)
def test_the_processor_decides(
    monkeypatch: pytest.MonkeyPatch, able: dict[str, bool], expected: torch.dtype
) -> None:
    precision._processor_does.cache_clear()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    with precision.mixed_precision(CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == expected
    precision._processor_does.cache_clear()


def test_an_older_pytorch_is_asked_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    precision._processor_does.cache_clear()
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert precision.multiplies_bfloat16(CPU)
    precision._processor_does.cache_clear()


def test_gpus_do_from_ampere_on(monkeypatch: pytest.MonkeyPatch) -> None:
    capability = {0: (7, 5), 1: (8, 0), 2: (9, 0)}
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability[device.index])
    found = [precision.multiplies_bfloat16(torch.device("cuda", index)) for index in capability]
    assert found == [False, True, True]
