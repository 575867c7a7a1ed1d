"""Compression: bit by bit the same, as small as the model says, or an error."""

import json
import math
import re
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from keras_pixel import cli
from keras_pixel import layers
from keras_pixel import models
from keras_pixel import presets
from keras_pixel import tasks
from keras_pixel.models import PixelModel
from keras_pixel.order import ORDERS
from keras_pixel.sampling.coding import StepCoder
from keras_pixel.tasks import compression
from keras_pixel.tasks import compression_file
from keras_pixel.tasks import compression_identity
from keras_pixel.tasks import compression_tiles
from tests.support.pictures import png_of_16_bits

pytest.importorskip("constriction")


def random_weights(model, scale=0.3):
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(scale * random.normal(size=weight.shape))
    return model


def pixel_cnn(shape=(4, 4, 1), num_levels=2, **kwargs):
    return models.PixelCNN(
        shape, num_levels, filters=3, num_blocks=1, head_filters=0, **kwargs
    )


@pytest.fixture(scope="module")
def colour():
    """A mixture of logistics, along a wavefront."""
    model = pixel_cnn((8, 8, 3), 256, lag=2, distribution="logistic_mixture")
    return random_weights(model, 0.1)


@pytest.fixture(scope="module")
def binary():
    return random_weights(pixel_cnn())


def levels_of(shape, num_levels, seed=0):
    return np.random.default_rng(seed).integers(
        num_levels, size=shape, dtype="uint8"
    )


def check_round_trip(model, images, path, **kwargs):
    result = tasks.compress(model, images, path, **kwargs)
    programs = len(model.sampler.programs)
    items = tasks.decompress(model, path)
    # By the same programs, not by others like them.
    assert len(model.sampler.programs) == programs
    for item, expected in zip(items, images, strict=True):
        assert item.levels.dtype == expected.dtype
        np.testing.assert_array_equal(item.levels, expected)
    return result


def test_odd_sizes_and_grey(colour, tmp_path):
    shapes = [(8, 8, 3), (11, 3, 3), (2, 5, 9, 3), (9, 2, 1), (1, 1, 3)]
    images = [levels_of(shape, 256, i) for i, shape in enumerate(shapes)]
    images[0] = images[0].astype("int64")
    result = check_round_trip(colour, images, tmp_path / "x", batch_size=4)
    assert (result.num_images, result.batch_size, result.lag) == (6, 4, 2)
    # 1 + 2 + 2 * 2 + 2 + 1 tiles.
    assert result.num_batches == 3
    assert result.num_values == sum(x.size for x in images)


@pytest.mark.parametrize("batch_size", [1, 3, 256])
def test_size_is_what_the_model_says(binary, batch_size, tmp_path):
    images = levels_of((7, 4, 4, 1), 2)
    path = tmp_path / "x"
    result = check_round_trip(binary, [images], path, batch_size=batch_size)
    bits = -binary.log_prob(images).sum() / math.log(2)
    assert result.model_bits == pytest.approx(bits, rel=1e-4)
    # Each stream ends with a word of 32 bits, and perhaps a part of another.
    streams = 8 * (result.num_bytes - result.header_bytes)
    assert bits - 1 <= streams <= bits + 64 * result.num_batches
    assert path.stat().st_size == result.num_bytes


def test_size_of_many_levels(colour, tmp_path):
    images = levels_of((6, 8, 8, 3), 256)
    result = check_round_trip(colour, [images], tmp_path / "x", batch_size=4)
    bits = -colour.log_prob(images).sum() / math.log(2)
    assert result.model_bits == pytest.approx(bits, rel=1e-3)
    streams = 8 * (result.num_bytes - result.header_bytes)
    assert streams == pytest.approx(bits, rel=0.002, abs=64)


@pytest.mark.parametrize(
    ("kwargs", "lag", "lag_used"),
    [({}, None, 4), ({"lag": 2}, None, 2), ({"lag": 2}, 4, 4)],
)
def test_categorical_levels_along_any_lag(kwargs, lag, lag_used, tmp_path):
    # 100 levels: seven blocks, of which the last is not full.
    model = random_weights(pixel_cnn((4, 4, 3), 100, **kwargs))
    images = levels_of((3, 4, 4, 3), 100)
    result = check_round_trip(model, [images], tmp_path / "x", lag=lag)
    assert result.lag == lag_used
    bits = -model.log_prob(images).sum() / math.log(2)
    assert result.model_bits == pytest.approx(bits, rel=1e-4)


@pytest.mark.slow
def test_coarser_grids(tmp_path):
    model = models.WavefrontPixelCNN((4, 4, 1), filters=4, num_mixtures=2)
    images = levels_of((2, 6, 5, 1), 256)
    check_round_trip(random_weights(model, 0.1), [images], tmp_path / "x")


def test_rows(tmp_path):
    model = models.PixelRNN(
        (3, 4, 1), 4, variant="row_lstm", filters=4, num_layers=1
    )
    images = levels_of((3, 3, 4, 1), 4)
    result = check_round_trip(random_weights(model), [images], tmp_path / "x")
    bits = -model.log_prob(images).sum() / math.log(2)
    assert result.model_bits == pytest.approx(bits, rel=1e-4)


def test_labels_are_kept(tmp_path):
    model = random_weights(pixel_cnn(num_classes=3))
    images, labels = levels_of((5, 4, 6, 1), 2), [0, 1, 2, 1, 0]
    check_round_trip(model, [images], tmp_path / "x", labels=labels)
    assert tasks.read_header(tmp_path / "x")["labels"] == labels
    with pytest.raises(ValueError, match="labels"):
        tasks.compress(model, images, tmp_path / "y")


def test_another_order(tmp_path):
    # Of images that are wider than high, and tiles that are not full.
    model = random_weights(pixel_cnn((3, 4, 1), orders="left_up"))
    images = levels_of((5, 3, 4, 1), 2)
    path = tmp_path / "x"
    result = check_round_trip(model, [images], path)
    bits = -model.log_prob(images).sum() / math.log(2)
    assert result.model_bits == pytest.approx(bits, rel=1e-4)
    assert tasks.read_header(path)["order"] == "left_up"
    check_round_trip(model, [levels_of((2, 4, 6, 1), 2)], path)
    with pytest.raises(ValueError, match=r"order.*\['left_up'\]"):
        tasks.compress(model, images, path, order="right_down")


@pytest.fixture(scope="module")
def all_orders():
    model = pixel_cnn((4, 4, 3), 40, orders=ORDERS, num_classes=3)
    return random_weights(model)


def test_all_orders_and_labels(all_orders, tmp_path):
    images = levels_of((9, 4, 4, 3), 40)
    told = {"labels": [0, 1, 2] * 3, "order": [*ORDERS, "up_left"]}
    path = tmp_path / "x"
    result = check_round_trip(all_orders, [images], path, **told, batch_size=4)
    bits = -all_orders.log_prob(images, **told).sum() / math.log(2)
    assert result.model_bits == pytest.approx(bits, rel=1e-4)
    header = tasks.read_header(path)
    assert header["labels"] == told["labels"]
    assert header["order"] == told["order"]


@pytest.mark.parametrize("order", [None, "down_left", "left_up"])
def test_one_of_all_orders(all_orders, order, tmp_path):
    images = [levels_of((5, 6, 3), 40), levels_of((2, 3, 1), 40)]
    told = {"labels": 1, "order": order}
    path = tmp_path / "x"
    check_round_trip(all_orders, images, path, **told, batch_size=4)
    assert tasks.read_header(path)["order"] == (order or "right_down")


@pytest.mark.parametrize("order", ["mean", "right", ["right_down"] * 3])
def test_unsuitable_orders(all_orders, order, tmp_path):
    images = levels_of((2, 4, 4, 3), 40)
    with pytest.raises(ValueError, match="`order` must be one"):
        tasks.compress(
            all_orders, images, tmp_path / "x", labels=0, order=order
        )


def test_what_is_outside_comes_last_in_every_order():
    levels = np.arange(2 * 3).reshape(1, 2, 3, 1)
    items = [tasks.Item(levels)]
    found = {}
    for order in ORDERS:
        (tile,) = compression_tiles.tiles_of([levels.shape], (4, 4, 1), [order])
        part = tile.read(items)
        assert np.zeros((4, 4, 1))[tile.inside].shape == part.shape
        found[order] = part[..., 0].tolist()
        again = [tasks.Item(np.zeros_like(levels))]
        tile.write(again, part)
        np.testing.assert_array_equal(again[0].levels, levels)
    assert found["left_up"] == [[5, 4, 3], [2, 1, 0]]
    assert found["down_left"] == [[2, 5], [1, 4], [0, 3]]


def test_steps_end_where_nothing_is_coded(colour, tmp_path):
    coder = StepCoder(colour, 1)
    is_coded = np.zeros((1, 8, 8, 3), bool)
    assert coder._steps_until(is_coded) == 0
    is_coded[0, 3, 5, 0] = True
    assert coder._steps_until(is_coded) == 5 + 2 * 3 + 1
    assert coder._steps_until(~is_coded) == coder.num_steps


def test_improbable_levels_are_coded(tmp_path):
    model = pixel_cnn((2, 2, 1), 64)
    *others, bias = model.weights
    for weight in others:
        weight.assign(np.zeros(weight.shape))
    bias.assign(np.where(np.arange(64) < 16, 1e4, 0.0))
    images = np.full((1, 2, 2, 1), 63, "uint8")
    assert model.log_prob(images)[0] < -1e4
    result = check_round_trip(model, [images], tmp_path / "x")
    assert result.num_bytes - result.header_bytes < 64


def test_result(binary, tmp_path):
    pytest.importorskip("matplotlib")
    images = levels_of((2, 4, 4, 1), 2)
    result = tasks.compress(
        binary, images, tmp_path / "x", compare=True, verify=True
    )
    lines = result.table().splitlines()
    assert lines[2] == "| 1 bits each | 4 | 1.0000 |"
    assert [line.split(" | ")[0] for line in lines[3:]] == [
        "| PNG",
        "| WebP, lossless",
        "| this file",
        "| the model's −log2 p",
    ]
    folder = result.save(tmp_path / "new")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["compression.json", "compression.png", "table.md"]
    found = json.loads((folder / "compression.json").read_text())
    assert found["bits_per_dim"] == 8 * result.num_bytes / 32


def test_verify_says_what_is_lost(binary, tmp_path, monkeypatch):
    monkeypatch.setattr(
        compression,
        "decompress",
        lambda model, path: [tasks.Item(np.zeros((4, 4, 1), "uint8"))],
    )
    images = np.ones((4, 4, 1), "uint8")
    with pytest.raises(RuntimeError, match="give back what was compressed"):
        tasks.compress(binary, [images], tmp_path / "x", verify=True)


# === Files that are refused ===


@pytest.fixture
def file(binary, tmp_path):
    path = tmp_path / "file"
    tasks.compress(binary, levels_of((9, 4, 4, 1), 2), path, batch_size=4)
    return path


def test_every_damaged_byte_is_found(binary, file):
    data = file.read_bytes()
    for place in range(0, len(data), 3):
        file.write_bytes(
            data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
        )
        with pytest.raises(ValueError, match="compressed file must"):
            tasks.decompress(binary, file)
    for length in (0, 7, 20, 60, len(data) - 1):
        file.write_bytes(data[:length])
        with pytest.raises(ValueError, match="compressed file must"):
            tasks.decompress(binary, file)
    file.write_bytes(data[:-2])
    with pytest.raises(ValueError, match="2 bytes are missing"):
        tasks.decompress(binary, file)
    file.write_bytes(data + b"x")
    with pytest.raises(ValueError, match="1 bytes are extra"):
        tasks.decompress(binary, file)


def test_another_model_is_refused(binary, file):
    other = random_weights(pixel_cnn(), 0.31)
    with pytest.raises(ValueError, match="model that wrote it.*sha256"):
        tasks.decompress(other, file)


def test_other_versions_are_refused(binary, file, monkeypatch):
    real = compression_identity.versions()
    monkeypatch.setattr(
        compression_identity, "versions", lambda: {**real, "keras": "2.0"}
    )
    with pytest.raises(ValueError, match=r"keras 2.0 \(was .*--any-version"):
        tasks.decompress(binary, file)
    (found,) = tasks.decompress(binary, file, any_version=True)
    np.testing.assert_array_equal(found.levels, levels_of((9, 4, 4, 1), 2))


def test_other_probabilities_are_noticed(binary, file, monkeypatch):
    run = compression._run

    def differs(coder, code, *rest):
        run(coder, lambda p, levels: code(p[:, ::-1].copy(), levels), *rest)

    monkeypatch.setattr(compression, "_run", differs)
    with pytest.raises(
        ValueError, match="checksums.*images 0 to 3 .*other prob"
    ):
        tasks.decompress(binary, file)


def test_a_code_of_no_symbol_is_noticed(binary, file):
    header, streams = compression_file.read(file)
    ones = [b"\xff" * len(stream) for stream in streams]
    compression_file.write(file, header, ones)
    with pytest.raises(ValueError, match="images 0 to 3 .*other prob"):
        tasks.decompress(binary, file)


def test_forged_header_is_refused(file):
    header, streams = compression_file.read(file)
    for change in (
        {"items": [{}]},
        {"images_crc32": [-1] * 3},
        {"model": 1},
        {"order": ["up"]},
    ):
        compression_file.write(file, {**header, **change}, streams)
        with pytest.raises(ValueError, match="header of a compressed file"):
            compression_file.read(file)
    packed = zlib.compress(b"[]")
    start = compression_file._START.pack(
        compression_file.MAGIC, 1, len(packed), zlib.crc32(packed)
    )
    file.write_bytes(start + packed)
    with pytest.raises(ValueError, match="header of a compressed file"):
        compression_file.read(file)


# === Images and models that are refused ===


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (np.zeros((1, 4, 4, 1)), TypeError, "integer levels.*float64"),
        (np.full((1, 4, 4, 1), 2), ValueError, "levels from 2 to 2"),
        ([np.zeros((4, 4), int)], ValueError, r"shape \(4, 4\)"),
        (np.zeros((1, 4, 4, 3), int), ValueError, r"channels of the model, 1"),
        (np.zeros((0, 4, 4, 1), int), ValueError, "must have pixels"),
        ([], ValueError, "Received: none"),
    ],
)
def test_unsuitable_images(binary, images, error, words, tmp_path):
    with pytest.raises(error, match=words):
        tasks.compress(binary, images, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_unsuitable_models(tmp_path):
    import keras

    images = keras.Input((4, 4, 1), dtype="int32")
    x = layers.ScaleLevels(num_levels=2)(images)
    x = layers.MaskedConv2D(2, 3, mask_type="A")(x)
    x = keras.layers.LayerNormalization(axis=(1, 2))(x)
    logits = layers.CategoricalHead(num_levels=2)(x)
    model = PixelModel(images, logits, num_levels=2)
    data = np.zeros((1, 4, 4, 1), int)
    with pytest.raises(NotImplementedError, match="step by step"):
        tasks.compress(model, data, tmp_path / "x")
    bad = pixel_cnn()
    for weight in bad.weights:
        weight.assign(np.full(weight.shape, np.nan))
    with pytest.raises(ValueError, match="NaN"):
        tasks.compress(bad, data, tmp_path / "x")


def test_missing_constriction(binary, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "constriction", None)
    with pytest.raises(ImportError, match=r"keras-pixel\[compression\]"):
        tasks.compress(binary, np.zeros((1, 4, 4, 1), int), tmp_path / "x")


# === Commands ===


def run(*args):
    with pytest.raises(SystemExit) as stop:
        cli.main([str(x) for x in args])
    return stop.value.code


def save(values, path, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(values)
    (picture.convert(mode) if mode else picture).save(path)


def test_commands_with_a_folder(colour, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # Whose programs are compiled.
    monkeypatch.setattr(presets, "load", lambda *args, **kwargs: colour)
    folder = tmp_path / "in"
    save(levels_of((9, 5, 3), 256), folder / "a.png")
    save(levels_of((3, 4), 256), folder / "deep" / "grey.png")
    save(levels_of((4, 3), 256), folder / "bits.png", "1")
    palette = Image.fromarray(levels_of((4, 4, 3), 256)).convert("P")
    palette.save(folder / "palette.png")
    save(levels_of((6, 7, 3), 256), folder / "photo.jpg")
    np.save("more.npy", levels_of((2, 8, 8, 3), 256).astype("int16"))
    args = ("compress", "preset", "in", "more.npy", "-o", "x.kpix")
    assert run(*args, "--batch-size", 4, "--compare", "--verify") == 0
    shown = capsys.readouterr()
    assert "| this file |" in shown.out and "7 images in x.kpix" in shown.out
    assert "1 of the pictures are JPEGs, such as 'photo.jpg'" in shown.err
    assert run("decompress", "x.kpix", "-o", "out") == 2
    assert "`--model` must be given" in capsys.readouterr().err
    assert run("decompress", "x.kpix", "-o", "out", "--model", "preset") == 0
    for path in folder.rglob("*.*"):
        name = path.relative_to(folder).with_suffix(".png")
        with Image.open(path) as old, Image.open("out" / name) as new:
            expected = old.convert("RGB") if old.mode == "P" else old
            assert new.mode == expected.mode
            np.testing.assert_array_equal(np.asarray(new), expected)
    array = np.load("out/more.npy")
    assert array.dtype == np.int16
    np.testing.assert_array_equal(array, np.load("more.npy"))
    assert run(*args) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_command_in_another_size(binary, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    binary.save_preset("preset")
    black_and_white = 255 * levels_of((5, 7), 2)
    save(black_and_white, tmp_path / "a.png")
    args = ("compress", "preset", "a.png", "-o", "x.kpix")
    assert run(*args, "--image-shape", "5x7x1", "--json") == 0
    assert tasks.read_header("x.kpix")["model"]["image_shape"] == [5, 7, 1]
    assert run("decompress", "x.kpix", "-o", "out", "--model", "preset") == 0
    with Image.open("out/a.png") as new:
        np.testing.assert_array_equal(np.asarray(new), black_and_white)


def test_command_in_an_order(all_orders, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # Whose programs are compiled.
    monkeypatch.setattr(presets, "load", lambda *args, **kwargs: all_orders)
    images = levels_of((4, 4, 4, 3), 40)
    np.save("a.npy", images)
    args = ("compress", "preset", "a.npy", "-o", "x.kpix", "--label", 1)
    assert run(*args, "--order", "left") == 2
    assert "`order` must be one" in capsys.readouterr().err
    assert run(*args, "--order", "up_left") == 0
    assert tasks.read_header("x.kpix")["order"] == "up_left"
    assert run("decompress", "x.kpix", "-o", "out", "--model", "preset") == 0
    np.testing.assert_array_equal(np.load("out/a.npy"), images)


def test_pictures_that_would_lose_something(
    binary, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    binary.save_preset("preset")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.png").write_bytes(b"no picture")
    save(np.uint8([[0, 7]]), tmp_path / "grey.png")
    save(levels_of((3, 3, 4), 256), tmp_path / "alpha.png")
    save(levels_of((3, 3), 256).astype("uint16"), tmp_path / "deep.png")
    save(levels_of((3, 3), 2) * 255, tmp_path / "a.png")
    save(levels_of((3, 3), 2) * 255, tmp_path / "a.bmp")
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        save(levels_of((3, 3), 2) * 255, tmp_path / folder / "a.png")
    clear = Image.fromarray(levels_of((3, 3, 3), 2) * 255)
    clear.save(tmp_path / "clear.png", transparency=(255, 0, 255))
    (tmp_path / "deep_rgb.png").write_bytes(png_of_16_bits())
    cases = {
        ("grey.png",): "2 levels writes only pictures of 2 values",
        ("alpha.png",): "without transparency.*'RGBA'",
        ("deep.png",): "of 8 bits.*'I;16'",
        ("a.png", "a.bmp"): "different names",
        ("one/a.png", "two/a.png"): "different names",
        ("clear.png",): "'RGB' and transparency",
        ("deep_rgb.png",): "'RGB' in 16 bits",
        ("empty",): "must hold pictures",
        ("missing",): "which does not",
        ("bad.png",): "must be readable",
    }
    for names, words in cases.items():
        assert run("compress", "preset", *names, "-o", "x.kpix") == 2
        message = capsys.readouterr().err
        assert re.search(words, message), message
    assert not (tmp_path / "x.kpix").exists()


def test_folders_that_are_links_and_long_names(binary, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    binary.save_preset("preset")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "pictures" / "more").symlink_to(tmp_path / "elsewhere")
    long = "x" * 251 + ".png"
    levels = levels_of((3, 3), 2) * 255
    save(levels, tmp_path / "elsewhere" / "far.png")
    save(levels, tmp_path / "pictures" / long)
    assert run("compress", "preset", "pictures", "-o", "x.kpix") == 0
    assert run("decompress", "x.kpix", "-o", "o", "--model", "preset") == 0
    for name in ("more/far.png", long):
        found = np.asarray(Image.open(tmp_path / "o" / name))
        np.testing.assert_array_equal(found, levels)


def test_names_stay_in_the_folder(binary, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    binary.save_preset("preset")
    for name in ("../out.png", "/tmp/out.png"):
        item = tasks.Item(np.zeros((4, 4, 1), "uint8"), name, "L")
        tasks.compress(binary, [item], "x.kpix")
        assert run("decompress", "x.kpix", "-o", "o", "--model", "preset") == 2
        assert "names inside a folder" in capsys.readouterr().err


def test_probabilities_by_block_are_those_of_levels():
    from keras_pixel.distributions import Categorical
    from keras_pixel.distributions import LogisticMixture

    random = np.random.default_rng(0)
    for distribution in (Categorical(40), LogisticMixture(40, 3)):
        parameters = random.normal(size=(5, distribution.num_parameters))
        parameters = parameters.astype("float32")
        levels = np.exp(distribution.level_log_probs(parameters))
        levels = np.pad(levels, ((0, 0), (0, 8))).reshape(5, 3, 16)
        blocks = np.asarray(distribution.block_probs(parameters, 16))
        np.testing.assert_allclose(blocks, levels.sum(axis=2), atol=1e-6)
        for block in range(3):
            inside = np.asarray(
                distribution.probs_in_block(
                    parameters, np.full(5, block, "int32"), 16
                )
            )
            inside = inside / inside.sum(axis=1, keepdims=True)
            expected = levels[:, block] / blocks[:, block, None]
            np.testing.assert_allclose(inside, expected, atol=1e-5)
