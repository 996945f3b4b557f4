"""Model profiles, fetching their files, and finding them on disk."""

from ppocr_serving.models.fetch import fetch_profile, is_complete
from ppocr_serving.models.files import ModelFiles, default_model_dir, load_dictionary, resolve_model
from ppocr_serving.models.limits import DownloadLimits
from ppocr_serving.models.profile import Profile, load_profile, profile_names
from ppocr_serving.models.progress import Progress

__all__ = [
    "DownloadLimits",
    "ModelFiles",
    "Profile",
    "Progress",
    "default_model_dir",
    "fetch_profile",
    "is_complete",
    "load_dictionary",
    "load_profile",
    "profile_names",
    "resolve_model",
]
