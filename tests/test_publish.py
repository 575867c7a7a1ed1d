"""The publishing tool: from a training's folder to a preset and its pages."""

import json
import shutil

import numpy as np
import pytest

from keras_pixel import models
from keras_pixel import presets
from keras_pixel import training
from tools import cards
from tools import generate_tables
from tools import publish
from tools import publish_baselines
from tools import publish_examples
from tools import publish_probe

RECIPE = {
    "name": "tiny",
    "description": "Stripes, to try the tool.",
    "model": {
        "class_name": "PixelCNN",
        "config": {
            "image_shape": [4, 4, 1],
            "num_levels": 2,
            "filters": 4,
            "num_blocks": 1,
            "head_filters": 4,
        },
    },
    "optimizer": {"name": "adam", "learning_rate": 0.01},
    "batch_size": 4,
    "steps": 4,
    "log_every": 2,
    "checkpoint_every": 2,
    "evaluate_every": 2,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a training of a few steps."""
    folder = tmp_path_factory.mktemp("runs")
    stripes = np.arange(40 * 16).reshape(40, 4, 4, 1) % 2
    # The first values number the images: copies could not be parted.
    number = np.arange(40)[:, None] >> np.arange(8) & 1
    stripes[:, :2, :, 0] = number.reshape(40, 2, 4)
    np.savez(folder / "stripes.npz", x_train=stripes, x_test=stripes[:10])
    recipe = {**RECIPE, "data": {"source": str(folder / "stripes.npz")}}
    training.train(recipe, folder / "run", progress=False)
    return folder / "run"


@pytest.fixture
def zoo(tmp_path):
    (tmp_path / "zoo").mkdir()
    for page in (tmp_path / "README.md", tmp_path / "zoo" / "README.md"):
        page.write_text(f"# Page\n\n{cards.BEGIN}\nold\n{cards.END}\nrest\n")
    return tmp_path / "zoo"


def arguments(run, *more):
    hardware = ["--hardware", "a test's CPU", "--samples", "4"]
    return publish.parse_arguments([str(run), "tiny_stripes", *hardware, *more])


def test_a_training_becomes_a_preset(run, zoo):
    folder = publish.publish(arguments(run, "--note", "A test."), zoo)
    assert folder == zoo / "tiny_stripes"
    metadata = presets.read_metadata(folder)
    model = presets.load(folder)
    with np.load(run.parent / "stripes.npz") as file:
        nats = -model.log_prob(file["x_test"]).mean()
    measured = metadata["measured"]
    assert measured["headline"] == "nats"
    assert measured["nats"] == pytest.approx(nats, rel=1e-5)
    assert measured["num_images"] == 10
    assert metadata["weights_dtype"] == "float16"
    before = measured["before_rounding"]
    assert before["rounded_bits_per_dim"] == measured["bits_per_dim"]
    assert metadata["training"]["step"] == 4
    assert metadata["training"]["hours"] >= 0
    assert metadata["dataset"]["note"] == "A test."
    card = (folder / "README.md").read_text()
    assert card == cards.card(metadata)
    for words in ("a test's CPU", "keras-pixel evaluate tiny_stripes", "4×4×1"):
        assert words in card

    texts = generate_tables.pages(zoo.parent, zoo)
    outdated = generate_tables.write(texts)
    assert set(outdated) == {zoo.parent / "README.md", zoo / "README.md"}
    assert generate_tables.outdated(texts) == []
    table = (zoo.parent / "README.md").read_text()
    assert "[tiny_stripes](zoo/tiny_stripes/README.md)" in table
    assert table.endswith(f"{cards.END}\nrest\n")
    (folder / "README.md").write_text("edited by hand")
    assert generate_tables.write(texts) == [folder / "README.md"]
    presets.load(folder)  # the card's hash is right again


def test_a_baseline_becomes_a_preset_without_a_recipe(run, zoo, monkeypatch):
    source = str(run.parent / "stripes.npz")
    options = {"num_levels": 2, "ridge": 0.1}
    monkeypatch.setitem(
        publish_baselines.BASELINES,
        "tiny_stripes",
        (models.GaussianPixels, source, options, "Stripes, by correlations."),
    )
    given = publish_baselines.parse_arguments(
        ["--hardware", "a test's CPU", "--samples", "4"]
    )
    folder = publish_baselines.compute("tiny_stripes", given, zoo)
    metadata = presets.read_metadata(folder)
    assert "recipe.json" not in metadata["files"]
    assert presets.load(folder).ridge == 0.1
    card = (folder / "README.md").read_text()
    assert card == cards.card(metadata)
    for words in (
        "A baseline: its weights are not trained",
        f"keras-pixel evaluate tiny_stripes {source}",
        "--only tiny_stripes",
    ):
        assert words in card
    assert "README.md), a baseline |" in cards.table(cards.read_all(zoo))


class TinyDocstrings(publish_examples.Docstrings):
    length, filters, steps, modules = 32, 4, 2, 11


class TinyObstacle(publish_examples.Obstacle):
    demonstrations, units, steps, episodes = 4, 4, 2, 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "bins"), [(TinyDocstrings, None), (TinyObstacle, 31)]
)
def test_an_example_becomes_a_preset(example, bins, zoo, monkeypatch):
    monkeypatch.setitem(publish_examples.EXAMPLES, "tiny_example", example)
    given = publish_examples.parse_arguments(
        ["tiny_example", "--hardware", "a test's CPU"]
    )
    folder = publish_examples.compute(given, zoo)
    metadata = presets.read_metadata(folder)
    assert set(metadata["files"]) == {
        *("README.md", "config.json", "model.weights.h5", "samples.png")
    }
    measured, dataset = metadata["measured"], metadata["dataset"]
    card = (folder / "README.md").read_text()
    assert card == cards.card(metadata)
    for words in (
        "a test's CPU",
        "publish_examples tiny_example --evaluate",
        f"[{example.example}](../../{example.example})",
        f"It models {dataset['noun']} of {example.source}",
        dataset["licence"],
        *measured["beside"],
    ):
        assert words in card
    model = presets.load(folder)
    assert getattr(model.discretizer, "num_bins", None) == bins
    data = example().test_data()
    images = data.pop("images")
    assert len(images) == dataset["num_images"] == measured["num_images"]
    nats = -model.log_prob(images, **data).mean()
    assert measured["nats"] == pytest.approx(nats, rel=1e-5)
    given.evaluate = True
    again = publish_examples.evaluate(given, zoo)
    assert again["nats"] == pytest.approx(measured["nats"], rel=1e-9)
    assert {name: again[name] for name in measured["beside"]} == (
        measured["beside"]
    )


def test_hardware_is_needed_to_publish_an_example(capsys):
    name = "pixellstm_obstacle"
    assert publish_examples.parse_arguments([name, "--evaluate"]).evaluate
    with pytest.raises(SystemExit):
        publish_examples.parse_arguments([name])
    assert "--hardware is needed" in capsys.readouterr().err


def test_what_a_probe_found_comes_onto_the_card(run, zoo, tmp_path):
    folder = publish.publish(arguments(run), zoo)
    probes = [
        ("pixels", "none", 0.5),
        *(("first", "trained", 0.7), ("first", "random", 0.6)),
        *(("last", "trained", 0.9), ("last", "random", 0.8)),
    ]
    found = [
        {"layer": layer, "weights": weights, "accuracy": accuracy}
        for layer, weights, accuracy in probes
    ]
    result = {
        **{"model": "tiny_stripes", "probes": found, "best": found[1]},
        **{"num_train": 2000, "num_test": 40, "pooling": [2, 1], "seed": 3},
        **{"train": "40 images", "test": "10 images"},
    }
    (tmp_path / "probe").mkdir()
    (tmp_path / "probe" / "probe.json").write_text(json.dumps(result))
    publish_probe.publish(tmp_path / "probe", "stripes", "a test's CPU", zoo)
    texts = generate_tables.pages(zoo.parent, zoo)
    assert folder / "README.md" in generate_tables.write(texts)
    card = (folder / "README.md").read_text()
    for words in (
        "| linear probe of first, right of 40 images | 70.0 % |",
        "the pixels themselves 50.0 %, the same layer of random weights 60.0 %",
        "keras-pixel probe tiny_stripes stripes -o probe --num-train 2000 "
        "--num-test 40 --pooling 2x1 --seed 3 --download",
    ):
        assert words in card
    presets.load(folder)  # the card's hash is right


def test_best_weights_are_published_while_training(run, zoo, tmp_path):
    going_on = tmp_path / "going_on"
    (going_on / "checkpoints").mkdir(parents=True)
    for name in ("recipe.json", "history.csv", "checkpoints/best.npz"):
        (going_on / name).write_bytes((run / name).read_bytes())
    recipe = training.Recipe.from_json(going_on / "recipe.json")
    model, step = publish.trained_model(going_on, recipe)
    assert step in (2, 4)
    assert publish.hours_until(going_on, step) > 0
    (going_on / "checkpoints" / "best.npz").unlink()
    with pytest.raises(FileNotFoundError, match="best.npz`. Wait"):
        publish.trained_model(going_on, recipe)


def test_a_prolonged_training_says_the_step_of_its_preset(run, tmp_path):
    prolonged = tmp_path / "prolonged"
    shutil.copytree(run, prolonged)
    recipe = training.Recipe.from_dict(
        {**training.Recipe.from_json(run / "recipe.json").to_dict(), "steps": 8}
    )
    assert publish.trained_model(prolonged, recipe)[1] == 4


def test_worse_number_is_refused_unless_forced():
    old = {"measured": {"headline": "nats", "nats": 81.0}}
    worse = {"headline": "nats", "nats": 82.0}
    with pytest.raises(ValueError, match="nats=82.0000, where 81.0000 is"):
        publish.refuse_worse(old, worse, force=False)
    publish.refuse_worse(old, worse, force=True)
    publish.refuse_worse(old, {"headline": "nats", "nats": 80.0}, force=False)
    publish.refuse_worse(None, worse, force=False)


def test_weights_that_do_not_survive_rounding_stay_float32(
    run, zoo, monkeypatch
):
    monkeypatch.setattr(publish, "TOLERANCE", 0.0)
    monkeypatch.setattr(publish, "sample_sheet", lambda *args: b"a picture")
    folder = publish.publish(arguments(run), zoo)
    metadata = presets.read_metadata(folder)
    assert metadata["weights_dtype"] == "float32"
    assert metadata["measured"]["before_rounding"] is None


def test_too_large_preset_leaves_the_zoo_as_it_was(run, zoo, monkeypatch):
    monkeypatch.setattr(publish, "MAX_BYTES", 1000)
    monkeypatch.setattr(publish, "sample_sheet", lambda *args: b"a picture")
    with pytest.raises(ValueError, match="at most 1,000 bytes"):
        publish.publish(arguments(run), zoo)
    assert not (zoo / "tiny_stripes").exists()


def test_name_of_a_preset(run, zoo):
    wrong = publish.parse_arguments([str(run), "Tiny", "--hardware", "x"])
    with pytest.raises(ValueError, match="name='Tiny'"):
        publish.publish(wrong, zoo)


def test_bad_input_ends_in_one_line(tmp_path, capsys):
    args = [str(tmp_path), "tiny_stripes", "--hardware", "x"]
    with pytest.raises(SystemExit) as ended:
        publish.main(args)
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="zoo:begin"):
        cards.with_table("# Page\n", "table\n")
