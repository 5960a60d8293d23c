"""Small versions of photos: made when they are first looked at, then read from the disk.

It owns which are kept and what happens when they cannot be. How a photo is made small is `teachable.images`, where the
files lie `teachable.projects`.
"""

import logging

from teachable import images
from teachable.projects import Project
from teachable.projects.small import SIDES

log = logging.getLogger(__name__)


def thumbnail(project: Project, sha256: str, side: int) -> bytes:
    """Return the centre square of a photo as a small JPEG.

    Args:
        project: whose photo.
        sha256: of the stored photo.
        side: pixels of the square, 16 to 512; those in `SIDES` are kept for the next time.

    Raises:
        InvalidInput: no such side.
        NotFound: there is no such photo.
        PhotoError: its file was damaged.
    """
    if side not in SIDES:
        return images.thumbnail(project.photo_file(sha256), side)
    try:
        kept = project.small.read(sha256, side)
    except OSError:
        log.warning("a small photo of project %s cannot be read", project.id, exc_info=True)
        kept = None
    if kept is not None:
        return kept
    made = images.thumbnail(project.photo_file(sha256), side)
    try:
        project.small.write(sha256, side, made)
    except OSError:
        # It is only a cache: without room on the disk the page still shows the photo, only slower.
        log.debug("a small photo of project %s could not be kept", project.id, exc_info=True)
    return made
