"""Fetch a profile's files: all or none of them, and never at the expense of good ones."""

from ppocr_serving.models.fetch.limits import DownloadLimits
from ppocr_serving.models.fetch.progress import Progress
from ppocr_serving.models.fetch.staging import fetch_profile, is_complete, is_file_valid, is_model_complete

__all__ = ["DownloadLimits", "Progress", "fetch_profile", "is_complete", "is_file_valid", "is_model_complete"]
