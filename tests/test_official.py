"""The catalogue of official networks says what torchvision says, and what our own graphs weigh."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from teachable import official, words
from teachable.errors import InstallationError
from teachable.official import Official

IDS = [
    *("mobilenet-v3-large", "mobilenet-v3-small", "mobilenet-v2", "efficientnet-b0"),
    *("resnet-18", "resnet-50", "convnext-tiny"),
]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the catalogue that may be damaged."""
    path = tmp_path / "backbones" / "official" / "networks.json"
    path.parent.mkdir(parents=True)
    path.write_bytes((official.assets() / "backbones" / "official" / "networks.json").read_bytes())
    monkeypatch.setattr(official, "assets", lambda: tmp_path)
    official.catalogue.cache_clear()
    yield path
    official.catalogue.cache_clear()


def test_the_catalogue_holds_the_networks_on_offer_and_recommends_one() -> None:
    assert sorted(network.id for network in official.catalogue()) == sorted(IDS)
    assert official.recommended().id == "mobilenet-v3-large"
    assert official.catalogue()[0] == official.recommended()
    assert [network.recommended for network in official.catalogue()].count(True) == 1


@pytest.mark.parametrize("network", official.catalogue(), ids=lambda network: network.id)
def test_the_catalogue_agrees_with_torchvision(network: Official) -> None:
    from torchvision.models import get_model_weights

    weights = get_model_weights(network.architecture).DEFAULT
    assert weights.url.endswith(f"/{network.file}")
    assert network.accuracy == weights.meta["_metrics"]["ImageNet-1K"]["acc@1"]
    assert network.parameters == weights.meta["num_params"]
    # Published in mebibytes with three digits behind the point.
    assert network.download_bytes / 2**20 == pytest.approx(weights.meta["_file_size"], abs=1e-6)
    assert [network.input_size] == weights.transforms().crop_size
    assert str(weights) in network.source
    assert "license" not in weights.meta
    assert network.licence == "BSD-3-Clause"


@pytest.mark.parametrize("network", official.catalogue(), ids=lambda network: network.id)
def test_every_network_is_described_in_words_and_figures(network: Official) -> None:
    texts = words.catalogue()
    assert texts[f"network.{network.id}.title"]
    assert texts[f"network.{network.id}.description"].endswith(".")
    assert 50 < network.accuracy < 100
    # All but the classifier's last layers, four bytes each, and a little for the structure.
    assert network.size_bytes < 4.1 * network.parameters
    assert 0.5 < network.native_factor < 100
    assert 0.5 < network.browser_factor < 100
    assert len(network.hash_prefix) == official.HASH_DIGITS
    assert network.file.endswith(f"-{network.hash_prefix}.pth")


def test_no_address_is_kept_in_the_catalogue() -> None:
    text = (official.assets() / "backbones" / "official" / "networks.json").read_text(encoding="utf-8")
    assert "://" not in text
    assert ".org" not in text


def test_a_network_is_found_by_its_id_and_by_its_name_in_torchvision() -> None:
    network = official.find("resnet-18")
    assert network is not None
    assert official.find("resnet18") == network
    assert official.find("vgg11") is None
    assert official.network_id("resnet18") == "resnet-18"
    assert official.network_id("efficientnet_v2_s") == "efficientnet-v2-s"


def test_a_network_is_recognised_by_the_hash_of_its_file() -> None:
    network = official.recommended()
    assert official.by_hash(network.hash_prefix + "0" * 56) == network
    assert official.by_hash(network.hash_prefix.upper() + "F" * 56) == network
    assert official.by_hash(hashlib.sha256(b"something else").hexdigest()) is None
    assert official.by_hash("") is None


def test_the_hash_is_read_from_names_of_every_kind() -> None:
    assert official.hash_prefix("efficientnet_b0_rwightman-7f5810bc.pth") == "7f5810bc"
    assert official.hash_prefix("alexnet-owt-7be5be79.pth") == "7be5be79"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format_version": 2, "networks": []}', '{"networks": [{"id": 1}]}'])
def test_a_damaged_catalogue_says_to_install_again(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InstallationError, match=r"networks\.json"):
        official.catalogue()


def test_a_catalogue_that_recommends_two_is_damaged(file: Path) -> None:
    entry = json.loads(file.read_text(encoding="utf-8"))
    for network in entry["networks"]:
        network["recommended"] = True
    file.write_text(json.dumps(entry), encoding="utf-8")
    with pytest.raises(InstallationError):
        official.catalogue()
