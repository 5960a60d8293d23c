"""Environment and limits are read when asked for, and every variable is documented."""

import re
from pathlib import Path

import pytest

from teachable import settings
from teachable.settings import allowed_hosts, home, limits

ROOT = Path(__file__).resolve().parent.parent


def test_home_is_what_the_variable_says_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHABLE_HOME", str(tmp_path / "a"))
    assert home() == tmp_path / "a"
    monkeypatch.setenv("TEACHABLE_HOME", str(tmp_path / "b"))
    assert home() == tmp_path / "b"
    assert not home().exists()


def test_home_may_be_relative_or_begin_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for text in ("here", "~/here", "./x/../here"):
        monkeypatch.setenv("TEACHABLE_HOME", text)
        assert home() == (tmp_path / "here").resolve()


@pytest.mark.parametrize("value", [None, ""])
def test_without_it_home_is_the_data_folder_of_the_user(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is None:
        monkeypatch.delenv("TEACHABLE_HOME", raising=False)
    else:
        monkeypatch.setenv("TEACHABLE_HOME", value)
    assert home().is_absolute()
    assert home().name == "teachable"


@pytest.mark.parametrize(
    ("text", "hosts"),
    [("", ()), (" , ,", ()), ("school.local", ("school.local",)), (" A.example, b:80 ", ("a.example", "b:80"))],
)
def test_allowed_hosts(text: str, hosts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHABLE_ALLOWED_HOSTS", text)
    assert allowed_hosts() == hosts


def test_limits_fit_together() -> None:
    found = limits()
    assert found.photo_bytes <= found.batch_bytes
    assert found.classes <= found.samples
    assert all(value > 0 for value in vars(found).values())


def test_the_environment_is_read_here_and_nowhere_else() -> None:
    # What the server sets for the libraries below it is another matter.
    reading = re.compile(r"\benviron\b(?!\[[^\]]+\] = )|getenv")
    files = (ROOT / "teachable").rglob("*.py")
    assert {path.name for path in files if reading.search(path.read_text(encoding="utf-8"))} == {"settings.py"}


def test_every_variable_is_in_the_table_and_the_readme_or_the_help() -> None:
    source = Path(settings.__file__).read_text(encoding="utf-8")
    used = set(re.findall(r'environ\.get\("(\w+)"', source))
    assert used == set(re.findall(r"^\| `(\w+)` \|", settings.__doc__ or "", re.MULTILINE))
    words = (ROOT / "assets/locales/en.json").read_text(encoding="utf-8")
    assert all(name in words for name in used)
