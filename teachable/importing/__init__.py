"""Reading what people bring from elsewhere: Teachable Machine projects, folders, zips, videos, animations.

`open_source` looks at a file or folder and returns what would be made of it; nothing is made here. Every file is taken
to be hostile: it is read within limits, names in it are only ever text, and nothing is written but into the scratch
folder the caller hands in.
"""

from pathlib import Path

from teachable.importing.decoding import Stop
from teachable.importing.plan import Item, Note, Options, Plan, PlannedClass
from teachable.importing.source import Source

__all__ = ["Item", "Note", "Options", "Plan", "PlannedClass", "Source", "Stop", "open_source"]


def open_source(path: Path, name: str, scratch: Path, stop: Stop | None = None) -> Source:
    """Find out what a file or folder is and what it holds.

    What it is, is decided by its first bytes; the name is looked at only where it is a title. Reading a long list of
    files takes seconds: call it where that does no harm.

    Args:
        path: of the file, or of a folder on this computer.
        name: what the person calls it, `Pets.zip` for one.
        scratch: an existing folder for temporary files; all made there are gone when the source is closed.
        stop: set it from another thread to give up what is being read at the moment, and all that would be read later.

    Raises:
        NotFound: there is nothing at this path.
        InvalidInput: nothing we can read, for which it says why.
        TooLarge: more files, bytes or pixels than we take.
        Cancelled: it was given up.
    """
    from teachable.importing.opening import opened

    return opened(path, name, scratch, stop or Stop())
