"""The command line of scripts: flags, one-line errors, progress, quiet start."""
