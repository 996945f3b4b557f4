"""Write the description of the HTTP API as JSON, which the server sends, from the YAML that people edit."""

import json
from pathlib import Path

import yaml

_WEB = Path(__file__).parents[1] / "ppocr_serving" / "web"


def main() -> None:
    """Run the command."""
    described = yaml.safe_load((_WEB / "openapi.yaml").read_text(encoding="utf-8"))
    text = json.dumps(described, ensure_ascii=False, separators=(",", ":"))
    (_WEB / "openapi.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
