"""The teacher's password: made of easy words where none is given, and never kept, only what it can be checked by."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from teachable.errors import InvalidInput
from teachable.words import say

SHORTEST = 6
"""Characters of a password that somebody chooses; attempts are limited, so that this is enough in a school."""

# RFC 7914 and OWASP: 2**14 blocks of 8 need 16 MB and about 50 ms, so that guessing from the kept hash is slow as well.
_COST, _BLOCK, _PARALLEL = 2**14, 8, 1


@dataclass(frozen=True)
class Hashed:
    """What a password can be checked by.

    Attributes:
        salt: random bytes, hexadecimal.
        key: derived from password and salt, hexadecimal.
    """

    salt: str
    key: str

    @classmethod
    def of(cls, password: str) -> "Hashed":
        """Hash a password with a new salt."""
        salt = secrets.token_bytes(16)
        return cls(salt.hex(), _derive(password, salt).hex())

    def fits(self, password: str) -> bool:
        """Say whether this is the password; takes as long for any."""
        return hmac.compare_digest(_derive(password, bytes.fromhex(self.salt)), bytes.fromhex(self.key))


def _derive(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(_plain(password).encode(), salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL, dklen=32)


def _plain(password: str) -> str:
    """Return a password as it is compared: phones like to begin with a capital letter and to end with a space."""
    return " ".join(password.casefold().split())


def made_up() -> str:
    """Return a new password of three easy words and a number: 2**30 of them at least, and easy to say aloud."""
    words = say("cli.classroom.password_words").split()
    return "-".join([*(secrets.choice(words) for _ in range(3)), str(10 + secrets.randbelow(90))])


def check(password: str) -> None:
    """Refuse a password that is guessed in no time.

    Raises:
        InvalidInput: it is too short.
    """
    if len(_plain(password)) < SHORTEST:
        raise InvalidInput("room_password_short", password=password, allowed=SHORTEST)
