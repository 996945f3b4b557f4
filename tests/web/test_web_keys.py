"""API keys: where they are kept, which requests have one, and what happens when their file changes."""

import hashlib
import logging
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.access import AccessSettings
from ppocr_serving.errors import InvalidSetting, KeyRequired
from ppocr_serving.web.keys import Key, Keyring

ALICE, BOB = "alice-has-a-long-key", "bob-has-another-long-key"


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def name_of(keyring: Keyring, **headers: str) -> str:
    return keyring.find({name.replace("_", "-"): value for name, value in headers.items()}).name


def in_file(path: Path, text: str) -> Keyring:
    path.write_text(text)
    return Keyring(AccessSettings(api_keys_file=path))


def wait_for_key(keyring: Keyring, key: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            keyring.find({"x-api-key": key})
        except KeyRequired:
            assert time.monotonic() < deadline, "the file was never read again"
            time.sleep(0.02)
        else:
            return


@pytest.fixture(scope="module")
def keyring() -> Keyring:
    return Keyring(AccessSettings(api_keys=(f"alice:{ALICE}", BOB)))


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {ALICE}"},
        {"authorization": f"bearer   {ALICE} "},
        {"authorization": f"token {ALICE}"},
        {"x_api_key": ALICE},
        {"x_api_key": ALICE, "authorization": "Basic dXNlcjpwYXNz"},
    ],
)
def test_a_key_is_found_in_either_header(keyring: Keyring, headers: dict[str, str]) -> None:
    assert name_of(keyring, **headers) == "alice"


def test_a_key_without_a_name_is_called_by_its_number(keyring: Keyring) -> None:
    assert name_of(keyring, x_api_key=BOB) == "key2"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "the request has no API key; "),
        ({"x_api_key": " "}, "the request has no API key; "),
        ({"authorization": ALICE}, "the request has no API key; "),
        ({"authorization": f"Basic {ALICE}"}, "the request has no API key; "),
        ({"authorization": "Bearer"}, "the request has no API key; "),
        ({"authorization": f"Bearer {ALICE}x"}, "the API key is unknown; "),
        ({"authorization": f"Bearer alice:{ALICE}"}, "the API key is unknown; "),
        ({"x_api_key": digest(ALICE)}, "the API key is unknown; "),
        ({"x_api_key": "alice"}, "the API key is unknown; "),
        ({"x_api_key": "字" * 10_000}, "the API key is unknown; "),
    ],
)
def test_anything_else_is_refused(keyring: Keyring, headers: dict[str, str], reason: str) -> None:
    with pytest.raises(KeyRequired) as caught:
        name_of(keyring, **headers)
    assert str(caught.value) == f"{reason}send the header Authorization: Bearer KEY, or X-API-Key: KEY"


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_other_text_is_a_key(keyring: Keyring, text: str) -> None:
    with pytest.raises(KeyRequired):
        keyring.find({"x-api-key": text, "authorization": f"Bearer {text}"})


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (("short",), "key 1 must be 16 to 256 visible ASCII characters"),
        ((f"alice:{ALICE}", ""), "key 2 must be 16 to 256 visible"),
        ((f"al ice:{ALICE}",), "the name of key 1 must have 1 to 64 letters"),
        ((f":{ALICE}",), "the name of key 1"),
        ((f"a:{ALICE}", f"a:{BOB}"), "two keys are called 'a'"),
        ((f"key2:{ALICE}", BOB), "two keys are called 'key2'"),
        (("k" * 300,), "key 1 must be 16 to 256"),
        (tuple(f"{number}:{ALICE}" for number in range(1001)), "has 1001 keys; the limit is 1000"),
    ],
)
def test_keys_that_cannot_work_are_refused_without_showing_them(keys: tuple[str, ...], reason: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        Keyring(AccessSettings(api_keys=keys))
    message = str(caught.value)
    assert message.startswith("PPOCR_API_KEYS")
    assert reason in message
    assert not any(key and key.rpartition(":")[2] in message for key in keys)


def test_a_file_has_the_hash_of_each_key_and_its_limits(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(
        f"# who may read\n\nalice:{digest(ALICE)}  # the archive\n"
        f"bob:{digest(BOB).upper()} requests=5\tpixels=0\r\ncarol:{digest('c')} pixels=7\n"
    )
    settings = AccessSettings(
        api_keys=(f"own:{ALICE}x",), api_keys_file=path, key_requests_per_minute=60, key_pixels_per_minute=1000
    )
    keyring = Keyring(settings)
    assert [key[:1] + key[2:] for key in keyring.keys] == [
        ("own", 60, 1000),
        ("alice", 60, 1000),
        ("bob", 5, 0),
        ("carol", 60, 7),
    ]
    assert name_of(keyring, x_api_key=ALICE) == "alice"
    assert keyring.find({"x-api-key": BOB}) == Key("bob", bytes.fromhex(digest(BOB)), 5, 0)
    assert name_of(keyring, x_api_key=f"{ALICE}x") == "own"


BAD_LINES = [
    (f"alice {digest(ALICE)}", "line 2 does not have the form NAME:SHA256"),
    (f"alice:{ALICE}", "line 2 does not have the form"),
    (f"alice:{digest(ALICE)[1:]}", "line 2 does not have the form"),
    (f"alice:{digest(ALICE)} speed=5", "line 2 does not have the form"),
    (f"alice:{digest(ALICE)} requests=-5", "line 2 does not have the form"),
    (f"alice:{digest(ALICE)} requests=5 requests=6", "line 2 does not have the form"),
    (f"alice:{digest(ALICE)}\nalice:{digest(BOB)}", "line 3 has a name that another key has"),
    ("\n".join(f"{number}:{digest(ALICE)}" for number in range(1001)), "line 1002 is one key too many"),
    ("#" * 2**18, "it has more than 262144 bytes"),
    ("", "there is no key in it"),
    ("\x00\xff", "line 2 does not have the form"),
]


@pytest.mark.parametrize(("text", "reason"), BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_broken_file_ends_the_start(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        in_file(tmp_path / "keys", f"# keys\n{text}\n")
    message = str(caught.value)
    assert message.startswith(f"PPOCR_API_KEYS_FILE is {str(tmp_path / 'keys')!r}: {reason}")
    assert "\n" not in message
    assert ALICE not in message
    assert digest(ALICE)[1:] not in message


def test_a_file_that_is_none_ends_the_start(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, reason in (
        (tmp_path / "missing", "No such file or directory"),
        (tmp_path, "it is not a regular file"),
        (pipe, "it is not a regular file"),
    ):
        with pytest.raises(InvalidSetting, match=reason):
            Keyring(AccessSettings(api_keys_file=path))


def test_a_file_that_has_changed_is_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "keys"
    keyring = in_file(path, f"alice:{digest(ALICE)}\n")
    with caplog.at_level(logging.INFO):
        path.write_text(f"bob:{digest(BOB)}\n")
        wait_for_key(keyring, BOB)
        with pytest.raises(KeyRequired):
            keyring.find({"x-api-key": ALICE})

        replacement = tmp_path / "new"  # as Kubernetes and careful scripts do it
        replacement.write_text(f"alice:{digest(ALICE)}\n")
        replacement.rename(path)
        wait_for_key(keyring, ALICE)
    assert [record.getMessage() for record in caplog.records] == [
        "PPOCR_API_KEYS_FILE: read again, 1 keys are valid"
    ] * 2


def test_the_last_good_keys_stay_valid_while_the_file_is_broken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys"
    keyring = in_file(path, f"alice:{digest(ALICE)}\n")
    with caplog.at_level(logging.INFO):
        path.write_text(f"alice:{digest(ALICE)}\nbob:{BOB}\n")
        assert name_of(keyring, x_api_key=ALICE) == "alice"
        assert name_of(keyring, x_api_key=ALICE) == "alice"
        (line,) = [record.getMessage() for record in caplog.records]
        assert line.startswith("PPOCR_API_KEYS_FILE: line 2 does not have the form ")
        assert line.endswith("; the 1 keys of before stay valid")
        assert BOB not in line

        path.write_text(f"bob:{digest(BOB)}\n")
        wait_for_key(keyring, BOB)


def test_a_file_is_looked_at_once_per_second_at_most(tmp_path: Path) -> None:
    keyring = in_file(tmp_path / "keys", f"alice:{digest(ALICE)}\n")
    begun = time.monotonic()
    name_of(keyring, x_api_key=ALICE)
    (tmp_path / "keys").write_text(f"bob:{digest(BOB)}\n")
    wait_for_key(keyring, BOB)
    assert time.monotonic() - begun >= 1
