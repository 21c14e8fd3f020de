"""What a measurement leaves behind: a page, a table, numbers for programs."""
