"""Which configurations of a study need nothing more."""

from optuna.trial import FrozenTrial, TrialState

from ban_ray.population import Population
from ban_ray.search.config.resolve import SearchSpec, invalid_reason
from ban_ray.search.study import targets
from ban_ray.search.study.study import SATURATED, SearchStudy


def finished_configurations(request: SearchSpec, study: SearchStudy, population: Population) -> dict[str, FrozenTrial]:
    """Trials by the digest of their configuration: whole, or ended early by a search that ends chains early.

    One that ended early is open again where nothing is stopped any more, and where its chains have become whole by
    another search; one with values, where a member of it is gone. Configurations that are too large now are left out.
    """
    finished = {}
    for identity, trial in study.finished().items():
        if invalid_reason(request, trial.params):
            continue
        complete = all(targets.is_chain_complete(population, planned) for planned in request.chains_of(trial.params))
        ended_early = trial.state == TrialState.PRUNED or SATURATED in trial.user_attrs
        if (request.strategy.stopping and not complete) if ended_early else complete:
            finished[identity] = trial
    return finished
