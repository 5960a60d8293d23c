"""The route that says who answers."""

from fastapi import APIRouter

from teachable import __version__, backbones
from teachable.api.records import Health

router = APIRouter(tags=["server"])


@router.get("/health", summary="See who answers")
def health() -> Health:
    """Return the version and the network in use. Programs can wait for this to answer."""
    return Health("teachable", __version__, backbones.builtin())
