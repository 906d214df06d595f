"""A space's parameters as Optuna's distributions."""

from collections.abc import Mapping, Sequence

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ban_ray.specs.parameters import Choice, Configuration, IntRange, Parameter, Parameters


def distributions_of_parameters(parameters: Parameters) -> dict[str, BaseDistribution]:
    """The distribution of each parameter, by the parameter's name."""
    return {name: distribution_of_parameter(parameter) for name, parameter in parameters.items()}


def distribution_of_parameter(parameter: Parameter) -> BaseDistribution:
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.values)
    if isinstance(parameter, IntRange):
        # Optuna warns about an upper end that no step reaches, and lowers it.
        high = parameter.high - (parameter.high - parameter.low) % parameter.step
        return IntDistribution(parameter.low, high, log=parameter.log, step=parameter.step)
    listed = parameter.listed()
    high_reached = float(listed[-1]) if listed else parameter.high
    return FloatDistribution(parameter.low, high_reached, log=parameter.log, step=parameter.step)


def distributions_of_list(configurations: Sequence[Configuration]) -> dict[str, BaseDistribution]:
    """A categorical distribution for each parameter, over the values that the listed configurations give it."""
    names = list(dict.fromkeys(name for configuration in configurations for name in configuration))
    return {
        name: CategoricalDistribution(list(dict.fromkeys(c[name] for c in configurations if name in c)))
        for name in names
    }


def distributions_of_configuration(
    configuration: Configuration, distributions: Mapping[str, BaseDistribution]
) -> dict[str, BaseDistribution]:
    """The distributions of the parameters that the configuration sets: a conditional parameter may be absent."""
    return {name: distribution for name, distribution in distributions.items() if name in configuration}
