"""ICC profiles: built from what a PNG, HEIC or AVIF says of its colours, and compared.

A file without a profile may say its colours by numbers: gamma and primaries, or the
codes of ITU-T H.273 (`CICP`). The format is that of ICC.1:2022.
"""

import io
import itertools
import struct
from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageCms

# xy of white, red, green and blue by the code of H.273.
_D65 = 0.3127, 0.3290
_PRIMARIES = {
    1: (_D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    5: (_D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: (_D65, (0.63, 0.34), (0.31, 0.595), (0.155, 0.07)),
    9: (_D65, (0.708, 0.292), (0.17, 0.797), (0.131, 0.046)),
    11: ((0.314, 0.351), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    12: (_D65, (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
}
_PRIMARIES[7] = _PRIMARIES[6]
SRGB = 1, 13
# Gamma by the code of a transfer function. Programs show pictures that claim BT.709's
# (1, 6, 14, 15), like sRGB's (13).
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_LIKE_SRGB = (1, 6, 13, 14, 15)
PQ, HLG = 16, 18
# imagecodecs' names of what a JPEG XL holds without a profile.
_JXL_PRIMARIES = {1: "SRGB", 12: "P3", 9: "BT2100"}
SRGB_NAMES = "SRGB", "SRGB"
_JXL_TRANSFERS = {13: "SRGB", 8: "LINEAR", PQ: "PQ", HLG: "HLG"}

# Of the profile connection space, which pictures' whites are adapted to.
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_SPACES = {1: b"GRAY", 3: b"RGB "}
_SPACE = slice(16, 20)
# Chunks of a PNG that say its colours, in the order of the precedence.
CHUNKS = (b"cICP", b"sRGB", b"gAMA", b"cHRM", b"mDCV", b"cLLI")
# Largest differences of xy, and of what is shown in 8 bits, that are the same.
_SAME_COLOUR, _SAME_SHOWN = 0.002, 2


def find_cicp(chunks: Mapping[bytes, bytes]) -> tuple[int, int] | None:
    """Returns the codes of primaries and transfer function; None for others.

    `chunks` are the contents of a PNG's `CHUNKS` by their kinds.
    """
    codes = chunks.get(b"cICP", b"")[:2]
    if len(codes) == 2 and codes[0] in _PRIMARIES and _make_curve(codes[1]):
        return codes[0], codes[1]
    return SRGB if b"sRGB" in chunks else None


def find_hdr(profile: bytes | None) -> dict[bytes, bytes]:
    """Returns the chunk of a PNG that says what a profile says of HDR; else {}."""
    tag = _read_tags(profile or b"").get(b"cicp", b"")
    is_hdr = len(tag) == 12 and tag[9] in (PQ, HLG)
    return {b"cICP": tag[8:]} if is_hdr else {}


def make_profile(chunks: Mapping[bytes, bytes], channels: int) -> bytes | None:
    """Makes the profile of a PNG's colours; None for those of sRGB.

    `chunks` are those of `find_cicp`; `channels` is 1 for grey, 3 for RGB.
    """
    primaries: tuple = _PRIMARIES[1]
    curve, tags = _make_curve(13), {}
    codes = find_cicp(chunks)
    if codes is not None:
        primaries, curve = _PRIMARIES[codes[0]], _make_curve(codes[1])
        tags[b"cicp"] = b"cicp" + bytes(4) + bytes([*codes, 0, 1])
        is_srgb = codes[0] == 1 and codes[1] in _LIKE_SRGB
    else:
        (gamma,) = _unpack(">L", chunks.get(b"gAMA", b"")) or (45455,)
        points = _unpack(">8L", chunks.get(b"cHRM", b""))
        # 1/2.2 is what programs write for sRGB.
        has_gamma = gamma > 0 and abs(gamma - 45455) > 100
        curve = _encode_curve(0, 100_000 / gamma) if has_gamma else curve
        if points and all(points[1::2]):
            pairs = [each / 100_000 for each in points]
            primaries = tuple(zip(pairs[::2], pairs[1::2], strict=True))
        off = np.abs(np.subtract(primaries, _PRIMARIES[1])).max()
        is_srgb = not has_gamma and off < _SAME_COLOUR
    if is_srgb:
        return None
    try:
        return _build(channels, curve, _find_colorants(primaries), tags)
    except (np.linalg.LinAlgError, struct.error):  # No primaries of colours.
        return None


def _unpack(form, data):
    return struct.unpack(form, data) if len(data) == struct.calcsize(form) else None


def _find_colorants(primaries):
    """Returns XYZ of red, green and blue in columns, for a white of D50."""
    white, *colours = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in primaries)
    colours = np.stack(colours, -1)
    colours = colours * np.linalg.solve(colours, white)
    cones = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    return np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD @ colours


def _make_curve(transfer):
    """Encodes a transfer function of H.273; None for those not known."""
    if transfer in _LIKE_SRGB:
        return _encode_curve(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    if transfer in _GAMMAS:
        return _encode_curve(0, _GAMMAS[transfer])
    x = np.arange(1024) / 1023
    # For programs without HDR: the white of a sheet of paper becomes white.
    if transfer == PQ:
        root = x ** (32 / 2523)
        light = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
        light = 10_000 / 203 * light ** (8192 / 1305)
    elif transfer == HLG:
        high = (np.exp((x - 0.55991073) / 0.17883277) + 0.28466892) / 12
        light = np.where(x <= 0.5, x * x / 3, high) / 0.26496256
    else:
        return None
    points = np.rint(np.minimum(light, 1) * 65535).astype(">u2")
    return struct.pack(">4s4xL", b"curv", len(points)) + points.tobytes()


def _encode_curve(kind, *numbers):
    return struct.pack(">4s4xH2x", b"para", kind) + _encode_fixed(numbers)


def _encode_fixed(numbers):
    return np.rint(np.ravel(numbers) * 65536).astype(">i4").tobytes()


def _build(channels, curve, colorants, more_tags):
    """Builds a profile of a display.

    Args:
        channels: 1 for grey, 3 for RGB.
        curve: The content of the tag of the curve of each channel.
        colorants: float (3, 3), XYZ of red, green and blue in columns.
        more_tags: Contents of further tags.
    """
    text = "Colours of the file".encode("utf-16-be")
    said = struct.pack(">4s4xLL4sLL", b"mluc", 1, 12, b"enUS", len(text), 28) + text
    xyz = b"XYZ " + bytes(4)
    tags = {b"desc": said, b"cprt": said, b"wtpt": xyz + _encode_fixed(_D50)}
    tags |= more_tags
    if channels == 1:
        tags[b"kTRC"] = curve
    else:
        for name, colour in zip(b"rgb", colorants.T, strict=True):
            tags[b"%cXYZ" % name] = xyz + _encode_fixed(colour)
            tags[b"%cTRC" % name] = curve
    table, content, places = struct.pack(">L", len(tags)), b"", {}
    start = 128 + 4 + 12 * len(tags)
    for kind, data in tags.items():
        if data not in places:  # Curves are the same for all channels.
            places[data] = start + len(content)
            content += data + bytes(-len(data) % 4)
        table += struct.pack(">4sLL", kind, places[data], len(data))
    header = struct.pack(
        *(">L4xL4s4s4s12x4s28x", start + len(content), 0x04400000, b"mntr"),
        *(_SPACES[channels], b"XYZ ", b"acsp"),
    )
    return header + _encode_fixed(_D50) + bytes(48) + table + content


def _read_tags(profile):
    """Returns the contents of a profile's tags; empty for no profile."""
    if profile[36:40] != b"acsp" or len(profile) < 132:
        return {}
    (count,) = struct.unpack_from(">L", profile, 128)
    table = profile[132:][: 12 * min(count, 1000)]
    places = struct.iter_unpack(">4sLL", table[: len(table) // 12 * 12])
    return {kind: profile[start : start + size] for kind, start, size in places}


def to_channels(profile: bytes | None, channels: int) -> bytes | None:
    """Converts a profile of grey to one of RGB with the same tones, and back.

    Returns:
        The profile, if it has 1 or 3 `channels` already; None if it cannot be
        converted.
    """
    if profile is None or profile[_SPACE] == _SPACES[channels]:
        return profile
    tags = _read_tags(profile) if profile[_SPACE] in _SPACES.values() else {}
    curve = tags.get(b"gTRC", tags.get(b"kTRC"))
    colorants = _find_colorants(_PRIMARIES[1])
    return _build(channels, curve, colorants, {}) if curve else None


def name_colours(profile: bytes | None) -> tuple[str, str] | None:
    """Returns imagecodecs' names of primaries and transfer function, for JPEG XL.

    Returns for example `("P3", "SRGB")`; None if a profile has no names.
    """
    if profile is None:
        return SRGB_NAMES
    if code := find_hdr(profile).get(b"cICP"):
        named = _JXL_PRIMARIES.get(code[0])
        return (named, _JXL_TRANSFERS[code[1]]) if named else None
    shown = _show(to_channels(profile, 3))
    for codes in itertools.product(_JXL_PRIMARIES, (13, 8)):
        candidate = _show(_build_from_codes(*codes))
        if shown is not None and np.abs(shown - candidate).max() <= _SAME_SHOWN:
            return _JXL_PRIMARIES[codes[0]], _JXL_TRANSFERS[codes[1]]
    return None


def _build_from_codes(primaries, transfer):
    curve = _make_curve(transfer)
    return _build(3, curve, _find_colorants(_PRIMARIES[primaries]), {})


def _show(profile):
    """Converts colours to a wide space: int (6, 36, 3); None for a damaged profile."""
    levels = np.array([0, 10, 40, 100, 180, 255], np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(6, 36, 3)
    wide = _build_from_codes(9, 13)
    try:
        profiles = [ImageCms.ImageCmsProfile(io.BytesIO(p)) for p in (profile, wide)]
        shown = ImageCms.profileToProfile(Image.fromarray(cube), *profiles)
    except (ImageCms.PyCMSError, OSError, TypeError):
        return None
    return np.asarray(shown).astype(int)
