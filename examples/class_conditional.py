"""Images of a class: labels, guidance, and Bayes' rule as a classifier.

    python -m examples.class_conditional --output out/digits \
        --data-dir ~/tensorflow_datasets
    python -m examples.class_conditional --output out/cifar10 \
        --dataset cifar10 --size 16 --data-dir ~/tensorflow_datasets

A network is told the class of each image, and in one of ten the class is left
out, so that it learns to do without, too.

It prints bits/dim on test images with and without labels, how often Bayes' rule
finds the right class, and how many of the images drawn at guidance scale 1 and
3 it takes for their class. The picture has a row for each class: on the left
samples at scale 1, on the right at scale 3, of the same noise.
"""

import numpy as np

from examples import conditional

SCALES = (1.0, 3.0)


def main(arguments=None):
    parser = conditional.arguments_of(__doc__.splitlines()[0], "mnist", 14)
    parser.add_argument("--per-class", type=int, default=6, help="to draw")
    options = parser.parse_args(arguments)
    train, test = conditional.read_data(options)
    options.levels = train.num_levels
    num_classes = train.num_classes or int(train.labels.max()) + 1
    data, test = [
        {"images": x.images[:count], "labels": x.labels[:count]}
        for x, count in ((train, None), (test, options.test_images))
    ]
    model, found = conditional.train_both(
        data, test, options, num_classes=num_classes, label_dropout=0.1
    )
    model.class_names = train.class_names
    images, labels = test["images"], test["labels"]
    without = float(model.bits_per_dim(images).mean())
    found["with the condition left out"] = without
    print(f"the same network without labels: {without:.3f} bits/dim")
    found["accuracy"] = accuracy(model, images, labels)
    print(f"classify: {found['accuracy']:.1%} of {len(images)} test images")
    wanted = np.repeat(np.arange(num_classes), options.per_class)
    sides = []
    for scale in SCALES:
        drawn = model.sample(
            labels=wanted, guidance_scale=scale, seed=options.seed
        )
        found[f"scale {scale:.0f}"] = accuracy(model, drawn, wanted)
        print(
            f"guidance scale {scale:.0f}: {found[f'scale {scale:.0f}']:.1%} of "
            "the drawn images are taken for their class"
        )
        sides.append(drawn.reshape(num_classes, -1, *drawn.shape[1:]))
    gap = np.full_like(sides[0][:, :1], model.num_levels - 1)  # white
    rows = np.concatenate([sides[0], gap, sides[1]], axis=1)
    conditional.save(model, rows, model.num_levels, options)
    return found


def accuracy(model, images, labels):
    """How often the most probable class is the right one."""
    return float((model.classify(images).argmax(axis=-1) == labels).mean())


if __name__ == "__main__":
    main()
