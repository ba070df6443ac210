"""Weights from a stand-in for the Hub: fetched once, checked always, and each fault in one clear line."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from kdcli.weights.edit import add_set
from kdcli.weights.register import WeightsFile, WeightsSet
from tests.hub import KD, TOKEN, Hub, weights_files

CONTENT = bytes(range(256)) * 100
LINES = "kd: fetch kernel 0%\nkd: fetch kernel 100%\n"


@pytest.fixture
def commit(hub: Hub) -> str:
    """A repository me/kd with a kernel network, registered as `mine`."""
    oid = hub.commit("me/kd", weights_files(kernel=CONTENT))
    register(hub, oid)
    return oid


def register(hub: Hub, revision: str, content: bytes = CONTENT, file: str = "kernel.safetensors") -> None:
    entry = WeightsFile("kernel-2", file, len(content), hashlib.sha256(content).hexdigest())
    mine = WeightsSet("mine", {"kernel": entry}, repo_id="me/kd", revision=revision)
    add_set(hub.home / ".config/kd/weights.toml", mine, overwrite=True)


def fetched(done: subprocess.CompletedProcess[str]) -> bytes:
    """The content of the one file that was fetched."""
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.removesuffix("\n")).read_bytes()


def refused(done: subprocess.CompletedProcess[str], reason: str) -> None:
    """Nothing was fetched, and one line on stderr says why."""
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("kd: error: ")
    assert reason in last
    assert all(line.startswith("kd: fetch kernel ") for line in done.stderr.splitlines()[:-1])


def cached(hub: Hub) -> list[str]:
    """Names of the files that the cache takes for whole ones."""
    return [p.name for p in (hub.home / "hf").rglob("*") if p.is_file() and "snapshots" in p.parts]


def test_the_hub_is_asked_once(hub: Hub, commit: str) -> None:
    done = hub.kd("weights", "fetch", "mine")
    assert fetched(done) == CONTENT
    assert done.stderr == f"{LINES}kd: mine has the SHA-256 sums of the register\n"
    assert f"HEAD /me/kd/resolve/{commit}/kernel.safetensors" in hub.asked
    hub.asked.clear()
    for offline in ("0", "1"):
        assert fetched(hub.kd("weights", "fetch", "mine", "--quiet", HF_HUB_OFFLINE=offline)) == CONTENT
    assert hub.asked == []


def test_quiet_says_only_where_it_is(hub: Hub, commit: str) -> None:
    done = hub.kd("weights", "fetch", "mine", "--quiet")
    assert fetched(done) == CONTENT
    assert done.stderr == ""


FAULTS = [
    ("down", "it answers 503: try again later"),
    ("breaks off", "the connection broke off: try again"),
    ("is cut short", "the connection broke off: try again"),
    ("lies", "has not the size and SHA-256 that are known of it"),
]


@pytest.mark.parametrize(("manner", "reason"), FAULTS)
def test_a_fault_of_the_hub(hub: Hub, commit: str, manner: str, reason: str) -> None:
    hub.manner = manner  # type: ignore[assignment]
    refused(hub.kd("weights", "fetch", "mine"), reason)
    assert cached(hub) == []
    hub.manner = "well"
    assert fetched(hub.kd("weights", "fetch", "mine")) == CONTENT


def test_a_broken_connection_is_taken_up(hub: Hub) -> None:
    """The client writes pieces of 10 MB, so that the file has to be a larger one."""
    content = b"0123456789abcdef" * 1_500_000
    register(hub, hub.commit("me/kd", weights_files(kernel=content)), content)
    hub.manner = "stumbles"
    for _ in range(2):  # some versions of the client go on at once, others when they are asked again
        done = hub.kd("weights", "fetch", "mine")
        if done.returncode == 0:
            break
    assert fetched(done) == content
    assert any("bytes=" in line for line in hub.asked)


def test_a_killed_download_leaves_no_half_file(hub: Hub, commit: str) -> None:
    hub.manner = "hangs"
    process = hub.start(KD, "weights", "fetch", "mine")
    try:
        assert hub.halfway.wait(60)
        refused(hub.kd("weights", "path", "mine"), "is not on this machine")
    finally:
        process.kill()
        process.communicate()
        hub.go_on.set()
    assert cached(hub) == []
    hub.manner = "well"
    assert fetched(hub.kd("weights", "fetch", "mine")) == CONTENT


def test_two_at_once(hub: Hub, commit: str) -> None:
    both = [hub.start(KD, "weights", "fetch", "mine", "-q") for _ in range(2)]
    said = [process.communicate(timeout=600) for process in both]
    assert said[0] == said[1]
    assert Path(said[0][0].removesuffix("\n")).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("28, 'No space left on device'", "the disk is full: make room in "),
        ("13, 'Denied'", "may not be written"),
    ],
)
def test_a_disk_that_takes_no_more(hub: Hub, commit: str, code: str, reason: str) -> None:
    """Full disks are hard to come by, so the system's answer is played."""
    played = f"""
import huggingface_hub.file_download as client
def write(url, file, **_):
    file.write(b"some")
    raise OSError({code})
client.http_get = write
"""
    refused(hub.kd("weights", "fetch", "mine", code=played), reason)
    assert cached(hub) == []


def test_a_hub_that_is_not_there(hub: Hub, commit: str) -> None:
    done = hub.kd("weights", "fetch", "mine", HF_ENDPOINT="http://127.0.0.1:9")
    refused(done, "http://127.0.0.1:9 cannot be reached: check the connection, the proxy and HF_ENDPOINT")


def test_offline_without_a_copy(hub: Hub, commit: str) -> None:
    refused(hub.kd("weights", "fetch", "mine", HF_HUB_OFFLINE="1"), "HF_HUB_OFFLINE is set")
    assert hub.asked == []


def test_through_a_proxy(hub: Hub, commit: str) -> None:
    """The stand-in plays the proxy for a Hub that only it can reach."""
    elsewhere = {"HF_ENDPOINT": "http://hub.invalid", "NO_PROXY": "", "HTTP_PROXY": hub.url}
    assert fetched(hub.kd("weights", "fetch", "mine", **elsewhere)) == CONTENT


def test_things_that_are_not_there(hub: Hub, commit: str) -> None:
    register(hub, commit, file="other.safetensors")
    refused(hub.kd("weights", "fetch", "mine"), f"revision {commit} has no other.safetensors")
    register(hub, "b" * 40)
    refused(hub.kd("weights", "fetch", "mine"), f"it has no revision {'b' * 40}")
    hub.repos.clear()
    refused(hub.kd("weights", "fetch", "mine"), "there is no such repository, or it is private")


def test_repositories_that_not_everybody_may_read(hub: Hub, commit: str) -> None:
    hub.repos["me/kd"].private = True
    refused(hub.kd("weights", "fetch", "mine"), "log in (hf auth login, or HF_TOKEN)")
    refused(hub.kd("weights", "fetch", "mine", HF_TOKEN="hf_wrong"), "it refuses (401)")
    assert fetched(hub.kd("weights", "fetch", "mine", HF_TOKEN=TOKEN)) == CONTENT
    hub.repos["me/kd"].gated = True
    (hub.home / "hf").rename(hub.home / "before")
    refused(hub.kd("weights", "fetch", "mine", HF_TOKEN=TOKEN), "its owner wants to be asked first")


def test_a_repository_that_has_moved(hub: Hub, commit: str) -> None:
    hub.repos["me/new"] = hub.repos.pop("me/kd")
    hub.moved["me/kd"] = "me/new"
    assert fetched(hub.kd("weights", "fetch", "mine")) == CONTENT


def test_any_repository_by_its_address(hub: Hub, commit: str) -> None:
    later = hub.commit("me/kd", weights_files(kernel=CONTENT[::-1]))
    done = hub.kd("weights", "fetch", "hf://me/kd")
    assert fetched(done) == CONTENT[::-1]
    told = f"kd: hf://me/kd@{later} has the SHA-256 sums of its own config.json: kd weights add pins them\n"
    assert done.stderr == LINES + told
    assert fetched(hub.kd("weights", "fetch", f"hf://me/kd@{commit}")) == CONTENT
    assert fetched(hub.kd("weights", "fetch", "hf://me/kd", HF_HUB_OFFLINE="1")) == CONTENT[::-1]
    refused(hub.kd("weights", "fetch", "hf://me/kd@v9"), "it has no revision v9")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"file": "../../../../x.safetensors"}, "plain name"),
        ({"file": "kernel.pt"}, "plain name"),
        ({"sha256": None}, "sha256"),
        ({"sha256": "0" * 64}, "has not the size and SHA-256"),
        ({"bytes": 1}, "has not the size and SHA-256"),
    ],
)
def test_repositories_that_are_not_trusted(hub: Hub, change: dict[str, object], reason: str) -> None:
    files = weights_files(kernel=CONTENT)
    config = json.loads(files["config.json"])
    config["kernel"] |= change
    hub.commit("me/kd", {**files, "kernel.pt": b"x", "config.json": json.dumps(config).encode()})
    refused(hub.kd("weights", "fetch", "hf://me/kd"), reason)
    assert not list(hub.home.rglob("x.safetensors"))


def test_a_repository_of_something_else(hub: Hub) -> None:
    hub.commit("me/kd", {"pytorch_model.bin": b"x"})
    refused(hub.kd("weights", "fetch", "hf://me/kd"), "revision main has no config.json")
    hub.commit("me/kd", {"config.json": b'{"model_type": "bert"}'})
    refused(hub.kd("weights", "fetch", "hf://me/kd"), "has no config.json of weights for kd")


def test_a_config_cannot_send_elsewhere(hub: Hub) -> None:
    """Where the files are is the user's word, not the repository's."""
    config = json.loads(weights_files(kernel=CONTENT)["config.json"])
    config |= {"repo_id": "you/bad", "revision": "c" * 40, "folder": "/etc"}
    hub.commit("me/kd", {**weights_files(kernel=CONTENT), "config.json": json.dumps(config).encode()})
    assert fetched(hub.kd("weights", "fetch", "hf://me/kd")) == CONTENT
    assert not any("you/bad" in line for line in hub.asked)
