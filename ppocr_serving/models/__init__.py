"""Model profiles, and their files on disk. `models.fetch` downloads those files; only the command imports it."""

from ppocr_serving.models.files import ModelFiles, default_model_dir, find_models, resolve_model
from ppocr_serving.models.own_files import find_characters, load_dictionary, read_line_shape, read_thresholds
from ppocr_serving.models.profile import (
    ROLES,
    Profile,
    Role,
    compatible_profiles,
    load_profile,
    paddle_profiles,
    profile_names,
)

__all__ = [
    "ROLES",
    "ModelFiles",
    "Profile",
    "Role",
    "compatible_profiles",
    "default_model_dir",
    "find_characters",
    "find_models",
    "load_dictionary",
    "load_profile",
    "paddle_profiles",
    "profile_names",
    "read_line_shape",
    "read_thresholds",
    "resolve_model",
]
