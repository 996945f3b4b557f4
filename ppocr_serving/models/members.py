"""Names of members inside archives."""

__all__ = ["check_member_name"]


def check_member_name(name: str) -> str:
    """Check that a member's name stays inside the directory that it would be unpacked into.

    Args:
        name: As stored in the archive, with `/` between parts.

    Returns:
        The name without `.` parts and without a closing slash; empty for the archive's own top directory (`./`).

    Raises:
        ValueError: The name is empty or absolute, or contains `..`, a backslash, a drive letter or a control character.
    """
    if not name:
        raise ValueError("member name is empty")
    if "\\" in name or any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise ValueError(f"member name {name!r} contains a backslash or a control character")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError(f"member name {name!r} contains '..'")
    clean = "/".join(parts)
    # Checked after cleaning, because `./C:` becomes `C:`.
    if name.startswith("/") or clean[1:2] == ":":
        raise ValueError(f"member name {name!r} is absolute")
    return clean
