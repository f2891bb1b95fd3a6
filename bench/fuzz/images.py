"""Reads mutated scans like any other: each ends as pixels or as a `ScanError`, in bounded time and memory.

    python -m bench.fuzz.images --count 20000 --seed 1 --out DIR

It makes small files of every format, changes each in one to four places (bits, runs, cuts, splices, numbers,
and the parts of its format: chunks with their checksums, directories, names, streams), and reads it in a
child process as a worker does. It prints how many ended in which way. Files that break something stay in
DIR, and the script ends with status 1.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from PIL import Image, ImageDraw, ImageFont

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.machine import bound_memory
from lettermill.jobs.scans.isolated import isolated_decoder
from lettermill.jobs.scans.reader import open_file, read_page
from lettermill.jobs.settings import Limits, Settings
from tests.hostile_files import page_of, pdf, png_chunk, stream

LIMITS = Limits(max_megapixels=4, max_megabytes=4, max_pages=100, page_seconds=10)
_SECONDS_A_FILE = 60
_MAPPED = 200e6
"""Pages of the libraries' own files: in memory, but not counted."""

_CHILDREN = 2
_MOST_PAGES = 3
_SHARE_READ = 50
"""One of this many decoded pages is read to the end."""

_PHONE_PICTURE = Path(__file__).parents[2] / "tests/cases/files/containers/turned.heic"
"""A HEIC: nothing that is installed writes one."""

Seed = tuple[str, bytes]
"""A suffix and the content of a whole file."""


# --- seeds --------------------------------------------------------------------------------------


def seeds() -> list[Seed]:
    """Make a file of each kind."""
    page = _picture()
    profile = bytes(range(256)) * 4
    exif = Image.Exif()
    exif[0x0112] = 6
    made = []

    def add(suffix: str, mode: str, **options: object) -> None:
        file = io.BytesIO()
        image = page.convert(mode) if mode != "I;16" else page.convert("L").convert("I").convert("I;16")
        image.save(file, Image.registered_extensions()[suffix], **options)
        made.append((suffix, file.getvalue()))

    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        add(".png", mode)
    add(".png", "RGB", exif=exif, icc_profile=profile)
    add(".png", "P", transparency=0)
    add(".png", "RGBA", save_all=True, append_images=[page.convert("RGBA").rotate(90)])
    for mode, options in (("L", {}), ("RGB", {"exif": exif}), ("CMYK", {}), ("RGB", {"progressive": True})):
        add(".jpg", mode, quality=70, **options)
    for mode, compression in (
        *(("1", "group3"), ("1", "group4"), ("1", "raw"), ("L", "tiff_lzw"), ("L", "packbits"), ("P", "raw")),
        *(("RGB", "tiff_adobe_deflate"), ("RGB", "jpeg"), ("RGBA", "raw"), ("CMYK", "tiff_lzw")),
        *(("I;16", "raw"), ("F", "tiff_lzw"), ("L", "zstd"), ("L", "lzma")),
    ):
        add(".tif", mode, compression=compression)
    small = page.convert("L").resize((40, 30))
    add(".tif", "L", save_all=True, append_images=[small] * 3, compression="tiff_lzw")
    add(".tif", "1", save_all=True, append_images=[small.convert("1")] * 2, compression="group4")
    add(".tif", "L", big_tiff=True)
    for mode in ("RGB", "RGBA"):
        add(".webp", mode, lossless=True)
        add(".webp", mode, quality=60)
    add(".webp", "RGB", save_all=True, append_images=[page.rotate(90)], duration=100)
    for mode in ("1", "L", "P", "RGB"):
        add(".bmp", mode)
    made.append((".bmp", _run_lengths()))
    for mode in ("1", "L", "RGB"):
        add(".pdf", mode)
    add(".pdf", "L", save_all=True, append_images=[small] * 2)
    made.append((".pdf", _drawn_pdf()))
    made.append((".heic", _PHONE_PICTURE.read_bytes()))
    return made


def _picture() -> Image.Image:
    page = Image.new("RGB", (200, 120), "white")
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(("HELLO", "WORLD")):
        pen.text((10, 5 + 55 * number), line, font=ImageFont.load_default(44), fill="black")
    return page


def _run_lengths() -> bytes:
    """A BMP of 64×32 in RLE8: runs, absolute pixels, line ends, a jump."""
    row = bytes([60, 1, 4, 0, 0, 0])
    data = row * 10 + bytes([0, 4, 1, 0, 1, 0, 60, 1, 0, 0, 0, 2, 5, 3]) + row * 17 + bytes([0, 1])
    palette = bytes([0, 0, 0, 0, 255, 255, 255, 0])
    header = struct.pack("<IiiHHIIiiII", 40, 64, 32, 1, 8, 1, len(data), 2835, 2835, 2, 0)
    start = 14 + len(header) + len(palette)
    return struct.pack("<2sIHHI", b"BM", start + len(data), 0, 0, start) + header + palette + data


def _drawn_pdf() -> bytes:
    """A PDF with an image with a soft mask, a form in a form, and text in a built-in font."""
    grey = zlib.compress(_picture().convert("L").tobytes())
    image = b"/Type /XObject /Subtype /Image /Width 200 /Height 120 /BitsPerComponent 8 /Filter /FlateDecode"
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 200 200]"
    content = zlib.compress(b"q 180 0 0 100 10 50 cm /I Do Q /F Do BT /T 20 Tf 10 10 Td (HELLO) Tj ET")
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    resources = b"/XObject << /I 5 0 R /F 7 0 R >> /Font << /T %b >>" % font
    return pdf(
        *page_of(stream(b"/Filter /FlateDecode", content), resources),
        stream(image + b" /ColorSpace /DeviceGray /SMask 6 0 R", grey),
        stream(image + b" /ColorSpace /DeviceGray", grey),
        stream(form + b" /Resources << /XObject << /G 8 0 R >> >>", b"0 0 50 50 re f /G Do"),
        stream(form, b"100 100 m 150 150 l S"),
    )


# --- mutations ----------------------------------------------------------------------------------


def mutated(seed: Seed, others: list[Seed], chance: random.Random) -> bytes:
    """Change a file in one to four places."""
    content = bytearray(seed[1])
    own = OF_A_FORMAT[seed[0]]
    for _ in range(chance.choice((1, 1, 2, 4))):
        change = chance.choice([*ANYWHERE, *own, *own])
        content = _splice(content, chance, others) if change is _splice else change(content, chance)
    return bytes(content)


Change = Callable[..., bytearray]


def _place(content: bytearray, chance: random.Random) -> int:
    """Somewhere, and half of the time near the start, where headers are."""
    end = max(len(content), 1)
    return chance.randrange(min(end, 256) if chance.random() < 0.5 else end)


def _flip_bits(content: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.choice((1, 1, 4, 32))):
        if content:
            content[_place(content, chance)] ^= 1 << chance.randrange(8)
    return content


def _run_of_bytes(content: bytearray, chance: random.Random) -> bytearray:
    start, length = _place(content, chance), chance.choice((1, 4, 16, 200))
    run = chance.choice((b"\0" * length, b"\xff" * length, chance.randbytes(length)))
    content[start : start + chance.choice((0, length))] = run
    return content


def _cut_off(content: bytearray, chance: random.Random) -> bytearray:
    return content[: chance.randrange(len(content) + 1)]


def _cut_out(content: bytearray, chance: random.Random) -> bytearray:
    start = _place(content, chance)
    del content[start : start + chance.choice((1, 2, 16, 300))]
    return content


def _double(content: bytearray, chance: random.Random) -> bytearray:
    start = _place(content, chance)
    part = content[start : start + chance.choice((8, 64, 1000))]
    content[start:start] = part * chance.choice((1, 3, 50))
    return content


def _set_number(content: bytearray, chance: random.Random) -> bytearray:
    kind = chance.choice(("<H", ">H", "<I", ">I", "<Q"))
    most = 256 ** struct.calcsize(kind) - 1
    value = chance.choice(
        (0, 1, 2, most, most // 2, most // 2 + 1, most - 1, len(content), chance.randint(0, most))
    )
    start = _place(content, chance)
    if start + struct.calcsize(kind) <= len(content):
        struct.pack_into(kind, content, start, min(value, most))
    return content


def _splice(content: bytearray, chance: random.Random, others: list[Seed]) -> bytearray:
    other = chance.choice(others)[1]
    here, there = chance.randrange(len(content) + 1), chance.randrange(len(other))
    return content[:here] + other[there:]


def _chunks(content: bytearray) -> list[tuple[bytes, bytes]]:
    chunks, start = [], 8
    while start + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, start)
        kind = bytes(content[start + 4 : start + 8])
        chunks.append((kind, bytes(content[start + 8 : start + 8 + length])))
        start += 12 + length
    return chunks


def _png_chunk(content: bytearray, chance: random.Random) -> bytearray:
    """Change a chunk and give it a right checksum, so that what is in it is read."""
    chunks = _chunks(content)
    if not chunks:
        return content
    at = chance.randrange(len(chunks))
    kind, data = chunks[at]
    match chance.randrange(6):
        case 0:
            chunks[at] = (kind, bytes(chance.choice((_flip_bits, _set_number))(bytearray(data), chance)))
        case 1:
            del chunks[at]
        case 2:
            chunks.insert(chance.randrange(len(chunks) + 1), (kind, data))
        case 3:
            kinds = b"IHDR PLTE IDAT IEND tRNS iCCP zTXt iTXt eXIf acTL fcTL fdAT gAMA cHRM sBIT".split()
            chunks[at] = (chance.choice(kinds), data)
        case 4:
            text = zlib.compress(bytes(chance.choice((10, 10**6, 4 * 10**7))))
            new = chance.choice(((b"zTXt", b"a\0\0"), (b"iCCP", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0")))
            chunks.insert(1, (new[0], new[1] + text))
        case 5:
            pixels = chance.choice((b"", bytes(10), bytes(2 * 10**7), chance.randbytes(3000)))
            chunks[at] = (b"IDAT", zlib.compress(pixels))
    return content[:8] + b"".join(png_chunk(kind, data) for kind, data in chunks)


def _tiff_entry(content: bytearray, chance: random.Random) -> bytearray:
    """Change a field of an entry of a directory, or where a directory says that the next one is."""
    if len(content) < 16 or content[:4] != b"II*\0":
        return _set_number(content, chance)
    (start,) = struct.unpack_from("<I", content, 4)
    if start + 2 > len(content):
        return content
    (entries,) = struct.unpack_from("<H", content, start)
    at = start + 2 + 12 * chance.randrange(entries + 1)
    sizes = ((0, "<H"), (2, "<H"), (4, "<I"), (8, "<I"), (8, "<H"))
    below, kind = chance.choice(sizes)
    most = 256 ** struct.calcsize(kind) - 1
    tags = (256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 330, 339, 347)
    value = chance.choice(
        (0, 1, 3, 8, 16, 32, start, most, most // 2, chance.choice(tags), chance.randint(0, 70000))
    )
    if at + below + struct.calcsize(kind) <= len(content):
        struct.pack_into(kind, content, at + below, min(value, most))
    return content


def _pdf_number(content: bytearray, chance: random.Random) -> bytearray:
    return _replace(
        content,
        chance,
        rb"(?<![\w.])-?\d+(?:\.\d+)?",
        (b"0", b"-1", b"1", b"3", b"65536", b"2147483647", b"4294967296", b"1e30", b"99999999999999999999"),
    )


def _pdf_name(content: bytearray, chance: random.Random) -> bytearray:
    names = sorted(set(re.findall(rb"/[A-Za-z0-9]+", content)))
    more = (
        b"/LZWDecode /JBIG2Decode /JPXDecode /CCITTFaxDecode /ASCIIHexDecode /RunLengthDecode /Indexed "
        b"/Pattern /ICCBased /DCTDecode /ObjStm /XRef /Crypt"
    ).split()
    return _replace(content, chance, rb"/[A-Za-z0-9]+", (*names, *more, b"[", b"<<", b">>", b"null"))


def _pdf_word(content: bytearray, chance: random.Random) -> bytearray:
    words = b"obj endobj stream endstream xref trailer startxref R [ ] << >> ( ) < > null true %%EOF".split()
    return _replace(
        content, chance, rb"\b(?:obj|endobj|stream|endstream|xref|trailer|R)\b|\[|\]|<<|>>", words
    )


def _pdf_stream(content: bytearray, chance: random.Random) -> bytearray:
    """Unpack a stream, change it, and pack it again."""
    found = list(re.finditer(rb"stream\r?\n", content))
    if not found:
        return content
    start = chance.choice(found).end()
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(bytes(content[start:]), 10**7)
    except zlib.error:
        return content
    end = len(content) - len(unpacker.unused_data)
    change = chance.choice((_flip_bits, _run_of_bytes, _double, _cut_off))
    changed = zlib.compress(bytes(change(bytearray(data), chance)))
    return content[:start] + changed + content[end:]


def _replace(
    content: bytearray, chance: random.Random, pattern: bytes, by: tuple[bytes, ...] | list[bytes]
) -> bytearray:
    found = list(re.finditer(pattern, content))
    if found:
        one = chance.choice(found)
        content[one.start() : one.end()] = chance.choice(by)
    return content


ANYWHERE: tuple[Change, ...] = (
    *(_flip_bits, _run_of_bytes, _cut_off, _cut_out, _double, _set_number, _splice),
)
OF_A_FORMAT: dict[str, tuple[Change, ...]] = {
    ".png": (_png_chunk,) * 4,
    ".jpg": (_set_number, _flip_bits, _double),
    ".tif": (_tiff_entry,) * 4,
    ".webp": (_set_number, _flip_bits),
    ".bmp": (_set_number, _flip_bits),
    ".heic": (_set_number, _flip_bits),
    ".pdf": (_pdf_number, _pdf_name, _pdf_word, _pdf_stream),
}


# --- reading ------------------------------------------------------------------------------------


class _Child:
    """Reads files, as a worker's process does."""

    def __init__(self) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - libtiff complains more than a pipe holds
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.fuzz.images", "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )

    def read(self, path: Path) -> list[str]:
        """Return how each page of a file ended."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps(str(path)).encode() + b"\n")
            self._process.stdin.flush()
            ready, _, _ = select.select([self._process.stdout], [], [], _SECONDS_A_FILE)
            answer = self._process.stdout.readline() if ready else b""
        except BrokenPipeError:
            ready, answer = [self._process.stdout], b""
        if answer:
            return list(json.loads(answer))
        return ["BROKEN: hang"] if not ready else [f"BROKEN: {self._last_words()}"]

    def _last_words(self) -> str:
        status = self._process.wait()
        self._said.seek(0)
        words = self._said.read().decode(errors="replace").strip().splitlines()
        return (
            signal.Signals(-status).name if status < 0 else f"status {status}, {words[-1] if words else ''}"
        )

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        family = psutil.Process(self._process.pid).children() if self.is_alive else []
        self._process.kill()
        self._process.communicate()
        self._said.close()
        for each in family:
            each.kill()


def _serve() -> None:
    from lettermill.worker.reading.classifier import Classifier
    from lettermill.worker.reading.read_lines import read_lines

    settings = Settings(limits=LIMITS)
    classifier = Classifier(load_model(installed_model_folder()), settings.characters)
    decoded = 0
    bound_memory(LIMITS.memory_bytes)
    for line in sys.stdin:
        path = Path(json.loads(line))
        outcomes = []
        pages = 1
        if path.suffix in (".tif", ".pdf"):
            try:
                with open_file(path) as file:
                    pages = isolated_decoder().count_pages(file, LIMITS, LIMITS.page_seconds)
            except ScanError:
                pages = 1
        for page in range(1, min(pages, _MOST_PAGES) + 1):
            try:
                pixels = read_page(path, page, 100, LIMITS, pages)
                outcomes.append("read")
                decoded += 1
                if decoded % _SHARE_READ == 0:
                    read_lines(pixels, settings, classifier)
                    outcomes.append("read to its letters")
            except ScanError as error:
                ended = re.search(r"reader ended \(signal \d+\)", error.message)
                outcomes.append(error.code.value + (f", {ended[0]}" if ended else ""))
            except MemoryError:
                outcomes.append(ErrorCode.OUT_OF_MEMORY.value)
            except Exception as error:
                outcomes.append(f"BROKEN: {type(error).__name__}: {error}")
        if _most_held() > LIMITS.memory_bytes + _MAPPED:
            outcomes.append("BROKEN: memory over the bound")
        sys.stdout.write(json.dumps(outcomes) + "\n")
        sys.stdout.flush()


def _most_held() -> int:
    """The most that this process or its children ever held, in bytes."""
    family = [psutil.Process(), *psutil.Process().children()]
    status = [Path(f"/proc/{process.pid}/status") for process in family]
    return max(
        int(found[1]) << 10 for file in status if (found := re.search(r"VmHWM:\s+(\d+)", file.read_text()))
    )


def fuzz(count: int, seed: int, out: Path) -> Counter[str]:
    """Read mutated files.

    Args:
        count: how many.
        seed: the same seed gives the same files.
        out: a folder for those that break something.

    Returns:
        How many pages ended how; what begins with BROKEN must not be.
    """
    whole = seeds()

    def part(first: int) -> Counter[str]:
        outcomes: Counter[str] = Counter()
        child = _Child()
        for number in range(first, count, _CHILDREN):
            chance = random.Random(f"{seed} {number}")
            suffix, content = chosen = chance.choice(whole)
            path = out / f"{seed}-{number}{suffix}"
            content = mutated(chosen, whole, chance)
            path.write_bytes(content)
            ended = child.read(path)
            outcomes.update(ended)
            if not any(each.startswith("BROKEN") for each in ended):
                path.unlink()
            if not child.is_alive or "BROKEN: hang" in ended:
                child.end()
                child = _Child()
        child.end()
        return outcomes

    with ThreadPoolExecutor(_CHILDREN) as pool:
        return sum(pool.map(part, range(_CHILDREN)), Counter())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--count", type=int, default=20_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, help="a folder for the files that break something")
    arguments.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.serve:
        _serve()
        return
    out = given.out or Path(tempfile.mkdtemp(prefix="fuzz-"))
    out.mkdir(parents=True, exist_ok=True)
    outcomes = fuzz(given.count, given.seed, out)
    for outcome, number in outcomes.most_common():
        sys.stdout.write(f"{number:8}  {outcome}\n")
    if any(outcome.startswith("BROKEN") for outcome in outcomes):
        sys.exit(f"the files are in {out}")


if __name__ == "__main__":
    main()
