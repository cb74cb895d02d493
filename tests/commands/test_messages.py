"""One line for each error."""

import pytest
import yaml

from dimred.commands.messages import explain


@pytest.mark.parametrize(("read", "kind"), [(yaml.safe_load, "YAML file"), (str.upper, "file")])
def test_bytes_that_are_no_text_are_those_of_a_yaml_file_only_in_one(tmp_path, read, kind):
    file = tmp_path / "file"
    file.write_bytes(b"a: \xff")
    with pytest.raises(UnicodeDecodeError) as error, file.open(encoding="utf-8") as opened:
        read(opened if kind == "YAML file" else opened.read())
    assert explain(error.value).startswith(f"a {kind} is not UTF-8 (")
