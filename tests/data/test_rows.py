"""Images one after the other: each kind of source, and what is wrong."""

import errno
import io

import numpy as np
import pytest
from PIL import Image

from keras_pixel.data.rows import open_rows
from tests.data.test_tfds_source import write

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

SHAPE = (4, 4, 1)
# Levels of 4, and the 8-bit values that become them.
LEVELS = np.random.default_rng(0).integers(4, size=(7, *SHAPE), dtype="uint8")
PIXELS = LEVELS * 64 + 10


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(file, "PNG")
    return file.getvalue()


def opened(source, **options):
    options = {"image_shape": SHAPE, "num_levels": 4, **options}
    return open_rows(source, **options)


def read(rows, start=0, stop=None, batch_size=3):
    """Ids, levels and errors of all batches."""
    batches = list(rows.batches(start, stop or len(rows), batch_size))
    return (
        [name for batch in batches for name in batch.ids],
        np.concatenate([batch.images for batch in batches]),
        [error for batch in batches for error in batch.errors],
    )


def pictures(folder):
    folder.mkdir()
    for number, one in enumerate(PIXELS):
        (folder / f"{number}.png").write_bytes(png(one))
    return folder


def records(path, examples):
    tf = pytest.importorskip("tensorflow")
    with tf.io.TFRecordWriter(str(path)) as file:
        for values in examples:
            feature = {
                key: tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[value])
                )
                for key, value in values.items()
            }
            example = tf.train.Example(
                features=tf.train.Features(feature=feature)
            )
            file.write(example.SerializeToString())


def encoded_table(path, **options):
    table = pyarrow.table(
        {"id": list("abcdefg"), "image": list(map(png, PIXELS))}
    )
    parquet.write_table(table, path, **options)


def struct_table(path):
    column = [{"bytes": png(one), "path": None} for one in PIXELS]
    parquet.write_table(pyarrow.table({"image": column, "n": range(7)}), path)


def list_table(path, values):
    column = pyarrow.array(
        values, pyarrow.list_(pyarrow.list_(pyarrow.uint8()))
    )
    parquet.write_table(pyarrow.table({"levels": column}), path)


def make(kind, folder):
    """A source of these images, of one kind."""
    if kind == "folder":
        return pictures(folder / "pictures")
    if kind == "array":
        return LEVELS
    path = folder / "images"
    if kind == "npy":
        np.save(folder / "images.npy", LEVELS)
        return folder / "images.npy"
    path.mkdir()
    if kind == "parquet":
        encoded_table(path / "a.parquet", row_group_size=2)
        return path / "a.parquet"
    if kind == "parquet of structs":
        struct_table(path / "a.parquet")
        return path
    if kind == "parquet of lists":
        list_table(path / "a.parquet", LEVELS[:3, ..., 0].tolist())
        list_table(path / "b.parquet", LEVELS[3:, ..., 0].tolist())
        return str(path / "*.parquet")
    examples = [{"image": png(one)} for one in PIXELS]
    records(path / "x.tfrecord-00000-of-00002", examples[:3])
    records(path / "x.tfrecord-00001-of-00002", examples[3:])
    return path


KINDS = (
    *("folder", "array", "npy", "parquet", "parquet of structs"),
    *("parquet of lists", "tfrecord"),
)
NUMBERS = list("0123456")


@pytest.mark.parametrize("kind", KINDS)
def test_every_source_gives_the_same_levels(kind, tmp_path):
    rows = opened(make(kind, tmp_path))
    assert len(rows) == rows.identity["num_images"] == 7
    ids, images, errors = read(rows)
    np.testing.assert_array_equal(images, LEVELS)
    assert errors == [None] * 7
    assert ids == {
        "folder": [f"{n}.png" for n in NUMBERS],
        "array": [f"train/{n}" for n in NUMBERS],
        "npy": [f"train/{n}" for n in NUMBERS],
        "parquet": list("abcdefg"),
    }.get(kind, NUMBERS)
    # Any part of it, across files and groups.
    for start, stop in ((2, 5), (6, 7), (0, 3)):
        some, part, _ = read(rows, start, stop, batch_size=2)
        np.testing.assert_array_equal(part, LEVELS[start:stop])
        assert some == ids[start:stop]


def test_tfds_in_the_order_of_its_files(tmp_path):
    write(tmp_path, "tiny_rows", {"train": 5, "test": 3}, with_id=False)
    options = {"data_dir": tmp_path, "image_shape": (4, 4, 3)}
    rows = opened("tiny_rows", num_levels=256, **options)
    ids, images, _ = read(rows)
    # TFDS shuffles as it writes.
    assert sorted(images[:5, 0, 0, 0]) == list(range(5))
    assert sorted(images[5:, 0, 0, 0]) == list(range(3))
    assert ids == [f"train/{n}" for n in range(5)] + [
        f"test/{n}" for n in range(3)
    ]
    assert (
        len(opened("tiny_rows", split="test", num_levels=256, **options)) == 3
    )
    with pytest.raises(ValueError, match="`values` must say"):
        opened("tiny_rows", num_levels=4, **options)
    with pytest.raises(ValueError, match="`split` must be one of"):
        opened("tiny_rows", num_levels=256, split="validation", **options)


def test_ids_of_tfds(tmp_path):
    write(tmp_path, "tiny_row_ids", {"train": 4})
    rows = opened(
        "tiny_row_ids",
        data_dir=tmp_path,
        image_shape=(4, 4, 3),
        num_levels=256,
    )
    ids, images, _ = read(rows)
    assert ids == [f"train_{one[0, 0, 0]:05}" for one in images]


def test_bad_pictures_have_an_error_in_their_place(tmp_path):
    folder = pictures(tmp_path / "pictures")
    (folder / "1.png").write_bytes(b"no picture")
    (folder / "3.png").write_bytes(png(np.zeros((5, 4, 1), "uint8")))
    (folder / "6.png").write_bytes((folder / "6.png").read_bytes()[:50])
    rows = opened(folder)
    (folder / "4.png").unlink()
    ids, images, errors = read(rows)
    np.testing.assert_array_equal(images, LEVELS[[0, 2, 5]])
    assert [number for number, x in enumerate(errors) if x] == [1, 3, 4, 6]
    assert "UnidentifiedImageError" in errors[1]
    assert "3.png of shape (5, 4, 1)" in errors[3]
    assert "FileNotFoundError" in errors[4]
    assert len(ids) == 7
    _, images, _ = read(opened(folder, resize="resize"))
    assert len(images) == 4  # that of another size, too


def test_pictures_of_levels(tmp_path):
    Image.fromarray(LEVELS[0, ..., 0]).save(tmp_path / "a.png")
    _, images, _ = read(opened(tmp_path / "a.png", values="levels"))
    np.testing.assert_array_equal(images, LEVELS[:1])


def test_a_fault_of_the_machine_is_none_of_the_picture(tmp_path, monkeypatch):
    def stale(path, channels):
        raise OSError(errno.ESTALE, "Stale file handle", str(path))

    rows = opened(pictures(tmp_path / "pictures"))
    monkeypatch.setattr("keras_pixel.data.rows.read_picture", stale)
    with pytest.raises(OSError, match="Stale file handle"):
        read(rows)


def test_bad_rows_have_an_error_in_their_place(tmp_path):
    table = pyarrow.table({"image": [None, b"x", png(PIXELS[0])]})
    parquet.write_table(table, tmp_path / "a.parquet")
    _, images, errors = read(opened(tmp_path / "a.parquet"))
    np.testing.assert_array_equal(images, LEVELS[:1])
    assert errors[0] == "ValueError: no image"
    assert "UnidentifiedImageError" in errors[1]

    lists = [[[1] * 4] * 4, [[1] * 3] * 4, None, [[9] * 4] * 4]
    list_table(tmp_path / "b.parquet", lists)
    _, images, errors = read(opened(tmp_path / "b.parquet"))
    assert len(images) == 1
    assert "must have 16" in errors[1]
    assert errors[2] == "ValueError: no image"
    assert "from 0 to 3" in errors[3]

    records(tmp_path / "a.tfrecord", [{"image": b"x"}, {"other": b"x"}])
    ids, images, errors = read(opened(tmp_path / "a.tfrecord"))
    assert (ids, len(images)) == (["0", "1"], 0)
    assert "no bytes in the feature 'image'" in errors[1]


def test_a_column_of_another_name(tmp_path):
    column = list(map(png, PIXELS))
    table = pyarrow.table({"a": column, "b": column[::-1], "c": range(7)})
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"can be: \['a', 'b'\]"):
        opened(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="`image_column` must name"):
        opened(tmp_path / "a.parquet", image_column="c")
    with pytest.raises(ValueError, match="`id_column` must name"):
        opened(tmp_path / "a.parquet", image_column="a", id_column="d")
    rows = opened(tmp_path / "a.parquet", image_column="b", id_column="c")
    ids, images, _ = read(rows)
    np.testing.assert_array_equal(images, LEVELS[::-1])
    assert ids == NUMBERS

    records(tmp_path / "a.tfrecord", [{"file": column[0], "key": b"k"}])
    rows = opened(tmp_path / "a.tfrecord", image_column="file", id_column="key")
    assert read(rows)[0] == ["k"]


def test_what_tells_sources_apart(tmp_path):
    folder = pictures(tmp_path / "pictures")
    former = opened(folder).identity
    assert opened(folder).identity == former
    (folder / "7.png").write_bytes(png(PIXELS[0]))
    assert opened(folder).identity != former
    assert opened(LEVELS).identity != opened(LEVELS[::-1]).identity


def test_wrong_sources_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not"):
        opened(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="does not"):
        opened(tmp_path / "nowhere.parquet")
    (tmp_path / "a.parquet").write_bytes(b"none")
    with pytest.raises(ValueError, match="must be readable"):
        opened(tmp_path / "a.parquet")
    (tmp_path / "b.tfrecord").write_bytes(b"")
    with pytest.raises(ValueError, match="must all be"):
        opened(tmp_path)
    with pytest.raises(ValueError, match="`image_column` must be left out"):
        opened(LEVELS, image_column="a")
    with pytest.raises(ValueError, match="`split` must be left out"):
        opened(tmp_path / "b.tfrecord", split="test")
