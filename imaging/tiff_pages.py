"""Pages of a TIFF: counted, and cut out as files of a single page."""

import contextlib
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tifffile

# Of a page that is a smaller copy of another.
_REDUCED = 1


def find_pages(path: Path | str) -> list[int]:
    """Returns the indices of a TIFF's pages, without thumbnails.

    Empty for a file of one page, of another format or with damage.
    """
    pages: list[int] = []
    with contextlib.suppress(Exception), tifffile.TiffFile(path) as file:
        pages = list_pages(file)
    return pages if len(pages) > 1 else []


def walk_pages(file: tifffile.TiffFile) -> Iterator[Any]:
    """Yields the pages of an open TIFF, to the end or to one that leads back."""
    seen: set[int] = set()
    with contextlib.suppress(IndexError):
        for index in itertools.count():
            page = file.pages[index]
            if page.offset in seen:
                return
            seen.add(page.offset)
            yield page


def list_pages(file: tifffile.TiffFile) -> list[int]:
    """Returns the indices of an open TIFF's pages, without thumbnails."""
    found = enumerate(walk_pages(file))
    return [index for index, page in found if not page.subfiletype & _REDUCED]


def cut_page(path: Path | str, index: int) -> io.BytesIO:
    """Returns the content of a TIFF that has one page, by its index, of another TIFF.

    It is the whole file with other pointers: those to the first page and behind it.
    """
    data = bytearray(Path(path).read_bytes())
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        form, start = file.tiff, file.pages[index].offset
    order: Any = "little" if form.byteorder == "<" else "big"
    tags = int.from_bytes(data[start : start + form.tagnosize], order)
    end = start + form.tagnosize + tags * form.tagsize
    first = 8 if form.is_bigtiff else 4
    data[first : first + form.offsetsize] = start.to_bytes(form.offsetsize, order)
    data[end : end + form.offsetsize] = bytes(form.offsetsize)
    return io.BytesIO(data)
