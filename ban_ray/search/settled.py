"""Which configurations of a study need nothing more."""

from optuna.trial import FrozenTrial, TrialState

from ban_ray.population import Population
from ban_ray.search import targets
from ban_ray.search.request import Request, refused
from ban_ray.search.study import SATURATED, Study


def settled(request: Request, study: Study, population: Population) -> dict[str, FrozenTrial]:
    """Trials by the digest of their configuration: whole, or ended early by a search that ends chains early.

    One that ended early is open again where nothing is stopped any more, and where its chains have become whole by
    another search; one with values, where a member of it is gone. Configurations that are too large now are left out.
    """
    found = {}
    for identity, trial in study.finished().items():
        if refused(request, trial.params):
            continue
        whole = all(targets.whole(population, planned) for planned in request.planned(trial.params))
        early = trial.state == TrialState.PRUNED or SATURATED in trial.user_attrs
        if (request.policy.stopping and not whole) if early else whole:
            found[identity] = trial
    return found
