"""Weights and moments as NumPy archives, which need neither TensorFlow nor JAX.

`weights-<step>.npz` holds arrays under the names that checkpoints use, `generator/...`,
`ema/...`, `discriminator/...`, and `arguments`, JSON as a str: what the model is made
from and the run was started with, so that a file that is copied alone can be opened.
`state-<step>.npz` holds what only a run that goes on needs.

On request both are stored in 16 bits: the kernels in float16, since bfloat16 has but 8
bits of precision, and moments, whose range float16 has not, as the bits of bfloat16 in
uint16, under a name that ends in `:bfloat16`. And a file may be cut into
`<name>.1of3`, `<name>.2of3`, ...: `cat` puts it together again.
"""

import io
import json
import re
from pathlib import Path

import ml_dtypes
import numpy as np

from console.errors import InputError, first_line, name_some
from console.files import opened_whole
from models.generator_settings import Architecture

WEIGHTS, STATE = "weights", "state"
ARGUMENTS, BFLOAT16 = "arguments", ":bfloat16"
_PIECE = re.compile(r"(?P<name>.+\.npz)\.(?P<index>\d{1,4})of(?P<count>\d{1,4})")
_EXPECTED = f"a file like {WEIGHTS}-1000.npz, written by misc/train_jax.py"


def name_of(variable):
    """What checkpoints call a Keras variable, without the name of its network."""
    return variable.path.partition("/")[2]


def name_archive(folder, kind, step):
    """The path of an archive, whether it is in pieces or not."""
    return Path(folder) / f"{kind}-{step}.npz"


def step_of(path):
    """The step in an archive's name; None where there is none."""
    match = re.fullmatch(r".*-(\d{1,15})\.npz", Path(path).name)
    return int(match[1]) if match else None


def write(path, arrays, arguments, most_bytes=None):
    """Writes an archive, whole or not at all; returns its files, a list of Path."""
    stored = io.BytesIO()
    np.savez(stored, **arrays, **{ARGUMENTS: json.dumps(arguments)})
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
    except BaseException:  # Ctrl-C, too: some pieces are of no use.
        for target in paths:
            target.unlink(missing_ok=True)
        raise
    for old in before - set(paths):
        old.unlink()
    return paths


def list_files(path):
    """The files of an archive: itself, and pieces, whole or not; in order."""
    path = Path(path)
    whole = [path] if path.is_file() else []
    pieces = [
        (int(match["count"]), int(match["index"]), other)
        for other in path.parent.glob(f"{path.name}.*of*")
        if (match := _PIECE.fullmatch(other.name))
    ]
    return whole + [other for _, _, other in sorted(pieces)]


def list_steps(folder, kind):
    """Steps that a folder has archives of one kind of, whole or not, in order."""
    pattern = re.compile(rf"{kind}-(\d{{1,15}})\.npz(\.\d+of\d+)?")
    names = [path.name for path in Path(folder).glob(f"{kind}-*.npz*")]
    matches = filter(None, map(pattern.fullmatch, names))
    return sorted({int(match[1]) for match in matches})


def find(path, flag):
    """Finds the archives of weights that a path may mean.

    Args:
        path: `weights-50000.npz`, one of its pieces, or a run's folder.
        flag: What gave the path, for messages.

    Returns:
        list of Path: Of a folder all, the newest first.

    Raises:
        InputError: There is none.
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


def read(path, flag):
    """Reads an archive, in pieces or not, of 16 bits or of 32.

    Args:
        path: As `find` returns it.
        flag: What gave it, for messages.

    Returns:
        arrays: From a name to a float32 or integer array.
        arguments: A dict.

    Raises:
        InputError: A piece is missing, or the file is damaged or something else.
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
    except Exception as error:  # Of damaged archives there is hardly a kind not raised.
        raise InputError(
            f"{flag}={path}: cannot be read as {_EXPECTED} ({first_line(error)}). Copy "
            "it again, or use another."
        ) from None
    return arrays, arguments


def _to_numbers(name, array):
    """An array as it was before it was stored in 16 bits, and its name."""
    if name.endswith(BFLOAT16):
        name, array = name.removesuffix(BFLOAT16), array.view(ml_dtypes.bfloat16)
    if array.dtype in (np.float16, ml_dtypes.bfloat16):
        array = array.astype(np.float32)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} is no array of numbers")
    return name, array


def _list_whole(path, flag):
    """The files that make an archive.

    Raises:
        InputError: A piece is missing.
    """
    files = list_files(path)
    if files and files[0] == Path(path):
        return files[:1]
    matches = [_PIECE.fullmatch(file.name) for file in files]
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


def read_architecture(path, flag, arguments):
    """What the network of an archive is made from.

    Args:
        path: The archive.
        flag: What gave it, for messages.
        arguments: As `read` returns them.

    Returns:
        models.generator_settings.Architecture.

    Raises:
        InputError: It does not say, or there is no such network.
    """
    try:
        return Architecture.from_stored(arguments["architecture"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{flag}={path}: does not say of which network its weights are; expected "
            f"{_EXPECTED}."
        ) from error


def check_fits(path, flag, found, wanted):
    """Refuses arrays that are not those of a network.

    Args:
        path: Where they are from.
        flag: What gave it.
        found: From a name to an array.
        wanted: The same; only the shapes count.

    Raises:
        InputError: With some that differ, or are not finite.
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
