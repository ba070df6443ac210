"""Damaged files, one after another: `python -m tests.files.fuzz FIRST COUNT` from the top of the checkout.

Every number stands for one damaged file, always the same. For each it must be that the file is read, or
refused in one line; that what was read can be written and read again; and that neither takes long or much
memory. The number is printed before its file is opened, so that a crash tells which one it was.
"""

from __future__ import annotations

import faulthandler
import io
import random
import resource
import struct
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np

from kdcli.errors import KdError
from kdcli.files.encode import LONGEST_SIDE, SUFFIXES
from kdcli.files.photo import encode_photo, parse_photo
from kdcli.files.psf import read_psf
from tests.files.seeds import seeds

MAX_PIXELS = 1_000_000
SECONDS = 60
"""After which a file counts as one that hangs."""
MEMORY = 400 << 20
"""What all the files together may take: a hundred times what the largest that is let through holds."""
ADDRESSES = 2 << 30

_EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def damaged(number: int, files: dict[str, bytes]) -> tuple[str, bytes]:
    """The name of a seed, and its bytes with one to six pieces of damage."""
    chance = random.Random(number)
    name = chance.choice(sorted(files))
    data = bytearray(files[name])
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        if data:
            _damage(data, chance, files)
    if name.startswith("png") and chance.random() < 0.7:
        data = _with_right_sums(data)  # else hardly any damage would come past the first look
    return name, bytes(data)


def _damage(data: bytearray, chance: random.Random, files: dict[str, bytes]) -> None:
    # The first bytes hold the sizes, the counts and the places, so that they are hit more often.
    at = chance.randrange(min(len(data), 512) if chance.random() < 0.6 else len(data))
    span = chance.choice((1, 2, 4, 8, 32, 256))
    match chance.randrange(9):
        case 0:
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            data[at] = chance.randrange(256)
        case 2:
            data[at : at + span] = chance.randbytes(span)
        case 3:
            del data[at:]
        case 4:
            del data[at : at + span]
        case 5:
            data[at:at] = data[at : at + span]
        case 6 | 7:
            layout = chance.choice(("<I", ">I", "<H", ">H", "<Q", ">Q"))
            value = chance.choice(_EXTREMES) & (256 ** struct.calcsize(layout) - 1)
            data[at : at + struct.calcsize(layout)] = struct.pack(layout, value)
        case 8:
            other = files[chance.choice(sorted(files))]
            start = chance.randrange(len(other))
            data[at : at + span] = other[start : start + span]


def _with_right_sums(data: bytearray) -> bytearray:
    """A PNG whose chunks have the checksums of what they hold now."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            break
        struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return data


def exercise(name: str, data: bytes, folder: Path) -> str:
    """Read, write, read again; "read" or "refused".

    Raises:
        AssertionError: a message that is not one short line, or a photo that changed on its way.
        Exception: whatever got out.
    """
    try:
        if name.startswith("npy"):
            (folder / "k.npy").write_bytes(data)
            kernel = read_psf(folder / "k.npy")
            assert abs(float(kernel.sum()) - 1) < 1e-4
            return "read"
        photo = parse_photo(data, "photo", MAX_PIXELS)
    except KdError as error:
        message = str(error)
        assert message.isprintable(), "more than one line"
        assert len(message) < 400, "a long story"
        return "refused"
    assert np.isfinite(photo.pixels).all()
    own = photo.format if photo.format in SUFFIXES.values() else "PNG"
    if max(photo.pixels.shape) > LONGEST_SIDE.get(own, MAX_PIXELS):
        own = "PNG"
    for format in dict.fromkeys((own, "TIFF", "PNG")):
        written, _ = encode_photo(photo.pixels, format, like=photo, name="out")
        again = parse_photo(written, "out", MAX_PIXELS)
        assert again.pixels.shape[:2] == photo.pixels.shape[:2], "another size, or turned twice"
        if format in ("TIFF", "PNG"):
            step = 0.51 / (2**photo.bits - 1)
            assert np.abs(again.pixels - photo.pixels).max() <= step, "other pixels"
            assert (again.alpha is None) == (photo.alpha is None), "alpha lost"
    return "read"


def kernel_file() -> bytes:
    """A kernel as `.npy`."""
    file = io.BytesIO()
    np.save(file, np.eye(9, dtype=np.float32))
    return file.getvalue()


def _peak() -> int:
    """The most bytes of memory that this process has had so far."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return 1024 * int(line.split()[1])


def main(first: int, count: int) -> None:
    """Try so many files; whatever is wrong ends the process with a number other than 0."""
    files = {**seeds(), "npy": kernel_file()}
    said = {"read": 0, "refused": 0}
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            assert exercise(name, data, Path(folder)) == "read", name
        before = _peak()
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESSES, used + ADDRESSES))
        for number in range(first, first + count):
            print(number, flush=True)
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            said[exercise(*damaged(number, files), Path(folder))] += 1
            faulthandler.cancel_dump_traceback_later()
            grown = _peak() - before
            assert grown < MEMORY, f"{grown >> 20} MiB more than before"
    print(f"{said['read']} read, {said['refused']} refused, {grown >> 20} MiB")


if __name__ == "__main__":
    faulthandler.enable()
    main(int(sys.argv[1]), int(sys.argv[2]))
