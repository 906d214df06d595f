"""Parameters of the layers and units that the families are made of."""


def conv(inputs: int, outputs: int, side: int) -> int:
    """A square convolution without bias."""
    return inputs * outputs * side * side


def norm(channels: int) -> int:
    """An affine batch norm."""
    return 2 * channels


def linear(inputs: int, outputs: int) -> int:
    """A linear layer with bias."""
    return (inputs + 1) * outputs


def lstm(inputs: int, units: int) -> int:
    """An LSTM layer with the two biases of torch's."""
    return 4 * units * (inputs + units + 2)


def norm_conv(inputs: int, outputs: int, side: int) -> int:
    """BN-ReLU-convolution."""
    return norm(inputs) + conv(inputs, outputs, side)


def dense_unit(inputs: int, growth: int) -> int:
    """BN-ReLU-1x1(4K)-BN-ReLU-3x3(K)."""
    return norm_conv(inputs, 4 * growth, 1) + norm_conv(4 * growth, growth, 3)


def dense_units(inputs: int, growth: int, units: int) -> int:
    """Dense units in a row, each on the concatenation of what came before it in the stage."""
    return sum(dense_unit(inputs + unit * growth, growth) for unit in range(units))


def basic_unit(inputs: int, outputs: int, *, projected: bool) -> int:
    """BN-ReLU-3x3-BN-ReLU-3x3 and, if projected, a 1x1 shortcut."""
    shortcut = conv(inputs, outputs, 1) if projected else 0
    return norm_conv(inputs, outputs, 3) + norm_conv(outputs, outputs, 3) + shortcut


def bottleneck_unit(inputs: int, inner: int, outputs: int, *, projected: bool) -> int:
    """BN-ReLU-1x1-BN-ReLU-3x3-BN-ReLU-1x1 and, if projected, a 1x1 shortcut."""
    shortcut = conv(inputs, outputs, 1) if projected else 0
    return norm_conv(inputs, inner, 1) + norm_conv(inner, inner, 3) + norm_conv(inner, outputs, 1) + shortcut


def head(channels: int, num_classes: int) -> int:
    """BN-ReLU-global average pool-linear."""
    return norm(channels) + linear(channels, num_classes)
