"""Environment variables, folders and limits. Everything is read when asked for, never at import.

| variable | meaning | default |
|---|---|---|
| `TEACHABLE_HOME` | folder with the projects | the user data folder of the system |
| `TEACHABLE_NETWORKS` | folder with the networks that were fetched or imported | `networks` in the folder above |
| `TEACHABLE_OFFLINE` | `1`: nothing is ever fetched | `0` |
| `TEACHABLE_WEIGHTS_URL` | folder to fetch official weights from, on a mirror for one | the address torchvision names |
| `TEACHABLE_ALLOWED_HOSTS` | further host names the server answers to, comma separated | none |
| `TEACHABLE_VISITOR_PHOTOS` | photos one visitor of a classroom may keep, in all their projects | `2000` |
| `TEACHABLE_VISITOR_MEGABYTES` | megabytes one visitor of a classroom may fill | `1024` |
| `TEACHABLE_VISITOR_PROJECTS` | projects one visitor of a classroom may have | `3` |
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from teachable.errors import InvalidInput
from teachable.types import TrainSettings

TRAINING_RANGES: dict[str, tuple[float, float]] = {
    "epochs": (1, 1000),
    "batch_size": (1, 4096),
    "learning_rate": (1e-5, 1.0),
    "hidden_units": (0, 1024),
    "seed": (0, 2**32 - 1),
}
"""Smallest and largest value of each training setting."""

MOST_UNKNOWN = 0.5
"""Largest familiarity below which an answer may be "not sure"."""


@dataclass(frozen=True)
class Limits:
    """What is accepted at most, so that a wrong click cannot take the computer down.

    Attributes:
        photo_bytes: size of one photo file.
        photo_pixels: width times height of one photo; larger ones would need gigabytes to decode.
        batch_files: photos in one request.
        batch_bytes: bytes of one request.
        archive_bytes: of one file that is imported.
        name_length: characters of a project or class name.
        classes: classes of one project.
        samples: samples of one project.
        stored_short_side: pixels of the short side a photo is stored with.
    """

    photo_bytes: int = 60 * 2**20
    photo_pixels: int = 64_000_000
    batch_files: int = 64
    batch_bytes: int = 512 * 2**20
    archive_bytes: int = 8 * 2**30
    name_length: int = 100
    classes: int = 200
    samples: int = 100_000
    stored_short_side: int = 512


@dataclass(frozen=True)
class VisitorLimits:
    """What one visitor of a classroom may use, so that thirty of them fit on one laptop.

    Attributes:
        photos: in all their projects together.
        bytes: of disk, in all their projects together.
        projects: they may have at a time.
    """

    photos: int = 2000
    bytes: int = 2**30
    projects: int = 3


def visitor_limits(
    photos: int | None = None, megabytes: int | None = None, projects: int | None = None
) -> VisitorLimits:
    """Return what a visitor of a classroom may use: what is given, else what the environment says, else the defaults.

    Raises:
        InvalidInput: a number in the environment is none.
    """
    standard = VisitorLimits()
    return VisitorLimits(
        photos or _count(os.environ.get("TEACHABLE_VISITOR_PHOTOS"), standard.photos),
        (megabytes or _count(os.environ.get("TEACHABLE_VISITOR_MEGABYTES"), standard.bytes >> 20)) << 20,
        projects or _count(os.environ.get("TEACHABLE_VISITOR_PROJECTS"), standard.projects),
    )


def _count(named: str | None, otherwise: int) -> int:
    """Return a whole number above zero that a variable may hold."""
    named = (named or "").strip()
    if not named:
        return otherwise
    if not re.fullmatch("[0-9]{1,9}", named) or int(named) == 0:
        raise InvalidInput("setting_count", value=named)
    return int(named)


def limits() -> Limits:
    """Return the limits in force."""
    return Limits()


def home() -> Path:
    """Return the folder that holds all projects; it need not exist yet."""
    named = os.environ.get("TEACHABLE_HOME")
    if named:
        return Path(named).expanduser().resolve()
    import platformdirs

    return Path(platformdirs.user_data_dir("teachable", appauthor=False))


def networks_folder(home: Path) -> Path:
    """Return the folder of the networks that are not built in; it need not exist yet.

    Args:
        home: folder of the projects, in which it lies unless another is named.
    """
    named = os.environ.get("TEACHABLE_NETWORKS")
    return Path(named).expanduser().resolve() if named else home / "networks"


def offline() -> bool:
    """Return whether nothing may be fetched.

    Raises:
        InvalidInput: the variable is neither yes nor no: better asked than fetched against somebody's will.
    """
    named = os.environ.get("TEACHABLE_OFFLINE", "").strip().lower()
    if named in {"1", "true", "yes", "on"}:
        return True
    if named in {"", "0", "false", "no", "off"}:
        return False
    raise InvalidInput("setting_offline", value=named)


def weights_url() -> str | None:
    """Return the address of the folder that official weights are fetched from, or None for torchvision's own."""
    return os.environ.get("TEACHABLE_WEIGHTS_URL", "").strip().rstrip("/") or None


def allowed_hosts() -> tuple[str, ...]:
    """Return the host names, besides those of this computer, that the server answers to."""
    named = os.environ.get("TEACHABLE_ALLOWED_HOSTS", "")
    return tuple(host.strip().lower() for host in named.split(",") if host.strip())


def check_unknown_below(value: float) -> None:
    """Refuse a limit of familiarity that would make no sense: above half of all known photos would be "not sure".

    Raises:
        InvalidInput: it is no share from 0 to 0.5.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MOST_UNKNOWN:
        raise InvalidInput("setting_unknown_below", value=value, high=f"{MOST_UNKNOWN:g}")


def check_training(settings: TrainSettings) -> None:
    """Refuse settings nothing could be trained with.

    Raises:
        InvalidInput: a value is out of its range; it says which and what is possible.
    """
    for name, (low, high) in TRAINING_RANGES.items():
        value = getattr(settings, name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        number = whole or (name == "learning_rate" and isinstance(value, float))
        if not number or not low <= value <= high:
            raise InvalidInput(f"setting_{name}", value=value, low=f"{low:.10g}", high=f"{high:.10g}")
