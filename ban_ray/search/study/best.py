"""The best configurations of a search by its targets."""

from dataclasses import dataclass

from optuna.trial import TrialState

from ban_ray.evaluation.pareto import pareto_front
from ban_ray.search.config.spec import SearchSpec, invalid_reason
from ban_ray.search.config.strategy import ERROR_TARGET
from ban_ray.search.plan.equal_chains import ChainKeysBySeed, chain_keys_by_seed
from ban_ray.search.study.study import SearchStudy
from ban_ray.specs.parameters import Configuration


@dataclass(frozen=True)
class BestConfigurations:
    """The Pareto front of a search: configurations that no other dominates, sorted by error.

    One configuration dominates another if it is no worse in any target and better in at least one.

    Attributes:
        spec: the search, whose strategy names the targets.
        front: name of the row, configuration and values of each. Of several configurations that make the same chain,
            only the first is listed. Empty if all configurations, the pruned ones included, make the same chain.
        num_complete: number of configurations that have values.
        num_pruned: number of configurations that were pruned before they had values.
        num_different_chains: number of different chains that the complete configurations make.
    """

    spec: SearchSpec
    front: tuple[tuple[str, Configuration, tuple[float, ...]], ...]
    num_complete: int
    num_pruned: int
    num_different_chains: int


def find_best(spec: SearchSpec, study: SearchStudy) -> BestConfigurations | None:
    """The Pareto front of a study; None under the paper protocol, which selects nothing."""
    if spec.context.task.protocol == "paper":
        return None
    trials = [trial for trial in study.complete_or_pruned_trials().values() if not invalid_reason(spec, trial.params)]
    # The value of a pruned trial is its last intermediate one.
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    chosen = pareto_front([trial.values or () for trial in complete])
    if spec.strategy.target_names == (ERROR_TARGET,):
        # All ties are the best.
        chosen = [position for position in chosen if complete[position].values == complete[chosen[0]].values]
    keys = {trial.number: chain_keys_by_seed(spec.chains_of(trial.params)) for trial in trials}
    compared = len(trials) == 1 or len(set(keys.values())) > 1
    front: dict[ChainKeysBySeed, tuple[str, Configuration, tuple[float, ...]]] = {}
    for position in chosen if compared else ():
        trial = complete[position]
        row = spec.chains_of(trial.params)[0].position.row
        front.setdefault(keys[trial.number], (row, dict(trial.params), tuple(trial.values or ())))
    return BestConfigurations(
        spec,
        tuple(front.values()),
        len(complete),
        len(trials) - len(complete),
        len({keys[trial.number] for trial in complete}),
    )
