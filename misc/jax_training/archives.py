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

Arrays = dict[str, np.ndarray]


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
    arrays: Arrays,
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
    paths = _name_pieces(path, len(parts)) if len(parts) > 1 else [Path(path)]
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


def _name_pieces(path, count):
    return [Path(f"{path}.{index + 1}of{count}") for index in range(count)]


def list_files(path: Path | str) -> list[Path]:
    """Lists the existing files of an archive: itself and its pieces."""
    path = Path(path)
    pieces = path.parent.glob(f"{path.name}.*of*")
    return [path] * path.is_file() + [p for p in pieces if _PIECE.fullmatch(p.name)]


def list_steps(folder: Path | str, kind: str) -> list[int]:
    """Lists the steps of a folder's archives of one kind in order, also incomplete."""
    pattern = re.compile(rf"{kind}-(\d{{1,15}})\.npz(\.\d+of\d+)?")
    names = [path.name for path in Path(folder).glob(f"{kind}-*.npz*")]
    matches = filter(None, map(pattern.fullmatch, names))
    return sorted({int(match[1]) for match in matches})


def find(path: Path | str, flag: str) -> list[Path]:
    """Finds the archives of weights that a flag's path names, newest first.

    Args:
        path: `weights-50000.npz`, one of its pieces, or a run's folder.
        flag: The flag that gave the path, for messages.

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


def read(path: Path | str, flag: str) -> tuple[Arrays, dict[str, Any]]:
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
            raise ValueError(f"'{ARGUMENTS}' is not a JSON object")
        return dict(map(_from_16_bits, stored.items())), arguments
    except MemoryError:
        raise
    except Exception as error:  # Damaged archives raise nearly any kind of error.
        raise InputError(
            f"{flag}={path}: cannot be read as {_EXPECTED} ({first_line(error)}). Copy "
            "it again, or use another."
        ) from None


def _list_whole(path, flag):
    """Lists the files that make a complete archive, in order."""
    files = list_files(path)
    if Path(path) in files:
        return [Path(path)]
    count = max((int(_PIECE.fullmatch(p.name)["count"]) for p in files), default=1)
    pieces = _name_pieces(path, count)
    missing = [piece.suffix[1:] for piece in pieces if piece not in files]
    if missing or len(files) > count:
        raise InputError(
            f"{flag}={path}: in pieces, of which {[*missing, 'some'][0]} is missing or "
            "of another file; copy all again."
        )
    return pieces


def to_half(array: np.ndarray) -> np.ndarray:
    """Converts kernels that fit to float16; other arrays are small and stay."""
    fits = np.abs(array).max(initial=0) <= np.finfo(np.float16).max
    return array.astype(np.float16) if array.ndim > 1 and fits else array


def to_bits(item: tuple[str, np.ndarray]) -> tuple[str, np.ndarray]:
    """Converts the name and array of moments to bfloat16; counts stay."""
    name, array = item
    if array.ndim == 0:
        return item
    return f"{name}{BFLOAT16}", array.astype(ml_dtypes.bfloat16).view(np.uint16)


def _from_16_bits(item):
    """Inverts `to_half` and `to_bits`."""
    name, array = item
    if name.endswith(BFLOAT16):
        name, array = name.removesuffix(BFLOAT16), array.view(ml_dtypes.bfloat16)
    if array.dtype in (np.float16, ml_dtypes.bfloat16):
        array = array.astype(np.float32)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} is not an array of numbers")
    return name, array


def read_architecture(
    path: Path | str, flag: str, arguments: Mapping[str, Any]
) -> Architecture:
    """Makes the settings of an archive's network from the arguments of `read`."""
    try:
        return Architecture.from_stored(arguments["architecture"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{flag}={path}: does not name the network of its weights; expected "
            f"{_EXPECTED}."
        ) from error


def check_fits(
    path: Path | str, flag: str, found: Arrays, wanted: Mapping[str, Any]
) -> None:
    """Refuses arrays that differ in shape from those wanted, or are not finite.

    Raises:
        InputError: Names some of them, and the flag that gave the path.
    """
    misfits = []
    for name in sorted({*found, *wanted}):
        has, takes = (
            list(arrays[name].shape) if name in arrays else "none"
            for arrays in (found, wanted)
        )
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
