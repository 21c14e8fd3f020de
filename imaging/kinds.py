"""The kinds of picture files: one list for reading, finding and naming."""

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of picture files.

    Attributes:
        name: Pillow's name of the format.
        endings: Endings of such files, in lower case.
        result: Ending of an enlarged picture whose own ending cannot be written.
    """

    name: str
    endings: tuple[str, ...]
    result: str = ".png"


# Kinds that are accepted, under any file name. Pillow runs some of its other formats as
# programs (PostScript, by Ghostscript).
KINDS = (
    Kind("PNG", (".png", ".apng")),
    # An MPO is a JPEG with more pictures behind it, and opens as one.
    Kind("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), ".jpg"),
    Kind("TIFF", (".tif", ".tiff")),
    Kind("BMP", (".bmp",)),
    Kind("DIB", (".dib",), ".bmp"),
    Kind("WEBP", (".webp",)),
    Kind("GIF", (".gif",)),
    Kind("AVIF", (".avif", ".avifs"), ".avif"),
    Kind("JPEG2000", (".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c")),
    Kind("ICO", (".ico",)),
    Kind("ICNS", (".icns",)),
    Kind("TGA", (".tga",)),
    Kind("PPM", (".ppm", ".pgm", ".pbm", ".pnm")),
    Kind("PCX", (".pcx",)),
    Kind("SGI", (".sgi",)),
    Kind("PSD", (".psd",)),
    Kind("QOI", (".qoi",)),
)
# Kinds that Pillow knows with other libraries; see `imaging.plugins`.
PLUGIN_KINDS = (
    Kind("HEIF", (".heic", ".heif", ".hif"), ".heic"),
    Kind("JXL", (".jxl",), ".jxl"),
)
# The kind's ending for results, by ending of the picture.
RESULT_ENDINGS = {
    ending: kind.result for kind in (*KINDS, *PLUGIN_KINDS) for ending in kind.endings
}
