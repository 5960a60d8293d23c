"""Static files: named by their content, served by exact name, compressed where that was prepared."""

import gzip
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from teachable import browser_runtime, static
from teachable.errors import InstallationError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Assets with a page, words and a runtime."""
    runtime = tmp_path / "onnxruntime-web" / "dist" / "1.9.0"
    for place in (tmp_path / "studio" / "deep", tmp_path / "classroom", tmp_path / "locales", runtime):
        place.mkdir(parents=True)
    (tmp_path / "studio" / "studio.mjs").write_text("export {};")
    (tmp_path / "studio" / "deep" / "style.css").write_text("body {}")
    (tmp_path / "studio" / ".hidden").write_text("secret")
    (tmp_path / "locales" / "en.json").write_text("{}")
    for name in browser_runtime.FILES:
        (runtime / name).write_bytes(b"runtime")
    (runtime / "ort-wasm-simd-threaded.wasm.gz").write_bytes(gzip.compress(b"runtime"))
    for module in (static, browser_runtime):
        monkeypatch.setattr(module, "assets", lambda: tmp_path)
    return tmp_path


def client(bundle: static.Bundle) -> TestClient:
    return TestClient(Starlette(routes=[Mount(bundle.address, bundle.app())]))


def test_files_are_served_for_good_with_their_media_type(folder: Path) -> None:
    bundle = static.collect()
    web = client(bundle)
    for name, kind in {
        "studio/studio.mjs": "text/javascript",
        "studio/deep/style.css": "text/css",
        "locales/en.json": "application/json",
        "ort/ort.wasm.min.mjs": "text/javascript",
        "ort/ort-wasm-simd-threaded.wasm": "application/wasm",
    }.items():
        answer = web.get(f"{bundle.address}/{name}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith(kind)
        assert "immutable" in answer.headers["Cache-Control"]


def test_wasm_is_sent_compressed_to_those_who_take_it(folder: Path) -> None:
    bundle = static.collect()
    address = f"{bundle.address}/ort/ort-wasm-simd-threaded.wasm"
    packed = client(bundle).get(address, headers={"Accept-Encoding": "br, GZIP;q=0.5"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Content-Type"] == "application/wasm"
    assert packed.headers["Vary"] == "Accept-Encoding"
    for refusing in ("identity", "gzip;q=0", "br", "gzip; q=0.000"):
        plain = client(bundle).get(address, headers={"Accept-Encoding": refusing})
        assert "Content-Encoding" not in plain.headers
        assert plain.content == packed.content == b"runtime"


def test_the_digest_changes_with_content_and_not_with_time(folder: Path) -> None:
    before = static.collect().digest
    (folder / "studio" / "studio.mjs").write_text("export {};")
    assert static.collect().digest == before
    (folder / "studio" / "studio.mjs").write_text("export {  };")
    assert static.collect().digest != before


def test_what_is_missing_is_not_kept(folder: Path) -> None:
    bundle = static.collect()
    answer = client(bundle).get(f"{bundle.address}/studio/gone.mjs")
    assert answer.status_code == 404
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "name",
    ["studio/.hidden", "studio/../../secret", "studio/%2e%2e/x", "studio", "studio/", "studio/studio.mjs%00"],
)
def test_nothing_else_is_served(folder: Path, name: str) -> None:
    (folder.parent / "secret").write_text("secret")
    bundle = static.collect()
    assert client(bundle).get(f"{bundle.address}/{name}").status_code == 404


def test_files_cannot_be_written(folder: Path) -> None:
    bundle = static.collect()
    answer = client(bundle).post(f"{bundle.address}/studio/studio.mjs")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert client(bundle).head(f"{bundle.address}/studio/studio.mjs").status_code == 200


def test_a_missing_runtime_says_what_to_run(folder: Path) -> None:
    for path in (folder / "onnxruntime-web" / "dist" / "1.9.0").iterdir():
        path.unlink()
    with pytest.raises(InstallationError, match="uv sync --reinstall-package teachable"):
        static.collect()


def test_a_missing_page_is_an_error_in_words(folder: Path) -> None:
    (folder / "locales" / "en.json").unlink()
    (folder / "locales").rmdir()
    with pytest.raises(InstallationError, match="locales"):
        static.collect()


def test_the_real_page_can_be_collected() -> None:
    files = static.collect().files
    assert {"locales/en.json", "ort/ort.wasm.min.mjs", "ort/ort-wasm-simd-threaded.wasm.gz"} <= files.keys()
