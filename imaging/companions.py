"""Pictures beside the picture of a file: gain maps, depth, other views, videos.

On its own because `imaging.metadata` reads what travels to the result; this does not.
"""

from PIL import Image

# What is in XMP about the rest of the file, and its name.
_IN_XMP = {
    b"hdrgm:Version": "an HDR gain map",
    b"HDRGainMap": "an HDR gain map",
    b"MotionPhoto": "a video",
    b"MicroVideo": "a video",
}
# Parts of the names of auxiliary pictures in a HEIC, and how they are called here.
_IN_HEIC = {"hdrgainmap": "an HDR gain map", "depth": "depth", "matte": "mattes"}
_MP_ENTRIES, _PREVIEW = 0xB002, "Large Thumbnail"


def find_companions(image: Image.Image, xmp: bytes | None) -> list[str]:
    """Finds pictures that a file holds beside its first one, for a message.

    Args:
        image: The image.
        xmp: Its XMP; None for none.

    Returns:
        For example `["an HDR gain map"]`. Previews and thumbnails do not count.
    """
    found = [name for key, name in _IN_XMP.items() if key in (xmp or b"")]
    for kind in image.info.get("aux", {}):
        names = [name for key, name in _IN_HEIC.items() if key in kind.lower()]
        found += names or ["an auxiliary picture"]
    found += ["depth"] * bool(image.info.get("depth_images"))
    entries = getattr(image, "mpinfo", {}).get(_MP_ENTRIES, [])
    kinds = [str(entry["Attribute"]["MPType"]) for entry in entries[1:]]
    if not found and any(_PREVIEW not in kind for kind in kinds):
        found.append(f"{len(kinds)} more pictures" if kinds[1:] else "a second picture")
    return sorted(set(found))
