"""Where matplotlib keeps its list of fonts."""

import os
from pathlib import Path

from dimred import plots


def test_without_a_home_matplotlib_gets_a_private_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("MPLCONFIGDIR", "")  # so that it is taken back at the end
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(plots, "expanded", Path)  # an unknown home stays as it is
    for key in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(key, str(tmp_path / key))
    plots._provide_cache()
    assert os.environ["MPLCONFIGDIR"] == ""
    monkeypatch.delenv("XDG_CACHE_HOME")
    plots._provide_cache()
    assert Path(os.environ["MPLCONFIGDIR"]).parent.parent == tmp_path
    assert not Path("~").exists()
