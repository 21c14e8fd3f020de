"""The folder, the names and the format of results."""

import contextlib
import dataclasses
import os
from pathlib import Path

from PIL import ImageColor

from console.errors import InputError
from console.files import check_target
from console.settings import PathName, Settings, option
from imaging.animations import is_animated
from imaging.kinds import RESULT_ENDINGS
from imaging.pictures import Picture
from imaging.plugins import use
from imaging.saving import FORMATS, JPEG_QUALITY, find_format
from upscaling.naming import DEFAULT_ENDING, Job

SAME = "same"
# A path that stands for the standard input or output.
STANDARD = "-"


@dataclasses.dataclass(frozen=True)
class Output(Settings):
    """The folder and the format of results; subfolders match those of the pictures."""

    path: PathName | Path = option(
        "SR",
        "Folder to write to; for one picture also a file, for example large.png; - "
        "for the standard output, with --input_path=-.",
        flag="output_path",
    )
    output_format: str = option(
        SAME,
        "Format of the results; same keeps each picture's own.",
        choices=(SAME, *FORMATS),
    )
    jpeg_quality: int = option(
        JPEG_QUALITY,
        "Quality of JPEG results, and of WebP results unless the picture is lossless, "
        "1 to 100.",
        most=100,
    )
    background: str | None = option(
        None,
        "Colour behind transparent pictures in formats without transparency (JPEG), "
        "for example white or #ffcc00; otherwise such pictures are left out.",
    )
    suffix: str = option(
        "", "Suffix of the results' names, for example _x4: photo_x4.jpg."
    )
    all_pages: bool = option(
        False,
        "Enlarge each page of a TIFF, to NAME_p1.tif, NAME_p2.tif and so on; otherwise "
        "the first.",
    )
    keep_times: bool = option(
        False, "Give each new result the time of its picture's last change."
    )
    overwrite: bool = option(
        False, "Replace existing results; otherwise they are kept."
    )
    strip_metadata: bool = option(
        False,
        "Leave out EXIF with its place, XMP, IPTC and texts; colour profiles stay.",
    )
    mark: bool = option(
        False, "Add the program, the model and the scale to the software in the EXIF."
    )
    compare: bool = option(
        False,
        "Write FILE.compare.png beside each new result: crops of the input, bicubic "
        "and the result, where the last two differ most.",
    )

    @property
    def file(self) -> Path | None:
        """The file of the only result; None if the path is that of a folder."""
        path = Path(self.path)
        if path.suffix.lower()[1:] not in FORMATS:
            return None
        is_folder = str(self.path).endswith(("/", os.sep)) or path.is_dir()
        return None if is_folder else path

    @property
    def folder(self) -> Path:
        """The folder of the results."""
        return Path(self.path) if self.file is None else self.file.parent

    def check(self) -> None:
        """See `Settings.check`."""
        if str(self.path) != STANDARD:
            check_target(self.path, "--output_path", is_folder=self.file is None)
        if self.file is not None:
            self._check_file(self.file)
        self.find_background()
        if self.file is not None:
            use(find_format(self.file).name, f"--output_path={self.path}")
        elif self.output_format != SAME:
            name = FORMATS[self.output_format].name
            use(name, f"--output_format={self.output_format}")
        if Path(f"a{self.suffix}").name != f"a{self.suffix}":
            raise InputError(f"--suffix={self.suffix}: expected a part of a file name.")

    def find_background(self) -> tuple[int, int, int] | None:
        """Returns RGB of the background, 0 to 255; None for none.

        Raises:
            InputError: It is not a colour.
        """
        if self.background is None:
            return None
        with contextlib.suppress(ValueError):
            colour = ImageColor.getrgb(self.background)
            if len(colour) == 3:
                return colour
        raise InputError(
            f"--background={self.background}: expected a colour, for example white or "
            "#ffcc00."
        )

    def name_result(self, job: Job) -> Path:
        """Names a result independently of where the folders lie."""
        return job.target.relative_to(self.folder)

    def finish(self, result: Picture, target: Path, way: str) -> Picture:
        """Returns a result as its file shall hold it.

        Transparency that the format does not hold is put on the background. The flags
        take metadata off, or add how the result was made.
        """
        if result.has_transparency() and not find_format(target).has_alpha:
            result = result.flatten(self.find_background())
        metadata = result.metadata
        if self.strip_metadata:
            metadata = metadata.strip()
        if self.mark:
            metadata = metadata.mark(f"perceptual-eusr: {way}")
        return dataclasses.replace(result, metadata=metadata)

    def _check_file(self, file):
        """Refuses flags that have no effect on a named file."""
        is_other = self.output_format != SAME and (
            FORMATS[self.output_format] is not find_format(file)
        )
        for flag, is_given in (("output_format", is_other), ("suffix", self.suffix)):
            if is_given:
                raise InputError(
                    f"--output_path={file} names a file; leave --{flag} out, or give "
                    "a folder."
                )

    def name(self, source: Path, base: Path) -> Path:
        """Returns the file of a picture's result, given a folder above the picture."""
        if self.file is not None:
            return self.file
        # As `source.relative_to(base)`, which takes a third of the time of listing.
        above, text = os.path.join(base, ""), str(source)
        relative = text.removeprefix(above)
        if not text.startswith(above):
            relative = str(source.relative_to(base))
        folder, ending = os.path.dirname(relative), source.suffix
        if self.output_format != SAME:
            ending = f".{self.output_format}"
        elif ending.lower()[1:] not in FORMATS or (
            ending.lower() == ".gif" and not is_animated(source)
        ):
            ending = RESULT_ENDINGS.get(ending.lower(), DEFAULT_ENDING)
        return Path(self.path, folder, f"{source.stem}{self.suffix}{ending}")
