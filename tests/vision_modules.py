"""Networks for pictures, written as torchvision has them, at any width and depth."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import torch
from torch import fx, nn
from torch.nn import functional as F

from attending_modules import Shared


class BasicBlock(nn.Module):
    def __init__(self, inplanes, planes, stride=1, downsample=None):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class Preactivated(BasicBlock):
    """What preactivate=True and batch_norm="identity" make of it."""

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(torch.relu(x))
        return self.conv2(torch.relu(self.conv1(torch.relu(x)))) + identity


class ResNet(nn.Module):
    """resnet18 where layers=(2, 2, 2, 2) and width=64."""

    def __init__(self, width=16, layers=(2, 2, 2, 2), block=BasicBlock, classes=32):
        super().__init__()
        self.inplanes, self.block = width, block
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.stages = [f"layer{place + 1}" for place in range(len(layers))]
        for place, name in enumerate(self.stages):
            stride = 1 if place == 0 else 2
            setattr(self, name, self._make_layer(width * 2**place, layers[place], stride))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(self.inplanes, classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")

    def _make_layer(self, planes, blocks, stride):
        downsample = None
        if stride != 1:
            conv = nn.Conv2d(self.inplanes, planes, 1, stride, bias=False)
            downsample = nn.Sequential(conv, nn.BatchNorm2d(planes))
        layers = [self.block(self.inplanes, planes, stride, downsample)]
        self.inplanes = planes
        layers += [self.block(planes, planes) for _ in range(1, blocks)]
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for name in self.stages:
            x = getattr(self, name)(x)
        return self.fc(torch.flatten(self.avgpool(x), 1))


class PreactivatedResNet(ResNet):
    def __init__(self, width=16, layers=(1, 1)):
        super().__init__(width, layers, Preactivated)
        self.maxpool = nn.AvgPool2d(3, 2, 1)

    def forward(self, x):
        x = self.maxpool(self.bn1(self.conv1(x)))
        for name in self.stages:
            x = getattr(self, name)(x)
        return self.fc(torch.flatten(self.avgpool(torch.relu(x)), 1))


class VGG(nn.Module):
    """vgg11 with the usual cfg and width=64."""

    def __init__(self, width=16, cfg=(1, "M", 2, "M", 4, 4, "M", 8, 8, "M", 8, 8, "M"), grid=7,
                 pool=nn.MaxPool2d):  # fmt: skip
        super().__init__()
        layers, channels = [], 3
        for v in cfg:
            if v == "M":
                layers += [pool(kernel_size=2, stride=2)]
            else:
                layers += [nn.Conv2d(channels, v * width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = v * width
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((grid, grid))
        self.classifier = nn.Sequential(
            nn.Linear(channels * grid * grid, 4 * width),
            nn.ReLU(True),
            nn.Dropout(p=0.5),
            nn.Linear(4 * width, 4 * width),
            nn.ReLU(True),
            nn.Dropout(p=0.5),
            nn.Linear(4 * width, 32),
        )
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                nn.init.constant_(m.bias, 0)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0, 0.01)
                nn.init.constant_(m.bias, 0)

    def forward(self, x):
        x = self.avgpool(self.features(x))
        return self.classifier(torch.flatten(x, 1))


class DenseLayer(nn.Module):
    def __init__(self, channels, growth, bn_size):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(channels, bn_size * growth, kernel_size=1, stride=1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(bn_size * growth, growth, 3, 1, 1, bias=False)
        self.drop_rate = 0.0

    def bn_function(self, inputs):
        return self.conv1(self.relu1(self.norm1(torch.cat(inputs, 1))))

    def forward(self, input):
        prev_features = [input] if isinstance(input, torch.Tensor) else input
        new_features = self.conv2(self.relu2(self.norm2(self.bn_function(prev_features))))
        if self.drop_rate > 0:
            new_features = F.dropout(new_features, p=self.drop_rate, training=self.training)
        return new_features


class DenseBlock(nn.ModuleDict):
    def __init__(self, layers, channels, bn_size, growth):
        super().__init__()
        for i in range(layers):
            layer = DenseLayer(channels + i * growth, growth, bn_size)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, init_features):
        features = [init_features]
        for _, layer in self.items():
            new_features = layer(features)
            features.append(new_features)
        return torch.cat(features, 1)


class Transition(nn.Sequential):
    def __init__(self, into, out):
        super().__init__()
        self.norm = nn.BatchNorm2d(into)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(into, out, kernel_size=1, stride=1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class DenseNet(nn.Module):
    """densenet121 where growth=32, blocks=(6, 12, 24, 16) and bn_size=4."""

    def __init__(self, growth=16, blocks=(2, 2), bn_size=2, pool=nn.MaxPool2d):
        super().__init__()
        channels = 2 * growth
        self.features = nn.Sequential(
            OrderedDict(
                conv0=nn.Conv2d(3, channels, 7, 2, 3, bias=False),
                norm0=nn.BatchNorm2d(channels),
                relu0=nn.ReLU(inplace=True),
                pool0=pool(kernel_size=3, stride=2, padding=1),
            )
        )
        for i, layers in enumerate(blocks):
            self.features.add_module(
                f"denseblock{i + 1}", DenseBlock(layers, channels, bn_size, growth)
            )
            channels += layers * growth
            if i != len(blocks) - 1:
                self.features.add_module(f"transition{i + 1}", Transition(channels, channels // 2))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, 32)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)
            elif isinstance(m, nn.Linear):
                nn.init.constant_(m.bias, 0)

    def forward(self, x):
        features = self.features(x)
        out = F.relu(features, inplace=True)
        out = torch.flatten(F.adaptive_avg_pool2d(out, (1, 1)), 1)
        return self.classifier(out)


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class Permute(nn.Module):
    def __init__(self, dims):
        super().__init__()
        self.dims = dims

    def forward(self, x):
        return torch.permute(x, self.dims)


def stochastic_depth(input, p, mode, training=True):
    return input if not training else input * torch.bernoulli(torch.full_like(input, p))


fx.wrap("stochastic_depth")


class StochasticDepth(nn.Module):
    def __init__(self, p, mode):
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, input):
        return stochastic_depth(input, self.p, self.mode, self.training)


class CNBlock(nn.Module):
    def __init__(self, dim, layer_scale, kernel):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, kernel_size=kernel, padding=kernel // 2, groups=dim, bias=True),
            Permute([0, 2, 3, 1]),
            nn.LayerNorm(dim, eps=1e-6),
            nn.Linear(dim, 4 * dim, bias=True),
            nn.GELU(),
            nn.Linear(4 * dim, dim, bias=True),
            Permute([0, 3, 1, 2]),
        )
        self.layer_scale = nn.Parameter(torch.ones(dim, 1, 1) * layer_scale)
        self.stochastic_depth = StochasticDepth(0.1, "row")

    def forward(self, input):
        result = self.layer_scale * self.block(input)
        result = self.stochastic_depth(result)
        result += input
        return result


class ConvNeXt(nn.Module):
    """convnext_tiny where dims=(96, 192, 384, 768), depths=(3, 3, 9, 3) and layer_scale=1e-6."""

    def __init__(self, width=16, depths=(1, 1), layer_scale=0.7, kernel=7):
        super().__init__()
        norm = partial(LayerNorm2d, eps=1e-6)
        dims = [width * 2**i for i in range(len(depths))]
        layers = [nn.Sequential(nn.Conv2d(3, width, 4, 4), norm(width))]
        for i, depth in enumerate(depths):
            layers.append(
                nn.Sequential(*(CNBlock(dims[i], layer_scale, kernel) for _ in range(depth)))
            )
            if i + 1 < len(dims):
                layers.append(
                    nn.Sequential(norm(dims[i]), nn.Conv2d(dims[i], dims[i + 1], 2, stride=2))
                )
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(norm(dims[-1]), nn.Flatten(1), nn.Linear(dims[-1], 32))
        for m in self.modules():
            if isinstance(m, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(m.weight, std=0.02)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)))


class MLPBlock(nn.Sequential):
    def __init__(self, dim, hidden):
        super().__init__(
            nn.Linear(dim, hidden),
            nn.GELU(),
            nn.Dropout(0.1, inplace=False),
            nn.Linear(hidden, dim),
            nn.Dropout(0.1, inplace=False),
        )
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                nn.init.normal_(m.bias, std=1e-6)


class EncoderBlock(nn.Module):
    def __init__(self, heads, dim, hidden, shared):
        super().__init__()
        self.ln_1 = nn.LayerNorm(dim, eps=1e-6)
        self.self_attention = (
            Shared(dim, heads) if shared else nn.MultiheadAttention(dim, heads, batch_first=True)
        )
        self.dropout = nn.Dropout(0.1)
        self.ln_2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLPBlock(dim, hidden)

    def forward(self, input):
        torch._assert(input.dim() == 3, f"Expected 3 dimensions, got {input.shape}")
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    def __init__(self, length, layers, heads, dim, hidden, shared, std):
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, length, dim).normal_(std=std))
        self.dropout = nn.Dropout(0.1)
        self.layers = nn.Sequential(
            OrderedDict(
                (f"encoder_layer_{i}", EncoderBlock(heads, dim, hidden, shared))
                for i in range(layers)
            )
        )
        self.ln = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, input):
        torch._assert(input.dim() == 3, f"Expected 3 dimensions, got {input.shape}")
        input = input + self.pos_embedding
        return self.ln(self.layers(self.dropout(input)))


class VisionTransformer(nn.Module):
    """vit_b_16 where size=224, patch=16, width=768, layers=12, heads=12; classes not zero.

    shared: with the attention that attention="linear" puts in the place of its own. std: of the
    vectors of positions.
    """

    def __init__(self, width=32, size=4, patch=2, layers=1, heads=2, shared=False,
                 std=0.02):  # fmt: skip
        super().__init__()
        self.size, self.patch, self.width = size, patch, width
        self.conv_proj = nn.Conv2d(3, width, kernel_size=patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        length = (size // patch) ** 2 + 1
        self.encoder = Encoder(length, layers, heads, width, 2 * width, shared, std)
        self.heads = nn.Sequential(OrderedDict(head=nn.Linear(width, 32)))
        nn.init.trunc_normal_(self.conv_proj.weight, std=(1 / (3 * patch * patch)) ** 0.5)
        nn.init.zeros_(self.conv_proj.bias)

    def _process_input(self, x):
        n, _, h, w = x.shape
        p = self.patch
        torch._assert(h == self.size, f"Wrong image height! Expected {self.size} but got {h}!")
        n_h, n_w = h // p, w // p
        x = self.conv_proj(x)
        x = x.reshape(n, self.width, n_h * n_w)
        return x.permute(0, 2, 1)

    def forward(self, x):
        x = self._process_input(x)
        n = x.shape[0]
        batch_class_token = self.class_token.expand(n, -1, -1)
        x = torch.cat([batch_class_token, x], dim=1)
        x = self.encoder(x)
        x = x[:, 0]
        return self.heads(x)
