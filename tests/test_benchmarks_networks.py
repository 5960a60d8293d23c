"""The measurements of networks: how turns become factors, what the table says, and what is refused."""

import json

import pytest
import torch

from teachable import official
from tests.benchmarks import networks
from tests.benchmarks.networks import Measured, Native


def measured(name: str = "resnet-18") -> Measured:
    # Now and then the computer was busy with something else.
    rates = {"embedder": [9, 3, 10], "alone": [2, 8, 7], "eager": [5, 2, 1], "builtin": [40, 20, 40]}
    return Measured(name, 44_700_000, Native(12.34, rates), frames=[120, 80, 200], beside=[20, 50, 20])


def test_the_fastest_turns_are_compared() -> None:
    found = measured()
    assert found.native_factor == 4
    assert found.browser_factor == 4
    assert found.native.ratio("embedder", "eager") == 2


def test_each_network_has_a_row_for_each_measurement() -> None:
    rows = networks._rows([measured("one"), measured("two")])
    assert [row.name for row in rows] == [
        *("Conversion: one", "Conversion: two"),
        *("Embedding: one", "Embedding: two"),
        *("Browser: one", "Browser: two"),
    ]
    assert rows[0].measured == "12.3 s, 44.7 MB"
    assert rows[2].measured == "10.0 photos/s"
    assert rows[2].compared == "onnxruntime alone 8.0/s: 125%; torch 5.0/s: 200%"
    assert rows[4].measured == "80.0 ms"


def test_the_line_of_json_is_what_the_catalogue_keeps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(networks, "_measured", lambda names: map(measured, names))
    networks.main([])
    factors = json.loads(capsys.readouterr().out.splitlines()[0])
    assert list(factors) == [networks.BUILTIN, *(network.id for network in official.catalogue())]
    assert factors[official.recommended().id] == {
        "size_bytes": 44_700_000,
        "native_factor": 4,
        "browser_factor": 4,
    }


def test_an_unknown_network_is_refused_with_the_names_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        networks.main(["resnet-1"])
    said = capsys.readouterr().err
    assert "resnet-1;" in said
    assert "resnet-18" in said


def test_untrained_norms_get_the_statistics_of_what_they_see() -> None:
    generator = torch.Generator().manual_seed(0)
    norm = torch.nn.BatchNorm2d(3)
    pixels = torch.rand(4, 3, 8, 8, generator=generator) * 100 + 50
    networks._settle(norm, pixels)
    settled = norm(pixels)
    assert not norm.training
    assert settled.mean().item() == pytest.approx(0, abs=1e-3)
    assert settled.std().item() == pytest.approx(1, abs=0.01)
