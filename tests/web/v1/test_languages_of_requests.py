"""Languages that a request names and the models do not read."""

import pytest

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.models import load_profile
from ppocr_serving.web.v1.languages import require_languages


def test_a_profile_that_reads_the_language_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        require_languages("en,ja", ("en",))
    message = str(caught.value)
    assert message.startswith("languages: 'ja' is not read here; the server can be started with PPOCR_PROFILE=")
    assert message.endswith(", which reads it. The models read en")
    name = message.partition("PPOCR_PROFILE=")[2].partition(",")[0]
    assert "ja" in load_profile(name).languages


def test_a_name_of_another_program_is_understood() -> None:
    with pytest.raises(InvalidRequest, match="'jpn' is not read here; did you mean ja"):
        require_languages("jpn", ("en", "ja"))
    with pytest.raises(InvalidRequest, match="'jpn' is not read here; the server can be started with PPOCR_PROFILE="):
        require_languages("jpn", ("en",))
