"""Runs a script's main function; a user's mistake becomes one line, not a traceback."""

import errno
import os
import signal
import sys

from absl import app, flags, logging

from console import quiet
from console.choices import make_parser
from console.errors import InputError

# As in `console.choices`: the choices are the script's own flags.
flags.disclaim_key_flags()


def run(main, settings=(), choices=(), paths_flag=None):
    """Parses the flags, runs `main()` and ends the process.

    Args:
        main: Takes nothing, returns None or an exit status.
        settings: The `console.settings.Settings` that the script has itself.
        choices: `console.choices.Choice` flags, read in the first look.
        paths_flag: Name of the flag that holds a list of paths to which what is no flag
            belongs; None where all has to be a flag.
    """
    quiet.set_up()
    # As Ctrl-C does, it lets whoever writes a file remove what is half-written.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parse = make_parser(settings, choices)

    def parse_or_tell(argv):
        try:
            rest = parse(argv)
        except InputError as error:
            sys.exit(f"Error: {error}")
        except BrokenPipeError:  # Of the help.
            _end_without_reader()
        # Left alone, absl would raise it to INFO, and libraries would talk.
        if flags.FLAGS["verbosity"].using_default_value:
            flags.FLAGS.verbosity = logging.WARNING
        return rest

    def main_or_tell(argv):
        if paths_flag is not None:
            _add_paths(flags.FLAGS[paths_flag], argv[1:])
        elif len(argv) > 1:
            sys.exit(
                f"Error: {argv[1]!r} is not a flag. Flags are written --name=value; "
                "--helpshort lists them."
            )
        return tell(main)

    app.run(main_or_tell, flags_parser=parse_or_tell)


def _add_paths(flag, paths):
    """Adds to a flag what a shell made of `*.jpg`."""
    if paths:
        given = flag.value if flag.present else []
        flag.value = [*given, *paths]
        flag.present += 1


def tell(main):
    """Runs `main()` and turns what the user can mend into one line.

    Args:
        main: Takes nothing, returns None or an exit status.

    Returns:
        What `main` returned.

    Raises:
        SystemExit: With the line, or with 130 after Ctrl-C.
    """
    try:
        return main()
    except InputError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(quiet.INTERRUPTED)
    except MemoryError as error:
        sys.exit(f"Error: out of memory ({error}); take smaller batches or pictures.")
    except BrokenPipeError:
        _end_without_reader()
    except OSError as error:
        if error.errno == errno.ENOSPC:
            error.strerror = "no space left on the disk; make room and run again"
        elif error.filename is None:
            raise
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(f"Error: {where}{error.strerror}.")


def _end_without_reader():
    """Ends where `| head` went away; what is still buffered must not raise once more.

    Raises:
        SystemExit: Always.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)


def check_scales(scales, model, flag="--scales", does=None):
    """Refuses scales that a model cannot do.

    Args:
        scales: Upscaling factors.
        model: Has `name` and `scales`.
        flag: What gave them, for the message.
        does: Those that will do; None for all of `model.scales`.

    Raises:
        InputError: There are none, one comes twice, or the model has no path for one.
    """
    given = ",".join(map(str, scales))
    does = does or model.scales
    named = ", ".join(map(str, does))
    if not scales or len(set(scales)) < len(scales):
        raise InputError(f"{flag}={given}: expected some of {named}, each once.")
    if set(scales) - set(does):
        raise InputError(f"{flag}={given}: {model.name} does {named}.")
