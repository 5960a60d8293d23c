"""Many people on one computer: who has joined, what they may do, and what the teacher sees and decides.

`records` is what is told, `register` who has joined and how that survives a restart, `passwords` and `patience` keep
strangers out, `reception` lets people in, `claims` is who wants their place back. `rules` says of every route who may
use it, `gate` enforces it. `room` is what a teacher and a visitor can do, `quota` what a visitor may use, `watch` what
is seen of them. `pages` holds the pages, `cookies` what browsers keep, `entrance` lets HTTP and HTTPS in by one door,
`opening` begins it all.
"""

from teachable.classroom.opening import Opened, Options
from teachable.classroom.room import Room

__all__ = ["Opened", "Options", "Room"]
