"""Weights and moments as NumPy archives, which need neither TensorFlow nor JAX.

`weights-<step>.npz` holds arrays under the names of checkpoints, `generator/...`,
`ema/...`, `discriminator/...`, and `arguments`, a str of JSON: the settings of the
model and the arguments of the run, so that a copied file is complete by itself.
`state-<step>.npz` holds the arrays that only a resumed run needs.

On request both are stored in 16 bits: kernels in float16, because bfloat16 has only 8
bits of precision, and moments, whose range exceeds float16, as the bits of bfloat16 in
uint16, under a name that ends in `:bfloat16`. A file may be split into `<name>.1of3`,
`<name>.2of3`, ...; `cat` joins the pieces.
"""

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from console.errors import InputError, first_line, name_some
from console.files import opened_whole
from models.generator_settings import Architecture

WEIGHTS, STATE = "weights", "state"
ARGUMENTS, BFLOAT16 = "arguments", ":bfloat16"
_PIECE = re.compile(r"(?P<name>.+\.npz)\.(?P<index>\d{1,4})of(?P<count>\d{1,4})")
_EXPECTED = f"a file like {WEIGHTS}-1000.npz, written by misc/train_jax.py"


def name_of(variable: Any) -> str:
    """The name of a Keras variable in checkpoints, without the name of its network."""
    return variable.path.partition("/")[2]


def name_archive(folder: Path | str, kind: str, step: int) -> Path:
    """The path of an archive, without the ending of a piece."""
    return Path(folder) / f"{kind}-{step}.npz"


def step_of(path: Path | str) -> int | None:
    """The step in an archive's name; None if there is none."""
    match = re.fullmatch(r".*-(\d{1,15})\.npz", Path(path).name)
    return int(match[1]) if match else None


def write(
    path: Path | str,
    arrays: Mapping[str, np.ndarray],
    arguments: Mapping[str, Any],
    most_bytes: int | None = None,
) -> list[Path]:
    """Writes an archive, completely or not at all; returns its files."""
    stored = io.BytesIO()
    contents: dict[str, Any] = {**arrays, ARGUMENTS: json.dumps(arguments)}
    np.savez(stored, **contents)
    content = stored.getvalue()
    most = most_bytes or len(content)
    parts = [content[start : start + most] for start in range(0, len(content), most)]
    names = [f"{path}.{n + 1}of{len(parts)}" for n in range(len(parts))]
    paths = [Path(name) for name in names] if len(parts) > 1 else [Path(path)]
    before = set(list_files(path))
    try:
        for part, target in zip(parts, paths, strict=True):
            with opened_whole(target) as file:
                file.write(part)
    except BaseException:  # Ctrl-C, too: an incomplete set of pieces is useless.
        for target in paths:
            target.unlink(missing_ok=True)
        raise
    for old in before - set(paths):
        old.unlink()
    return paths


def list_files(path: Path | str) -> list[Path]:
    """Lists the existing files of an archive in order: itself and its pieces."""
    path = Path(path)
    whole = [path] if path.is_file() else []
    pieces = [
        (int(match["count"]), int(match["index"]), other)
        for other in path.parent.glob(f"{path.name}.*of*")
        if (match := _PIECE.fullmatch(other.name))
    ]
    return whole + [other for _, _, other in sorted(pieces)]


def list_steps(folder: Path | str, kind: str) -> list[int]:
    """Lists the steps of a folder's archives of one kind in order, also incomplete."""
    pattern = re.compile(rf"{kind}-(\d{{1,15}})\.npz(\.\d+of\d+)?")
    names = [path.name for path in Path(folder).glob(f"{kind}-*.npz*")]
    matches = filter(None, map(pattern.fullmatch, names))
    return sorted({int(match[1]) for match in matches})


def find(path: Path | str, flag: str) -> list[Path]:
    """Finds the archives of weights that a path names.

    Args:
        path: `weights-50000.npz`, one of its pieces, or a run's folder.
        flag: The flag that gave the path, for messages.

    Returns:
        The archive, or all archives of the folder, newest first.

    Raises:
        InputError: There are no weights.
    """
    path = Path(path)
    if path.is_dir():
        steps = list_steps(path, WEIGHTS)[::-1]
        if steps:
            return [name_archive(path, WEIGHTS, step) for step in steps]
        raise InputError(
            f"{flag}={path}: no weights in this folder; expected {_EXPECTED}."
        )
    match = _PIECE.fullmatch(path.name)
    path = path.with_name(match["name"]) if match else path
    if not list_files(path):
        raise InputError(
            f"{flag}={path}: no such file; expected {_EXPECTED}, or its folder."
        )
    return [path]


def read(path: Path | str, flag: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads an archive, split or not, of 16 or 32 bits.

    Args:
        path: The archive, from `find`.
        flag: The flag that gave the path, for messages.

    Returns:
        arrays: From a name to a float32 or integer array.
        arguments: The arguments of the archive.

    Raises:
        InputError: A piece is missing, or the file is damaged or of another kind.
    """
    content = b"".join(file.read_bytes() for file in _list_whole(path, flag))
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            if ARGUMENTS not in archive.files:
                raise ValueError(f"it holds no '{ARGUMENTS}'")
            stored = {name: archive[name] for name in archive.files}
        arguments = json.loads(str(stored.pop(ARGUMENTS)))
        if not isinstance(arguments, dict):
            raise ValueError(f"its '{ARGUMENTS}' are no object")
        arrays = dict(_to_numbers(name, array) for name, array in stored.items())
    except MemoryError:
        raise
    except Exception as error:  # Damaged archives raise nearly any kind of error.
        raise InputError(
            f"{flag}={path}: cannot be read as {_EXPECTED} ({first_line(error)}). Copy "
            "it again, or use another."
        ) from None
    return arrays, arguments


def _to_numbers(name, array):
    """Converts an array and its name back from 16 bits."""
    if name.endswith(BFLOAT16):
        name, array = name.removesuffix(BFLOAT16), array.view(ml_dtypes.bfloat16)
    if array.dtype in (np.float16, ml_dtypes.bfloat16):
        array = array.astype(np.float32)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} is no array of numbers")
    return name, array


def _list_whole(path, flag):
    """Lists the files that make a complete archive.

    Raises:
        InputError: A piece is missing.
    """
    files = list_files(path)
    if files and files[0] == Path(path):
        return files[:1]
    matches = [match for file in files if (match := _PIECE.fullmatch(file.name))]
    counts = {int(match["count"]) for match in matches}
    there = {int(match["index"]) for match in matches}
    missing = sorted(set(range(1, max(counts, default=1) + 1)) - there)
    if len(counts) != 1 or missing:
        of = f"{missing[0]}of{max(counts, default=1)}" if missing else "some"
        raise InputError(
            f"{flag}={path}: in pieces, of which {of} is missing or of another file; "
            "copy all again."
        )
    return files


def read_architecture(
    path: Path | str, flag: str, arguments: Mapping[str, Any]
) -> Architecture:
    """Reads the settings of an archive's network.

    Args:
        path: The archive.
        flag: The flag that gave it, for messages.
        arguments: The arguments from `read`.

    Returns:
        The settings.

    Raises:
        InputError: The arguments hold no valid settings.
    """
    try:
        return Architecture.from_stored(arguments["architecture"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{flag}={path}: does not say of which network its weights are; expected "
            f"{_EXPECTED}."
        ) from error


def check_fits(
    path: Path | str,
    flag: str,
    found: Mapping[str, np.ndarray],
    wanted: Mapping[str, np.ndarray],
) -> None:
    """Refuses arrays that do not fit a network.

    Args:
        path: Origin of the arrays.
        flag: The flag that gave the path.
        found: From a name to an array.
        wanted: From a name to an array of the expected shape.

    Raises:
        InputError: Some arrays differ in shape or are not finite; names some of them.
    """
    misfits = []
    for name in sorted(set(found) | set(wanted)):
        has = list(found[name].shape) if name in found else "none"
        takes = list(wanted[name].shape) if name in wanted else "none"
        if has != takes:
            misfits.append(f"{name} ({has}, not {takes})")
    if misfits:
        raise InputError(
            f"{flag}={path}: does not fit this model, which differs in "
            f"{name_some(misfits, 2)}. It was made with other sizes, or by another "
            "program."
        )
    bad = [name for name, array in found.items() if not np.isfinite(array).all()]
    if bad:
        raise InputError(
            f"{flag}={path}: {name_some(bad, 2)} holds values that are not finite; the "
            "training that wrote it went astray. Use another."
        )
