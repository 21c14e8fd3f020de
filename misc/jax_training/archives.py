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
import itertools
import json
import re
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np

from console.errors import InputError, name_some
from console.files import written_whole
from console.progress import warn

WEIGHTS, STATE = "weights", "state"
# Networks; all else is state.
ROOTS = ("generator", "ema", "discriminator")
_ARGUMENTS, _BFLOAT16 = "arguments", ":bfloat16"
_PIECE = re.compile(r"(?P<name>.+\.npz)\.(?P<index>\d+)of(?P<count>\d+)")


def flatten(nested, prefix=""):
    """Arranges nested dicts of arrays as one dict, names joined by slashes."""
    flat = {}
    for name, inner in nested.items():
        if isinstance(inner, dict):
            flat |= flatten(inner, f"{prefix}{name}/")
        else:
            flat[f"{prefix}{name}"] = np.asarray(inner)
    return flat


def write_run(folder, step, state, arguments, is_half=False, most_bytes=None):
    """Writes a run's two files; they count once the second one is there.

    Args:
        folder: The run's.
        step: Of their names.
        state: Nested dicts of arrays.
        arguments: Ready for JSON.
        is_half: Whether to store 16 bits.
        most_bytes: Of a file; None for any.

    Returns:
        list of Path: The files of the weights.

    Raises:
        OSError: The disk is full or read-only; what was there stays.
    """
    roots = {name: state[name] for name in ROOTS if name in state}
    rest = {name: inner for name, inner in state.items() if name not in roots}
    weights, rest = flatten(roots), flatten(rest)
    if is_half:
        weights = {name: to_half(array) for name, array in weights.items()}
        rest = dict(_to_bits(name, array) for name, array in rest.items())
    written = write(_name(folder, WEIGHTS, step), weights, arguments, most_bytes)
    write(_name(folder, STATE, step), rest, arguments, most_bytes)
    return written


def _name(folder, kind, step):
    return Path(folder) / f"{kind}-{step}.npz"


def to_half(array):
    """Kernels in float16; biases and the mean are too few to be worth it."""
    return array.astype(np.float16) if array.ndim > 1 else array


def _to_bits(name, array):
    """Moments in bfloat16; counts stay as they are."""
    if array.ndim == 0:
        return name, array
    return f"{name}{_BFLOAT16}", array.astype(ml_dtypes.bfloat16).view(np.uint16)


def write(path, arrays, arguments, most_bytes=None):
    """Writes an archive, whole or not at all; returns its files, a list of Path."""
    stored = io.BytesIO()
    np.savez(stored, **arrays, **{_ARGUMENTS: json.dumps(arguments)})
    content = stored.getbuffer()
    most = most_bytes or len(content)
    parts = [content[start : start + most] for start in range(0, len(content), most)]
    names = [f"{path}.{n + 1}of{len(parts)}" for n in range(len(parts))]
    paths = [Path(name) for name in names] if len(parts) > 1 else [Path(path)]
    before = set(_list_files(path))
    for part, target in zip(parts, paths, strict=True):
        with written_whole(target) as aside:
            aside.write_bytes(part)
    for old in before - set(paths):
        old.unlink()
    return paths


def _list_files(path):
    """The files of an archive: itself, and pieces, whole or not; in order."""
    path = Path(path)
    whole = [path] if path.is_file() else []
    pieces = [
        (int(match["count"]), int(match["index"]), other)
        for other in path.parent.glob(f"{path.name}.*of*")
        if (match := _PIECE.fullmatch(other.name))
    ]
    return whole + [other for _, _, other in sorted(pieces)]


def find(path, flag):
    """Finds the archive of weights that a path means.

    Args:
        path: `weights-50000.npz`, one of its pieces, or a run's folder: its newest.
        flag: What gave the path, for messages.

    Returns:
        Path: `weights-<step>.npz`, whether it is in pieces or not.

    Raises:
        InputError: There is none.
    """
    path = Path(path)
    if path.is_dir():
        steps = list_steps(path, WEIGHTS)
        if steps:
            return _name(path, WEIGHTS, steps[-1])
        raise InputError(
            f"{flag}={path}: no weights in this folder; expected files like "
            f"{WEIGHTS}-1000.npz, written by misc/train_jax.py."
        )
    match = _PIECE.fullmatch(path.name)
    path = path.with_name(match["name"]) if match else path
    if not _list_files(path):
        raise InputError(
            f"{flag}={path}: no such file; expected one like {WEIGHTS}-1000.npz, "
            "written by misc/train_jax.py, or its folder."
        )
    return path


def step_of(path):
    """The step in an archive's name; None where there is none."""
    match = re.fullmatch(r".*-(\d+)\.npz", Path(path).name)
    return int(match[1]) if match else None


def list_steps(folder, kind):
    """Steps that a folder has archives of one kind of, whole or not, in order."""
    pattern = re.compile(rf"{kind}-(\d+)\.npz(\.\d+of\d+)?")
    names = [path.name for path in Path(folder).glob(f"{kind}-*.npz*")]
    matches = filter(None, map(pattern.fullmatch, names))
    return sorted({int(match[1]) for match in matches})


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
    arrays = {}
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            for name in archive.files:
                array = archive[name]
                if name.endswith(_BFLOAT16):
                    name = name.removesuffix(_BFLOAT16)
                    array = array.view(ml_dtypes.bfloat16)
                floats = array.dtype in (np.float16, ml_dtypes.bfloat16)
                arrays[name] = array.astype(np.float32) if floats else array
        arguments = json.loads(str(arrays.pop(_ARGUMENTS)))
        if not isinstance(arguments, dict):
            raise ValueError("its arguments are no object")
    # What NumPy and zipfile raise for files that are damaged or no archives.
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{flag}={path}: cannot be read as weights of misc/train_jax.py "
            f"({str(error).splitlines()[0]}). Copy it again, or use another."
        ) from None
    return arrays, arguments


def _list_whole(path, flag):
    """The files that make an archive.

    Raises:
        InputError: A piece is missing.
    """
    files = _list_files(path)
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


def unflatten(flat):
    """Undoes `flatten` for a state: networks and moments have names with slashes.

    Args:
        flat: From a name to an array.

    Returns:
        dict: As `misc.jax_training.steps.start_state` makes it.
    """
    state = {}
    for name, array in flat.items():
        root, _, rest = name.partition("/")
        if not rest:
            state[root] = array
        elif root in ROOTS:
            state.setdefault(root, {})[rest] = array
        else:
            kind, _, weight = rest.partition("/")
            inner = state.setdefault(root, {})
            if weight:
                inner.setdefault(kind, {})[weight] = array
            else:
                inner[kind] = array
    return state


def read_newest(folder, flag="--train_path"):
    """Reads the newest state of a run that is whole.

    Returns:
        step, state, arguments; None if the folder holds no run.

    Raises:
        InputError: There are files, but none can be read.
    """
    steps = list_steps(folder, STATE)
    for step in reversed(steps):
        try:
            weights, arguments = read(_name(folder, WEIGHTS, step), flag)
            rest, _ = read(_name(folder, STATE, step), flag)
        except InputError as error:
            warn(f"{error} Trying the one before.")
        else:
            return step, unflatten(weights | rest), arguments
    if steps:
        raise InputError(
            f"{flag}={folder}: none of its {len(steps)} states can be read; give "
            "another folder."
        )
    return None


def remove_old(folder, most):
    """Keeps the newest few of a run's archives."""
    for step in list_steps(folder, WEIGHTS)[:-most]:
        files = (_list_files(_name(folder, kind, step)) for kind in (STATE, WEIGHTS))
        for file in itertools.chain.from_iterable(files):
            file.unlink()


def check_fits(path, flag, found, wanted):
    """Refuses arrays that are not those of a network.

    Args:
        path: Where they are from.
        flag: What gave it.
        found: From a name to an array.
        wanted: The same; only the shapes count.

    Raises:
        InputError: With some that differ.
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


def take_state(fresh, state, path):
    """A state to go on with.

    Args:
        fresh: That of a new run, for its names and shapes.
        state: What was read.
        path: Where from.

    Raises:
        InputError: It is that of another model.
    """
    if "ema" in fresh and "ema" not in state:
        state["ema"] = state["generator"]
    state = {name: state[name] for name in fresh if name in state}
    check_fits(path, "--train_path", flatten(state), flatten(fresh))
    return state


def take_weights(fresh, arrays, path):
    """The state of a new run that starts from weights, averaged where they are.

    Args:
        fresh: That of a run from scratch.
        arrays: As `read` returns them.
        path: Where from.

    Raises:
        InputError: They are those of another network.
    """
    read = unflatten({n: a for n, a in arrays.items() if n.partition("/")[0] in ROOTS})
    weights = {"generator": read.get("ema", read.get("generator", {}))}
    if "discriminator" in fresh and "discriminator" in read:
        weights["discriminator"] = read["discriminator"]
    if "ema" in fresh:
        weights["ema"] = weights["generator"]
    wanted = {name: fresh[name] for name in weights}
    check_fits(path, "--restore_path", flatten(weights), flatten(wanted))
    return fresh | weights
