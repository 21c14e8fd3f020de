"""Detects the type of a file that was given in place of another."""

from pathlib import Path

# Last 8 bytes of a LevelDB table, the format of TensorFlow's index files.
TABLE_END = bytes.fromhex("57fb808b247547db")

HDF5, GRAPH = "a Keras weights file (HDF5)", "a frozen graph"
INDEX, PART = (
    "the index file of a TensorFlow checkpoint",
    "a data file of a TensorFlow checkpoint",
)
PNG, JPEG = "a picture (PNG)", "a picture (JPEG)"
AVIF, HEIC, JPEG_XL = "a picture (AVIF)", "a picture (HEIC)", "a picture (JPEG XL)"
EMPTY = "an empty file"
# Types of files that must not be overwritten unless the user asks for it.
KEPT = {HDF5, INDEX, PART, PNG, JPEG, AVIF, HEIC, JPEG_XL}

_WEIGHTS = "the scripts in score_predictors/ accept it as --restore_path"
_CHECKPOINT = "--restore_path accepts it, without .index"
_GRAPH = "test.py accepts it as --model_name, or predict.py if it is a predictor"
_EXPORT = "it is for other programs; freeze.py writes a .pb file by default"
_PICTURE = "--input_path accepts it"
_CONVERT = "convert it to PNG, for example with ImageMagick or GIMP"
_DEVELOP = "develop it to TIFF or JPEG, for example with darktable"
_DRAW = "export it as PNG, for example with Inkscape"

_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
# Signatures: offset, bytes, type of the file, and advice.
_BEGINNINGS = (
    (0, b"\x89HDF\r\n\x1a\n", HDF5, _WEIGHTS),
    (0, b"PK\x03\x04", "a zip archive, such as a .keras or .npz file", ""),
    (4, b"TFL3", "a TensorFlow Lite file", _EXPORT),
    (0, b"\x89PNG", PNG, _PICTURE),
    (0, b"\xff\xd8\xff", JPEG, _PICTURE),
    # Pictures of other programs, and what is named like a picture by mistake.
    *((4, b"ftyp" + brand, HEIC, _PICTURE) for brand in _HEIC),
    (4, b"ftypavi", AVIF, _PICTURE),
    (4, b"ftypcrx", "a raw photograph (CR3)", _DEVELOP),
    (4, b"ftyp", "a video (MP4)", "extract its frames, for example with ffmpeg"),
    (0, b"\xff\x0a", JPEG_XL, _PICTURE),
    (0, b"\0\0\0\x0cJXL ", JPEG_XL, _PICTURE),
    (0, b"II\xbc\x01", "a JPEG XR picture", _CONVERT),
    (0, b"DDS ", "a DDS texture", _CONVERT),
    (0, b"#?", "a Radiance HDR picture", _CONVERT),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture", _CONVERT),
    *((0, head, "a PFM picture", _CONVERT) for head in (b"PF\n", b"Pf\n")),
    (0, b"BM", "a BMP of a rare kind, or damaged", _CONVERT),
    (0, b"8BPS", "a Photoshop document that is not read", "save it as TIFF or PNG"),
    (0, b"gimp xcf", "a GIMP picture (XCF)", "export it as PNG from GIMP"),
    (0, b"SIMPLE  =", "a FITS picture", _CONVERT),
    (128, b"DICM", "a DICOM picture", _CONVERT),
    (0, b"FUJIFILMCCD-RAW", "a raw photograph (RAF)", _DEVELOP),
    (0, b"IIRO", "a raw photograph (ORF)", _DEVELOP),
    (0, b"IIU\0", "a raw photograph (RW2)", _DEVELOP),
    (0, b"%PDF", "a PDF document", _DRAW),
    (0, b"%!PS", "a PostScript document", _DRAW),
    (0, b"<svg", "an SVG drawing", _DRAW),
    *((0, head, "a web page", "download it again") for head in (b"<!doc", b"<html")),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it"),
    (0, b"version https://git-lfs", "a Git LFS pointer", "git lfs pull downloads it"),
)
# Bytes that are read of the beginning.
_READ = 512


def tell_file_type(path: Path | str) -> tuple[str, str]:
    """Detects the type of a file or folder, by its first and last bytes.

    Args:
        path: A file, a folder, or the prefix of a checkpoint.

    Returns:
        The type, for example `"a picture (PNG)"`, and advice on its use; both empty if
        unknown.
    """
    path = Path(path)
    if (path / "saved_model.pb").is_file() or path.name == "saved_model.pb":
        return "a SavedModel", _EXPORT
    if not path.is_file():
        is_prefix = Path(f"{path}.index").is_file()
        advice = _CHECKPOINT.partition(",")[0]
        return ("a TensorFlow checkpoint", advice) if is_prefix else ("", "")
    with open(path, "rb") as file:
        first = file.read(_READ)
        file.seek(max(0, path.stat().st_size - len(TABLE_END)))
        last = file.read()
    if last == TABLE_END:
        return INDEX, _CHECKPOINT
    if ".data-" in path.name:
        return PART, "its .index file must be in the same folder"
    text = _find_markup(first)
    for start, bytes_there, kind, advice in _BEGINNINGS:
        if (text or first)[start:].startswith(bytes_there):
            return kind, advice
    if path.suffix == ".onnx":
        return "an ONNX file", _EXPORT
    if path.suffix == ".pb" and first[:1] == b"\n":
        return GRAPH, _GRAPH
    if not first:
        return EMPTY, ""
    return "", ""


def tell_misfit(path: Path | str, otherwise: str, *expected: str) -> str:
    """Returns a message about a file of a wrong type.

    Args:
        path: See `tell_file_type`.
        otherwise: Message if the type is unknown.
        *expected: Types that the file may have; such a file is damaged, and
            `otherwise` is returned.

    Returns:
        For example `"is a picture (PNG); --input_path accepts it"`.
    """
    kind, advice = tell_file_type(path)
    if not kind or kind in expected:
        return otherwise
    return "; ".join(filter(None, (f"is {kind}", advice)))


def _find_markup(first):
    """Returns the first element of HTML or SVG in lower case; empty for other files."""
    text = first.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not text.startswith(b"<"):
        return b""
    if text.startswith((b"<?xml", b"<!--", b"<!doctype svg")):
        return text[max(text.find(b"<svg"), 0) :]
    return text
