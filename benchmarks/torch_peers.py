"""PixelCNN and WavefrontPixelCNN in plain PyTorch, to be timed beside ours.

The same layers, numbers of parameters and losses as `keras_pixel.PixelCNN`
(categorical, low-rank head) and `keras_pixel.WavefrontPixelCNN` (mixture of
logistics), written as one would write them in PyTorch: masked kernels,
`channels_last`. Inputs are levels `(batch, channels, height, width)`, int64.
"""

import math

import torch
from torch import nn
from torch.nn import functional


class MaskedConv2d(nn.Module):
    """Convolution with a kernel of the rows down to the centre, masked."""

    def __init__(self, mask, rows, side):
        super().__init__()
        self.pads = (side, side, rows, 0)
        self.register_buffer("mask", mask)
        self.weight = nn.Parameter(torch.empty_like(mask))
        self.bias = nn.Parameter(torch.zeros(mask.shape[0]))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x):
        if any(self.pads):
            x = functional.pad(x, self.pads)
        return functional.conv2d(x, self.weight * self.mask, self.bias)


def masked_conv2d(layer):
    """As a built Keras `MaskedConv2D`, whose mask is taken over."""
    mask = torch.from_numpy(layer.mask.transpose(3, 2, 0, 1).astype("float32"))
    rows, side = (size // 2 for size in layer.kernel_size)
    return MaskedConv2d(mask.contiguous(), rows, side)


def scaled(levels, num_levels, num_frequencies=0):
    """Levels in [-1, 1], and Fourier features of them."""
    x = levels.float() * (2.0 / (num_levels - 1)) - 1.0
    features = [x]
    for k in range(1, num_frequencies + 1):
        angle = (x + 1.0) * (0.5 * math.pi * k)
        features += [angle.cos(), angle.sin()]
    return torch.cat(features, dim=1)


class PixelCNN(nn.Module):
    """As a Keras `PixelCNN` with a low-rank categorical head."""

    def __init__(self, model):
        super().__init__()
        self.num_levels = model.num_levels
        self.num_frequencies = model.num_frequencies

        def copy(name):
            return masked_conv2d(model.get_layer(name))

        self.first = copy("first")
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                copy(f"block_{i + 1}_{part}")
                for part in ("reduce", "convolution", "expand")
            )
            for i in range(model.num_blocks)
        )
        head = model.get_layer("head")
        self.channels, self.rank = head.image_channels, head.rank
        mask = torch.from_numpy(head.mask.T.astype("float32"))
        self.head = MaskedConv2d(mask[:, :, None, None].contiguous(), 0, 0)
        self.basis = nn.Parameter(torch.randn(head.rank, head.num_levels))

    def forward(self, levels):
        x = scaled(levels, self.num_levels, self.num_frequencies)
        x = x.to(memory_format=torch.channels_last)
        x = self.first(x)
        for reduce, convolve, expand in self.blocks:
            y = reduce(functional.relu(x))
            y = convolve(functional.relu(y))
            x = x + expand(functional.relu(y))
        x = self.head(functional.relu(x)).permute(0, 2, 3, 1)
        x = x.reshape(*x.shape[:-1], self.channels, self.rank)
        return torch.matmul(x, self.basis)

    def loss(self, levels):
        """Mean nats of a sub-pixel."""
        logits = self(levels).float().reshape(-1, self.num_levels)
        targets = levels.permute(0, 2, 3, 1).reshape(-1)
        return functional.cross_entropy(logits, targets)


def concat_elu(x):
    return functional.elu(torch.cat([x, -x], dim=1))


class Block(nn.Module):
    """Gated residual block."""

    def __init__(self, model, name, has_short_cut):
        super().__init__()
        first = model.get_layer(f"{name}_convolution_1")
        self.first = masked_conv2d(first)
        second = model.get_layer(f"{name}_convolution_2")
        self.second = masked_conv2d(second)
        if has_short_cut:
            shape = model.get_layer(f"{name}_short_cut").kernel.shape
            self.short_cut = nn.Conv2d(shape[0], shape[1], 1)

    def forward(self, x, short_cut=None):
        y = self.first(concat_elu(x))
        if short_cut is not None:
            y = y + self.short_cut(concat_elu(short_cut))
        change, gate = self.second(concat_elu(y)).chunk(2, dim=1)
        return x + change * torch.sigmoid(gate)


class WavefrontPixelCNN(nn.Module):
    """As a Keras `WavefrontPixelCNN` with a mixture of logistics."""

    def __init__(self, model):
        super().__init__()
        self.num_levels = model.num_levels
        self.number = model.num_mixtures
        self.channels = model.image_shape[-1]
        self.num_frequencies = model.num_frequencies
        self.floor = model.pixel_distribution.floor
        filters, levels = model.filters, model.num_resolutions
        if model.image_shape[0] % 2 ** (levels - 1) or not isinstance(
            filters, int
        ):
            raise ValueError("Sides must halve evenly, and widths be equal.")
        self.first = masked_conv2d(model.get_layer("first"))
        self.down, self.down_blocks = nn.ModuleList(), nn.ModuleList()
        self.up, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        for i in range(levels):
            if i:
                self.down.append(nn.Conv2d(filters, filters, 2, 2))
            self.down_blocks.append(
                nn.ModuleList(
                    Block(model, f"down_{i}_block_{j + 1}", False)
                    for j in range(model.num_blocks)
                )
            )
        for i in reversed(range(levels)):
            coarsest = i == levels - 1
            if not coarsest:
                self.up.append(nn.ConvTranspose2d(filters, filters, 2, 2))
            self.up_blocks.append(
                nn.ModuleList(
                    Block(model, f"up_{i}_block_{j + 1}", True)
                    for j in range(model.num_blocks + (not coarsest))
                )
            )
        outputs = model.get_layer("head").kernel.shape[1]
        self.head = nn.Conv2d(filters, outputs, 1)
        with torch.no_grad():
            self.head.weight.mul_(0.1)

    def forward(self, levels):
        x = scaled(levels, self.num_levels, self.num_frequencies)
        x = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
        x = x.to(memory_format=torch.channels_last)
        x = self.first(x)
        short_cuts = [x]
        for i, blocks in enumerate(self.down_blocks):
            if i:
                # The pixel, and the row above and the column to the left.
                x = self.down[i - 1](functional.pad(x, (1, 0, 1, 0)))
                short_cuts.append(x)
            for block in blocks:
                x = block(x)
                short_cuts.append(x)
        x = short_cuts.pop()
        for i, blocks in enumerate(self.up_blocks):
            if i:
                x = self.up[i - 1](x)
            for block in blocks:
                x = block(x, short_cuts.pop())
        # In float32, as in keras_pixel: bfloat16 cannot tell levels apart.
        with torch.autocast("cpu", enabled=False):
            x = functional.elu(x).float()
            outputs = functional.conv2d(
                x, self.head.weight.float(), self.head.bias.float()
            )
        return outputs.permute(0, 2, 3, 1)

    def loss(self, levels):
        """Mean nats of a sub-pixel."""
        outputs, number = self(levels), self.number
        sizes = [number * (2 + (c == 0) + c) for c in range(self.channels)]
        values = levels.permute(0, 2, 3, 1)
        total, logits, log_probs = 0.0, 0.0, 0.0
        for c, part in enumerate(outputs.split(sizes, dim=-1)):
            parts = part.split(number, dim=-1)
            if c == 0:
                logits, *parts = parts
            else:
                logits = logits + log_probs
            means, log_scales, *factors = parts
            for earlier, factor in enumerate(factors):
                value = values[..., earlier].float()
                value = value * (2.0 / (self.num_levels - 1)) - 1.0
                means = means + torch.tanh(factor) * value[..., None]
            log_probs = self.components(means, log_scales, values[..., c])
            weights = functional.log_softmax(logits, dim=-1)
            total = total - torch.logsumexp(weights + log_probs, -1).mean()
        return total / self.channels

    def components(self, means, log_scales, levels):
        """Log-probability of levels under each component."""
        levels = levels[..., None]
        half = 1.0 / (self.num_levels - 1)
        centred = levels.float() * (2.0 * half) - 1.0 - means
        inverse = torch.exp(-log_scales.clamp(-7.0, 7.0))
        inside = torch.tanh(half * inverse)
        inside = 2.0 * inside / (1.0 + inside)
        lowest, highest = levels == 0, levels == self.num_levels - 1
        one = torch.ones((), dtype=means.dtype)
        below_top = torch.sigmoid((centred + half) * inverse)
        above_bottom = torch.sigmoid((half - centred) * inverse)
        mass = (
            torch.where(highest, one, below_top)
            * torch.where(lowest, one, above_bottom)
            * torch.where(lowest | highest, one, inside)
        )
        mass = (1.0 - self.floor) * mass + self.floor / self.num_levels
        return torch.log(mass)


PEERS = {"PixelCNN": PixelCNN, "WavefrontPixelCNN": WavefrontPixelCNN}
