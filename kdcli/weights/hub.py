"""The Hugging Face Hub, through its own client and cache; what goes wrong there is one clear line.

The client knows ``HF_ENDPOINT``, ``HF_HOME``, ``HF_TOKEN``, ``HF_HUB_OFFLINE`` and the usual proxy variables.
It downloads beside the cache's files and renames, and takes up a broken connection where it broke.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kdcli.errors import KdError

_LOGIN = "log in (hf auth login, or HF_TOKEN)"


def download(
    repo_id: str,
    file: str,
    revision: str,
    *,
    repo_type: str = "model",
    progress: Callable[[float], None] | None = None,
) -> Path:
    """A file of a repository, in the cache; the Hub is not asked for what is already there at a commit.

    Args:
        revision: a commit, or a tag or branch, which the Hub is asked about.
        progress: called with the fraction that is here; without it, the client draws its own bar.

    Raises:
        KdError: it cannot be had.
    """
    with _told(f"{file} cannot be fetched from {repo_id}", file, revision):
        from huggingface_hub import hf_hub_download

        bar: Any = None if progress is None else _bar(progress)
        return Path(hf_hub_download(repo_id, file, revision=revision, repo_type=repo_type, tqdm_class=bar))


def declared_sha256(repo_id: str, file: str, revision: str, *, repo_type: str = "model") -> str:
    """The SHA-256 that the Hub declares for a large file of a commit.

    Raises:
        KdError: the Hub cannot be reached, or declares none.
    """
    with _told(f"{file} cannot be checked against {repo_id}", file, revision):
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        etag = get_hf_file_metadata(hf_hub_url(repo_id, file, revision=revision, repo_type=repo_type)).etag
    if etag is None or len(etag) != 64:
        raise KdError(f"{file} cannot be checked: {repo_id} on the Hub declares no SHA-256 for it")
    return etag


def cached(repo_id: str, file: str, revision: str) -> Path | None:
    """A file of a commit if it is in the cache."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo_id, file, revision=revision)
    return Path(found) if isinstance(found, str) else None


def forget(path: Path) -> None:
    """Take a file out of the cache: the link in the commit's folder, and what it points to."""
    for part in (path.resolve(), path):
        part.unlink(missing_ok=True)


def upload(repo_id: str, files: dict[str, Path | bytes], *, private: bool, message: str) -> str:
    """Put files into a repository of models, in one commit, and make the repository where there is none.

    Args:
        files: by their names there.

    Returns:
        The hash of the commit.

    Raises:
        KdError: the Hub cannot be reached, or refuses.
    """
    with _told(f"nothing was pushed to {repo_id}", "README.md", "main"):
        from huggingface_hub import CommitOperationAdd, HfApi

        api = HfApi()
        api.create_repo(repo_id, private=private, exist_ok=True)
        added = [CommitOperationAdd(name, content) for name, content in files.items()]
        return str(api.create_commit(repo_id, added, commit_message=message).oid)


def _bar(progress: Callable[[float], None]) -> type:
    """A progress bar as the client wants one, which draws nothing and calls `progress`."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **settings: Any):
            super().__init__(*args, **{**settings, "disable": True})  # type: ignore[no-untyped-call]
            self.whole, self.done = settings.get("total"), settings.get("initial", 0)
            self.update(0)

        def update(self, n: float | None = 1) -> bool | None:
            self.done += n or 0
            if self.whole:
                progress(min(1.0, self.done / self.whole))
            return None

    return Bar


@contextmanager
def _told(what: str, file: str, revision: str) -> Iterator[None]:
    """Turns whatever the client raises into a `KdError`, and keeps it from logging the same."""
    try:
        from huggingface_hub.utils.logging import get_verbosity, set_verbosity

        before = get_verbosity()
        set_verbosity(logging.ERROR)
        try:
            yield
        finally:
            set_verbosity(before)
    # Besides its own errors, the client lets out those of whichever HTTP library it uses.
    except Exception as error:
        raise KdError(f"{what} on the Hub: {_reason(error, file, revision)}") from error


def _reason(error: BaseException, file: str, revision: str) -> str:
    """What is wrong, and how to mend it."""
    from huggingface_hub import constants, errors

    if isinstance(
        error, errors.LocalEntryNotFoundError
    ):  # not in the cache, and the Hub was no help because:
        error = error.__cause__ or error
    chain = list(_chain(error))

    def met(*kinds: type[BaseException]) -> bool:
        return any(isinstance(e, kinds) for e in chain)

    numbers = {getattr(e, "errno", None) for e in chain}
    if numbers & {errno.ENOSPC, errno.EDQUOT}:
        return f"the disk is full: make room in {constants.HF_HUB_CACHE}, or set HF_HOME to another folder"
    if numbers & {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"{constants.HF_HUB_CACHE} may not be written to: set HF_HOME to another folder"
    if met(errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, and the cache does not have it: unset that and run it once more"
    if met(errors.LocalTokenNotFoundError):
        return f"it wants to know who you are: {_LOGIN}"
    if met(errors.GatedRepoError):
        return f"its owner wants to be asked first: do so on its page, then {_LOGIN}"
    if met(errors.RepositoryNotFoundError):
        return f"there is no such repository, or it is private: check the name, or {_LOGIN}"
    if met(errors.RevisionNotFoundError):
        return f"it has no revision {revision}: look at its page for one"
    if met(errors.EntryNotFoundError):
        return f"revision {revision} has no {file}: name another revision or repository"
    for e in chain:
        status = getattr(getattr(e, "response", None), "status_code", None)
        if status in (401, 403):
            return f"it refuses ({status}): {_LOGIN} as someone who may"
        if status == 429 or (status or 0) >= 500:
            return f"it answers {status}: try again later"
        if status is not None:
            return f"it answers {status}: {_line(getattr(e, 'server_message', None) or e)}"
    # The HTTP library's errors, told by name, since the client has changed that library before.
    names = {kind.__name__ for e in chain for kind in type(e).__mro__}
    if "ProxyError" in names:
        return "the proxy refuses: check HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
    if names & {"ConnectError", "ConnectTimeout"}:
        return f"{constants.ENDPOINT} cannot be reached: check the connection, the proxy and HF_ENDPOINT"
    if names & {"TransportError"} or "Consistency check failed" in str(error):
        return "the connection broke off: try again"
    return _line(error)


def _line(said: object) -> str:
    return " ".join(str(said).split())[:200] or type(said).__name__


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
