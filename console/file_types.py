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
# Types of files that must not be overwritten unless the user asks for it.
KEPT = {HDF5, INDEX, PART, PNG, JPEG}

_WEIGHTS = "the scripts in score_predictors/ accept it as --restore_path"
_CHECKPOINT = "--restore_path accepts it, without .index"
_GRAPH = "test.py accepts it as --model_name, or predict.py if it is a predictor"
_EXPORT = "it is for other programs; freeze.py writes a .pb file by default"
_PICTURE = "--input_path accepts it"

# Signatures: offset, bytes, type of the file, and advice.
_BEGINNINGS = (
    (0, b"\x89HDF\r\n\x1a\n", HDF5, _WEIGHTS),
    (0, b"PK\x03\x04", "a zip archive, such as a .keras or .npz file", ""),
    (4, b"TFL3", "a TensorFlow Lite file", _EXPORT),
    (0, b"\x89PNG", PNG, _PICTURE),
    (0, b"\xff\xd8\xff", JPEG, _PICTURE),
)


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
        first = file.read(16)
        file.seek(max(0, path.stat().st_size - len(TABLE_END)))
        last = file.read()
    if last == TABLE_END:
        return INDEX, _CHECKPOINT
    if ".data-" in path.name:
        return PART, "its .index file must be in the same folder"
    for start, bytes_there, kind, advice in _BEGINNINGS:
        if first[start:].startswith(bytes_there):
            return kind, advice
    if path.suffix == ".onnx":
        return "an ONNX file", _EXPORT
    if path.suffix == ".pb" and first[:1] == b"\n":
        return GRAPH, _GRAPH
    if not first:
        return "an empty file", ""
    return "", ""


def tell_misfit(path: Path | str, otherwise: str, expected: str | None = None) -> str:
    """Returns a message about a file of a wrong type.

    Args:
        path: See `tell_file_type`.
        otherwise: Message if the type is unknown.
        expected: Type that the file should have; such a file is damaged, and
            `otherwise` is returned.

    Returns:
        For example `"is a picture (PNG); --input_path accepts it"`.
    """
    kind, advice = tell_file_type(path)
    if not kind or kind == expected:
        return otherwise
    return "; ".join(filter(None, (f"is {kind}", advice)))
