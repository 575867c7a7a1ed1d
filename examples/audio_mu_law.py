"""Audio by mu-law: plucked strings, sample by sample.

    python -m examples.audio_mu_law --output out/audio

The example makes its own recording: notes of plucked strings (Karplus and
Strong, 1983), at 8,000 samples a second. A `Discretizer` turns each sample into
one of 256 levels, and a model of dilated convolutions learns which comes next.

It prints bits per sample on notes kept for testing, beside those of the
frequencies of single levels and of a prediction along a straight line, and
writes what it heard and what it drew (`heard.wav`, `drawn.wav`), the preset,
which holds the discretizer too, and a plot.
"""

import io
import wave

import numpy as np

from examples import sequences
from keras_pixel.data import Discretizer
from keras_pixel.files import atomic_file

RATE = 8000  # samples a second
DILATIONS = [1, 2, 4, 8, 16, 32, 64, 128, 256]
# Semitones above A2 (110 Hz): the pentatonic scale.
NOTES = (0, 3, 5, 7, 10)


def main(arguments=None):
    parser = sequences.arguments_of(__doc__.splitlines()[0], 1024, 600, 48)
    parser.add_argument("--notes", type=int, default=320)
    parser.add_argument("--seconds", type=float, default=2.0, help="to draw")
    options = parser.parse_args(arguments)
    sound = recording(options.notes)
    discretizer = Discretizer(256, "mu_law", low=-1.0, high=1.0)
    levels = discretizer.transform(sound)
    error = discretizer.inverse_transform(levels) - sound
    noise = 10 * np.log10(np.mean(sound**2) / np.mean(error**2))
    print(f"{len(sound) / RATE:.0f} s of sound; 256 levels: {noise:.0f} dB SNR")
    length = options.length
    # Later notes of the recording, each plucked anew.
    train, test = np.split(levels, [len(levels) * 9 // 10])
    shape = (options.filters, DILATIONS, False)
    model = sequences.dilated_network(length, *shape)
    model.discretizer = discretizer
    print(
        f"{model.count_params():,} parameters; a sample sees the "
        f"{sequences.receptive_field(DILATIONS)} before it."
    )
    sequences.train(model, train, length, options.steps)
    images = sequences.windows(test, length)[:64]
    found = {
        "single levels": sequences.unigram_bits(train, images),
        "straight line": straight_line_bits(discretizer, train, images),
        "this model": float(model.bits_per_dim(images).mean()),
    }
    for name, value in found.items():
        print(f"{name}: {value:.3f} bits per sample")
    drawn = draw_sound(model, test, options, shape)
    heard = discretizer.inverse_transform(test[: len(drawn)])
    write_wav(options.output / "heard.wav", heard)
    write_wav(options.output / "drawn.wav", drawn)
    model.save_preset(options.output / "preset", overwrite=True)
    draw(heard, drawn, length, options.output / "sound.png")
    return found


def recording(num_notes, seed=0):
    """Notes of plucked strings, a quarter of a second each, in [-1, 1]."""
    random = np.random.default_rng(seed)
    notes = random.choice(NOTES, size=num_notes)
    return np.concatenate(
        [pluck(110 * 2 ** (note / 12), RATE // 4, random) for note in notes]
    )


def pluck(frequency, size, random):
    """A string: noise that goes round, and is averaged each time."""
    period = round(RATE / frequency)
    string = np.zeros(size + period + 1)
    noise = random.uniform(-0.5, 0.5, period)
    string[1 : period + 1] = noise - noise.mean()
    for start in range(period + 1, len(string), period):
        stop = min(start + period, len(string))
        before = string[start - period : stop - period]
        earlier = string[start - period - 1 : stop - period - 1]
        string[start:stop] = 0.498 * (before + earlier)
    return string[1 : size + 1]


def straight_line_bits(discretizer, train, images):
    """Bits a sample if the last two values are carried on.

    The level found so is off by a number of levels, whose frequencies are
    those of the training data.
    """

    def off(levels):
        values = discretizer.inverse_transform(levels)
        carried = 2 * values[..., 1:-1] - values[..., :-2]
        guess = discretizer.transform(carried)
        return levels[..., 2:] - guess  # uint8, which wraps around

    return sequences.unigram_bits(off(train), off(images[:, 0, :, 0]))


def draw_sound(model, test, options, shape):
    """Carry on a beginning of half a window, to any length.

    A model of a longer sequence has the same weights, and a step of drawing
    costs the same.
    """
    start = options.length // 2
    length = max(round(options.seconds * RATE), options.length)
    model = sequences.longer(model, length, *shape)
    images = np.zeros((1, *model.image_shape), "uint8")
    images[0, 0, :start, 0] = test[:start]
    known = np.arange(length)[None] < start
    drawn = model.complete(images, known, seed=options.seed, temperature=0.8)
    return model.discretizer.inverse_transform(drawn[0, 0, :, 0])


def write_wav(path, values):
    """Write values in [-1, 1] as 16-bit samples."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((values * 32767).round().astype("<i2").tobytes())
    with atomic_file(path) as file:
        file.write(buffer.getvalue())


def draw(heard, drawn, length, path):
    """What was heard and what was drawn: waves and spectra."""
    figure = sequences.figure((8, 4))
    if figure is None:
        return
    grid = figure.subplots(2, 2)
    for column, (name, values) in zip(
        grid.T, (("test recording", heard), ("drawn", drawn)), strict=True
    ):
        seconds = np.arange(len(values)) / RATE
        column[0].plot(seconds, values, color="#1f6fb2", linewidth=0.3)
        column[0].set(title=name, ylim=(-1, 1), xlim=(0, seconds[-1]))
        if name == "drawn":
            column[0].axvline(length // 2 / RATE, color="#d9660b")
        column[1].specgram(values, NFFT=512, Fs=RATE, noverlap=384, vmin=-120)
        column[1].set(ylim=(0, 2000), xlabel="seconds")
    grid[1, 0].set_ylabel("Hz")
    with atomic_file(path) as file:
        figure.savefig(file, format="png")


if __name__ == "__main__":
    main()
