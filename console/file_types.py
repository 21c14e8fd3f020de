"""Tells what a file is that was given in the place of another."""

from pathlib import Path

# The last 8 bytes of a table of LevelDB, as which TensorFlow writes an index.
TABLE_END = bytes.fromhex("57fb808b247547db")

HDF5, GRAPH = "a Keras file of weights (HDF5)", "a frozen graph"
INDEX, PART = (
    "the index of a TensorFlow checkpoint",
    "a part of a TensorFlow checkpoint",
)
PNG, JPEG = "a picture (PNG)", "a picture (JPEG)"
# What is never made anew as a matter of course.
KEPT = {HDF5, INDEX, PART, PNG, JPEG}

_WEIGHTS = "score_predictors/'s scripts take such weights with --restore_path"
_CHECKPOINT = "--restore_path takes it, without .index"
_GRAPH = "test.py takes it with --model_name, or predict.py a predictor"
_EXPORT = "it is made for other programs; freeze.py writes a .pb file by default"
_PICTURE = "--input_path takes it"

# From what a file begins with: how many bytes before it, what, its kind, and advice.
_BEGINNINGS = (
    (0, b"\x89HDF\r\n\x1a\n", HDF5, _WEIGHTS),
    (0, b"PK\x03\x04", "a zip archive, as .keras and .npz files are", ""),
    (4, b"TFL3", "a TensorFlow Lite file", _EXPORT),
    (0, b"\x89PNG", PNG, _PICTURE),
    (0, b"\xff\xd8\xff", JPEG, _PICTURE),
)


def tell_kind(path):
    """Says what a file or a folder is, by its first and last bytes.

    Args:
        path: A file, or what the names of a checkpoint's files begin with.

    Returns:
        (str, str): Its kind, for example `"a picture (PNG)"`, and what takes it; empty
        where nothing can be said.
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
        return PART, "its .index must lie beside it"
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


def tell_misfit(path, otherwise, expected=None):
    """What to say of a file that is not what it should be.

    Args:
        path: As of `tell_kind`.
        otherwise: What to say where its kind cannot be told.
        expected: The kind that it should be: one of that kind is damaged, which
            `otherwise` says, too.

    Returns:
        str: For example `"is a picture (PNG); --input_path takes it"`.
    """
    kind, advice = tell_kind(path)
    if not kind or kind == expected:
        return otherwise
    return "; ".join(filter(None, (f"is {kind}", advice)))
