"""A search with checked options, and the chains of its configurations."""

import json
import re
from dataclasses import dataclass, replace

from ban_ray.augmentations.pipeline import DEFAULT
from ban_ray.errors import UserError
from ban_ray.evaluation.metrics import Metric
from ban_ray.networks import registry
from ban_ray.networks.network_versions import NetworkVersions
from ban_ray.population.teaching import SelectedTeachers
from ban_ray.search.config.checks import reject_ineffective_options
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.spaces import space_error_sentence
from ban_ray.search.config.strategy import SearchStrategy
from ban_ray.search.teachers.decisions import TeacherDecisions
from ban_ray.specs import BASELINE, Budget, Chain, Generation, Scale, SearchSpace, SpaceContext, TablePosition
from ban_ray.specs.fields.given import Fields
from ban_ray.specs.parameters import Configuration, grid
from ban_ray.tasks.batches import steps_per_epoch
from ban_ray.tasks.catalog import TASK_TYPES, metric_of
from ban_ray.tasks.source import Source
from ban_ray.tasks.task_type import DataSet, Sizes


@dataclass(frozen=True)
class PlannedChain:
    """One chain of a search: a configuration with a seed, and the teachers that were chosen for it alone, if any."""

    configuration: Configuration
    seed: int
    chain: Chain
    position: TablePosition
    teachers: SelectedTeachers | None = None

    @property
    def metric(self) -> Metric:
        """The metric of its task."""
        return metric_of(self.chain.generations[0].task)

    @property
    def is_undecided(self) -> bool:
        """Whether its teachers are not chosen yet, so that the keys of its generations are nobody's."""
        return self.teachers is not None and not self.teachers.is_decided

    @property
    def title(self) -> str:
        """The row, the column if it says more than the generation's number, and the seed."""
        column = self.position.columns[-1]
        plain = column.startswith("BAN-") or column == BASELINE
        return f"{self.position.row}{'' if plain else ' ' + column} seed {self.seed}"

    @property
    def slug(self) -> str:
        """The title as a name that dashboards and file systems allow."""
        return re.sub(r"[^A-Za-z0-9._-]+", "_", self.title)


@dataclass(frozen=True)
class SearchSpec:
    """A search, checked and ready to be planned.

    Attributes:
        context: what the space makes chains of: task, recipe, objective, network. Workers share an `ExecutionContext`.
        chains: all chains of a grid; of a sampled search those that are known.
        network_versions: versions of the code of the user's own networks.
        overrides: fields of the recipe and the objective that the options set, and those that they search.
        space_code_versions: versions of networks that the space names, as known when the search was resolved (a
            sampled search knows only some by then); part of the search's identity.
        skip_reasons: sentences about configurations of a grid that a limit excludes.
    """

    options: SearchOptions
    space: SearchSpace
    scale: Scale
    context: SpaceContext
    strategy: SearchStrategy
    data_source: Source
    dataset: DataSet
    seeds: tuple[int, ...]
    chains: tuple[PlannedChain, ...]
    sample_counts: Sizes
    teacher_decisions: TeacherDecisions
    network_versions: NetworkVersions
    overrides: Fields
    space_code_versions: tuple[str, ...] = ()
    teacher_description: str = ""
    skip_reasons: tuple[str, ...] = ()

    @property
    def is_sampled(self) -> bool:
        return self.strategy.is_sampled

    def with_teachers(self, teachers: SelectedTeachers) -> "SearchSpec":
        """The same search, with members of the population as teachers of generation 0."""
        taught = replace(
            self,
            context=replace(self.context, teachers=teachers.keys),
            teacher_description=teachers.description,
            teacher_decisions=replace(self.teacher_decisions, is_per_configuration=False),
        )
        return taught.with_chains_rebuilt()

    def with_chains_rebuilt(self) -> "SearchSpec":
        """The same search, with the chains of a grid as far as their teachers are known now."""
        return self if self.is_sampled else with_grid_chains(self)

    @property
    def num_born_again_generations(self) -> int:
        """Born-again generations of the longest chain."""
        born_again = [sum(map(bool, (g.teachers for g in planned.chain.generations[1:]))) for planned in self.chains]
        longest = max(born_again, default=None)
        return self.context.generations_for() if longest is None else longest

    @property
    def distinct_generations(self) -> dict[str, Generation]:
        """The generations of all known chains by their key, in the order in which chains first name them."""
        return {generation.key: generation for planned in self.chains for generation in planned.chain.generations}

    def num_parameters_of(self, generation: Generation) -> int:
        """The number of parameters of a generation's network on the search's data."""
        return registry.architecture_of(generation).parameters(self.dataset.num_classes, self.dataset.in_channels)

    def chains_of(self, configuration: Configuration) -> tuple[PlannedChain, ...]:
        """A configuration's chains, one for each seed.

        Raises:
            UserError: the configuration makes no chain.
        """
        return tuple(_plan_chain(self, configuration, seed) for seed in self.seeds)

    @property
    def metric(self) -> Metric:
        """The metric that chains are compared by."""
        return metric_of(self.context.task)

    @property
    def error_description(self) -> str:
        """The first target in words."""
        return self.strategy.error_description(self.metric)

    @property
    def augmentation(self) -> str:
        """What is done to training samples at random, in words."""
        if "recipe.augmentation" in self.scale.parameters:
            return "as searched"
        text = self.context.recipe.augmentation
        own = TASK_TYPES[self.context.task.name].augmentation(self.context.task, self.dataset)
        return text.replace(DEFAULT, own, 1).replace("+", ", ") if text.startswith(DEFAULT) else text.replace("+", ", ")

    @property
    def data_and_protocol(self) -> str:
        """The data, noise and protocol in one line, shown beside every result."""
        task = self.context.task
        parts = [
            f"{task.name}: {self.sample_counts.train:,} training, {self.sample_counts.held_out:,} held-out and "
            f"{self.sample_counts.test:,} test {self.metric.sample_noun}"
        ]
        if task.noise:
            parts.append(f"{task.noise} (not the papers' setting)")
        if self.options.recipe is not None:
            parts.append(f"recipe {self.options.recipe}")
        parts += [task.mirroring, "" if "task.normalise" in self.overrides.settings else task.normalisation]
        parts.append(self.context.initial_weights_in_words)
        if self.dataset.skipped:
            parts.append(f"{self.dataset.skipped:,} images that cannot be decoded left out")
        if task.protocol == "paper":
            # A text's validation part is never trained on.
            everything = "" if self.sample_counts.held_out else "trained on everything, "
            parts.append(f"paper protocol: {everything}last epoch on test")
        epochs, papers_epochs = self.context.recipe.epochs, self.scale.recipe.epochs
        if self.options.scale == "paper" and epochs != papers_epochs:
            parts.append(f"{epochs} epochs, not the papers' {papers_epochs}")
        if self.teacher_description:
            parts.append(f"generation 0 taught by members: {self.teacher_description}")
        elif self.teacher_decisions.is_per_configuration and not self.teacher_decisions.searched:
            parts.append(f"generation 0 taught by members, chosen as trials begin: {self.teacher_decisions.in_words}")
        return "; ".join(filter(None, [*parts, self.overrides.in_words]))


def with_grid_chains(spec: SearchSpec) -> SearchSpec:
    """Add the chains of every configuration of a grid, except those above ``--max-parameters``."""
    chains: list[PlannedChain] = []
    skip_reasons = []
    budget, unbought = Budget(spec.options.budget, spec.context.recipe), list[str]()
    for configuration in spec.scale.configurations or grid(spec.scale.parameters):
        if not spec.space.is_applicable(configuration, spec.context):
            continue
        if reason := size_violation(spec, configuration):
            skip_reasons.append(f"{json.dumps(dict(configuration))} was left out: {reason}")
        elif not budget.try_to_buy((made := spec.chains_of(configuration))[0].chain):
            unbought.append(made[0].position.row)
        else:
            chains.extend(made)
    if unbought:
        skip_reasons.append(f"--budget {spec.options.budget} leaves out {'; '.join(unbought)}")
    if not chains:
        limit = f"--max-parameters {spec.strategy.max_parameters}" if skip_reasons else "these settings"
        raise UserError(f"{limit} leaves no configuration of space {spec.space.name}")
    pending = spec.teacher_decisions.takes_members and not spec.context.teachers
    reject_ineffective_options([planned.chain for planned in chains], spec.options, teacher_pending=pending)
    return replace(spec, chains=tuple(chains), skip_reasons=tuple(skip_reasons))


def size_violation(spec: SearchSpec, configuration: Configuration) -> str:
    """The reason why a configuration exceeds ``--max-parameters``; empty if it does not.

    Raises:
        UserError: the configuration makes no chain.
    """
    limit = spec.strategy.max_parameters
    if limit is not None and any(
        spec.num_parameters_of(generation) > limit for generation in spec.chains_of(configuration)[0].chain.generations
    ):
        return f"a network has more than {limit:,} parameters"
    return ""


def invalid_reason(spec: SearchSpec, configuration: Configuration) -> str:
    """The reason why a configuration cannot be run; empty if it can."""
    try:
        spec.chains_of(configuration)
        return spec.teacher_decisions.obstacle(configuration, spec.seeds) or size_violation(spec, configuration)
    except UserError as error:
        return f"they make no chain ({error})"


def _plan_chain(spec: SearchSpec, configuration: Configuration, seed: int) -> PlannedChain:
    space, teachers = spec.space, spec.teacher_decisions.of(configuration, seed)
    context = spec.context if teachers is None else replace(spec.context, teachers=teachers.keys)
    try:
        policy = spec.teacher_decisions.policy_of(configuration)
        chain = spec.network_versions.fill_in(policy.chain(space.chain(configuration, context, seed)))
        position = policy.place(space.place(configuration, chain))
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"space {space.name} at {dict(configuration)}: {space_error_sentence(error)}") from error
    for generation in chain.generations:
        architecture = registry.architecture_of(generation)
        registry.check_fits(architecture, generation.task.name)
        steps_per_epoch(generation.task.name, spec.sample_counts.train, generation.recipe)
        if generation.recipe.held_out_field and not spec.sample_counts.held_out:
            raise UserError(f"{generation.recipe.held_out_field} needs held-out data, and --protocol paper has none")
    return PlannedChain(configuration, seed, chain, position, teachers)
