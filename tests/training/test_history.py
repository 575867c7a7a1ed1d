from keras_pixel.training.history import History


def row(step, validation=None):
    return {
        "step": step,
        "bits_per_dim": 4.5 - step / 100,
        "validation_bits_per_dim": validation,
        "learning_rate": 1e-4,
        "images_per_second": 43.25,
        "seconds": float(step),
    }


def test_rows_are_read_again(tmp_path):
    history = History(tmp_path / "history.csv")
    history.keep_until(0)
    history.append(row(10))
    history.append(row(20, validation=4.4))
    again = History(tmp_path / "history.csv")
    assert again.rows == history.rows
    assert again.seconds == 20.0
    assert again.column("validation_bits_per_dim") == ([20], [4.4])


def test_rows_after_the_checkpoint_are_forgotten(tmp_path):
    path = tmp_path / "history.csv"
    history = History(path)
    history.keep_until(0)
    for step in (10, 20, 30):
        history.append(row(step))
    History(path).keep_until(20)
    assert [row["step"] for row in History(path).rows] == [10, 20]
    assert len(path.read_text().splitlines()) == 3


def test_a_line_cut_off_by_a_kill_is_dropped(tmp_path):
    path = tmp_path / "history.csv"
    history = History(path)
    history.keep_until(0)
    history.append(row(10))
    with open(path, "a") as file:
        file.write("20,4.3,,0.00")
    assert [row["step"] for row in History(path).rows] == [10]
