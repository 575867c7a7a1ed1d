"""Every preset of the zoo is whole, and every page says what was measured."""

import json
import math
import subprocess

import numpy as np
import pytest
from PIL import Image

from keras_pixel import presets
from keras_pixel import training
from keras_pixel.presets import folders
from tools import cards
from tools import generate_tables
from tools import publish_examples

NAMES = sorted(cards.read_all())
FILES = {
    "README.md",
    "config.json",
    "metadata.json",
    "model.weights.h5",
    "recipe.json",
    "samples.png",
}
MAX_PRESET_BYTES = 16_000_000
MAX_TREE_BYTES = 48_000_000

each_preset = pytest.mark.parametrize("name", NAMES)
EXAMPLES = [
    name
    for name, metadata in cards.read_all().items()
    if cards.is_example(metadata)
]
TRAINED = [
    name
    for name, metadata in cards.read_all().items()
    if not cards.is_baseline(metadata) and name not in EXAMPLES
]


@pytest.fixture(scope="module")
def metadata():
    return cards.read_all()


def read(name, filename):
    return json.loads((cards.ZOO / name / filename).read_text())


def test_names_are_those_that_the_package_lists():
    assert presets.list_models() == NAMES
    assert folders.zoo_dir() == cards.ZOO


def test_zoo_holds_presets_and_two_pages():
    found = {path.name for path in cards.ZOO.iterdir()}
    assert found == {*NAMES, "README.md", "TRAINING.md"}


def test_pages_are_generated_from_the_metadata():
    outdated = generate_tables.outdated(generate_tables.pages())
    assert outdated == [], "run `python -m tools.generate_tables`"


def test_training_page_names_every_preset():
    text = (cards.ZOO / "TRAINING.md").read_text()
    assert [name for name in NAMES if f"`{name}`" not in text] == []


@each_preset
def test_folder_is_complete(name):
    folder = cards.ZOO / name
    found = {path.name for path in folder.iterdir()}
    expected = FILES if name in TRAINED else FILES - {"recipe.json"}
    assert found == expected
    listed = presets.read_metadata(name)["files"]
    assert set(listed) == expected - {"metadata.json"}
    folders.check_files(folder, {"files": listed})
    for filename, entry in listed.items():
        assert (folder / filename).stat().st_size == entry["bytes"]


@each_preset
def test_folder_is_small(name):
    sizes = [path.stat().st_size for path in (cards.ZOO / name).iterdir()]
    assert sum(sizes) <= MAX_PRESET_BYTES


@each_preset
def test_model_is_as_stated(name, metadata):
    model = presets.load(name)
    stated = metadata[name]
    assert stated["name"] == name
    assert type(model).__name__ == stated["class_name"]
    assert list(model.image_shape) == stated["image_shape"]
    assert model.num_levels == stated["num_levels"]
    assert model.count_params() == stated["num_parameters"] <= 5_000_000
    for weight in model.weights:
        assert np.isfinite(np.asarray(weight)).all(), weight.path


@pytest.mark.parametrize("name", TRAINED)
def test_recipe_is_of_this_model(name):
    recipe = training.Recipe.from_json(cards.ZOO / name / "recipe.json")
    config = read(name, "config.json")
    assert recipe.model["class_name"] in (
        config["class_name"],
        config["registered_name"],
    )
    built = {key: config["config"][key] for key in recipe.model["config"]}
    assert built == recipe.to_dict()["model"]["config"]


def test_every_example_is_published():
    assert sorted(publish_examples.EXAMPLES) == EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_published_as_its_tool_says(name, metadata):
    stated, tool = metadata[name], publish_examples.EXAMPLES[name]
    assert (cards.ROOT / stated["training"]["example"]).is_file()
    for key in ("steps", "step"):
        assert stated["training"][key] == tool.steps
    assert stated["training"]["images_per_step"] == tool.batch_size
    assert stated["training"]["example"] == tool.example
    assert stated["description"] == tool.description
    assert stated["usage"] == list(tool.usage)
    assert stated["samples"] == tool.samples
    assert f"publish_examples {name}" in stated["training"]["command"]
    assert f"publish_examples {name}" in stated["measured"]["command"]
    assert stated["dataset"]["licence"]
    sizes = [path.stat().st_size for path in (cards.ZOO / name).iterdir()]
    assert sum(sizes) < 2_000_000


@each_preset
def test_numbers_agree(name, metadata):
    measured = metadata[name]["measured"]
    dataset = metadata[name]["dataset"]
    dimensions = math.prod(metadata[name]["image_shape"])
    bits = measured["nats"] / (dimensions * math.log(2))
    assert measured["bits_per_dim"] == pytest.approx(bits, rel=1e-9)
    assert 0 < bits < math.log2(metadata[name]["num_levels"])
    assert measured["num_images"] == dataset["num_images"]
    assert (dataset["split"], measured["precision"]) == ("test", "float32")
    before = measured["before_rounding"]
    if metadata[name]["weights_dtype"] == "float16":
        difference = before["bits_per_dim"] - before["rounded_bits_per_dim"]
        assert abs(difference) < 0.002
    else:
        assert before is None


@each_preset
def test_card_has_its_headings_and_snippet(name):
    text = (cards.ZOO / name / "README.md").read_text()
    headings = [line[3:] for line in text.splitlines() if line[:3] == "## "]
    assert headings == list(cards.HEADINGS)
    compile(snippet(text), "card", "exec")


def snippet(text):
    return text.split("```python\n")[1].split("```")[0]


@pytest.mark.slow
@each_preset
def test_snippet_of_the_card_runs(name, capsys):
    text = (cards.ZOO / name / "README.md").read_text()
    exec(snippet(text), {})
    assert capsys.readouterr().out.startswith("[")


@each_preset
def test_sample_sheet_shows_something(name):
    picture = np.asarray(Image.open(cards.ZOO / name / "samples.png"))
    assert min(picture.shape[:2]) >= 64
    assert picture.std() > 5


def test_tracked_files_stay_small():
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=cards.ROOT, capture_output=True
    )
    if listing.returncode:
        pytest.skip("not a checkout")
    paths = [cards.ROOT / p for p in listing.stdout.decode().split("\0") if p]
    total = sum(path.stat().st_size for path in paths if path.is_file())
    assert total <= MAX_TREE_BYTES
