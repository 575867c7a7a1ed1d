"""Records of TFRecord files, by their number."""

import pytest

from keras_pixel.data.records import RecordFiles

tf = pytest.importorskip("tensorflow")


@pytest.fixture
def paths(tmp_path):
    found = []
    for number, size in enumerate((3, 0, 2)):
        found.append(tmp_path / f"{number}.tfrecord")
        with tf.io.TFRecordWriter(str(found[-1])) as file:
            for place in range(size):
                file.write(f"{number}/{place}".encode() * place)
    return found


def test_any_record(paths):
    records = RecordFiles(paths)
    expected = [b"", b"0/1", b"0/20/2", b"", b"2/1"]
    assert [records[place] for place in range(len(records))] == expected
    assert records[2] == b"0/20/2"


@pytest.mark.parametrize("cut", [1, 5, 17])
def test_a_file_that_was_cut_off(paths, cut):
    paths[0].write_bytes(paths[0].read_bytes()[:-cut])
    with pytest.raises(ValueError, match="0.tfrecord must hold complete"):
        RecordFiles(paths)
