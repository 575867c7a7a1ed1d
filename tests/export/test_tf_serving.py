"""Folders for TF-Serving: versions beside each other, whole or not at all."""

import shutil

import pytest
import tensorflow as tf

from keras_pixel import export
from keras_pixel import load
from keras_pixel.export import to_tf_serving
from keras_pixel.export import warmup
from keras_pixel.export.servable import RequestError
from keras_pixel.models import PixelCNN

pytest.importorskip("tensorflow_serving", reason="needs the extra serve")

FILES = {
    "README.md",
    "batching.config",
    "compose.yaml",
    "models.config",
    "monitoring.config",
}


@pytest.fixture
def quick(models_folder, monkeypatch):
    """Copies a SavedModel and replays no warm-up: both take seconds."""

    def copy(model, path, *options):
        shutil.copytree(
            models_folder / "tiny" / "1",
            path,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("assets.extra"),
        )

    monkeypatch.setattr(to_tf_serving, "saved_model", copy)
    monkeypatch.setattr(warmup, "check_warmup", lambda folder: None)


def listed(folder):
    return {path.name for path in folder.iterdir()}


def test_folder_has_what_tf_serving_wants(models_folder):
    assert listed(models_folder) == FILES | {"tiny"}
    assert listed(models_folder / "tiny") == {"1"}
    version = models_folder / "tiny" / "1"
    assert listed(version) >= {"saved_model.pb", "variables", "assets.extra"}
    assert listed(version / "assets.extra") == {
        "tf_serving_warmup_requests",
        "keras_pixel.json",
    }
    # A server that runs as somebody else must read it.
    assert version.stat().st_mode & 0o055 == 0o055


def test_next_version_is_beside_the_old_one(quick, model, tmp_path):
    first = export.tf_serving({"tiny": model}, tmp_path, batch_sizes=[1])
    before = {
        path: path.stat().st_mtime_ns for path in first["tiny"].rglob("*")
    }
    second = export.tf_serving({"tiny": model}, tmp_path, batch_sizes=[1])
    assert first == {"tiny": tmp_path / "tiny" / "1"}
    assert second == {"tiny": tmp_path / "tiny" / "2"}
    assert before == {path: path.stat().st_mtime_ns for path in before}
    ninth = export.tf_serving({"tiny": model}, tmp_path, 9, batch_sizes=[1])
    assert ninth == {"tiny": tmp_path / "tiny" / "9"}
    assert listed(tmp_path / "tiny") == {"1", "2", "9"}


def test_version_that_exists_is_refused(quick, model, tmp_path):
    (tmp_path / "tiny" / "4").mkdir(parents=True)
    (tmp_path / "tiny" / "4" / "kept").touch()
    with pytest.raises(FileExistsError, match="never overwritten.*version=4"):
        export.tf_serving({"tiny": model}, tmp_path, version=4)
    assert listed(tmp_path / "tiny" / "4") == {"kept"}
    assert listed(tmp_path) == {"tiny"}


def test_model_is_served_by_its_own_name(quick, model, tmp_path):
    found = export.tf_serving(model, tmp_path, batch_sizes=[1])
    assert found == {model.name: tmp_path / model.name / "1"}


def test_preset_is_served_by_its_name(quick, model, tmp_path):
    model.save_preset(tmp_path / "my_model")
    loaded = load(tmp_path / "my_model")
    assert loaded.name == "my_model"
    found = export.tf_serving(loaded, tmp_path / "out", batch_sizes=[1])
    assert found == {"my_model": tmp_path / "out" / "my_model" / "1"}


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("tiny", {"filters": 8}, 'filters": 8.* after .*filters": 4'),
        ("tiny", {"num_levels": 4}, "num_levels=4 after 2"),
        ("other", {}, 'name="other" after "tiny"'),
    ],
)
def test_next_version_of_another_model_is_refused(
    quick, tmp_path, name, arguments, words
):
    def make(name, **arguments):
        sizes = {"num_levels": 2, "filters": 4, **arguments}
        return PixelCNN((4, 5, 1), num_blocks=1, name=name, **sizes)

    def write(name, **arguments):
        model = make(name, **arguments)
        return export.tf_serving({"a": model}, tmp_path, batch_sizes=[1])

    write("tiny")
    with pytest.raises(ValueError, match=f"same preset.*{words}.*a name of"):
        write(name, **arguments)
    assert listed(tmp_path / "a") == {"1"}
    write("tiny")
    # Keras numbers what has no name of its own.
    write("pixel_cnn_7")
    assert listed(tmp_path / "a") == {"1", "2", "3"}


def test_models_beside_are_served_too(quick, model, tmp_path):
    both = {"b": model, "a": model}
    export.tf_serving(both, tmp_path, batch_sizes=[1])
    export.tf_serving({"c": model}, tmp_path, batch_sizes=[2])
    text = (tmp_path / "models.config").read_text()
    assert [f'name: "{n}"' in text for n in "abcd"] == [True] * 3 + [False]
    assert listed(tmp_path) == FILES | {"a", "b", "c"}


def test_failure_leaves_nothing_behind(quick, model, tmp_path, monkeypatch):
    written = []

    def fail_the_second_time(*arguments):
        written.append(arguments)
        if len(written) == 2:
            raise RequestError("INVALID_ARGUMENT", "refused")

    monkeypatch.setattr(warmup, "check_warmup", fail_the_second_time)
    with pytest.raises(RuntimeError, match="warm-up.* refused"):
        export.tf_serving({"a": model, "b": model}, tmp_path / "new")
    assert listed(tmp_path) == set()


def test_failure_leaves_the_old_version(quick, model, tmp_path, monkeypatch):
    export.tf_serving({"a": model}, tmp_path, batch_sizes=[1])

    def fail(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr(warmup, "write_warmup", fail)
    with pytest.raises(OSError, match="No space"):
        export.tf_serving({"a": model}, tmp_path, batch_sizes=[1])
    assert listed(tmp_path / "a") == {"1"}
    assert listed(tmp_path) == FILES | {"a"}


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", ".a", "a b", "12", 'a"', "ä", 3]
)
def test_bad_name_is_refused(model, tmp_path, name):
    with pytest.raises(ValueError, match="name must be of letters"):
        export.tf_serving({name: model}, tmp_path)
    assert listed(tmp_path) == set()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"version": 0}, "`version` must be an integer of at least 1"),
        ({"version": "1"}, "`version` must be an integer of at least 1"),
        ({"version": True}, "`version` must be an integer of at least 1"),
        ({"batch_sizes": []}, "`batch_sizes` must hold at least one"),
        ({"batch_sizes": [1, 0]}, r"`batch_sizes\[1\]` must be an int"),
        ({"batch_sizes": [1.5]}, r"Received: batch_sizes\[0\]=1.5"),
        ({"batch_sizes": range(1, 102)}, "`batch_sizes` must be at most 100"),
    ],
)
def test_bad_argument_is_refused(model, tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        export.tf_serving(model, tmp_path, **options)
    assert listed(tmp_path) == set()


def test_no_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`models` must have a model"):
        export.tf_serving({}, tmp_path)
    with pytest.raises(TypeError, match="PixelModel"):
        export.tf_serving({"a": 3}, tmp_path)
    with pytest.raises(TypeError, match="PixelModel"):
        export.tf_serving(3, tmp_path)


@pytest.mark.parametrize("xla", [True, False])
def test_server_is_told_to_use_xla(quick, model, tmp_path, monkeypatch, xla):
    def save(model, path, xla, *options):
        module = tf.Module()
        module.images = tf.function(
            lambda images: {"images": images + 1},
            input_signature=[tf.TensorSpec((None,), "uint8", "images")],
            jit_compile=xla,
        )
        tf.saved_model.save(
            module,
            str(path),
            signatures=module.images.get_concrete_function(),
        )

    monkeypatch.setattr(to_tf_serving, "saved_model", save)
    export.tf_serving(model, tmp_path, batch_sizes=[1], xla=xla)
    for name in ("compose.yaml", "README.md"):
        text = (tmp_path / name).read_text()
        for device in ("cpu", "gpu"):
            flag = f"--xla_{device}_compilation_enabled=true"
            assert (flag in text) == xla


def test_warmup_that_is_refused_is_found(models_folder, tmp_path):
    version = tmp_path / "1"
    shutil.copytree(models_folder / "tiny" / "1", version)
    shutil.rmtree(version / "assets.extra")
    warmup.write_warmup(version, "tiny", 4, (1,))
    path = version / warmup.WARMUP_FILE
    (log, *_) = warmup.read_warmup(version)
    log.predict_log.request.inputs["images"].tensor_shape.dim[1].size = 3
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString())
    with pytest.raises((RequestError, ValueError)):
        warmup.check_warmup(version)
