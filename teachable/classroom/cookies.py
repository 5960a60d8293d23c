"""What browsers keep: by one cookie a visitor is known again, by another the teacher, by a third who waits for a place.

Scripts can read none of them.
"""

from typing import Literal

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from teachable.classroom.records import Visit
from teachable.classroom.register import SESSION_SECONDS

VISITOR = "teachable_visitor"
TEACHER = "teachable_teacher"
CLAIM = "teachable_claim"

_VISITOR_SECONDS = 180 * 24 * 3600
_CLAIM_SECONDS = 4 * 3600
_LONGEST = 8192
_KEY = "teachable.visit"


def read(scope: Scope) -> tuple[str, str]:
    """Return the cookies of a visitor and of a teacher that come with a request, empty where there are none."""
    kept = _kept(scope)
    return kept.get(VISITOR, ""), kept.get(TEACHER, "")


def claim_of(scope: Scope) -> str:
    """Return the cookie of a claim that comes with a request, empty where there is none."""
    return _kept(scope).get(CLAIM, "")


def _kept(scope: Scope) -> dict[str, str]:
    # Cookies are shared by all programs of an address, whatever their port. `http.cookies` takes none where one of them
    # is written in a way it does not know.
    return cookie_parser("; ".join(Headers(scope=scope).getlist("cookie"))[:_LONGEST])


def note_visit(scope: Scope, visit: Visit) -> None:
    """Write down in a request who sends it; only the gate does."""
    scope[_KEY] = visit


def visit_of(scope: Scope) -> Visit:
    """Return who sends a request, as the gate found; one that came around it is a stranger's."""
    visit = scope.get(_KEY)
    return visit if isinstance(visit, Visit) else Visit("guest")


def keep_visitor(response: Response, cookie: str, secure: bool) -> None:
    """Have a browser keep a visitor's cookie for half a school year."""
    # Lax, because the link from the page that explains the warning leads from HTTP to HTTPS, and so from another site.
    _keep(response, VISITOR, cookie, _VISITOR_SECONDS, secure, "lax")


def keep_teacher(response: Response, cookie: str, secure: bool) -> None:
    """Have a browser keep a teacher's cookie for a day of school."""
    _keep(response, TEACHER, cookie, SESSION_SECONDS, secure, "strict")


def keep_claim(response: Response, cookie: str, secure: bool) -> None:
    """Have a browser keep the cookie of a claim; how long it is worth something is decided elsewhere."""
    _keep(response, CLAIM, cookie, _CLAIM_SECONDS, secure, "lax")


def forget_claim(response: Response) -> None:
    """Have a browser forget what it asked for."""
    response.delete_cookie(CLAIM, httponly=True, samesite="lax")


def forget_visitor(response: Response) -> None:
    """Have a browser forget who joined from it."""
    response.delete_cookie(VISITOR, httponly=True, samesite="lax")


def forget_teacher(response: Response) -> None:
    """Have a browser forget that it is the teacher's."""
    response.delete_cookie(TEACHER, httponly=True, samesite="strict")


def _keep(
    response: Response, name: str, value: str, seconds: int, secure: bool, same_site: Literal["lax", "strict"]
) -> None:
    response.set_cookie(name, value, max_age=seconds, secure=secure, httponly=True, samesite=same_site)
