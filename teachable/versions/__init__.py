"""The versions of all projects: listing and naming them, going back to one, and setting two side by side."""

from teachable.versions.records import (
    Apart,
    ClassThen,
    Compared,
    ComparedClass,
    Side,
    Version,
    VersionList,
    Way,
    WentBack,
)
from teachable.versions.shelves import Versions

__all__ = [
    "Apart",
    "ClassThen",
    "Compared",
    "ComparedClass",
    "Side",
    "Version",
    "VersionList",
    "Versions",
    "Way",
    "WentBack",
]
