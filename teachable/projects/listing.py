"""Which photos a project has, asked for again and again while they stream in. It owns what is remembered for that."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from teachable.projects.project import Project

# While photos stream into a large project only those that came are listed; all of them again after so many seconds,
# and so rarely that it takes at most one part in so many of the time.
LARGE = 1000
_LIST_SECONDS = 1.0
_LIST_PART = 20


@dataclass(frozen=True)
class Listing:
    """The photos of a project as of one change.

    Attributes:
        updated: time of the change.
        hashes: of all samples, each once, in the order they came; the values mean nothing.
        last: id of the newest sample.
        whole: all were listed together, so that what was removed or brought back is known too.
        made: when all were last listed, in seconds of a clock that never goes back; while it stays, photos only came.
        took: seconds that took.
    """

    updated: float = -1.0
    hashes: Mapping[str, None] = field(default_factory=dict)
    last: int = 0
    whole: bool = False
    made: float = -math.inf
    took: float = 0.0


class Lister:
    """Lists the photos of a project again only after a change; safe to use from any thread.

    Args:
        project: whose photos.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        # Replaced whole.
        self._listing = Listing()

    def photos(self, *, whole: bool = False) -> Listing:
        """Return the photos there are; the same object as long as nothing changed.

        Args:
            whole: also what was removed or brought back a moment ago must be known; otherwise, of a large project that
                photos stream into, only what is new is read.
        """
        updated, before, now = self._project.info().updated, self._listing, time.monotonic()
        patience = max(_LIST_SECONDS, before.took * _LIST_PART)
        waits = now - before.made < patience and len(before.hashes) > LARGE and not whole
        if updated == before.updated and (before.whole or waits):
            return before
        rows = self._project.brief_samples(before.last if waits else 0)
        hashes = {sha: None for _, _, sha, _ in rows}
        last = rows[-1][0] if rows else 0
        if waits:
            found = replace(before, updated=updated, hashes={**before.hashes, **hashes}, whole=False)
            self._listing = replace(found, last=max(last, before.last))
        else:
            self._listing = Listing(updated, hashes, last, True, now, time.monotonic() - now)
        return self._listing
