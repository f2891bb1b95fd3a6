"""The way from corrections to a training set, as docs/training.md tells it."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from training import sources

GUIDE = Path(__file__).parents[2] / "docs" / "training.md"


def test_corrected_letters_become_a_training_set(tmp_path: Path) -> None:
    page = np.full((200, 400), 255, np.uint8)
    rows = []
    for letter, left in (("F", 30), ("R", 150), ("F", 270)):
        cv2.putText(page, letter, (left, 140), cv2.FONT_HERSHEY_SIMPLEX, 3, 0, 8, cv2.LINE_AA)
        ink = np.argwhere(page[:, left - 10 : left + 100] < 255)
        (top, x), (bottom, right) = ink.min(axis=0), ink.max(axis=0) + 1
        rows.append(("box 1/form.tif", 2, left - 10 + x, top, right - x, bottom - top, letter))
    (tmp_path / "scans" / "box 1").mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down: a viewer turns it
    first, second = Image.fromarray(np.full_like(page, 255)), Image.fromarray(page).rotate(180)
    first.save(tmp_path / "scans" / "box 1" / "form.tif", save_all=True, append_images=[second], exif=exif)
    with (tmp_path / "corrected.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("scan", "page", "x", "y", "width", "height", "letter"), *rows])
    code = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert code
    subprocess.run([sys.executable, "-c", code[1]], cwd=tmp_path, check=True, timeout=60)
    letters = sources.read(sources.find([tmp_path / "ours"])[0][0])
    assert letters.labels.tolist() == ["F", "F", "R"] and set(letters.sources.tolist()) == {"ours"}
    _, _, x, y, width, height, _ = rows[1]
    with Image.open(tmp_path / "ours" / "R" / "000002.png") as crop:
        np.testing.assert_array_equal(np.asarray(crop), page[y : y + height, x : x + width])
