from pathlib import Path

import pytest

from analysis.data.study import Study
from ban_ray.population import Population, Storage, open_storage
from tests.helpers.fabricated_population import Fabricator


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(str(tmp_path / "runs"))


@pytest.fixture
def fabricator(storage: Storage) -> Fabricator:
    return Fabricator(Population(storage))


@pytest.fixture
def study(storage: Storage) -> Study:
    """Looks at the storage when first asked, so after the test has published."""
    return Study(storage)
