"""The page: whole, safe, small enough, and alive in a browser."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdcli.bench.pictures import Pictures, embed, embed_kernel
from kdcli.bench.report import write_report
from kdcli.errors import UsageError

EVIL = "</title><script>alert(1)</script>\"'<img src=x onerror=alert(1)>$scenes.png"
VOID = {"meta", "img", "input", "br", "circle", "line", "rect", "path"}
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")


class Page(HTMLParser):
    """Every element with its attributes; fails on tags that do not match."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def named(self, tag: str, kind: str | None = None) -> list[dict[str, str]]:
        """The attributes of every element of a tag, and of a class."""
        return [found for name, found in self.elements if name == tag and kind in (None, found.get("class"))]


def score(name: str, psnr: float | None, **more: Any) -> dict[str, Any]:
    """The measures of one image."""
    return {"name": name, "psnr": psnr, "ssim": 0.5, "mnc": None, "psnr_input": 20.0, "seconds": 1.0, **more}


def result(names: list[str]) -> dict[str, Any]:
    """Three methods on images of those names, the later the worse for kd."""
    curves = [[9.0, 3.0, 1.0], [8.0, 2.0]]
    identity = [score(name, 20.0) for name in names]
    kd = [score(name, 30.0 - i, mnc=0.5 + i / 1000, residuals=curves) for i, name in enumerate(names)]
    return {
        "dataset": "/sets/demo",
        "preset": "fast",
        "count": len(names),
        "methods": [
            {"method": "identity", "images": identity, "failed": []},
            {"method": "kd", "images": kd, "failed": []},
            {"method": "cmd:x {input}", "images": [], "failed": [{"name": names[0], "error": "<b>no</b>"}]},
        ],
    }


def noise(seed: int, side: int = 32) -> Pictures:
    """Pictures that no encoder can make small."""
    rng = np.random.default_rng(seed)
    blurred, sharp, restored = rng.uniform(size=(3, side, side, 3)).astype(np.float32)
    kernel, estimate = rng.uniform(size=(2, 64, 64)).astype(np.float32)
    return Pictures(
        blurred, sharp, {"identity": blurred, "kd": restored}, kernel, {"kd": estimate, "identity": None}
    )


def written(path: Path, names: list[str], pictures: dict[str, Pictures] | None = None) -> Page:
    """The page of `result` with noise for pictures."""
    found = {name: noise(i) for i, name in enumerate(names)} if pictures is None else pictures
    write_report(path, result(names), found)
    return Page(path)


def test_images_come_worst_first_and_failed_ones_before(tmp_path: Path) -> None:
    page = written(tmp_path / "r.html", ["a.png", "b.png", "c.png"])
    names = [text for text in page.texts if re.fullmatch(r"\w\.png", text)]
    assert names == ["a.png", "c.png", "b.png"]
    assert "failed: <b>no</b>" in page.texts
    assert [scene["id"] for scene in page.named("article", "scene")] == ["i1", "i2", "i3"]


def test_every_picture_is_there_once(tmp_path: Path) -> None:
    page = written(tmp_path / "r.html", ["a.png"])
    images = page.named("img")
    assert [image["alt"] for image in images] == ["blurred = identity", "kd", "sharp", "true", "kd"]
    assert images[0]["src"].startswith("data:image/webp;base64,")
    kernel = base64.b64decode(images[3]["src"].partition(",")[2])
    assert Image.open(io.BytesIO(kernel)).size == (64, 64)


def test_numbers_charts_and_curves(tmp_path: Path) -> None:
    page = written(tmp_path / "r.html", ["a.png", "b.png"])
    cells = [cell for cell in page.named("td") if cell.get("data-measure") == "psnr"]
    assert [cell.get("data-value") for cell in cells] == ["20.0", "30.0", "20.0", "29.0", None]
    # PSNR and seconds and SSIM of two methods and two images, MNC of kd alone.
    assert len(page.named("circle")) == 3 * 4 + 2
    assert {link["href"] for link in page.named("a")} == {"#i1", "#i2"}
    assert len(page.named("path", "curve")) == 4
    assert len(page.named("path", "middle")) == 1
    assert "a.png: 30.00" in page.texts


def test_nothing_comes_from_elsewhere(tmp_path: Path) -> None:
    page = written(tmp_path / "r.html", ["a.png"])
    for _, attributes in page.elements:
        for key in ("src", "href", "srcset", "action", "data", "poster"):
            assert attributes.get(key, "#").startswith(("#", "data:image/"))
    text = (tmp_path / "r.html").read_text()
    assert not re.search(r"https?:|url\(|@import|\bfetch\(|XMLHttpRequest|<link|<iframe", text)
    policy = next(meta for meta in page.named("meta") if "http-equiv" in meta)
    assert "default-src 'none'" in policy["content"]


def test_names_are_text_whatever_they_are(tmp_path: Path) -> None:
    made = result([EVIL, "undecodable \udcff"])
    made |= {"dataset": EVIL, "preset": EVIL}
    made["methods"][1]["method"] = EVIL
    made["methods"][1]["images"][0][EVIL] = 1.0  # even a measure's name
    made["methods"][2]["failed"][0]["error"] = EVIL
    pictures = noise(0)
    write_report(
        tmp_path / "r.html", made, {EVIL: Pictures(pictures.blurred, pictures.sharp, {EVIL: pictures.sharp})}
    )
    page = Page(tmp_path / "r.html")
    assert len(page.named("script")) == 1
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    assert all(image["src"].startswith("data:") for image in page.named("img"))
    assert EVIL in page.texts


def test_an_older_file_stays_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    path.write_text("mine")
    with pytest.raises(UsageError, match="--overwrite"):
        write_report(path, result(["a"]), {})
    assert path.read_text() == "mine"
    write_report(path, result(["a"]), {}, overwrite=True)
    assert Page(path).named("article", "scene")


def test_measures_and_pictures_may_be_missing(tmp_path: Path) -> None:
    bare = {"methods": [{"method": "kd", "images": [{"name": "a", "psnr": None}, {"name": "b"}]}]}
    grey = np.zeros((8, 12), np.float32)
    write_report(tmp_path / "r.html", bare, {"b": Pictures(grey, grey + np.nan)})
    page = Page(tmp_path / "r.html")
    assert len(page.named("article")) == 2
    assert len(page.named("img")) == 2


def test_a_hundred_images_of_noise_stay_under_30_mb(tmp_path: Path) -> None:
    names = [f"{index:03}.png" for index in range(100)]
    shared = [noise(seed, 256) for seed in range(4)]  # the encoder does not know that they come again
    page = written(tmp_path / "r.html", names, {name: shared[i % 4] for i, name in enumerate(names)})
    assert 15e6 < (tmp_path / "r.html").stat().st_size < 30e6
    assert len(page.named("img")) == 500


def test_more_images_than_have_room_are_numbers_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdcli.bench.report.SIZE", 150_000)
    page = written(tmp_path / "r.html", [f"{index}.png" for index in range(8)])
    assert len(page.named("article")) == 8
    assert 5 <= len(page.named("img")) <= 15
    assert (tmp_path / "r.html").stat().st_size < 150_000


def test_pictures_of_a_scene_are_alike_and_fit() -> None:
    smooth = np.tile(np.linspace(0, 1, 1500, dtype=np.float32), (900, 1))
    rough = np.random.default_rng(0).uniform(size=(900, 1500, 3)).astype(np.float32)
    uris = embed([smooth, rough], 60_000)
    assert sum(map(len, uris)) <= 60_000
    sizes = {Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).size for uri in uris}
    assert len(sizes) == 1
    assert len(embed([rough, rough], 10)) == 2  # too little for anything: the least there is
    assert embed([], 10) == []


def test_a_large_photo_is_scaled_down_and_a_small_one_kept() -> None:
    for shape, size in (((900, 1500), (1024, 614)), ((50, 70, 3), (70, 50))):
        (uri,) = embed([np.zeros(shape, np.float32)], 10**6)
        assert Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).size == size


def test_kernels_are_scaled_to_their_peak() -> None:
    kernel = np.zeros((64, 64), np.float32)
    kernel[3, 4], kernel[3, 5] = 0.8, 0.2
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(embed_kernel(kernel).partition(",")[2]))))
    assert pixels[3, 4] == 255
    assert pixels[3, 5] == 128  # the square root of a quarter
    assert embed_kernel(np.zeros((64, 64), np.float32))


PROBE = """<script>
var first = document.querySelector(".scene"), said = [];
var slider = first.querySelector(".viewer input"), stage = first.querySelector(".stage");
slider.value = 25; slider.dispatchEvent(new Event("input"));
said.push(stage.style.getPropertyValue("--at"));
first.querySelectorAll(".strip figure")[2].click();
said.push(stage.children[1].alt);
said.push(stage.children[1].src === first.querySelectorAll(".strip img")[2].src);
var box = stage.getBoundingClientRect();
stage.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + 0.75 * box.width }));
said.push(slider.value);
var by = document.getElementById("by-measure"), search = document.getElementById("filter");
by.value = "mnc"; by.dispatchEvent(new Event("change"));
function order() { return [].map.call(document.querySelectorAll(".scene h3"), function (head) {
  return head.offsetParent === null ? "" : head.textContent; }).join(" ").trim(); }
said.push(order());
search.value = "C.P"; search.dispatchEvent(new Event("input"));
said.push(order());
stage.children[1].decode().then(function () { said.push(stage.children[1].naturalWidth); done(); }, done);
function done() {
  said.push(document.documentElement.scrollWidth <= window.innerWidth);
  document.title = "said: " + said.join("|");
}
</script></body>"""


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "profile"
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)


@pytest.mark.parametrize("window", ["1300,900", "500,900"])
def test_the_page_works_in_a_browser(tmp_path: Path, profile: Path, window: str) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium here to open the page with")
    path = tmp_path / "r.html"
    written(path, ["a.png", "b.png", "c.png"])
    # The page's own policy stays in force; the probe works the controls as a person would.
    path.write_text(path.read_text(encoding="utf-8").replace("</body>", PROBE), encoding="utf-8")
    command = [browser, "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    command += [f"--user-data-dir={profile}", f"--window-size={window}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--no-sandbox")  # Chromium refuses to run as root with it
    command.append("--virtual-time-budget")
    for budget in (5000, 20000, 80000):  # on a busy machine, pictures may be decoded after the shorter ones
        command[-1] = f"--virtual-time-budget={budget}"
        done = subprocess.run(
            [*command, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120, check=False
        )
        said = re.search("<title>said: (.*?)</title>", done.stdout)
        if said:
            break
    assert said, done.stderr[-2000:]
    assert said[1].split("|") == ["25%", "sharp", "true", "75", "a.png b.png c.png", "c.png", "32", "true"]
