"""Pages on which nothing is wrong but the file around them: odd TIFFs, JPEGs, PNGs, HEICs and PDFs."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from tests.cases.makers.sheet import writer, written
from tests.hostile_files import page_of, pdf, stream
from tests.tiff_files import picture, tiff

Maker = Callable[[Path, Path], None]

LINES = ["QUARRY STONE", "MIXED GRAVEL", "SENT BY RAIL"]


def page(fonts: Path, lines: Sequence[str] = LINES, cap: int = 44) -> Image.Image:
    """The page that all these files hold."""
    return Image.fromarray(written(lines, writer(fonts), cap))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of an image file."""
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def reduced(path: Path, fonts: Path, order: Sequence[str]) -> None:
    """The page and copies of it that are marked as such, in some order."""
    whole = page(fonts)
    half, thumbnail = whole.reduce(2), whole.reduce(4)
    mask = Image.new("L", whole.size, 255)
    kinds = {
        "page": (whole, {}),
        "level": (half, {"subfile": 1}),
        "thumbnail": (thumbnail, {"subfile": 1}),
        "old thumbnail": (thumbnail, {"old_subfile": 2}),
        "mask": (mask, {"subfile": 4}),
        "page of several": (whole, {"subfile": 2}),
        "reduced": (whole, {"subfile": 1}),
    }
    path.write_bytes(tiff(*(picture(np.asarray(kinds[kind][0]), **kinds[kind][1]) for kind in order)))


def planar(path: Path, fonts: Path) -> None:
    """One word in 16-bit RGB, uncompressed, one plane of colour after the other."""
    grey = np.asarray(page(fonts, ["GRAVEL"], 30)).astype(np.uint16) * 257
    tags, _ = picture(np.stack([grey] * 3, 2), photometric=2, packed=False, planes=2)
    path.write_bytes(tiff((tags, np.stack([grey] * 3).tobytes()), strips=3))


def deep(path: Path, fonts: Path, kind: str, order: str, photometric: int, form: int) -> None:
    """One word in 16-bit or floating-point grey."""
    grey = np.asarray(page(fonts, ["GRAVEL"], 30)) / 255
    levels = 1 - grey if photometric == 0 else grey
    values = (levels * (1 if kind == "f4" else 65535)).astype(f"{order}{kind}")
    path.write_bytes(tiff(picture(values, photometric, form=form), order=order))


def alpha_tiff(path: Path, fonts: Path) -> None:
    """Grey with an alpha that has been multiplied in."""
    grey = np.asarray(page(fonts))
    path.write_bytes(tiff(picture(np.stack([grey, np.full_like(grey, 255)], 2), extra=1)))


def no_alpha(path: Path, fonts: Path, kind: str, mode: str) -> None:
    """One word with an alpha channel that is 0 everywhere, as programs leave it that do not know it."""
    image = page(fonts, ["GRAVEL"], 30).convert(mode)
    image.putalpha(0)
    if kind == "BMP":  # Pillow writes no header of version 5, which says that there is alpha.
        width, height = image.size
        head = struct.pack("<IiiHHIIiiII", 124, width, -height, 1, 32, 3, 0, 2835, 2835, 0, 0)
        masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        pixels = image.tobytes("raw", "BGRA")
        start = struct.pack("<2sIHHI", b"BM", 138 + len(pixels), 0, 0, 138)
        path.write_bytes(start + (head + masks).ljust(124, b"\0") + pixels)
    else:
        path.write_bytes(saved(image, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {})))


def jpeg(path: Path, fonts: Path, change: Callable[[bytes], bytes], **options: object) -> None:
    """A JPEG whose bytes were changed."""
    path.write_bytes(change(saved(page(fonts).convert("RGB"), "JPEG", **options)))


def bad_chunk(path: Path, fonts: Path) -> None:
    """A PNG with a text whose checksum is wrong."""
    whole = saved(page(fonts), "PNG")
    chunk = struct.pack(">I", 5) + b"tEXta\0bcd" + struct.pack(">I", 1)
    path.write_bytes(whole[:33] + chunk + whole[33:])


def heic(path: Path, fonts: Path, second: bool = False) -> None:
    """A HEIC turned by a quarter, or whose second picture is the primary one.

    pillow-heif encodes it. It is no dependency: install it to make these files.
    """
    import pillow_heif

    image = page(fonts).convert("RGB")
    if second:
        several = pillow_heif.from_pillow(Image.new("RGB", (300, 200), "white"))
        several.add_from_pillow(image)
        several.save(path, quality=60, primary_index=1)
    else:
        pillow_heif.register_heif_opener()
        turned = Image.Exif()
        turned[0x0112] = 6
        image.transpose(Image.Transpose.ROTATE_90).save(path, "HEIF", quality=60, exif=turned.tobytes())


def other_kind(path: Path, fonts: Path, kind: str) -> None:
    """A file of a kind that is not read, under the name of one that is."""
    path.write_bytes(saved(page(fonts, ["GRAVEL"], 30), kind))


def compressed_tiff(path: Path, fonts: Path, kind: str, compression: int) -> None:
    """A TIFF compressed in a way that is not read."""
    image = page(fonts, ["GRAVEL"], 30).convert("RGB")
    tags, _ = picture(np.asarray(image), photometric=2)
    path.write_bytes(tiff((tags | {259: compression}, saved(image, kind))))


FONT = b"/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"

STAMP = b" BT /F1 9 Tf 10 128 Td (RECEIVED) Tj ET"


def scan(content: bytes, width: int, height: int) -> bytes:
    """The object of a grey JPEG in a PDF."""
    entries = b"/Type /XObject /Subtype /Image /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /DCTDecode"
    return stream(entries + b" /Width %d /Height %d" % (width, height), content)


def scanned_pdf(path: Path, fonts: Path, change: Callable[[bytes], bytes], stamp: bytes = STAMP) -> None:
    """A PDF of a scan, whose bytes were changed, and a stamp of text."""
    image = page(fonts)
    jpeg_bytes = change(saved(image, "JPEG", quality=85))
    width, height = image.size
    draw = b"q %d 0 0 %d 0 0 cm /I Do Q" % (width * 72 // 300, height * 72 // 300)
    box = b"0 0 %d %d" % (width * 72 // 300, height * 72 // 300)
    place = b"/XObject << /I 5 0 R >> " if jpeg_bytes else b""
    objects = page_of(stream(b"", draw + stamp), place + FONT, box)
    path.write_bytes(pdf(*objects, *([scan(jpeg_bytes, width, height)] if jpeg_bytes else [])))


def logo_pdf(path: Path, fonts: Path) -> None:
    """A scan with a small image beside it that cannot be decoded."""
    image = page(fonts)
    width, height = image.size[0] * 72 // 300, image.size[1] * 72 // 300
    draw = b"q %d 0 0 %d 0 0 cm /I Do Q q 20 0 0 10 2 2 cm /L Do Q" % (width, height)
    objects = page_of(
        stream(b"", draw), b"/XObject << /I 5 0 R /L 6 0 R >> " + FONT, b"0 0 %d %d" % (width, height)
    )
    content = saved(image, "JPEG", quality=85)
    path.write_bytes(pdf(*objects, scan(content, *image.size), scan(b"garbage", 60, 30)))


def form_pdf(path: Path, fonts: Path, appearance: bool) -> None:
    """A PDF form that was filled in: its values are in the fields, with or without their drawing."""
    names = [b"%d 0 R" % (5 + 2 * number) for number in range(len(LINES))]
    form = b"/AcroForm << /Fields [%b] /DR << %b >> /DA (/F1 18 Tf 0 g) >>" % (b" ".join(names), FONT)
    catalog, pages, leaf, content = page_of(stream(b"", b""), FONT, b"0 0 288 144")
    leaf = leaf.replace(b"/Type /Page ", b"/Type /Page /Annots [%b] " % b" ".join(names))
    fields = []
    for number, line in enumerate(LINES):
        y = 110 - 40 * number
        field = b"<< /Type /Annot /Subtype /Widget /FT /Tx /F 4 /T (%d) /V (%b) /DA (/F1 18 Tf 0 g)" % (
            number,
            line.encode(),
        )
        field += b" /Rect [20 %d 270 %d]" % (y, y + 26)
        drawn = b" /AP << /N %d 0 R >>" % (6 + 2 * number) if appearance else b""
        draw = b"/Tx BMC q BT /F1 18 Tf 0 g 4 7 Td (%b) Tj ET Q EMC" % line.encode()
        entries = b"/Type /XObject /Subtype /Form /BBox [0 0 250 26] /Resources << %b >>" % FONT
        fields += [field + drawn + b" >>", stream(entries, draw)]
    path.write_bytes(pdf(catalog.replace(b" >>", b" " + form + b" >>"), pages, leaf, content, *fields))


def attached_pdf(path: Path, fonts: Path, blank: bool) -> None:
    """A PDF with a file attached to it, whose own page is blank or a scan."""
    image = page(fonts)
    width, height = image.size[0] * 72 // 300, image.size[1] * 72 // 300
    draw = b"" if blank else b"q %d 0 0 %d 0 0 cm /I Do Q" % (width, height)
    catalog, *rest = page_of(stream(b"", draw), b"/XObject << /I 5 0 R >>", b"0 0 %d %d" % (width, height))
    names = b"/Names << /EmbeddedFiles << /Names [(a.txt) 6 0 R] >> >> /Collection << >>"
    path.write_bytes(
        pdf(
            catalog.replace(b" >>", b" " + names + b" >>"),
            *rest,
            scan(saved(image, "JPEG", quality=85), *image.size),
            b"<< /Type /Filespec /F (a.txt) /EF << /F 7 0 R >> >>",
            stream(b"/Type /EmbeddedFile", b"a scan"),
        )
    )


def sized_pdf(path: Path, fonts: Path, box: bytes) -> None:
    """A PDF whose page has an odd size."""
    path.write_bytes(pdf(*page_of(stream(b"", b"0 0 100 100 re f"), b"", box)))


def cut(content: bytes) -> bytes:
    """The first half."""
    return content[: len(content) // 2]


CASES: dict[str, Maker] = {
    f"containers/{name}": maker
    for name, maker in {
        "pyramid.tif": partial(reduced, order=["page", "level", "thumbnail"]),
        "thumbnail-first.tif": partial(reduced, order=["thumbnail", "page"]),
        "old-thumbnail.tif": partial(reduced, order=["page", "old thumbnail"]),
        "mask.tif": partial(reduced, order=["page", "mask"]),
        "all-reduced.tif": partial(reduced, order=["reduced", "thumbnail"]),
        "two-pages.tif": partial(reduced, order=["page of several", "thumbnail", "page of several"]),
        "planar-16.tif": planar,
        "white-is-zero-16.tif": partial(deep, kind="u2", order="<", photometric=0, form=1),
        "float-big-endian.tif": partial(deep, kind="f4", order=">", photometric=1, form=3),
        "grey-premultiplied.tif": alpha_tiff,
        "alpha-0.bmp": partial(no_alpha, kind="BMP", mode="RGB"),
        "alpha-0.png": partial(no_alpha, kind="PNG", mode="RGB"),
        "alpha-0.webp": partial(no_alpha, kind="WEBP", mode="RGB"),
        "alpha-0-grey.png": partial(no_alpha, kind="PNG", mode="L"),
        "no-end.jpg": partial(jpeg, change=lambda content: content[:-2]),
        "no-end-progressive.jpg": partial(jpeg, change=lambda content: content[:-2], progressive=True),
        "cut.jpg": partial(jpeg, change=cut),
        "cut-by-40-bytes.jpg": partial(jpeg, change=lambda content: content[:-40]),
        "cut-with-end.jpg": partial(jpeg, change=lambda content: cut(content) + b"\xff\xd9"),
        "junk.jpg": partial(jpeg, change=lambda content: content[:2] + b"\0\0" + content[2:]),
        "bad-checksum.png": bad_chunk,
        "turned.heic": heic,
        "second-picture.heif": partial(heic, second=True),
        "heic-named.jpg": heic,
        "avif-named.jpg": partial(other_kind, kind="AVIF"),
        "gif-named.png": partial(other_kind, kind="GIF"),
        "jpeg2000-named.jpg": partial(other_kind, kind="JPEG2000"),
        "webp.tif": partial(compressed_tiff, kind="WEBP", compression=50001),
        "jpeg2000.tif": partial(compressed_tiff, kind="JPEG2000", compression=34712),
        "form-drawn.pdf": partial(form_pdf, appearance=True),
        "form-not-drawn.pdf": partial(form_pdf, appearance=False),
        "scan-and-stamp.pdf": partial(scanned_pdf, change=bytes, stamp=b""),
        "broken-scan-and-stamp.pdf": partial(scanned_pdf, change=lambda content: b"garbage"),
        "half-scan.pdf": partial(scanned_pdf, change=cut),
        "missing-scan.pdf": partial(scanned_pdf, change=lambda content: b""),
        "broken-logo.pdf": logo_pdf,
        "portfolio.pdf": partial(attached_pdf, blank=True),
        "attachment.pdf": partial(attached_pdf, blank=False),
        "huge.pdf": partial(sized_pdf, box=b"0 0 14400 14400"),
        "crop-outside.pdf": partial(sized_pdf, box=b"0 0 200 200] /CropBox [300 300 310 310"),
    }.items()
}
