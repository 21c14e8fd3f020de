"""What every script does at its edge: flags, one-line errors, progress, quiet."""
