"""Which run another begins with, by a word."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import made

from dimred.config.compose import composed
from dimred.errors import InputError
from dimred.run_folder.sources import with_source_found


def finished(name, digest, began_with=None):
    """A finished run with weights of this digest."""
    folder = made(Path("outputs") / name, knn=0.9)
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps({**summary, "weights_sha256": digest}))
    (folder / "weights.safetensors").touch()
    (folder / "config.yaml").write_text(
        "{name: made, dataset: {name: digits}, schedule: {stages: {}}}"
    )
    content = json.loads((folder / "environment.json").read_text())
    if began_with:
        content["identity"]["files"] = {"model": [began_with]}
    names = {f"{group}.name": "any" for group in ("model", "pairing", "loss")}
    content["identity"]["config"] |= names
    content["sessions"][0] |= {"device": "cpu", "commit": None}
    (folder / "environment.json").write_text(json.dumps(content))
    return str(folder)


@pytest.fixture
def found(tmp_path, monkeypatch):
    """What a word means."""
    monkeypatch.chdir(tmp_path)
    config = composed(["experiment=smoke"])

    def find(text):
        model = replace(config.model, init_from=text)
        return with_source_found(replace(config, model=model)).model.init_from

    return find


def refusal(found, text):
    with pytest.raises(InputError) as error:
        found(text)
    assert str(error.value).startswith(f"model.init_from={text}: ")
    return str(error.value)


def test_a_part_of_the_name_is_enough_and_what_is_found_stays(found):
    folder = finished("mnist-seed0-00000000", "a")
    assert found("mnist") == folder
    assert found(folder) == folder


def test_runs_that_began_with_it_may_be_called_alike(found):
    source = finished("mnist-seed0-00000000", "a")
    finished("mnist-few-seed0-00000000", "b", began_with="a")
    finished("mnist-few-seed1-00000001", "c", began_with="a")
    assert found("mnist-") == source
    assert found("mnist-few-seed0").startswith("outputs/mnist-few-seed0")


def test_others_called_alike_are_not_chosen_among(found):
    finished("mnist-seed0-00000000", "a")
    finished("mnist-seed1-00000001", "b", began_with="of another")
    assert "names 2 finished runs" in refusal(found, "mnist")


def test_a_run_that_is_not_finished_and_weights_that_are_gone(found):
    made(Path("outputs/half-seed0-00000000"), rows=2)
    assert "holds no finished run" in refusal(found, "half")
    folder = finished("mnist-seed0-00000000", "a")
    (Path(folder) / "weights.safetensors").unlink()
    with pytest.raises(
        InputError, match=r"init_from=outputs/mnist.*weights\.safetensors is no file"
    ):
        found("mnist")
    Path("images").mkdir()
    assert "no summary.json" in refusal(found, "images")
