"""A process keeps the memory that it has used."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

ARRAYS = """
import resource
import sys
import numpy as np
from kdcli.memory import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
np.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    np.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


PEAKS = """
import numpy as np
import torch
from kdcli.bench.memory import PeakMemory
from kdcli.memory import keep_freed_memory

keep_freed_memory()
memory = PeakMemory(torch.device("cpu"))
np.ones(2**25)
large = memory.mebibytes()
print(large - PeakMemory(torch.device("cpu")).mebibytes())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator alone keeps memory")
def test_what_is_kept_is_not_counted_again() -> None:
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 200


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator alone needs to be told")
def test_new_arrays_get_the_memory_of_old_ones() -> None:
    def faults(how: str) -> int:
        """Pages that three arrays of 128 MiB have had to ask for."""
        words = [sys.executable, "-c", ARRAYS, how]
        return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)

    assert faults("keep") < 0.1 * faults("as it is")
