"""All options of a search, declared once: the command line and `train_chain` are made from this model."""

from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from ban_ray.cli.pairs import named_values
from ban_ray.cli.params import Option, check_trainings, json_object, parse_bytes, parse_seeds
from ban_ray.population.teaching import forms
from ban_ray.specs import OBJECTIVES
from ban_ray.specs.recipes import RECIPES
from ban_ray.tasks.catalog import TASK_TYPES

SEARCH, DATA, TRAINING = "Search", "Data", "Training"
TEACHERS, SAMPLING, EXECUTION, OUTPUT = "Networks and teachers", "Sampling and stopping", "Execution", "Output"

parse_field_values = named_values("--set", "recipe.learning_rate=0.01")
parse_searched_fields = named_values("--search", "recipe.learning_rate=0.01..0.3:log")


def _image_size(value: object) -> object:
    if isinstance(value, tuple | list):
        return "x".join(map(str, value))
    return str(value) if isinstance(value, int) else value


class SearchOptions(BaseModel):
    """The options of a search; None means that the space or the cluster decides.

    A field with an `Option` is an option of the command line, and most fields are keywords of `train_chain`. A field
    that `ban_ray.runtime.messages.ExecutionContext` has too reaches every worker by its name, but for `storage`, which
    reaches it as an absolute path or URL.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    space: Annotated[str, Option("Search space, by name or file.", SEARCH, "NAME|FILE.py")]
    scale: Annotated[
        Literal["laptop", "paper"], Option("Small and quick, or what the papers ran, for GPUs.", SEARCH)
    ] = "laptop"
    only: Annotated[
        str | None, Option("Run only the listed configurations that have these values.", SEARCH, "NAME=VALUE,...")
    ] = None
    generations: Annotated[
        int | None, Ge(0), Option("Number of born-again generations after the baseline.", SEARCH, "K")
    ] = None
    seeds: Annotated[
        tuple[int, ...] | None, BeforeValidator(parse_seeds), Option("Seeds of the chains.", SEARCH, "0,1,2")
    ] = None
    name: Annotated[str | None, Option("Name of the search; the space's name by default.", SEARCH)] = None

    task: Annotated[str | None, Option(f"Task: {', '.join(TASK_TYPES)}; some are embedded.", DATA)] = None
    data: Annotated[str | None, Option("Folder with the task's files.", DATA, "DIR")] = None
    download: Annotated[bool, Option("Download the task's files into --data if it has none.", DATA)] = False
    image_size: Annotated[
        str | None,
        BeforeValidator(_image_size),
        Option("Size to which the images of --task folder are resized.", DATA, "N|HxW"),
    ] = None
    tokens: Annotated[Literal["word", "char"] | None, Option("Unit that a text is split into.", DATA)] = None
    skip_bad: Annotated[bool, Option("Leave out images that cannot be decoded.", DATA)] = False
    flip: Annotated[
        bool | None, Option("Mirror training images at random, or not; by default the task decides.", DATA)
    ] = None
    label_column: Annotated[str | None, Option("Column of the labels, e.g. fine_label.", DATA)] = None
    label_noise: Annotated[
        float | None, Ge(0), Le(1), Option("Fraction of training labels replaced at random.", DATA, "P")
    ] = None
    noise_kind: Annotated[
        Literal["uniform", "pair", "asymmetric"] | None,
        Option("uniform (default): any class; pair: the next class; asymmetric: a similar class.", DATA),
    ] = None
    split_seed: Annotated[int, Ge(0), Option("Seed that selects the held-out samples.", DATA)] = 0
    protocol: Annotated[
        Literal["search", "paper"] | None,
        Option("search keeps held-out samples for selection; paper trains on them too.", DATA),
    ] = None

    recipe: Annotated[
        str | None, Option(f"Recipe that replaces the space's: {', '.join(RECIPES)}.", TRAINING, "NAME")
    ] = None
    epochs: Annotated[int | None, Ge(1), Option("Epochs of each generation.", TRAINING)] = None
    batch_size: Annotated[int | None, Ge(1), Option("Global batch size, divided among the workers.", TRAINING)] = None
    objective: Annotated[
        str | None, Option(f"Objective: {', '.join(OBJECTIVES)}; with fields: ban:temperature=4.", TRAINING)
    ] = None
    settings: Annotated[
        dict[str, JsonValue],
        BeforeValidator(parse_field_values),
        Option(
            "Any field of the task, recipe or objective, e.g. recipe.learning_rate=0.01; repeatable.",
            TRAINING,
            "FIELD=VALUE",
            flag="--set",
            repeated=True,
        ),
    ] = Field(default_factory=dict)
    precision: Annotated[Literal["fp32", "tf32", "bf16"] | None, Option("Numerical precision.", TRAINING)] = None
    workers: Annotated[int | None, Ge(1), Option("Processes that train one generation together.", TRAINING)] = None
    recompute: Annotated[
        bool,
        Option("Recompute activations of dense units in the backward pass: less memory, the same bits.", TRAINING),
    ] = False
    compile: Annotated[
        bool, Option("Compile networks with torch.compile, which takes about a minute at first.", TRAINING)
    ] = False
    deterministic: Annotated[
        bool, Option("On a GPU, use only algorithms that give the same bits for the same seed.", TRAINING)
    ] = False
    cuda_graph: Annotated[
        bool, Option("Do not capture training steps as CUDA graphs.", TRAINING, flag="--no-cuda-graph")
    ] = True

    network: Annotated[
        str | None,
        Option(
            "Network, for spaces that need one: NAME, timm:NAME, torchvision:NAME or module:function.", TEACHERS, "NAME"
        ),
    ] = None
    network_args: Annotated[
        dict[str, JsonValue] | None,
        BeforeValidator(lambda value: json_object("--network-args", value) if isinstance(value, str) else value),
        Option("Arguments of module:function, timm:NAME or torchvision:NAME.", TEACHERS, "JSON"),
    ] = None
    network_version: Annotated[
        str | None,
        Option("Version of your network's code, which replaces the digest of its source in keys.", TEACHERS, "TEXT"),
    ] = None
    pretrained: Annotated[
        str | None,
        Option(
            "Weights that each generation starts from: a safetensors file, a member's KEY, or the library's default.",
            TEACHERS,
            "FILE|KEY",
        ),
    ] = None
    teacher: Annotated[
        str,
        Option(
            f"Teacher of each chain's first generation, parent being labels: {forms()}.",
            TEACHERS,
            "CHOICE",
        ),
    ] = "parent"
    teacher_cache: Annotated[
        int | None,
        BeforeValidator(parse_bytes("--teacher-cache")),
        Option("Cache the outputs of each teacher for further students, up to this size, e.g. 2GiB.", TEACHERS, "SIZE"),
    ] = None

    search: Annotated[
        dict[str, JsonValue],
        BeforeValidator(parse_searched_fields),
        Option(
            "Also sample this field: a..b, a..b:log, a..b:step=s or a,b,c; repeatable.",
            SAMPLING,
            "FIELD=VALUES",
            repeated=True,
        ),
    ] = Field(default_factory=dict)
    sampler: Annotated[
        str | None,
        Option(
            "Sampler: grid, random, tpe, nsga2 or gp; by default grid for a list of configurations, else tpe.",
            SAMPLING,
            "NAME",
        ),
    ] = None
    samples: Annotated[int | None, Ge(1), Option("Number of configurations to sample.", SAMPLING, "N")] = None
    minimise: Annotated[
        str | None,
        Option(
            "Targets: error, parameters, multiply-accumulates.", SAMPLING, "error,parameters", aliases=("--minimize",)
        ),
    ] = None
    target: Annotated[
        str | None,
        Option("Generation whose held-out error is used for a chain; last by default.", SAMPLING, "last|best|ensemble"),
    ] = None
    stopping: Annotated[
        bool | None, Option("Stop chains that fall behind; on by default unless the sampler is grid.", SAMPLING)
    ] = None
    patience: Annotated[
        int | None, Option("Generations without a gain after which a chain ends; at least 2.", SAMPLING, "N")
    ] = None
    min_gain: Annotated[
        float | None,
        Ge(0),
        Le(100),
        Option("Minimum improvement in held-out error that counts as a gain.  [default: 0]", SAMPLING, "POINTS"),
    ] = None
    time_budget: Annotated[
        str | None,
        Option("Wall-clock budget in seconds, or 30m, 2h, 1d; unfinished chains resume later.", SAMPLING, "TIME"),
    ] = None
    budget: Annotated[
        str | None,
        AfterValidator(check_trainings("--budget")),
        Option("Of a list, only what fits into N trainings a seed, in its order.", SAMPLING, "Nx"),
    ] = None
    max_parameters: Annotated[int | None, Ge(1), Option("Skip networks with more parameters.", SAMPLING, "N")] = None
    max_generations_trained: Annotated[
        int | None,
        Ge(1),
        Option("Do not start chains that would train more generations than this in total.", SAMPLING, "N"),
    ] = None

    storage: Annotated[str, Option("Folder or bucket of the population and its searches.", EXECUTION, "DIR")] = (
        "./ban_runs"
    )
    concurrent: Annotated[
        int | None, Ge(1), Option("Maximum number of chains at once; as many as fit by default.", EXECUTION)
    ] = None
    cpus_per_worker: Annotated[int, Ge(1), Option("CPUs and threads of each worker.", EXECUTION)] = 1
    gpus_per_worker: Annotated[
        float | None,
        Ge(0),
        Option("GPUs of each worker; by default one if there are any; 0.25 shares a GPU among four.", EXECUTION, "N"),
    ] = None
    address: Annotated[
        str | None,
        Option(
            "Running Ray cluster; by default RAY_ADDRESS, else a local one is started.", EXECUTION, "auto|HOST:PORT"
        ),
    ] = None
    working_dir: Annotated[str | None, Option("Folder with your modules, sent to every node.", EXECUTION, "DIR")] = None
    retry_failed: Annotated[bool, Option("Retrain generations that failed with a non-finite loss.", EXECUTION)] = False
    keep_unfinished: Annotated[bool, Option("Keep the checkpoints of stopped chains.", EXECUTION)] = False

    plan_only: Annotated[bool, Option("Print what would be trained and exit.", OUTPUT, flag="--plan")] = False
    yes: Annotated[bool, Option("Do not ask for confirmation before --scale paper.", OUTPUT)] = False
    as_json: Annotated[
        bool, Option("Print the result as one JSON object on stdout, everything else on stderr.", OUTPUT, flag="--json")
    ] = False

    command: Annotated[str, Field(description="What the user typed, for the records.")] = ""
