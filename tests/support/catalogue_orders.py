"""Every family in other orders of the pixels, at its smallest."""

import dataclasses

from keras_pixel import models
from keras_pixel.order import ORDERS
from tests.support.cases import randomize
from tests.support.catalogue_conditional import CASES as CONDITIONAL
from tests.support.smallest import SMALLEST

IMAGE_SHAPE = (3, 3, 1)


@dataclasses.dataclass(frozen=True)
class OrdersCase:
    """A family with some orders; a name alone for one."""

    model_class: type
    orders: tuple | str
    image_shape: tuple = IMAGE_SHAPE

    @property
    def name(self):
        names = [self.orders] if isinstance(self.orders, str) else self.orders
        return f"{self.model_class.__name__}_{len(names)}_{names[0]}"

    def make(self, image_shape=None, num_levels=3, orders=None):
        model = self.model_class(
            image_shape or self.image_shape,
            num_levels,
            **SMALLEST[self.model_class],
            orders=orders or self.orders,
        )
        return randomize(model)


_FAMILIES = list(dict.fromkeys(case.model_class for case in CONDITIONAL))

CASES = [
    OrdersCase(models.PixelCNN, ORDERS, (3, 3, 3)),
    OrdersCase(models.PixelCNN, "up_left"),
    *(
        # Each order in some family.
        OrdersCase(family, (ORDERS[i % 8], ORDERS[(i + 3) % 8]))
        for i, family in enumerate(_FAMILIES, 1)
    ),
]
