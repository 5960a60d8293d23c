"""The route that says who answers."""

from fastapi import APIRouter

from teachable import __version__
from teachable.api.access import Space
from teachable.api.records import Health

router = APIRouter(tags=["server"])


@router.get("/health", summary="See who answers")
def health(space: Space) -> Health:
    """Return the version and the network that new projects use. Programs can wait for this to answer."""
    return Health("teachable", __version__, space.networks.default())
