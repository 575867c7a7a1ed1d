"""Presets on hubs, by a stand-in for the hub's addresses."""

import json
import pickle

import numpy as np
import pytest

import keras_pixel
from keras_pixel import cli
from keras_pixel import presets
from keras_pixel.models import PixelCNN
from keras_pixel.presets import hubs
from tests.support import catalogue
from tests.support import hub as stand_in

huggingface_hub = pytest.importorskip("huggingface_hub")

MEASURED = {
    "licence": "Apache-2.0",
    "description": "Stripes.",
    "dataset": {"name": "stripes", "split": "test"},
    "measured": {"bits_per_dim": 0.25, "nats": 2.77},
}


@pytest.fixture(scope="module")
def server():
    with stand_in.running() as hub:
        yield hub


@pytest.fixture
def hub(server, tmp_path, monkeypatch):
    """The hub of this test alone, with a cache of its own, logged in."""
    from huggingface_hub import constants

    server.commits.clear()
    server.requests.clear()
    monkeypatch.setattr(constants, "ENDPOINT", server.address)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        server.address + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return server


@pytest.fixture(scope="module")
def model():
    model = PixelCNN((4, 4, 1), 2, filters=4, num_blocks=1, head_filters=0)
    return catalogue.randomize(model)


def scores(model):
    images = np.arange(32).reshape(2, 4, 4, 1) // 7 % 2
    return model.log_prob(images)


def test_what_is_pushed_loads_again(hub, model):
    address = model.push_to_hub("someone/stripes", metadata=MEASURED)
    assert address == f"hf://someone/stripes@{hub.commit_id('someone/stripes')}"
    for name in (address, "hf://someone/stripes"):
        found = keras_pixel.load(name)
        assert type(found) is PixelCNN
        np.testing.assert_array_equal(scores(found), scores(model))
    metadata = presets.read_metadata("hf://someone/stripes")
    assert metadata["description"] == "Stripes."


def test_card_says_what_the_hub_shows(hub, model):
    model.push_to_hub("someone/stripes", metadata=MEASURED)
    files, _ = hub.files("someone/stripes")
    card = huggingface_hub.ModelCard(files["README.md"].decode())
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "keras"
    results = {x.metric_type: x.metric_value for x in card.data.eval_results}
    assert results == {"bits_per_dim": 0.25, "nats": 2.77}
    assert 'keras_pixel.load("hf://someone/stripes")' in card.text


def test_card_of_a_preset_is_kept(hub):
    presets.push_to_hub("pixellstm_obstacle", "someone/obstacle")
    files, _ = hub.files("someone/obstacle")
    card = files["README.md"].decode()
    assert card.startswith("---\n")
    assert card.count("# pixellstm_obstacle") == 1
    listed = presets.read_metadata("pixellstm_obstacle")["files"]
    assert set(files) == {"metadata.json", *listed}
    found = keras_pixel.load("hf://someone/obstacle")
    own = keras_pixel.load("pixellstm_obstacle")
    for ours, theirs in zip(
        own.get_weights(), found.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_revision_is_that_one(hub, model):
    first = model.push_to_hub("someone/stripes")
    other = catalogue.randomize(
        PixelCNN((4, 4, 1), 2, filters=6, num_blocks=1, head_filters=0)
    )
    other.push_to_hub("someone/stripes")
    assert keras_pixel.load("hf://someone/stripes").count_params() == (
        other.count_params()
    )
    found = keras_pixel.load(first)
    np.testing.assert_array_equal(scores(found), scores(model))


def test_once_fetched_it_needs_no_hub(hub, model, monkeypatch):
    from huggingface_hub import constants

    model.push_to_hub("someone/stripes")
    keras_pixel.load("hf://someone/stripes")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.requests.clear()
    found = keras_pixel.load("hf://someone/stripes")
    np.testing.assert_array_equal(scores(found), scores(model))
    assert hub.requests == []


def test_only_listed_files_are_fetched(hub, model):
    model.push_to_hub("someone/stripes")
    evil = pickle.dumps(print)
    hub.commits["someone/stripes"][-1]["model.pkl"] = evil
    keras_pixel.load("hf://someone/stripes")
    assert not [x for x in hub.requests if "model.pkl" in x]


def test_altered_files_are_refused(hub, model):
    model.push_to_hub("someone/stripes")
    files = hub.commits["someone/stripes"][-1]
    files["config.json"] = files["config.json"].replace(b"4", b"6")
    with pytest.raises(ValueError, match="the one that was saved"):
        keras_pixel.load("hf://someone/stripes")


@pytest.mark.parametrize(
    "name", ["../outside.json", "*", "model.weights.h5/x", "a[b].json"]
)
def test_names_that_lead_elsewhere_are_refused(hub, model, name):
    model.push_to_hub("someone/stripes")
    files = hub.commits["someone/stripes"][-1]
    metadata = json.loads(files["metadata.json"])
    metadata["files"][name] = {"sha256": "0" * 64}
    files["metadata.json"] = json.dumps(metadata).encode()
    with pytest.raises(ValueError, match="plain names"):
        keras_pixel.load("hf://someone/stripes")


def test_what_is_no_preset_is_refused(hub):
    hub.commits["someone/else"] = [{"config.json": b"{}"}]
    with pytest.raises((ValueError, OSError), match=r"metadata\.json|preset"):
        keras_pixel.load("hf://someone/else")
    with pytest.raises(ValueError, match="which the hub does not have"):
        keras_pixel.load("hf://someone/nothing")
    hub.commits["someone/else"].append({"metadata.json": b'{"files": {}}'})
    with pytest.raises(ValueError, match="lists no files"):
        keras_pixel.load("hf://someone/else")
    for address in ("hf://name", "hf://a/b/c", "hf://"):
        with pytest.raises(ValueError, match="must be 'owner/name'"):
            keras_pixel.load(address)
    with pytest.raises(ValueError, match="owner/model/keras/variation"):
        keras_pixel.load("kaggle://owner/model")


def test_wrong_token_is_an_error(hub, model, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ValueError, match="let you write.*Log in"):
        model.push_to_hub("someone/stripes")
    assert hub.commits["someone/stripes"] == []


def test_no_hub_is_an_error(hub, model, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match="reachable, or the preset be on this"):
        keras_pixel.load("hf://someone/never_seen")


def test_kaggle_folder_is_a_preset(model, tmp_path, monkeypatch):
    kagglehub = pytest.importorskip("kagglehub")
    model.save_preset(tmp_path / "1")
    asked = []

    def download(handle):
        asked.append(handle)
        return str(tmp_path / "1")

    monkeypatch.setattr(kagglehub, "model_download", download)
    found = keras_pixel.load("kaggle://someone/stripes/keras/small")
    assert asked == ["someone/stripes/keras/small"]
    np.testing.assert_array_equal(scores(found), scores(model))


def test_keras_loads_the_folder_itself(model, tmp_path):
    import keras

    model.save_preset(tmp_path / "preset")
    found = keras.saving.load_model(tmp_path / "preset")
    np.testing.assert_array_equal(scores(found), scores(model))


def test_command(hub, model, tmp_path, capsys):
    model.save_preset(tmp_path / "stripes")
    with pytest.raises(SystemExit) as stop:
        cli.main(["push", str(tmp_path / "stripes"), "someone/stripes"])
    assert stop.value.code == 0
    address = capsys.readouterr().out.split()[-1]
    assert hubs.is_address(address)
    np.testing.assert_array_equal(
        scores(keras_pixel.load(address)), scores(model)
    )
