"""Projects on disk: classes, samples, settings and trained models. One folder and one SQLite file for each project.

What survives what: a call that returned is on disk. Photo and model files are written to a temporary name, synced and
renamed, and the rows that name them are committed afterwards with `synchronous=FULL`; so neither a killed process nor,
on a disk that honours syncs, a power cut takes back what was acknowledged. Files without a row, which a kill can leave,
are swept when the project is next opened.
"""

from teachable.projects.project import Project
from teachable.projects.store import ProjectStore

__all__ = ["Project", "ProjectStore"]
