"""Model profiles, and their files on disk. `models.fetch` downloads those files; only the command imports it."""

from ppocr_serving.models.files import ModelFiles, default_model_dir, load_dictionary, resolve_model
from ppocr_serving.models.profile import ROLES, Profile, Role, load_profile, profile_names

__all__ = [
    "ROLES",
    "ModelFiles",
    "Profile",
    "Role",
    "default_model_dir",
    "load_dictionary",
    "load_profile",
    "profile_names",
    "resolve_model",
]
