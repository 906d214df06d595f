"""The published generations of a storage, looked up by key; every byte is checked against its digest."""

import hashlib
import re
from collections.abc import Iterator

from numpy import generic
from numpy.typing import NDArray

from ban_ray.errors import DamagedMember, UserError
from ban_ray.population import index
from ban_ray.population.checksummed_json import MAX_BYTES
from ban_ray.population.decoding import Predictions, arrays_of, header_size, history_of, predictions_of, shapes_of
from ban_ray.population.layout import MEMBERS, RECORD, is_key, member_folder, record_file
from ban_ray.population.member import File, History, Member
from ban_ray.storage.base import NotAFile, Storage, TooLarge

_HEAD_BYTES = 64 * 2**10
"""Of a file of tensors; the names and shapes of most networks are within it."""
_PREFIX = re.compile(r"[0-9a-f]{4,64}")


class Population:
    """The published generations of a storage."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def __contains__(self, key: str) -> bool:
        return self.storage.exists(record_file(key))

    def get(self, key: str) -> Member | None:
        """The member of a key, None where there is none.

        Raises:
            DamagedMember: its record is not what was published.
        """
        try:
            data = self.storage.read(record_file(key), at_most=MAX_BYTES)
        except FileNotFoundError:
            return None
        except (TooLarge, NotAFile) as error:
            raise DamagedMember(f"member {key}: {RECORD} {error.strerror}") from error
        return Member.from_bytes(data, key)

    def __getitem__(self, key: str) -> Member:
        member = self.get(key)
        if member is None:
            raise KeyError(f"no member {key} in {self.storage.url}")
        return member

    def keys(self) -> list[str]:
        """Keys of all published members, sorted."""
        return sorted(name for name in self.storage.versions(MEMBERS, RECORD) if is_key(name))

    def find_key(self, prefix: str) -> str:
        """The key that begins with the given digits, of which there must be at least 4.

        Raises:
            UserError: no member's key does, or those of several.
        """
        if not _PREFIX.fullmatch(prefix):
            raise UserError(f"{prefix[:80]!r} is no key; 4 to 64 hexadecimal digits are needed")
        if is_key(prefix):
            keys = [prefix] if prefix in self else []
        else:
            keys = [key for key in self.keys() if key.startswith(prefix)]
        if len(keys) == 1:
            return keys[0]
        if not keys:
            raise UserError(f"no member of {self.storage.url} has a key that begins with {prefix}")
        shown = ", ".join(key[: len(prefix) + 6] for key in keys[:5])
        raise UserError(f"{len(keys)} members have keys that begin with {prefix}: {shown}{', ...' if keys[5:] else ''}")

    def __iter__(self) -> Iterator[Member]:
        """All members whose records can be read, by key; `verify` reports the others."""
        for key in self.keys():
            try:
                yield self[key]
            except (DamagedMember, KeyError):
                # Damaged, or removed since its name was read.
                continue

    def records(self) -> list[Member]:
        """All members whose records can be read, by key, through the index: quick for thousands of members."""
        return list(index.catalogue(self).members)

    def weights(self, member: Member) -> dict[str, NDArray[generic]]:
        """Arrays by the network's own names.

        Raises:
            DamagedMember: the file is missing or not what was published.
        """
        return arrays_of(self.file(member, member.weights), member.key)

    def shapes(self, member: Member) -> dict[str, tuple[int, ...]]:
        """Shapes of a member's weights by name, from the first bytes of their file, which no digest checks.

        Raises:
            DamagedMember: the file is missing or does not begin as one of tensors does.
        """
        path = f"{member_folder(member.key)}/{member.weights.name}"
        try:
            head = self.storage.head(path, _HEAD_BYTES)
            if (size := header_size(head)) > len(head):
                head = self.storage.head(path, min(size, member.weights.size))
        except (FileNotFoundError, NotAFile) as error:
            raise DamagedMember(f"member {member.key}: {member.weights.name} is missing") from error
        return shapes_of(head, member.key)

    def predictions(self, member: Member) -> Predictions:
        """Raises DamagedMember: the file is missing or not what was published."""
        return predictions_of(self.file(member, member.predictions), member.key)

    def history(self, member: Member) -> History:
        """Raises DamagedMember: the file is missing or not what was published."""
        return history_of(self.file(member, member.history), member.key)

    def file(self, member: Member, file: File) -> bytes:
        """The checked bytes of a member's file.

        Raises:
            DamagedMember: it is missing or not what was published.
        """
        subject = f"member {member.key}: {file.name}"
        try:
            data = self.storage.read(f"{member_folder(member.key)}/{file.name}", at_most=file.size)
        except FileNotFoundError as error:
            raise DamagedMember(f"{subject} is missing") from error
        except NotAFile as error:
            raise DamagedMember(f"{subject} {error.strerror}") from error
        except TooLarge as error:
            raise DamagedMember(f"{subject} does not match its digest: it {error.strerror}") from error
        if len(data) != file.size or hashlib.sha256(data).hexdigest() != file.sha256:
            raise DamagedMember(f"{subject} does not match its digest")
        return data
