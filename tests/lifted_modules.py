"""Modules of PyTorch as people write them, for tests of their limits."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class UNet(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.down1 = nn.Conv2d(2, width, 3, padding=1)
        self.down2 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.last = nn.Conv2d(2 * width, width, 3, padding=1)
        self.head = nn.Linear(width, 8)

    def forward(self, x):
        fine = torch.relu(self.down1(x))
        x = torch.relu(self.up(torch.relu(self.down2(fine))))
        x = torch.relu(self.last(torch.cat([fine, x], dim=1)))
        return self.head(x.mean(dim=(2, 3)))


class DenseNet(nn.Module):
    """Each layer takes the channels of all before it."""

    def __init__(self, width=32):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(k * width, width, 3, padding=1) for k in (1, 2, 3))
        self.head = nn.Linear(4 * width, 8)

    def forward(self, x):
        found = [torch.relu(self.stem(x))]
        for layer in self.layers:
            found.append(torch.relu(layer(torch.cat(found, 1))))
        return self.head(F.adaptive_avg_pool2d(torch.cat(found, 1), 1).flatten(1))


class VGG(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1),
            nn.ReLU(True),
            nn.AvgPool2d(2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(True),
            nn.AvgPool2d(3, stride=2, padding=1),
        )
        self.classifier = nn.Sequential(
            nn.Linear(4 * width, 2 * width), nn.GELU(), nn.Dropout(), nn.Linear(2 * width, 8)
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


class Patches(nn.Module):
    """A residual MLP on patches, its channels last between the stem and the readout."""

    def __init__(self, width=32):
        super().__init__()
        self.stem = nn.Conv1d(2, width, 4, stride=4)
        self.norm1 = nn.LayerNorm(width)
        self.into = nn.Linear(width, 2 * width)
        self.out = nn.Linear(2 * width, width)
        self.norm2 = nn.LayerNorm(width)
        self.head = nn.Linear(width, 8)
        self.scale = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x):
        x = self.stem(x).transpose(1, 2)
        x = x + self.scale * self.out(torch.tanh(self.into(self.norm1(x))))
        return self.head(self.norm2(x).mean(1))


class ConvNeXt(nn.Module):
    """A block of Liu et al. 2022, behind a stem, with a scale that is not too small to be seen."""

    def __init__(self, width=32):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 2, stride=2)
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm = nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.scale = nn.Parameter(torch.full((width, 1, 1), 0.7))
        self.head = nn.Linear(width, 8)

    def forward(self, x):
        x = self.stem(x)
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.out(F.gelu(self.into(y))).permute(0, 3, 1, 2)
        return self.head((x + self.scale * y).mean([2, 3]))


class Block(nn.Module):
    def __init__(self, into, out, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out)
        self.down = None
        if into != out:
            self.down = nn.Sequential(
                nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x):
        shortcut = x if self.down is None else self.down(x)
        out = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        out += shortcut
        return self.relu(out)


class ResNet(nn.Module):
    """He et al. 2016, of two stages, with the initialisation of torchvision."""

    def __init__(self, width=16):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Block(width, width), Block(width, width))
        self.layer2 = nn.Sequential(Block(width, 2 * width, 2), Block(2 * width, 2 * width))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(2 * width, 10)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = self.pool(self.relu(self.norm1(self.conv1(x))))
        x = self.avgpool(self.layer2(self.layer1(x)))
        return self.fc(torch.flatten(x, 1))


class Residual(nn.Module):
    """Blocks of a pre-activation network, in He's initialisation."""

    def __init__(self, width=32):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.one = nn.Conv2d(width, width, 3, padding=1)
        self.two = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.cut = nn.Conv2d(width, 2 * width, 1, stride=2)
        self.three = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.head = nn.Linear(2 * width, 8)
        for layer in (self.stem, self.one, self.two, self.cut, self.three):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.two(F.relu(self.one(F.relu(x))))
        x = self.cut(F.relu(x)) + self.three(F.relu(x))
        return self.head(F.relu(x).mean((-2, -1)))


class Scales(nn.Module):
    """A readout of all positions of two grids, the second coarser."""

    def __init__(self, width=32):
        super().__init__()
        self.fine = nn.Conv2d(2, width, 3, padding=1)
        self.coarse = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.head = nn.Linear(20 * width, 8)

    def forward(self, x):
        fine = torch.relu(self.fine(x))
        coarse = torch.relu(self.coarse(fine))
        return self.head(torch.cat([fine.flatten(1), coarse.flatten(1)], 1))


EXACT = [
    (Scales, (2, 4, 4)),
    (UNet, (2, 4, 4)),
    (DenseNet, (3, 4, 4)),
    (VGG, (3, 6, 6)),
    (Patches, (2, 16)),
    (Residual, (3, 4, 4)),
    (ConvNeXt, (3, 6, 6)),
]


class Shifted(nn.Module):
    def __init__(self):
        super().__init__()
        self.into = nn.Linear(4, 64)
        self.place = nn.Parameter(torch.ones(64))

    def forward(self, x):
        return self.into(x) + self.place


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.layer = nn.Linear(64, 64), nn.Linear(64, 64)

    def forward(self, x):
        return self.layer(torch.relu(self.layer(torch.relu(self.into(x)))))


class Crossing(nn.Module):
    """a reaches the sum by itself and through b, and b by itself and through c."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (nn.Linear(64, 64) for _ in range(3))

    def forward(self, x):
        a = self.a(x)
        b = self.b(torch.relu(a))
        return torch.cat([a * self.c(torch.relu(b)), b], 1)


class Choosing(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(64, 64), nn.Linear(64, 64)

    def forward(self, x):
        return self.a(x), self.b(x)


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.tokens = nn.Conv1d(3, 64, 1), nn.Linear(16, 16)

    def forward(self, x):
        return self.tokens(self.stem(x))


class Written(nn.Module):
    """Three layers a, b and c, used as a function says."""

    def __init__(self, forward):
        super().__init__()
        self.a, self.b, self.c = (nn.Linear(64, 64, bias=False) for _ in range(3))
        self.of = forward

    def forward(self, x):
        return self.of(self, x)


def _in_place(m, x):
    x = m.a(x)
    y = torch.relu_(x)
    return x + m.b(y)


def _view_in_place(m, x):
    x = m.a(x)
    torch.relu_(x.view(-1, 8, 8))
    return m.b(x)


def without_gradients(m, x):
    with torch.no_grad():
        x = torch.relu(m.a(x))
    return m.b(x)


def _token(m, x):
    x = m.a(x)[:, None]
    return torch.cat([m.b.weight[None, :1].expand(x.shape[0], -1, -1), x], 1)


def _twice(y, combine):
    return combine(y)


class Gated(nn.Module):
    """Channels times what a depthwise convolution makes of the same channels."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(3, 64, 3)
        self.deep = nn.Conv1d(64, 64, 3, padding=1, groups=64)

    def forward(self, x):
        y = self.stem(x)
        return y * self.deep(y)


MISLEADING = [
    (lambda m, x: torch.add(m.a(x), m.b(x), alpha=2), "^add: a sum with alpha"),
    (lambda m, x: m.a(x) + m.b(x).detach(), "^detach: detach has no layer"),
    (lambda m, x: m.a(x) + m.b(x).chunk(2, 1)[0].repeat(1, 2), "^chunk: chunk has no layer"),
    (lambda m, x: m.b(m.a(x) * m.a(x).max().item()), "and .* share their weights|has no layer"),
    (lambda m, x: m.b(x) * m.a(x).max().item(), "^max_1: max has no layer"),
    (lambda m, x: m.b(F.dropout(m.a(x), 0.5)), "^dropout: dropout has no layer"),
    (lambda m, x: m.b(F.softplus(m.a(x), 2.0)), "^softplus: softplus has no layer"),
    (lambda m, x: m.b(x + m.a(x)), "^add: the inputs have few channels"),
    (lambda m, x: m.a(torch.cat([x[:, :0], x], 1)), "^getitem: getitem has no layer"),
    (lambda m, x: _twice(m.a(x), lambda y: y * y), "^mul: it takes the same signal twice"),
    (lambda m, x: torch.stack([m.a(x), m.b(x)], 1).mean(1), "^stack: branches meet here by sums"),
    (lambda m, x: m.b(F.layer_norm(m.a(x), (64,), eps=1.0)), "^layer_norm: its normalis.* eps=1"),
    (_in_place, "^relu_: it changes in place what is read again"),
    (_view_in_place, "^relu_: it changes in place what is read again"),
    (without_gradients, "^a: torch.no_grad.. in its forward keeps a from learning"),
    (lambda m, x: m.b(F.softplus(m.a(x), 1.0, 0.5)), "^softplus: softplus has no layer"),
    (lambda m, x: m.b(m.a(x) * torch.rand(1)), "^Written draws random numbers in its forward"),
    (lambda m, x: m.a(x) * 1j, "^mul: mul has no layer"),
    (lambda m, x: torch.ones(2, 3), "depends on 0 inputs"),
    (_token, "^getitem: getitem has no layer"),
    (lambda m, x: torch.cat([m.a.weight[:2], m.a(x)], 0), "^cat: it puts constants beside"),
]


def _chain(*layers):
    return lambda: nn.Sequential(*layers)


def _started(start, name="weight"):
    """A layer whose weights, or biases, are started by a function."""

    def make():
        layer = nn.Linear(64, 64)
        start(getattr(layer, name))
        return nn.Sequential(nn.Linear(4, 64), nn.ReLU(), layer)

    return make


def _without_numbers():
    layer = nn.Linear(4, 64)
    layer.weight = nn.Parameter(torch.ones(0, 4))
    return nn.Sequential(layer)


class Bilinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 64, 3)

    def forward(self, x):
        return F.interpolate(self.stem(x), None, 2, "bilinear")


REFUSED = [
    (_chain(nn.LazyLinear(64)), (4,), r"^0.weight: its size is not known yet; call the module"),
    (_chain(nn.Linear(4, 64, device="meta")), (4,), "^0.weight: it has no numbers on the meta"),
    (_chain(nn.Linear(4, 64, dtype=torch.cfloat)), (4,), "^0.weight: it has complex numbers"),
    (_without_numbers, (4,), "^0.weight: it has no numbers; give its layer a channel"),
    (_started(lambda bias: nn.init.constant_(bias, 0.1), "bias"), (4,), "^2: its biases, of mean"),
    (_started(lambda weight: weight.data.abs_()), (4,), "^2: its weights, .* none of the usual"),
    (_started(nn.init.eye_), (4,), "^2: its weights, .* come from none of the usual"),
    (Bilinear, (1, 5, 5), "^interpolate: interpolate has no layer"),
    (
        _chain(nn.Conv1d(1, 64, 3), nn.Upsample(scale_factor=2.3)),
        (1, 5),
        "^1: Upsample has no layer here",
    ),
    (Gated, (3, 8), "^mul: a product with what a depthwise convolution gives"),
    (Shifted, (4,), "^add: it adds a constant that is not zero"),
    (Twice, (64,), "^layer and layer share their weights"),
    (Crossing, (64,), "reaches the output on ways that cross"),
    (Choosing, (4,), "cannot be traced by torch.fx .*must not depend on the values"),
    (Two, (64,), "the module returns 2 tensors"),
    (Mixer, (3, 16), "^tokens: it mixes positions with one set of weights for all channels"),
    (_chain(nn.Conv2d(4, 64, 3, groups=2)), (4, 8, 8), "^0: a convolution in 2 groups"),
    (_chain(nn.Conv2d(4, 4, 3, groups=4)), (4, 8, 8), "^0: a convolution in 4 groups"),
    (
        _chain(nn.Conv1d(4, 64, 3), nn.Conv1d(64, 64, 3, groups=64), nn.ReLU()),
        (4, 8),
        "^2: an activation right behind a depthwise convolution",
    ),
    (_chain(nn.Linear(4, 64), nn.BatchNorm1d(64)), (4,), '^1: batch norm.*batch_norm="identity"'),
    (_chain(nn.Conv1d(4, 64, 3), nn.MaxPool1d(2)), (4, 8), '^1: the largest.*max_pool="average"'),
    (_chain(nn.Conv1d(4, 64, 3), nn.InstanceNorm1d(64)), (4, 8), "^1: InstanceNorm1d divides"),
    (_chain(nn.Linear(4, 64), nn.PReLU()), (4,), "^1: PReLU has no layer here"),
    (_chain(nn.Linear(4, 64), nn.Softmax(-1)), (4,), "^1: Softmax has no layer here"),
]

TEXTS = [
    (
        _chain(nn.Conv1d(1, 64, 1, bias=False), nn.AdaptiveAvgPool1d(2)),
        (1, 3),
        "conv1:pad=valid,w=0.57735026918962573 map[[[0.5,0.5,0],[0,0.5,0.5]]]",
    ),
    (
        _chain(nn.Conv1d(1, 64, 3, padding="same", bias=False), nn.ELU(), nn.Flatten()),
        (1, 8),
        "conv3:w=0.57735026918962573 activation:function=elu,raw flatten",
    ),
    (
        _chain(nn.Conv2d(1, 64, (3, 5), padding=(1, 2), padding_mode="circular", bias=False)),
        (1, 8, 8),
        "conv3x5:pad=circular,w=0.5773502691896258",
    ),
    (
        _chain(nn.ZeroPad2d((1, 2, 0, 3)), nn.Conv2d(1, 64, 3, dilation=2, bias=False)),
        (1, 8, 8),
        "pad[[0,3],[1,2]] conv3:pad=valid,dilation=2,w=0.57735026918962573",
    ),
    (
        _chain(nn.ConvTranspose1d(1, 64, 4, stride=2, padding=1, bias=False)),
        (1, 8),
        "convt4:stride=2,pad=valid,w=0.07216878364870322 slice[[1,-1]]",
    ),
    (
        _chain(nn.Linear(3, 64, bias=False), nn.LayerNorm(64), nn.SiLU(), nn.Linear(64, 64, False)),
        (5, 3),
        "dense:w=0.3333333333333333 layernorm activation:function=silu,raw "
        "dense:w=0.57735026918962573",
    ),
]
