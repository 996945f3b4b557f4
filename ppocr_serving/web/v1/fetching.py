"""Files that a request names by their URLs."""

from urllib.parse import unquote, urlsplit

from ppocr_serving.web.call import Call
from ppocr_serving.web.urls import Fetcher, UrlLimits
from ppocr_serving.web.v1.names import safe_name
from ppocr_serving.web.v1.parcels import Parcel, Sent
from ppocr_serving.web.v1.places import at_file

__all__ = ["with_fetched_files"]


def with_fetched_files(parcel: Parcel, call: Call) -> Parcel:
    """Return what a request brings, with the files that it names by URL; other requests are read meanwhile.

    Raises:
        InvalidRequest: URLs are not allowed, one of them is not, or there is no file.
        LimitExceeded: The files are too large.
    """
    if not any(file.url for file in parcel.files):
        return parcel
    fetcher = Fetcher(UrlLimits.of(call.settings))
    files = list(parcel.files)
    with call.watch.waiting("fetch"):
        for index, file in enumerate(files):
            if file.url:
                with at_file(index, file.name):
                    files[index] = Sent(fetcher.fetch(file.url), file.name or _name_in(file.url))
    return parcel._replace(files=files)


def _name_in(url: str) -> str:
    return safe_name(unquote(urlsplit(url).path))
