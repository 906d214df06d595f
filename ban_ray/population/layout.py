"""Every path below a storage."""

import re

MEMBERS = "population"
UNFINISHED = "unfinished"
CLAIMS = "claims"
FAILURES = "failures"
OUTPUTS = "outputs"
QUARANTINE = "damaged"
SEARCHES = "searches"
INITIAL_WEIGHTS = "weights"

RECORD = "member.json"
"""The file whose existence publishes a member."""
INDEX = "index/members.json"

_KEY = re.compile(r"[0-9a-f]{64}")


def is_key(name: str) -> bool:
    """Whether a name has the form of a key: 64 hexadecimal digits."""
    return _KEY.fullmatch(name) is not None


def member_folder(key: str) -> str:
    """The folder of a member.

    Raises:
        ValueError: in this and the functions below, the text is no key; no text read from a file names another path.
    """
    return f"{MEMBERS}/{_checked(key)}"


def record_file(key: str) -> str:
    """The record of a member."""
    return f"{MEMBERS}/{_checked(key)}/{RECORD}"


def checkpoint_folder(key: str) -> str:
    """The folder of an unfinished generation's checkpoints, with a folder for each claim."""
    return f"{UNFINISHED}/{_checked(key)}"


def claim_folder(key: str) -> str:
    """The folder of the claims on a generation."""
    return f"{CLAIMS}/{_checked(key)}"


def failure_file(key: str) -> str:
    """The record of a generation that could not be trained."""
    return f"{FAILURES}/{_checked(key)}.json"


def output_folder(key: str) -> str:
    """The folder of a teacher's cached outputs."""
    return f"{OUTPUTS}/{_checked(key)}"


def initial_weights_file(sha256: str) -> str:
    """The file of weights that generations start from, by its digest."""
    return f"{INITIAL_WEIGHTS}/{_checked(sha256)}.safetensors"


def search_file(search: str) -> str:
    """The record of a search."""
    return f"{SEARCHES}/{search}/search.json"


def options_file(search: str) -> str:
    """The options of a search, which ``--config`` takes."""
    return f"{SEARCHES}/{search}/search.toml"


def chain_folder(search: str) -> str:
    """The folder of the records of a search's chains, each named by its digest."""
    return f"{SEARCHES}/{search}/chains"


def teacher_file(search: str) -> str:
    """The members that a search chose as teachers."""
    return f"{SEARCHES}/{search}/teachers.json"


def report_file(search: str | None) -> str:
    """The page about a search, or about the whole population."""
    return "report/index.html" if search is None else f"{SEARCHES}/{search}/report/index.html"


def _checked(key: str) -> str:
    if not is_key(key):
        raise ValueError(f"{key!r} is no key; a key is 64 hexadecimal digits")
    return key
