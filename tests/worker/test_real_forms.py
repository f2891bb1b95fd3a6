"""The form of NIST's sample: its boxes emptied, it is the blank; its digits are read from scans of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from pages.forms import distorted
from rapidfuzz.distance import Levenshtein

from jobs.models import installed_model_folder, load_model
from jobs.settings import ALPHABETS, Settings
from jobs.template import read_template
from worker.classifier import Classifier
from worker.forms import Form

# What is printed over each box is what is written in it.
FIELDS = {
    (143, 817, 592, 84): "0123456789",
    (798, 815, 592, 85): "0123456789",
    (1452, 811, 599, 86): "0123456789",
    (143, 976, 115, 85): "16",
    (381, 975, 176, 86): "899",
    (679, 975, 238, 85): "0124",
    (1038, 973, 294, 86): "43744",
    (1454, 969, 597, 89): "403875",
    (145, 1137, 174, 85): "821",
    (441, 1136, 237, 85): "7358",
    (800, 1135, 296, 86): "55925",
    (1217, 1131, 596, 88): "116213",
    (1935, 1131, 117, 85): "86",
    (146, 1297, 234, 83): "4949",
    (501, 1296, 297, 83): "20044",
    (920, 1293, 594, 85): "625502",
    (1636, 1293, 118, 82): "80",
    (1876, 1291, 177, 83): "681",
    (146, 1454, 294, 84): "79192",
    (561, 1451, 596, 86): "676687",
    (1278, 1451, 116, 85): "49",
    (1517, 1449, 178, 86): "213",
    (1817, 1447, 237, 86): "3055",
    (147, 1612, 593, 87): "803797",
    (862, 1613, 119, 84): "02",
    (1100, 1612, 177, 85): "791",
    (1397, 1609, 238, 86): "3678",
    (1758, 1607, 297, 87): "03536",
}


def test_the_form_of_nist(data: Path, tmp_path: Path) -> None:
    page = cv2.imread(str(data / "pages" / "nist_hsf_form.png"), cv2.IMREAD_GRAYSCALE)
    assert page is not None
    blank = page.copy()
    text = 'blank = "blank.png"\n'
    for number, ((x, y, width, height), digits) in enumerate(FIELDS.items()):
        blank[y + 2 : y + height - 2, x + 2 : x + width - 2] = 255
        text += f'[[fields]]\nname = "f{number}"\nbox = [{x}, {y}, {width}, {height}]\n'
        text += f"alphabet = '\\d{{{len(digits)}}}'\n"
    cv2.imwrite(str(tmp_path / "blank.png"), blank)
    (tmp_path / "form.toml").write_text(text)
    classifier = Classifier(load_model(installed_model_folder()), ALPHABETS["alnum"])
    form = Form(read_template(tmp_path / "form.toml"), classifier)
    edits = count = 0
    for seed in range(3):
        scan, _ = distorted(page, np.random.default_rng(seed), aside=0.015)
        lines, _ = form.read(scan, Settings(alphabet="alnum"))
        read = {line.field: line for line in lines}
        for number, digits in enumerate(FIELDS.values()):
            line = read.get(f"f{number}")
            found = line.text.replace(" ", "") if line else ""
            edits += Levenshtein.distance(found, digits)
            count += len(digits)
    assert edits / count < 0.03  # None of 390 when this was written.
