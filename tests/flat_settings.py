"""Settings by field name alone, whatever section they belong to."""

from typing import Any

from msgspec.structs import asdict, replace

from ppocr_serving.settings import Settings

__all__ = ["field_names", "section_of", "value_of", "with_values"]


def section_of(name: str) -> str:
    """The section that has a field."""
    (section,) = [part for part in Settings.__struct_fields__ if hasattr(getattr(Settings(), part), name)]
    return section


def field_names() -> tuple[str, ...]:
    """The names of all fields."""
    return tuple(name for section in asdict(Settings()).values() for name in section.__struct_fields__)


def value_of(settings: Settings, name: str) -> Any:
    """The value of a field."""
    return getattr(getattr(settings, section_of(name)), name)


def with_values(settings: Settings, **values: Any) -> Settings:
    """Return the settings with some fields replaced."""
    for name, value in values.items():
        section = section_of(name)
        settings = replace(settings, **{section: replace(getattr(settings, section), **{name: value})})
    return settings
