"""Fetch a profile's files: all or none of them, and never at the expense of good ones."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ppocr_serving.errors import DownloadError
from ppocr_serving.models.fetch.limits import DownloadLimits
from ppocr_serving.models.fetch.progress import Progress
from ppocr_serving.models.files import has_content, sha256_of
from ppocr_serving.models.profile import Profile, ProfileFile, Role

__all__ = ["fetch_profile", "is_complete", "is_file_valid", "is_model_complete"]

# Names inside the working directory of one fetch, `.<profile>.<random>.tmp`, which is next to the profile's directory.
_NEW = "new"
_OLD = "old"


def is_complete(profile: Profile, dest: Path) -> bool:
    """Return whether all files of a profile exist and are valid.

    Args:
        profile: The profile.
        dest: The model directory, which contains a directory named after the profile.

    Returns:
        True if, for every model, all files of one of its origins have content and, if their SHA-256 is known, that
        hash.
    """
    return all(is_model_complete(profile, role, dest) for role in profile.roles)


def is_model_complete(profile: Profile, role: Role, dest: Path) -> bool:
    """Return whether all files of one model exist and are valid; see `is_complete`."""
    return any(
        all(is_file_valid(dest / profile.name / file.path, file) for file in files)
        for files in profile.alternatives(role)
    )


def is_file_valid(path: Path, file: ProfileFile) -> bool:
    """Return whether a file exists and has content and, if it is known, the right SHA-256."""
    try:
        return has_content(path) and file.sha256 in (None, sha256_of(path))
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
        sources: URLs or local paths to use instead of the profile's own sources: archives with the files under the
            names that the profile gives, or single files with a published hash. Together they must contain every file.
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
    # HTTP and TLS take half of this package's import time; a command with the models in place never needs them.
    from ppocr_serving.models.fetch.store import Downloads, GivenSources, Store

    store: Store
    if sources:
        store = GivenSources(profile, sources, work, progress, limits)
    else:
        store = Downloads(profile, work, progress, limits)
    for role in profile.roles:
        (new / role).mkdir(parents=True)
        for file, path in store.take(profile.alternatives(role)).items():
            _place(path, new / file.path)
        _sync_directory(new / role)
    _sync_directory(new)


def _place(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:  # a file system without links
        shutil.copyfile(path, target)
    with target.open("rb") as stream:
        os.fsync(stream.fileno())


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
