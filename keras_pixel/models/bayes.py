"""What several evaluations of a model say together, by the rules of chance."""

import numpy as np

from keras_pixel.sampling.condition_checks import check_prior


def classify(model, images, *, prior=None, **arguments):
    """Probabilities of the classes of images, by Bayes' rule.

    Args:
        model: `PixelModel` with classes.
        images: as in `PixelModel.log_prob`.
        prior: array `(num_classes,)` of weights of at least 0, or `None` for
            classes that are all alike.
        **arguments: of `PixelModel.log_prob`.

    Returns:
        NumPy float32 array `(batch, num_classes)`; the probabilities of an
        image sum to 1.

    Raises:
        ValueError: if the model has no classes, or an argument is wrong.
    """
    num_classes = model.conditions.num_classes
    if num_classes is None:
        raise ValueError(
            "`classify` needs a model that is told labels. Received: a "
            "model without `num_classes`. Train one with `num_classes`."
        )
    prior = check_prior(prior, num_classes)
    log_prob = np.stack(
        [
            model.log_prob(images, labels=label, **arguments)
            for label in range(num_classes)
        ],
        axis=-1,
    ).astype("float64")  # (batch, num_classes)
    with np.errstate(divide="ignore"):
        log_prob = log_prob + np.log(prior)
    weights = np.exp(log_prob - log_prob.max(axis=-1, keepdims=True))
    total = weights.sum(axis=-1, keepdims=True)
    return (weights / total).astype("float32")


def mean_over_orders(model, images, **arguments):
    """Log-probability of images by the mean of the model's orders.

    Each order gives a distribution over images, and so does the mean of
    their probabilities.

    Args:
        model: `PixelModel`.
        images: as in `PixelModel.log_prob`.
        **arguments: of `PixelModel.log_prob`, but no `order`.

    Returns:
        NumPy float32 array `(batch,)`, nats.
    """
    log_prob = np.stack(
        [
            model.log_prob(images, order=order, **arguments).astype("float64")
            for order in model.orders
        ]
    )  # (orders, batch)
    mean = np.logaddexp.reduce(log_prob, axis=0) - np.log(len(log_prob))
    return mean.astype("float32")
