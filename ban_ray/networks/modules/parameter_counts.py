"""Numbers of parameters of the layers that `modules.layers` makes, and of those of language models, without torch."""


def conv(inputs: int, outputs: int, side: int) -> int:
    """A square convolution without bias."""
    return inputs * outputs * side * side


def linear(inputs: int, outputs: int) -> int:
    """A linear layer with bias."""
    return (inputs + 1) * outputs


def lstm(inputs: int, units: int) -> int:
    """An LSTM layer with the two biases of torch's."""
    return 4 * units * (inputs + units + 2)


def head(channels: int, num_classes: int) -> int:
    """BN-ReLU-global average pool-linear."""
    return 2 * channels + linear(channels, num_classes)


def norm_conv(inputs: int, outputs: int, side: int) -> int:
    return 2 * inputs + conv(inputs, outputs, side)


def average_pool() -> int:
    return 0


def dense_unit(inputs: int, growth: int) -> int:
    return norm_conv(inputs, 4 * growth, 1) + norm_conv(4 * growth, growth, 3)


def basic_unit(inputs: int, outputs: int, *, projected: bool, stride: int = 1, dropout: float = 0.0) -> int:
    return norm_conv(inputs, outputs, 3) + norm_conv(outputs, outputs, 3) + projected * conv(inputs, outputs, 1)


def bottleneck_unit(inputs: int, inner: int, outputs: int, *, projected: bool, stride: int = 1) -> int:
    branch = norm_conv(inputs, inner, 1) + norm_conv(inner, inner, 3) + norm_conv(inner, outputs, 1)
    return branch + projected * conv(inputs, outputs, 1)
