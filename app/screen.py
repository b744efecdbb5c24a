"""Where tables are printed: the terminal as wide as it is; a pipe or file wide enough that no cell is cut."""

from rich.console import Console

WIDTH = 180


def screen(*, stderr: bool = False) -> Console:
    """A console for tables: the terminal's own width, `WIDTH` columns elsewhere."""
    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=WIDTH)
