"""Sealed boxes: who closes one, who opens it, and what neither ever shows."""

from __future__ import annotations

import os
import pickle
import pprint
import stat
import threading
import traceback
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from clusterx import keypair
from clusterx.embedded.layout import Layout
from clusterx.keypair import InvalidKey, PrivateKey, PublicKey
from clusterx.sealing import HEAD, OVERHEAD, CannotOpen, key_id_of, open_sealed, public_key, reseal, seal

ROW = "broker-connection/0d3f2b1e-6a55-4a0c-9f3e-1f2f4f7d8a10"
SECRET = b'{"key": "AKIA-not-a-real-key", "secret": "hunter2-hunter2"}'
# Sealed by version 1 for this key: boxes that lie in databases go on being opened.
OLD_KEY = "cxpriv_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh_itnKI"
OLD_BOX = (
    "01eedd883da0a945158fccc54d0d404a60ab32e89f973226506f9dd9db4ab1f066e6d086c5ba5fd91dc754f9f62cbf903692a6dc6a272a"
    "3dc0d7568e239f17402368dd90cf38025f67245a3c7c21f7e206f0a397a158404e930b439b4a43b5821d94068d44e25627d4ff16ee6398"
    "0f9904ee2adc"
)


@pytest.fixture
def keys(settings) -> list[PrivateKey]:
    """Two pairs, newest first; the newest seals."""
    made = [PrivateKey.generate(), PrivateKey.generate()]
    settings.CREDENTIALS_PRIVATE_KEYS, settings.CREDENTIALS_PUBLIC_KEY = tuple(made), made[0].public
    return made


def refusal(box: bytes, context: str = ROW) -> str:
    with pytest.raises(CannotOpen) as refused:
        open_sealed(box, context)
    return refused.value.reason


# -- boxes ----------------------------------------------------------------------------------------------------


@given(plain=st.binary(max_size=500), context=st.text(min_size=1, max_size=80).filter(lambda text: text.isprintable()))
def test_what_is_sealed_is_opened_for_its_own_context_and_for_no_other(plain: bytes, context: str) -> None:
    box = seal(plain, context)  # the keys of the tests themselves
    assert open_sealed(box, context) == plain
    assert len(box) == len(plain) + OVERHEAD
    for other in (context + "1", context[:-1] or "x1", " " + context):
        assert refusal(box, other) == "refused"


def test_two_boxes_of_the_same_have_nothing_in_common_but_version_and_key(keys) -> None:
    first, second = seal(SECRET, ROW), seal(SECRET, ROW)
    assert first[:HEAD] == second[:HEAD] == b"\x01" + keys[0].id
    assert first[HEAD : HEAD + 32] != second[HEAD : HEAD + 32]
    assert first[HEAD + 32 :] != second[HEAD + 32 :]
    assert not any(part in first for part in (b"hunter2", b"AKIA", b"secret"))


def test_a_box_as_the_database_may_return_it_opens(keys) -> None:
    assert open_sealed(memoryview(seal(SECRET, ROW)), ROW) == SECRET


def test_a_bit_changed_anywhere_is_refused_and_the_place_decides_the_reason(keys) -> None:
    box = seal(SECRET, ROW)
    reasons = []
    for place in range(len(box)):
        altered = bytearray(box)
        altered[place] ^= 0x10
        reasons.append(refusal(bytes(altered)))
    assert reasons[0] == "malformed"
    assert set(reasons[1:HEAD]) == {"unknown_key"}
    assert set(reasons[HEAD : HEAD + 32]) == {"refused"}  # the ephemeral key
    assert set(reasons[HEAD + 32 : -16]) == {"refused"}  # what is in it
    assert set(reasons[-16:]) == {"refused"}  # the tag


def test_a_box_that_is_cut_or_has_more_is_refused(keys) -> None:
    box = seal(SECRET, ROW)
    for length in range(len(box)):
        assert refusal(box[:length]) == ("malformed" if length < OVERHEAD else "refused")
    assert refusal(box + b"\x00") == "refused"
    assert refusal(box[:HEAD] + bytes(32) + box[HEAD + 32 :]) == "refused"  # a point that everybody shares


def test_a_box_under_another_keys_id_is_refused(keys) -> None:
    box = seal(SECRET, ROW)
    assert refusal(box[:1] + keys[1].id + box[HEAD:]) == "refused"


def test_a_context_that_says_nothing_is_refused_before_anything_is_sealed(keys) -> None:
    with pytest.raises(ValueError, match="context"):
        seal(SECRET, "")


def test_a_box_of_years_ago_opens(settings) -> None:
    settings.CREDENTIALS_PRIVATE_KEYS = (PrivateKey.from_text(OLD_KEY),)
    assert open_sealed(bytes.fromhex(OLD_BOX), ROW) == SECRET


# -- who opens ------------------------------------------------------------------------------------------------


def test_a_process_without_a_private_key_seals_and_opens_nothing(keys, settings) -> None:
    settings.CREDENTIALS_PRIVATE_KEYS = ()
    box = seal(SECRET, ROW)
    assert refusal(box) == "no_private_key"
    with pytest.raises(CannotOpen, match="no private key"):
        reseal(box, ROW)
    assert key_id_of(box) == keys[0].id
    settings.CREDENTIALS_PRIVATE_KEYS = tuple(keys)
    assert open_sealed(box, ROW) == SECRET


def test_a_key_that_is_not_ours_is_named_by_its_id(keys, settings) -> None:
    box = seal(SECRET, ROW)
    settings.CREDENTIALS_PRIVATE_KEYS = (keys[1],)
    assert refusal(box) == "unknown_key"
    with pytest.raises(CannotOpen, match=keys[0].id.hex()):
        open_sealed(box, ROW)


def test_keys_rotate_without_a_moment_in_which_something_cannot_be_opened(keys, settings) -> None:
    new, old = keys
    settings.CREDENTIALS_PRIVATE_KEYS, settings.CREDENTIALS_PUBLIC_KEY = (old,), old.public
    first = seal(SECRET, ROW)
    settings.CREDENTIALS_PRIVATE_KEYS = (new, old)  # the worker knows the new one before anybody seals with it
    assert open_sealed(first, ROW) == SECRET
    assert key_id_of(seal(SECRET, ROW)) == old.id
    settings.CREDENTIALS_PUBLIC_KEY = new.public
    moved = reseal(first, ROW)
    assert (key_id_of(first), key_id_of(moved)) == (old.id, new.id)
    assert reseal(moved, ROW) == moved
    settings.CREDENTIALS_PRIVATE_KEYS = (new,)
    assert open_sealed(moved, ROW) == SECRET
    assert refusal(first) == "unknown_key"


def test_what_does_not_open_is_not_sealed_anew(keys) -> None:
    with pytest.raises(CannotOpen):
        reseal(seal(SECRET, ROW), ROW + "1")


# -- what is never shown --------------------------------------------------------------------------------------


def test_a_private_key_shows_itself_nowhere(keys, settings) -> None:
    key = keys[0]
    shown = [repr(key), str(key), f"{key!r:>40}", pprint.pformat(settings.CREDENTIALS_PRIVATE_KEYS), pprint.pformat(vars(key))]
    raw = key.key.private_bytes_raw()
    assert not any(part in text for text in shown for part in (key.reveal(), raw.hex(), repr(raw)[2:-1]))
    assert key.id.hex() in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_a_refusal_tells_nothing_of_what_was_in_the_box_or_of_the_key(keys) -> None:
    box = seal(SECRET, ROW)
    for altered, context in ((box, "another/row"), (box[:-1] + bytes([box[-1] ^ 1]), ROW), (b"hunter2", ROW)):
        with pytest.raises(CannotOpen) as refused:
            open_sealed(altered, context)
        told = "".join(traceback.format_exception(refused.value)) + repr(refused.value) + repr(vars(refused.value))
        assert not any(part in told for part in ("hunter2", "AKIA", keys[0].reveal(), box.hex()))


def test_programs_that_a_process_with_private_keys_starts_inherit_none() -> None:
    """``tests.services`` puts a key into the environment of the tests, as the supervisor does into the trading worker's."""
    assert settings.CREDENTIALS_PRIVATE_KEYS
    assert "CREDENTIALS_PRIVATE_KEYS" not in os.environ
    assert os.environ["CREDENTIALS_PUBLIC_KEY"] == settings.CREDENTIALS_PRIVATE_KEYS[0].public.text


# -- keys as text ---------------------------------------------------------------------------------------------


def test_keys_are_read_as_they_are_written() -> None:
    key = PrivateKey.generate()
    again = PrivateKey.from_text(key.reveal())
    assert again.id == key.id == PublicKey.from_text(key.public.text).id
    assert [one.id for one in keypair.private_keys(f" {key.reveal()} ,\n{OLD_KEY},")] == [
        key.id,
        PrivateKey.from_text(OLD_KEY).id,
    ]
    assert keypair.public_key(" ") is None
    assert keypair.private_keys("") == ()


def test_a_wrong_letter_anywhere_is_noticed() -> None:
    text = PrivateKey.generate().public.text
    for place in range(len(keypair.PUBLIC), len(text)):
        wrong = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises(InvalidKey, match="wrong or missing"):
            PublicKey.from_text(wrong)
    with pytest.raises(InvalidKey, match="wrong or missing"):
        PublicKey.from_text(text[:-1])


def test_a_private_key_in_the_place_of_the_public_one_is_refused_unseen() -> None:
    private = PrivateKey.generate().reveal()
    with pytest.raises(InvalidKey, match="CREDENTIALS_PUBLIC_KEY holds a private key") as refused:
        keypair.public_key(private)
    assert private[10:20] not in "".join(traceback.format_exception(refused.value))
    with pytest.raises(InvalidKey, match="CREDENTIALS_PRIVATE_KEYS: key 2 must begin with") as refused:
        keypair.private_keys(f"{private},{private[3:]}")
    assert private[10:20] not in "".join(traceback.format_exception(refused.value))


def test_a_public_key_that_keeps_no_secret_is_refused() -> None:
    with pytest.raises(InvalidKey, match="keeps a secret"):
        PublicKey(bytes(32))


# -- a developer's pair ---------------------------------------------------------------------------------------


def test_the_pair_of_a_data_folder_is_made_once_whoever_asks_first(tmp_path: Path) -> None:
    layout, found = Layout(tmp_path / "data"), []
    threads = [threading.Thread(target=lambda: found.append(keypair.development_public_key(layout))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    private = PrivateKey.from_text(keypair.development_private_key(layout))
    assert private.public.text == found[0]
    assert [path.name for path in layout.root.iterdir()] == ["credentials"]
    assert stat.S_IMODE((layout.credentials / "private").stat().st_mode) == 0o600
    assert stat.S_IMODE(layout.credentials.stat().st_mode) == 0o700


def test_who_only_seals_needs_no_private_file(tmp_path: Path, settings) -> None:
    settings.DATA, settings.CREDENTIALS_PUBLIC_KEY = Layout(tmp_path), None
    made = public_key()
    (tmp_path / "credentials" / "private").unlink()
    assert public_key().id == made.id
    assert key_id_of(seal(SECRET, ROW)) == made.id


# -- for operators --------------------------------------------------------------------------------------------


def settings_in(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))


def test_the_command_prints_a_pair_that_fits_and_says_which_half_is_private(capsys) -> None:
    call_command("credentials_key", "--print-private")
    said = capsys.readouterr().out
    found = settings_in(said)
    (private,) = keypair.private_keys(found["CREDENTIALS_PRIVATE_KEYS"])
    assert private.public.text == found["CREDENTIALS_PUBLIC_KEY"]
    assert said.index("# PRIVATE") < said.index("cxpriv_") < said.index("# Public") < said.index("cxpub_")


def test_the_command_shows_the_private_half_to_nobody_who_did_not_ask(capsys, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--print-private"):
        call_command("credentials_key")
    file = tmp_path / "private"
    call_command("credentials_key", "--private-file", str(file))
    said = capsys.readouterr().out
    assert "cxpriv_" not in said
    (private,) = keypair.private_keys(settings_in(file.read_text())["CREDENTIALS_PRIVATE_KEYS"])
    assert settings_in(said) == {"CREDENTIALS_PUBLIC_KEY": private.public.text}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text()
    with pytest.raises(CommandError, match="not there yet"):
        call_command("credentials_key", "--private-file", str(file))
    assert file.read_text() == before
