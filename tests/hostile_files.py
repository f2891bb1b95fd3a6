"""Scans written by hand, as no honest program writes them."""

from __future__ import annotations

import struct
import zlib


def pdf(*objects: bytes) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalog."""
    out, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, each in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    end = b"xref\n0 %d\n0000000000 65535 f \n%btrailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF"
    return bytes(out) + end % (size, table, size, len(out))


def page_of(content: bytes, resources: bytes = b"", box: bytes = b"0 0 200 200") -> tuple[bytes, ...]:
    """The first four objects of a PDF of one page; `content` is its stream."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [%b] /Contents 4 0 R /Resources << %b >> >>"
    return (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        page % (box, resources),
        content,
    )


def stream(entries: bytes, data: bytes) -> bytes:
    """A stream with these entries in its dictionary."""
    return b"<< %b /Length %d >>\nstream\n%b\nendstream" % (entries, len(data), data)


def packed(block: bytes, times: int) -> bytes:
    """Deflate a block that is repeated `times` times, without ever holding it unpacked."""
    packer = zlib.compressobj(1)
    return b"".join(packer.compress(block) for _ in range(times)) + packer.flush()


def nested_forms(depth: int) -> bytes:
    """A PDF with forms in forms, each drawn ten times by the one around it."""
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 200 200] /Resources << /XObject << /F %d 0 R >> >>"
    forms = [stream(form % number, b"/F Do " * 10) for number in range(6, 6 + depth)]
    return pdf(*page_of(stream(b"", b"/F Do"), b"/XObject << /F 5 0 R >>"), *forms)


def long_pdf(pages: int) -> bytes:
    """A PDF whose only page is repeated."""
    catalog, _, page, content = page_of(stream(b"", b""))
    tree = b"<< /Type /Pages /Count %d /Kids [%b] >>" % (pages, b"3 0 R " * pages)
    return pdf(catalog, tree, page, content)


def long_tiff(page: bytes, pages: int) -> bytes:
    """A TIFF whose only page, given as a little-endian TIFF of a single page, is repeated."""
    (start,) = struct.unpack_from("<I", page, 4)
    (entries,) = struct.unpack_from("<H", page, start)
    directory = page[start : start + 2 + 12 * entries]
    places = [len(page) + number * (len(directory) + 4) for number in range(pages)]
    chain = [directory + struct.pack("<I", following) for following in (*places[1:], 0)]
    return page[:4] + struct.pack("<I", places[0]) + page[8:] + b"".join(chain)


def pdf_that_unpacks(megabytes: int) -> bytes:
    """A PDF whose drawing commands are spaces, deflated."""
    return pdf(*page_of(stream(b"/Filter /FlateDecode", packed(b" " * (1 << 20), megabytes))))


def pdf_with_image(side: int) -> bytes:
    """A PDF of a small page that shows a black image."""
    entries = b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8" % (side, side)
    pixels = packed(bytes(1 << 20), side * side >> 20)
    image = stream(entries + b" /ColorSpace /DeviceGray /Filter /FlateDecode", pixels)
    draw = stream(b"", b"200 0 0 200 0 0 cm /I Do")
    return pdf(*page_of(draw, b"/XObject << /I 5 0 R >>"), image)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG with its right checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff(width: int, height: int, data: bytes, *more: tuple[int, int]) -> bytes:
    """A TIFF in 8-bit grey, deflated; `more` are tags in order, a LONG each, that say where its data is."""
    first = ((256, width), (257, height), (258, 8), (259, 8), (262, 1))
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in first + more)
    head = b"II*\0" + struct.pack("<IH", 8, len(first + more)) + tags + bytes(4)
    assert len(head) <= 256
    return head.ljust(256, b"\0") + data


def tiff_with_tile(side: int) -> bytes:
    """A TIFF of 16×16 pixels in one large tile."""
    tile = packed(bytes(1 << 20), side * side >> 20)
    return tiff(16, 16, tile, (277, 1), (322, side), (323, side), (324, 256), (325, len(tile)))


def chained_tiff(pages: int) -> bytes:
    """A TIFF with one directory per page."""
    page = tiff(60, 40, b"", (273, 256), (277, 1), (278, 40), (279, 20))
    directory = page[8 : 10 + 12 * 9]
    size = len(directory) + 4
    chain = (directory + struct.pack("<I", 256 + size * number) for number in range(1, pages))
    return page[:4] + struct.pack("<I", 256) + page[8:] + b"".join(chain) + directory + bytes(4)
