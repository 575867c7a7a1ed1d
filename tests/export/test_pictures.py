"""Encoded pictures in the SavedModel: the same numbers, and no lost batch."""

import base64
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_pixel import export
from keras_pixel.data import load_data
from keras_pixel.export import warmup
from keras_pixel.export.graphs import Graphs
from keras_pixel.export.picture_graphs import PictureGraphs
from keras_pixel.export.picture_graphs import png_files
from keras_pixel.export.servable import Servable
from keras_pixel.models import PixelCNN
from tests.support import catalogue


def make_model(image_shape, num_levels, **kwargs):
    sizes = {"filters": 6, "num_blocks": 1, "head_filters": 0}
    model = PixelCNN(image_shape, num_levels, **sizes, **kwargs)
    return catalogue.randomize(model)


def encoded(values, form="PNG", **options):
    values = values[..., 0] if values.shape[-1] == 1 else values
    file = io.BytesIO()
    Image.fromarray(values).save(file, form, **options)
    return file.getvalue()


def pixels(*shape):
    return np.random.default_rng(0).integers(256, size=shape).astype("uint8")


@pytest.fixture(scope="module")
def colour():
    """Decoding by a model of RGB images, all levels."""
    return decoder(make_model((6, 5, 3), 256))


@pytest.fixture(scope="module")
def grey():
    """Likewise of grey images, in 4 levels."""
    return decoder(make_model((6, 5, 1), 4))


def decoder(model, resize=None):
    graphs = PictureGraphs(Graphs(model), resize)
    decode = tf.function(
        graphs.decode, input_signature=[tf.TensorSpec((None,), tf.string)]
    )
    return lambda *files: [x.numpy() for x in decode(tf.constant(files))]


def test_png_files_are_read_exactly(colour):
    values = pixels(3, 6, 5, 3)
    images, is_valid = colour(*map(encoded, values))
    np.testing.assert_array_equal(images, values)
    assert is_valid.all()


def test_jpeg_files_are_read_as_pillow_does(colour):
    file = encoded(pixels(6, 5, 3), "JPEG", quality=70)
    (image,), _ = colour(file)
    np.testing.assert_array_equal(image, Image.open(io.BytesIO(file)))


def test_grey_and_colour_become_each_other(colour, grey):
    values = pixels(6, 5, 3)
    (image,), _ = grey(encoded(values))
    expected = np.asarray(Image.fromarray(values).convert("L"))
    np.testing.assert_array_equal(image[..., 0], expected // 64)
    (image,), _ = colour(encoded(values[..., :1]))
    np.testing.assert_array_equal(image, values[..., :1].repeat(3, axis=-1))


def test_what_is_no_picture_leaves_the_others_alone(colour):
    values = pixels(6, 5, 3)
    good = encoded(values)
    see_through = np.concatenate([values, values[..., :1] // 2], axis=-1)
    opaque = np.concatenate([values, np.full((6, 5, 1), 255, "uint8")], axis=-1)
    frames = io.BytesIO()
    first, *others = (Image.fromarray(pixels(6, 5, 3) // n) for n in (1, 2))
    first.save(frames, "GIF", save_all=True, append_images=others)
    files = {
        "good": good,
        "words": b"no picture at all",
        "empty": b"",
        "cut": good[:70],
        "too large": encoded(pixels(7, 5, 3)),
        "transparent": encoded(see_through),
        "animation": frames.getvalue(),
        "opaque": encoded(opaque),
    }
    images, is_valid = colour(*files.values())
    assert dict(zip(files, is_valid, strict=True)) == {
        name: name in ("good", "opaque") for name in files
    }
    np.testing.assert_array_equal(images[0], values)
    np.testing.assert_array_equal(images[-1], values)
    assert not images[1:-1].any()
    # Also where there is no good one at all.
    assert colour(b"nothing")[1].tolist() == [False]


@pytest.mark.parametrize("resize", ["resize", "center_crop"])
def test_other_sizes_are_brought_to_the_models(resize, tmp_path):
    model = make_model((8, 8, 3), 256)
    # Smooth: of noise each way of rounding makes something else.
    small = Image.fromarray(pixels(5, 9, 3)).resize((60, 40))
    small.save(tmp_path / "x.png")
    data = load_data(
        tmp_path, "all", image_shape=(8, 8, 3), resize=resize, values="pixels"
    )
    file = (tmp_path / "x.png").read_bytes()
    (image,), is_valid = decoder(model, resize)(file)
    assert is_valid.all()
    difference = image.astype(int) - np.asarray(data.images[0])
    assert np.abs(difference).max() <= 2
    # One that has the size is left alone.
    values = pixels(8, 8, 3)
    (image,), _ = decoder(model, resize)(encoded(values))
    np.testing.assert_array_equal(image, values)


@pytest.fixture(scope="module")
def model():
    """Grey, in 4 levels, and told labels."""
    return make_model((4, 5, 1), 4, num_classes=3)


@pytest.fixture(scope="module")
def version(model, tmp_path_factory):
    pytest.importorskip("tensorflow_serving", reason="needs the extra serve")
    folder = tmp_path_factory.mktemp("models")
    written = export.tf_serving(
        {"told": model}, folder, batch_sizes=[1, 2], pictures=True
    )
    return written["told"]


@pytest.fixture(scope="module")
def signatures(version):
    loaded = tf.saved_model.load(str(version))

    def run(name, **inputs):
        tensors = {key: tf.constant(x) for key, x in inputs.items()}
        found = loaded.signatures[name](**tensors)
        return {key: x.numpy() for key, x in found.items()}

    run.loaded = loaded
    return run


def test_readme_beside_it_has_the_signatures(version):
    text = (version.parents[1] / "README.md").read_text()
    for name in ("score_encoded", "score_examples", "complete_encoded"):
        assert f"\n| `{name}` |" in text


def test_values_of_the_largest_request(version):
    # Images, mask, seed, temperature and label of each row.
    values = 4 * 5 + 4 * 5 + 1 + 1 + 1
    assert Servable(version, max_batch_size=7).most_values == 7 * values
    assert Servable(version).most_values is None


LABELS = np.array([2, 0, 1], "int32")


def batch(model):
    images = catalogue.levels(model, 3).astype("uint8")
    return images, png_files(images, model.num_levels)


def test_scores_are_those_of_levels(signatures, model):
    images, files = batch(model)
    files[1] = b"no picture"
    found = signatures("score_encoded", image_bytes=files, labels=LABELS)
    expected = model.log_prob(images, labels=LABELS)
    assert np.isnan(found["log_prob"]).tolist() == [False, True, False]
    assert np.isnan(found["bits_per_dim"]).tolist() == [False, True, False]
    np.testing.assert_allclose(found["log_prob"][::2], expected[::2], rtol=1e-5)


def example(**features):
    made = {}
    for name, value in features.items():
        if isinstance(value, bytes):
            of_bytes = tf.train.BytesList(value=[value])
            made[name] = tf.train.Feature(bytes_list=of_bytes)
        else:
            numbers = tf.train.Int64List(value=[value])
            made[name] = tf.train.Feature(int64_list=numbers)
    return tf.train.Example(
        features=tf.train.Features(feature=made)
    ).SerializeToString()


def test_examples_bring_their_labels(signatures, model):
    images, files = batch(model)
    examples = [
        example(image=file, label=int(label), name=b"whatever")
        for file, label in zip(files, LABELS, strict=True)
    ]
    examples += [
        b"no example",
        example(image=files[0]),  # without its label
        example(image=files[0], label=7),
        example(image=b"no picture", label=0),
    ]
    found = signatures("score_examples", examples=examples)["log_prob"]
    np.testing.assert_allclose(
        found[:3], model.log_prob(images, labels=LABELS), rtol=1e-5
    )
    assert np.isnan(found[3:]).all()


def test_samples_are_png_files(signatures):
    inputs = {
        "seed": np.arange(3, dtype="int32"),
        "temperature": np.ones(3, "float32"),
        "labels": LABELS,
    }
    levels = signatures("sample", **inputs)["images"]
    files = signatures("sample_encoded", **inputs)["image_bytes"]
    for file, image in zip(files, levels, strict=True):
        values = np.asarray(Image.open(io.BytesIO(file)))
        np.testing.assert_array_equal(values // 64, image[..., 0])


def test_completions_keep_what_is_known(signatures, model):
    images, files = batch(model)
    files[2] = b"no picture"
    mask = np.zeros((3, 4, 5), "uint8")
    mask[:, :2] = 1
    found = signatures(
        "complete_encoded",
        image_bytes=files,
        mask=mask,
        seed=np.arange(3, dtype="int32"),
        temperature=np.ones(3, "float32"),
        labels=LABELS,
    )
    assert found["is_valid"].tolist() == [True, True, False]
    for file, image in zip(found["image_bytes"][:2], images, strict=False):
        values = np.asarray(Image.open(io.BytesIO(file)))
        np.testing.assert_array_equal(values[:2] // 64, image[:2, :, 0])


def test_warm_up_knows_files(version):
    names = {
        log.predict_log.request.model_spec.signature_name
        for log in warmup.read_warmup(version)
    }
    assert names >= {
        *("score_encoded", "score_examples"),
        *("sample_encoded", "complete_encoded"),
    }


def test_rest_takes_and_gives_base64(version, model):
    requests = pytest.importorskip("requests", reason="needs the extra serve")
    pytest.importorskip("aiohttp", reason="needs the extra serve")
    from keras_pixel.serving import DevelopmentServer

    images, files = batch(model)
    server = DevelopmentServer(version.parent.parent, rest_port=0, grpc_port=0)
    with server:
        url = f"http://127.0.0.1:{server.rest_port}/v1/models/told:predict"

        def post(signature, rows):
            body = {"signature_name": signature, "instances": rows}
            answer = requests.post(url, json=body, timeout=120)
            assert answer.status_code == 200, answer.text
            return answer.json()["predictions"]

        rows = [
            {
                "image_bytes": {"b64": base64.b64encode(file).decode()},
                "labels": int(label),
            }
            for file, label in zip(files[:2], LABELS[:2], strict=True)
        ]
        found = [x["log_prob"] for x in post("score_encoded", rows)]
        np.testing.assert_allclose(
            found, model.log_prob(images[:2], labels=LABELS[:2]), rtol=1e-5
        )
        (drawn,) = post(
            "sample_encoded", [{"seed": 1, "temperature": 1.0, "labels": 2}]
        )
        file = base64.b64decode(drawn["b64"])
        assert Image.open(io.BytesIO(file)).size == (5, 4)


def test_without_pictures_there_are_no_such_signatures(model):
    assert not [x for x in Graphs(model).signatures() if "encoded" in x]


def test_wrong_arguments_are_refused(tmp_path):
    model = make_model((4, 4, 2), 2)
    with pytest.raises(ValueError, match="1 or 3 channels.*pictures=False"):
        export.saved_model(model, tmp_path / "new", pictures=True)
    with pytest.raises(ValueError, match="`resize` is of encoded pictures"):
        export.saved_model(model, tmp_path / "new", resize="resize")
    with pytest.raises(ValueError, match="`resize`.*'crop'"):
        export.saved_model(
            make_model((4, 4, 1), 2),
            tmp_path / "new",
            pictures=True,
            resize="crop",
        )
    assert not (tmp_path / "new").exists()
