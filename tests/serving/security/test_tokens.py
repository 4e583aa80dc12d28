"""The file of tokens, and the verb that makes its lines."""

import hashlib
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import LONG_S

from wearcast.serving.security.tokens import (
    Holder,
    find_holder,
    format_holder,
    make_token,
    read_holders,
)
from wearcast.signals.errors import InputError

HASH = hashlib.sha256(b"secret").hexdigest()


@given(
    wanted=st.dictionaries(
        st.from_regex("[A-Za-z0-9_-]{1,20}", fullmatch=True),
        st.sets(st.sampled_from(["infer", "ingest", "admin"]), min_size=1),
        max_size=5,
    )
)
def test_what_is_written_is_read(wanted):
    tokens = {name: make_token() for name in wanted}
    lines = [format_holder(name, tokens[name], sorted(roles)) for name, roles in wanted.items()]
    holders = read_holders("\n".join(lines).encode())
    assert {holder.name: set(holder.roles) for holder in holders} == wanted
    for name, token in tokens.items():
        assert token not in "\n".join(lines)
        assert find_holder(holders, token).name == name
    assert find_holder(holders, make_token()) is None
    assert find_holder(holders, "") is None


def test_the_hash_is_that_of_sha256sum():
    content = f'a = {{ sha256 = "{HASH}", roles = ["infer"] }}'.encode()
    assert read_holders(content) == (Holder("a", HASH, frozenset({"infer"})),)
    assert find_holder(read_holders(content), "secret").name == "a"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = ", "tokens: expected TOML, got"),
        ("\xff", "tokens: expected TOML, got"),
        ("a = 1", "tokens.a: expected sha256 and roles, got int"),
        ("[a]", "tokens.a: expected sha256 and roles, got nothing"),
        (f'[a]\nsha256="{HASH}"', "tokens.a: expected sha256 and roles, got sha256"),
        (f'[a]\nsha256="{HASH}"\nroles=["infer"]\nx=1', "got roles, sha256, x"),
        ('[a]\nsha256="secret"\nroles=["infer"]', r"tokens.a.sha256: expected 64 digits .*else$"),
        (f'[a]\nsha256="{HASH}"\nroles=[]', r"tokens.a.roles: expected some of infer, .* got \[\]"),
        (f'[a]\nsha256="{HASH}"\nroles="infer"', "tokens.a.roles: expected some of"),
        (f'[a]\nsha256="{HASH}"\nroles=["root"]', "tokens.a.roles: expected some of"),
        (f'[a]\nsha256="{HASH}"\nroles=[["infer"]]', "tokens.a.roles: expected some of"),
        (
            f'[a]\nsha256="{HASH}"\nroles=["infer"]\n[b]\nsha256="{HASH}"\nroles=["admin"]',
            "tokens: expected a token of its own each, got one hash twice",
        ),
    ],
)
def test_a_file_that_is_not_as_it_should_be(text, message):
    with pytest.raises(InputError, match=message):
        read_holders(text.encode("latin1"))


def run_verb(*words):
    program = "from wearcast.clients.cli.main import main; main()"
    command = [sys.executable, "-c", program, "token", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=LONG_S)


def test_the_verb_makes_a_token_and_its_line():
    roles = ("--role", "ingest", "--role", "infer", "--role", "infer")
    said = json.loads(run_verb("plant-7", *roles, "--json").stdout)
    (holder,) = read_holders(said["line"].encode())
    assert (holder.name, holder.roles) == ("plant-7", {"ingest", "infer"})
    assert find_holder([holder], said["token"]) == holder
    assert len(said["token"]) == 43
    token, line = run_verb("plant-7", *roles).stdout.splitlines()
    (holder,) = read_holders(line.removeprefix("line:  ").encode())
    assert find_holder([holder], token.removeprefix("token: ")) == holder


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("plant-7",), 2, "Missing option '--role'"),
        (("plant-7", "--role", "root"), 2, "'root' is not one of"),
        (("plant 7", "--role", "infer"), 3, "name: expected 1 to 100 letters, digits, - and _"),
    ],
)
def test_the_verb_refuses(words, code, message):
    done = run_verb(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
