"""The CNN-LSTM's recipe for Penn Treebank (ICML 2018, Table 6): Kim et al. 2016's, for 40 epochs."""

from ban_ray.specs.recipes.lstm import RECIPE as LSTM

RECIPE = LSTM.model_copy(
    update={"batch_size": 20, "learning_rate": 2.0, "learning_rate_factor": 0.5, "clip": 5.0, "plateau": 0.5}
)
