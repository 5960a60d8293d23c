"""Photos as one zip file to take away. It owns the names inside, not what becomes of the file."""

import errno
import logging
import tempfile
import zipfile
from pathlib import Path

from teachable.errors import NotFound, StorageFull
from teachable.projects import Project
from teachable.types import Sample

log = logging.getLogger(__name__)


def of_class(project: Project, class_id: str) -> Path:
    """Write all photos of a class into a new zip file. The caller deletes it.

    Photos are numbered in the order they were taken; the name of the class, which can hold anything, is no path.

    Raises:
        NotFound: there is no such class.
        StorageFull: the disk has no room.
    """
    samples = [sample for sample in project.all_samples() if sample.class_id == class_id]
    if not any(one.id == class_id for one in project.info().classes):
        raise NotFound("class_unknown")
    with tempfile.NamedTemporaryFile(prefix="teachable-", suffix=".zip", delete=False) as file:
        path = Path(file.name)
    try:
        # The photos are JPEGs already: compressing them again would only cost time.
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
            for number, sample in enumerate(samples):
                _put(archive, project, sample, f"{number:05d}.jpg")
    except BaseException as error:
        path.unlink()
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFull("storage_full") from error
        raise
    return path


def _put(archive: zipfile.ZipFile, project: Project, sample: Sample, name: str) -> None:
    """Add a photo to an archive; one whose file is lost leaves a gap in the numbers, and the others are kept."""
    try:
        archive.write(project.photo_file(sample.sha256), name)
    except (NotFound, FileNotFoundError):
        log.warning("photo %s of project %s is missing", sample.sha256, project.id)
