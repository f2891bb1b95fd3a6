"""`lettermill predict` reads every kind of image file, answers in plain words, and writes whole files."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pty
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from lettermill.jobs.inputs.model import MODEL_FILE, installed_model_folder
from lettermill.worker.commands.predict import HEADER
from tests.support import LETTERMILL, Command, Starter, clean_environment, wait_for


def ink(text: str, height: int = 60, size: tuple[int, int] | None = None) -> Image.Image:
    """Print capitals as ink, white on black, in the middle of an image."""
    font = ImageFont.load_default(height / 0.73)
    left, top, right, bottom = font.getbbox(text)
    size = size or (int(right - left + height), int(bottom - top + height))
    image = Image.new("L", size, 0)
    place = ((size[0] - right - left) / 2, (size[1] - bottom - top) / 2)
    ImageDraw.Draw(image).text(place, text, font=font, fill=255)
    return image


def coloured(letter: Image.Image, pen: str, paper: str) -> Image.Image:
    return ImageOps.colorize(letter, black=paper, white=pen)


def lit(letter: Image.Image, light: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Image.Image:
    """Dark ink on white paper under a light: a function of y and x from 0 to 1."""
    page = 235 - 170.0 / 255 * np.asarray(letter, np.float64)
    y, x = np.mgrid[0 : 1 : 1j * page.shape[0], 0 : 1 : 1j * page.shape[1]]
    grain = np.random.default_rng(1).normal(0, 2, page.shape)
    return Image.fromarray(np.clip(page * light(y, x) + grain, 0, 255).astype(np.uint8))


def on_transparent(letter: Image.Image, grey: int) -> Image.Image:
    image = Image.new("LA", letter.size, grey)
    image.putalpha(letter)
    return image


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return {Path(row["file"]).name: row for row in csv.DictReader(file)}


def test_one_letter_in_every_kind_of_file(tmp_path: Path, lettermill: Command) -> None:
    letter = ink("K")
    paper = ImageOps.invert(letter)
    folder = tmp_path / "letters"
    folder.mkdir()
    paper.save(folder / "dark on light.png")
    letter.save(folder / "light on dark.png")
    coloured(letter, "#2238b0", "white").save(folder / "blue ink.jpg", quality=85)
    coloured(letter, "#b01820", "#f6e48c").save(folder / "red on yellow.png")
    coloured(letter, "white", "#1f6b3a").save(folder / "chalk.webp")
    coloured(letter, "#222222", "#f4a6c0").convert("CMYK").save(folder / "cmyk.jpg", quality=90)
    for name, grey in (("black", 0), ("white", 255)):
        on_transparent(letter, grey).save(folder / f"{name} on transparent, LA.png")
        on_transparent(letter, grey).convert("RGBA").save(
            folder / f"{name} on transparent.webp", lossless=True
        )
        image = coloured(letter.point(lambda value: 255 * (value > 127)), name, "red").quantize(2, dither=0)
        image.save(folder / f"{name} on transparent, palette.png", transparency=image.getpixel((0, 0)))
    exif = Image.Exif()
    exif[0x0112] = 6  # a viewer turns it by 90° clockwise
    paper.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", exif=exif, quality=90)
    paper.convert("1").save(folder / "fax.tif", compression="group4")
    paper.convert("1").save(folder / "one bit.png")
    Image.fromarray(np.asarray(paper, np.uint16) * 257).save(folder / "deep.png")
    paper.convert("P").save(folder / "palette.bmp")
    lit(letter, lambda y, x: 1 - 0.5 * x).save(folder / "lamp at the left.png")
    lit(letter, lambda y, x: 1 - 0.5 * y).save(folder / "lamp above.jpg", quality=90)
    lit(letter, lambda y, x: 1 - 0.35 / (1 + np.exp(20 * (x + y - 1)))).save(folder / "shadow.png")
    ImageOps.invert(ink("K", 900, (4000, 3000))).save(folder / "12 megapixels.jpg", quality=90)
    for height in (12, 16, 20):
        ImageOps.invert(ink("K", height)).save(folder / f"{height} pixels.png")
    lettermill("predict", folder, "--csv", tmp_path / "out.csv")
    found = rows(tmp_path / "out.csv")
    assert len(found) == len(list(folder.iterdir()))
    answers = {name: (row["letter"], row["note"]) for name, row in found.items()}
    assert answers == dict.fromkeys(answers, ("K", ""))


def test_notes_and_a_csv_file_as_promised(tmp_path: Path, lettermill: Command) -> None:
    folder = tmp_path / "letters"
    (folder / "deeper").mkdir(parents=True)
    ImageOps.invert(ink("E")).save(folder / "E.png")
    ImageOps.invert(ink("É")).save(folder / "E with accent.png")
    ImageOps.invert(ink("i")).save(folder / "i.png")
    ink("A B").save(folder / "deeper" / "AB.png")
    Image.new("L", (40, 40), 255).save(folder / "empty.png")
    (folder / "cut.png").write_bytes((folder / "E.png").read_bytes()[:120])
    (folder / "=sum(1).png").write_bytes(b"no image")
    (folder / "notes.txt").write_text("not for reading")
    (folder / ".hidden.png").write_bytes(b"not for reading")
    done = lettermill("predict", folder, "--csv", "out.csv", status=1)
    assert (tmp_path / "out.csv").read_bytes().startswith(HEADER.encode() + b"\r\n")
    found = rows(tmp_path / "out.csv")
    assert {name: row["note"] for name, row in found.items()} == {
        "E.png": "",
        "E with accent.png": "",
        "i.png": "",
        "AB.png": "SEVERAL",
        "empty.png": "NO_LETTER",
        "cut.png": "UNREADABLE",
        "=sum(1).png": "UNREADABLE",
    }
    for row in found.values():
        assert bool(row["letter"]) == (row["note"] != "UNREADABLE")
        assert bool(row["third_confidence"]) == (row["note"] != "UNREADABLE")
    assert done.stdout == ""
    for words in (
        "7 images",
        "2 unreadable",
        "1 with several",
        "1 without",
        "do not end like scans: 1 ",
        "cut off",
        "out.csv",
    ):
        assert words in done.stderr


def test_words_for_a_person(tmp_path: Path, lettermill: Command) -> None:
    ImageOps.invert(ink("E")).save(tmp_path / "E.png")
    ImageOps.invert(ink("A B C")).save(tmp_path / "three letters.png")
    Image.new("L", (40, 40), 255).save(tmp_path / "empty.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "E.png").read_bytes()[:120])

    one = lettermill("predict", "E.png").stdout.splitlines()
    assert one[0] == "E.png"
    assert one[1].split()[0] == "E"
    assert one[1].endswith("%")
    assert len(one) == 4
    assert "lettermill run" in lettermill("predict", "three letters.png").stdout
    assert "no letter" in lettermill("predict", "empty.png").stdout
    assert "cannot be read: the image is cut off" in lettermill("predict", "cut.png", status=1).stdout

    many = lettermill("predict", tmp_path, status=1)
    assert len(many.stdout.splitlines()) == 4
    assert len({line.index(str(tmp_path)) for line in many.stdout.splitlines()}) == 1
    assert "4 images" in many.stderr


def test_json_is_an_object_a_line(tmp_path: Path, lettermill: Command) -> None:
    ImageOps.invert(ink("E")).save(tmp_path / "E.png")
    (tmp_path / "no.png").write_bytes(b"")
    printed = lettermill("predict", "E.png", "no.png", "--json", "--csv", "out.csv", status=1).stdout
    good, bad = map(json.loads, printed.splitlines())
    assert list(good) == ["file", "letter", "confidence", "alternatives", "note", "error"]
    row = rows(tmp_path / "out.csv")["E.png"]
    assert (good["letter"], f"{good['confidence']:.4f}") == (row["letter"], row["confidence"])
    second, third = good["alternatives"]
    assert [second[0], third[0]] == [row["second"], row["third"]]
    assert (good["note"], good["error"]) == ("", "")
    assert (bad["letter"], bad["alternatives"], bad["note"]) == (None, [], "UNREADABLE")
    assert "empty" in bad["error"]


@pytest.mark.parametrize("shape", [(28, 28), (600, 100), (2000, 1500)])
def test_the_picture_of_an_explanation(tmp_path: Path, lettermill: Command, shape: tuple[int, int]) -> None:
    ImageOps.invert(ink("B", 20, shape)).save(tmp_path / "cost $5 $6.png")
    done = lettermill("predict", "cost $5 $6.png", "--explain", "out.png")
    assert done.stderr == ""
    with Image.open(tmp_path / "out.png") as picture:
        colours = np.asarray(picture.convert("RGB"), np.int16)
    assert min(colours.shape[:2]) > 300
    red = colours[..., 0] - colours[..., 2]
    assert (red > 60).any()  # The map; all else is grey or blue.


def test_what_cannot_be(tmp_path: Path, lettermill: Command) -> None:
    ImageOps.invert(ink("E")).save(tmp_path / "E.png")
    (tmp_path / "nothing").mkdir()
    model = tmp_path / "model"
    shutil.copytree(installed_model_folder(), model)
    (model / MODEL_FILE).write_bytes((model / MODEL_FILE).read_bytes()[:-1] + b"?")
    for words, status, message in (
        (["nowhere.png"], 2, "nowhere.png does not exist"),
        (["nothing"], 3, "no scans below nothing"),
        (["E.png", "--model", "model"], 7, "is not the network that its card describes"),
        (["E.png", "--model", "nothing"], 7, "cannot read the model's card"),
        (["E.png", "--csv", "nothing"], 2, "is a directory"),
        (["E.png", "E.png", "--explain", "out.png"], 2, "--explain draws one image"),
        (["E.png", "--explain", "out.gif"], 2, "ends with .png"),
    ):
        assert message in lettermill("predict", *words, status=status).stderr
    assert not (tmp_path / "out.png").exists()


def test_ctrl_c_leaves_no_half_of_a_csv_file(tmp_path: Path, start: Starter) -> None:
    folder = tmp_path / "letters"
    folder.mkdir()
    ImageOps.invert(ink("E", 1000)).save(folder / "0.png")
    for number in range(1, 400):
        os.link(folder / "0.png", folder / f"{number}.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "answers.csv").write_text("of an earlier time")
    process = start("predict", folder, "--csv", tmp_path / "out" / "answers.csv")
    wait_for(lambda: len(list((tmp_path / "out").iterdir())) == 2, what="the file being written")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["answers.csv"]
    assert (tmp_path / "out" / "answers.csv").read_text() == "of an earlier time"


def test_a_bar_on_a_terminal_alone(tmp_path: Path) -> None:
    folder = tmp_path / "letters"
    folder.mkdir()
    ImageOps.invert(ink("E")).save(folder / "0.png")
    for number in range(1, 200):
        os.link(folder / "0.png", folder / f"{number}.png")
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        [*LETTERMILL, "predict", str(folder)],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**clean_environment(), "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(terminal)
    printed, _ = process.communicate(timeout=120)
    seen = b""
    with contextlib.suppress(OSError):  # Linux: the end of a closed terminal is an error.
        while piece := os.read(screen, 65536):
            seen += piece
    os.close(screen)
    assert process.returncode == 0
    assert len(printed.splitlines()) == 200
    assert b"reading" in seen
    assert b"/200" in seen
    assert b"200 images" in seen
