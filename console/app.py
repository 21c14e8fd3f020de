"""Runs a script's main function, and reports a user's mistake without a traceback."""

import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import app, flags, logging

from console import quiet
from console.choices import Choice, make_parser
from console.errors import InputError
from console.progress import to_line
from console.settings import Settings

# As in `console.choices`: the choices are the script's own flags.
flags.disclaim_key_flags()


def run(
    main: Callable[[], int | None],
    settings: Sequence[type[Settings]] = (),
    choices: Sequence[Choice] = (),
    paths_flag: str | None = None,
) -> None:
    """Parses the flags, runs `main()` and ends the process.

    Args:
        main: Returns None or an exit status.
        settings: Settings classes of the script itself.
        choices: Flags that choose classes, read in the first parse.
        paths_flag: Name of the flag to which positional arguments are added, as
            paths; None to refuse them.
    """
    quiet.set_up()
    # Raises in the main thread, as Ctrl-C does, so that partial files are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parse = make_parser(settings, choices)

    def parse_or_tell(argv):
        try:
            rest = parse(argv)
        except InputError as error:
            sys.exit(to_line(f"Error: {error}"))
        except BrokenPipeError:  # While the help is printed.
            _end_without_reader()
        # absl's default is INFO, at which libraries print messages.
        if flags.FLAGS["verbosity"].using_default_value:
            flags.FLAGS.verbosity = logging.WARNING
        return rest

    def main_or_tell(argv):
        more = argv[1:]
        if more and paths_flag is None:
            sys.exit(
                f"Error: {more[0]!r} is not a flag. Flags are written --name=value; "
                "--helpshort lists them."
            )
        if more:  # Such as the shell's expansion of `*.jpg`.
            flag = flags.FLAGS[paths_flag]
            flag.value = [*(flag.value if flag.present else []), *more]
            flag.present += 1
        return tell(main)

    app.run(main_or_tell, flags_parser=parse_or_tell)


def tell(main: Callable[[], int | None]) -> int | None:
    """Runs `main()` and converts errors that the user can fix to a single line.

    Raises:
        SystemExit: With the line, or with 130 after Ctrl-C.
    """
    try:
        return main()
    except InputError as error:
        sys.exit(to_line(f"Error: {error}"))
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(quiet.INTERRUPTED)
    except MemoryError as error:
        sys.exit(f"Error: out of memory ({error}); use smaller batches or pictures.")
    except BrokenPipeError:
        _end_without_reader()
    except OSError as error:
        if error.errno == errno.ENOSPC:
            error.strerror = "no space left on the disk; free some and run again"
        elif error.filename is None:
            raise
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(to_line(f"Error: {where}{error.strerror}."))


def _end_without_reader() -> NoReturn:
    """Ends after a reader such as `| head` has closed; drops buffered output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)


def check_scales(
    scales: Sequence[int], model: str, supported: Sequence[int], advice: str = ""
) -> None:
    """Refuses scales that a model does not support.

    Args:
        scales: Upscaling factors.
        model: Name of the model.
        supported: Scales that it supports.
        advice: A sentence that ends the message of an unsupported scale.

    Raises:
        InputError: `scales` is empty, has duplicates, or has an unsupported scale.
    """
    given = ",".join(map(str, scales))
    named = ", ".join(map(str, supported))
    if not scales or len(set(scales)) < len(scales):
        raise InputError(
            f"--scales={given}: expected one or more of {named}, each once."
        )
    if set(scales) - set(supported):
        raise InputError(
            f"--scales={given}: {model} supports {named}. {advice}".rstrip()
        )
