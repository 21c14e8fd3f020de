"""What each format holds of a picture's metadata, and in which place."""

import dataclasses
import struct
import zlib
from typing import Any

from imaging.chunks import make_text, read_text
from imaging.exif import DESCRIPTION, DOTS, IPTC, XMP, copy_exif, encode_exif, find_text
from imaging.metadata import Metadata

# Limits of parts of a JPEG, in bytes.
_MOST_EXIF, _MOST_XMP, _MOST_PART = 65_500, 65_502, 65_533


def carry(metadata: Metadata, name: str) -> tuple[Metadata, dict[str, Any], list[str]]:
    """Puts metadata, as `Metadata.fit` returns it, where a format holds it.

    Returns:
        metadata: With all chunks of a PNG or tags of a TIFF.
        options: Pillow's options: profile, EXIF and others that the format has.
        lost: The parts that the format does not hold.
    """
    lost = ["GeoTIFF tags"] if metadata.geo and name != "TIFF" else []
    texts = list(filter(None, map(read_text, metadata.texts)))
    options: dict[str, Any] = {"dpi": metadata.dpi, "icc_profile": metadata.icc_profile}
    comment = "\n".join(
        text if key == "Comment" else f"{key}: {text}" for key, text in texts
    ).encode()
    if name in ("BMP", "GIF"):
        held: dict[str, Any] = {"EXIF": metadata.exif, "XMP": metadata.xmp}
        held |= {"IPTC": metadata.iptc, "text": name == "BMP" and texts}
        lost += [part for part, value in held.items() if value]
        options = {"dpi": metadata.dpi} if name == "BMP" else {"comment": comment}
        return metadata, options, lost
    if name == "PNG":
        options["exif"] = encode_exif(metadata.exif)
        return _to_chunks(metadata), options, lost
    if name == "JPEG":
        parts = {
            "comment": (comment, _MOST_PART, "text"),
            "xmp": (metadata.xmp, _MOST_XMP, "XMP"),
            "extra": (_to_segment(metadata.iptc), _MOST_PART, "IPTC"),
        }
        for option, (value, most, part) in parts.items():
            if value and len(value) > most:
                lost.append(part)
            elif value:
                options[option] = value
        options["exif"] = encode_exif(metadata.exif)
        if len(options["exif"] or b"") > _MOST_EXIF:
            options["exif"] = encode_exif(metadata.exif, _MOST_EXIF)
            lost.append("whole EXIF")
        return metadata, options, lost
    if texts:
        exif = copy_exif(metadata.exif)
        known = find_text(exif, DESCRIPTION), *(text.encode() for _, text in texts)
        exif[DESCRIPTION] = b"\n".join(filter(None, dict.fromkeys(known)))
        metadata = dataclasses.replace(metadata, exif=exif)
    if name == "TIFF":
        exif = copy_exif(metadata.exif)
        tags = {XMP: metadata.xmp, IPTC: metadata.iptc, **metadata.geo}
        exif.update({tag: value for tag, value in tags.items() if value})
        return dataclasses.replace(metadata, exif=exif), {}, lost
    lost += ["IPTC"] * bool(metadata.iptc)
    if metadata.dpi:
        exif = copy_exif(metadata.exif)
        for tag, value in zip(DOTS, (*metadata.dpi, 2), strict=True):
            exif.setdefault(tag, value)
        metadata = dataclasses.replace(metadata, exif=exif)
    options |= {"exif": encode_exif(metadata.exif), "xmp": metadata.xmp}
    return metadata, options, lost


def _to_chunks(metadata):
    """Adds texts, XMP and IPTC to the chunks of a PNG."""
    chunks = [*metadata.chunks, *metadata.texts]
    if metadata.xmp:
        xmp = metadata.xmp.decode("utf-8", "replace")
        chunks.append(make_text("XML:com.adobe.xmp", xmp))
    if metadata.iptc:
        # As ImageMagick and ExifTool write it.
        block = _to_resource(metadata.iptc)
        code = f"\niptc\n{len(block):8}\n{block.hex()}\n".encode()
        data = b"Raw profile type iptc\0\0" + zlib.compress(code)
        chunks.append((b"zTXt", data))
    return dataclasses.replace(metadata, chunks=tuple(chunks))


def _to_resource(iptc):
    """Encodes IPTC as one of Photoshop's resources."""
    head = struct.pack(">4sHHL", b"8BIM", 0x0404, 0, len(iptc))
    return head + iptc + bytes(len(iptc) % 2)


def _to_segment(iptc):
    """Encodes IPTC as a segment of a JPEG; None for none."""
    if not iptc:
        return None
    content = b"Photoshop 3.0\0" + _to_resource(iptc)
    return struct.pack(">HH", 0xFFED, min(len(content) + 2, 65_535)) + content
