"""YAML of others takes no memory or time that its size does not tell."""

import time

import pytest
import yaml

from dimred.config.safe_yaml import MAX_BYTES, read_yaml_file, safe_yaml
from dimred.errors import InputError

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_plain_values_are_read():
    text = "a: [1, 2.5, null, true]\nb: {c: 'x', d: naïve 日本}\n"
    assert safe_yaml(text) == yaml.safe_load(text)
    assert safe_yaml("") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (LAUGHS, "alias"),
        ("a: &a [*a]", "alias on line 1"),
        ("a: &a {b: 1}\nc:\n  <<: *a\n", "alias on line 3 .*the merge key <<"),
        ("[" * 100_000, "nested more than 50 deep on line 1"),
        ("{a: " * 60 + "}" * 60, "nested"),
        ("\n".join(" " * depth + "a:" for depth in range(60)), "nested .* on line 51"),
        ("a: [" + "x," * MAX_BYTES, "longer than 1 MiB"),
        ("a: [1", "cannot be read"),
        ("a: !!python/object/apply:os.system [ls]", "cannot be read"),
        ("a: 2026-13-45", "cannot be read"),
        (f"a: {'9' * 5000}", "cannot be read"),
        ("? [a]\n: 1", "cannot be read"),
        ("a: \udc80", "cannot be read"),
        ("a: \x00", "cannot be read"),
    ],
)
def test_others_are_refused_at_once(text, reason):
    began = time.monotonic()
    with pytest.raises(InputError, match=reason) as error:
        safe_yaml(text)
    assert time.monotonic() - began < 5
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"a: \xff", "is not UTF-8"), (b"a: *b", "alias"), (b" " * 2**20 + b" ", "longer than")],
)
def test_a_file_is_named(tmp_path, content, reason):
    file = tmp_path / "x.yaml"
    file.write_bytes(content)
    with pytest.raises(InputError, match=f"^{file}: .*{reason}"):
        read_yaml_file(file)
    with pytest.raises(InputError, match=f"^{tmp_path}: must be a file"):
        read_yaml_file(tmp_path)
