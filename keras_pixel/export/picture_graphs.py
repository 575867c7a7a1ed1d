"""Encoded pictures in, encoded pictures out: PNG and JPEG inside the graph."""

from keras_pixel.checks import check_choice

RESIZES = (None, "resize", "center_crop")
# ITU-R 601, as Pillow and `load_data` weigh colours; of 65536.
_LUMA = (19595, 38470, 7471)


class PictureGraphs:
    """The functions of a model whose images are files.

    A file that is no picture, an animation, a transparent picture, or one of
    another size than the model's (unless `resize` says how to bring it there)
    fails no batch: it scores NaN, and `is_valid` is false.

    Args:
        graphs: `Graphs`.
        resize: `None`, "resize" (stretches) or "center_crop" (cuts a part of
            the model's proportions, then shrinks). Means are bicubic, as in
            `load_data`, which may differ by a value or two of 255.
    """

    def __init__(self, graphs, resize=None):
        import tensorflow as tf

        self.graphs = graphs
        self.model = graphs.model
        self.image_shape = graphs.image_shape
        self.resize = check_choice("resize", resize, RESIZES)
        if self.image_shape[-1] not in (1, 3):
            raise ValueError(
                "Encoded pictures have 1 or 3 channels. Received: a model of "
                f"images of {self.image_shape}. Export it with "
                "`pictures=False`."
            )
        images = tf.TensorSpec((None, *self.image_shape), "uint8", "images")
        names = [spec.name for spec in graphs.condition_specs]
        # One graph for all that score.
        self._score = tf.function(
            lambda images, *told: graphs.score(
                images, **dict(zip(names, told, strict=True))
            ),
            input_signature=[images, *graphs.condition_specs],
            autograph=False,
        )

    def signatures(self):
        """Function and input specifications, see `Graphs.signatures`."""
        import tensorflow as tf

        files = tf.TensorSpec((None,), tf.string, "image_bytes")
        examples = tf.TensorSpec((None,), tf.string, "examples")
        mask = tf.TensorSpec((None, *self.image_shape[:2]), "uint8", "mask")
        seed = tf.TensorSpec((None,), "int32", "seed")
        temperature = tf.TensorSpec((None,), "float32", "temperature")
        told = self.graphs.condition_specs
        found = {
            "score_encoded": (self.score, [files, *told]),
            "sample_encoded": (self.sample, [seed, temperature, *told]),
            "complete_encoded": (
                self.complete,
                [files, mask, seed, temperature, *told],
            ),
        }
        if {spec.name for spec in told} <= {"labels"}:
            found["score_examples"] = (self.score_examples, [examples])
        return found

    def score(self, image_bytes, **conditions):
        """Nats and bits/dim of each picture."""
        images, is_valid = self.decode(image_bytes)
        told = [conditions[x.name] for x in self.graphs.condition_specs]
        return self._scores(images, is_valid, told)

    def score_examples(self, examples):
        """The same of `tf.train.Example`s, with labels where they are told."""
        import tensorflow as tf

        features = {"image": tf.io.FixedLenFeature((), tf.string)}
        if self.graphs.condition_specs:
            features["label"] = tf.io.FixedLenFeature((), tf.int64)

        def parse(text):
            found = tf.io.parse_single_example(text, features)
            label = tf.cast(found.get("label", tf.zeros((), tf.int64)), "int32")
            return self._levels(found["image"]), label

        images, labels, is_valid = _each(
            parse,
            examples,
            [
                tf.TensorSpec(self.image_shape, "uint8"),
                tf.TensorSpec((), "int32"),
            ],
        )
        told = [labels] if self.graphs.condition_specs else []
        return self._scores(images, is_valid, told)

    def sample(self, seed, temperature, **conditions):
        """New images as PNG files."""
        images = self.graphs.sample(seed, temperature, **conditions)["images"]
        return {"image_bytes": self.encode(images)}

    def complete(self, image_bytes, mask, seed, temperature, **conditions):
        """PNG files whose pixels of mask 0 are drawn."""
        images, is_valid = self.decode(image_bytes)
        drawn = self.graphs.complete(
            images, mask, seed, temperature, **conditions
        )["images"]
        return {"image_bytes": self.encode(drawn), "is_valid": is_valid}

    # === Pictures ===

    def decode(self, image_bytes):
        """Levels of pictures, and which of them are pictures.

        Args:
            image_bytes: string tensor `(batch,)`.

        Returns:
            uint8 tensor `(batch, height, width, channels)`, 0 where there is
            no picture, and bool tensor `(batch,)`.
        """
        import tensorflow as tf

        spec = tf.TensorSpec(self.image_shape, "uint8")
        return _each(lambda data: (self._levels(data),), image_bytes, [spec])

    def encode(self, images):
        """Levels as PNG files, string tensor `(batch,)`."""
        return encode(images, self.model.num_levels)

    def _levels(self, data):
        """Levels of one picture; an error where it is none."""
        import tensorflow as tf

        values = tf.cond(
            tf.io.is_jpeg(data),
            # As exact as Pillow's.
            lambda: tf.io.decode_jpeg(data, dct_method="INTEGER_ACCURATE"),
            lambda: tf.io.decode_image(data, expand_animations=True),
        )
        # An animation has another rank.
        with tf.control_dependencies(
            [tf.debugging.assert_equal(tf.rank(values), 3)]
        ):
            values = tf.reshape(values, tf.shape(values)[-3:])
        values = self._in_channels(tf.cast(values, "int32"))
        values = self._in_size(values)
        levels = values * self.model.num_levels // 256
        return tf.cast(tf.ensure_shape(levels, self.image_shape), "uint8")

    def _in_channels(self, values):
        """Grey or RGB; transparent pictures are refused."""
        import tensorflow as tf

        count = tf.shape(values)[-1]
        has_alpha = count % 2 == 0
        alpha = tf.where(has_alpha, values[..., -1], 255)
        with tf.control_dependencies([tf.debugging.assert_equal(alpha, 255)]):
            is_grey = count < 3
            # Of a grey picture its one channel, three times.
            places = tf.where(is_grey, [0, 0, 0], [0, 1, 2])
            values = tf.gather(values, places, axis=-1)
        if self.image_shape[-1] == 3:
            return values
        # Weights of equal channels sum to one: grey stays as it is.
        luma = tf.reduce_sum(values * tf.constant(_LUMA), -1, keepdims=True)
        return (luma + 32768) // 65536

    def _in_size(self, values):
        """As large as the model's images, if that was asked for."""
        import tensorflow as tf

        if self.resize is None:
            return values
        height, width, channels = self.image_shape
        values = tf.ensure_shape(values, (None, None, channels))
        size = tf.cast(tf.shape(values)[:2], "float32")
        wanted = tf.constant([height, width], "float32")
        scale = wanted / size  # of rows and columns
        if self.resize == "center_crop":
            scale = tf.fill([2], tf.reduce_max(scale))
        # Of what is left of and above the part that is kept.
        translation = (wanted - size * scale) / 2
        resized = tf.raw_ops.ScaleAndTranslate(
            images=tf.cast(values[None], "float32"),
            size=(height, width),
            scale=scale,
            translation=translation,
            kernel_type="keyscubic",
            antialias=True,
        )
        values = tf.round(tf.clip_by_value(resized[0], 0, 255))
        return tf.cast(values, "int32")

    def _scores(self, images, is_valid, told):
        log_prob = self._score(images, *told)["log_prob"]
        return self.graphs.with_bits(log_prob, is_valid)


def encode(images, num_levels):
    """Levels as PNG files, string tensor `(batch,)`."""
    import tensorflow as tf

    # Rounded up, because quantisation rounds down.
    values = -(-tf.cast(images, "int32") * 255 // (num_levels - 1))
    return tf.map_fn(
        tf.io.encode_png,
        tf.cast(values, "uint8"),
        fn_output_signature=tf.TensorSpec((), tf.string),
    )


def png_files(images, num_levels):
    """The same as an array of bytes, of levels `(batch, …)`."""
    return encode(images, num_levels).numpy()


def _each(function, rows, specs):
    """Apply a function to every row, whatever errors it raises.

    Args:
        function: from a row to a tuple of tensors.
        rows: tensor `(batch, …)`.
        specs: list of `tf.TensorSpec`, one for each of them.

    Returns:
        A tensor `(batch, …)` for each of them, 0 where there was an error;
        and bool `(batch,)`, where there was none.
    """
    import tensorflow as tf

    count = tf.shape(rows)[0]

    def numbered(number, row):
        found = [
            tf.ensure_shape(x, spec.shape)
            for x, spec in zip(function(row), specs, strict=True)
        ]
        return (number, *found)

    numbers = tf.range(count)
    found = tf.data.Dataset.from_tensor_slices((numbers, rows)).map(numbered)
    # The errors of a row end with it. A last one stands for those of none.
    last = tf.data.Dataset.from_tensors(
        (count, *(tf.zeros(spec.shape, spec.dtype) for spec in specs))
    )
    found = found.ignore_errors().concatenate(last)
    places, *values = found.batch(
        tf.cast(count, "int64") + 1
    ).get_single_element()
    values = [
        tf.scatter_nd(places[:, None], x, (count + 1, *map(int, spec.shape)))[
            :count
        ]
        for x, spec in zip(values, specs, strict=True)
    ]
    is_valid = tf.scatter_nd(
        places[:, None], tf.ones_like(places), (count + 1,)
    )
    return (*values, is_valid[:count] > 0)
