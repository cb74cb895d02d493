"""Accuracy with few labels: what is fitted, kept and refused."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from command import SMOKE, dimred
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from dimred import load_run
from dimred.analysis.probe import ProbeOptions, Prober, counts
from dimred.analysis.probe_features import classifier
from dimred.data.mapped import is_mapped
from dimred.data.options import Digits
from dimred.data.own_options import Npz, Store
from dimred.errors import InputError
from dimred.plots.label_curve import label_curve_figure
from dimred.run.stages import new_encoder
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.probes import read_probed

pytestmark = pytest.mark.usefixtures("no_figures_here")

SOURCE = [
    *SMOKE,
    "dataset=digits",
    "dataset.limit=600",
    "dataset.fit_classes=[0-4]",
    "dataset.fit_on=train",
    "eval.linear=none",
    "device.threads=1",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("probe")
    dimred(cwd, *SOURCE, "run_dir=run")
    return cwd / "run"


@pytest.fixture
def copied(made, tmp_path):
    """Copies of the run."""

    def copy(name):
        return FinishedRun(shutil.copytree(made, tmp_path / name))

    return copy


@pytest.fixture
def run(copied):
    return copied("run")


def prober(run, labels=(1, 5), **options):
    return Prober(run, ProbeOptions(labels, **{"draws": 2, "steps": 4, **options}))


def made_fits(prober):
    for _ in prober.run():
        pass
    return {fit.key: fit.accuracy for fit in prober.result.fits}


def logistic(train, classes, test, truth):
    scaler = StandardScaler().fit(train)
    fitted = LogisticRegression(max_iter=1000).fit(scaler.transform(train), classes)
    return (fitted.predict(scaler.transform(test)) == truth).mean()


def test_linear_classifiers_are_of_the_unseen_classes_and_of_the_features_they_name(run):
    fits = made_fits(prober(run, (5,), methods=("probe", "pixels")))
    loaded = load_run(run.path)
    labels, unseen = loaded.labels, loaded.class_split == "unseen"
    train = np.flatnonzero(unseen & (loaded.split == "train"))
    test = np.flatnonzero(unseen & (loaded.split == "test"))
    order = np.random.default_rng([0, 1]).permutation(len(train))
    rows = np.concatenate([[i for i in train[order] if labels[i] == c][:5] for c in range(5, 10)])
    pixels = loaded.images().reshape(len(labels), -1) / np.float32(255)
    for method, points in (("probe", loaded.h()), ("pixels", pixels)):
        expected = logistic(points[rows], labels[rows], points[test], labels[test])
        assert fits[(method, 5, 1)] == pytest.approx(expected, abs=1 / len(test))


def test_too_many_pixels_are_left_out_and_said(run, monkeypatch):
    few = prober(run, (1,), methods=("probe", "pixels"))
    images = len(few.draws.rows(0, 1)) + len(few.target.test)
    limit = images * few.target.images.images[0].numel()
    monkeypatch.setattr("dimred.analysis.probe.MAX_PIXEL_VALUES", limit)
    assert not prober(run, (1,), methods=("probe", "pixels")).left_out
    more = prober(run, (1, 2), methods=("probe", "pixels"))
    assert more.left_out == [f"pixels: the images have more than {limit:,} values"]
    assert {method for method, _, _ in made_fits(more)} == {"probe"}
    with pytest.raises(InputError, match=r"methods=pixels: the images have more than .* values"):
        prober(run, (2,), methods=("pixels",))


def test_images_of_a_packed_file_give_the_same(run, tmp_path):
    images = run.images().images.numpy()[:, 0]
    np.savez(tmp_path / "mine.npz", images=images, labels=np.arange(len(images)) % 2)
    methods = ("pixels", "finetune", "random")
    of = []
    for store in Store:
        dataset = Npz("npz", path=str(tmp_path / "mine.npz"), store=store)
        options = ProbeOptions((5,), draws=1, steps=4, methods=methods)
        of.append(Prober(run, options, dataset, store.value))
        assert is_mapped(of[-1].target.images.images) == (store is Store.disk)
    first, *others = [made_fits(each) for each in of]
    assert all(fits == first for fits in others)


def test_networks_begin_with_the_runs_weights_or_with_random_ones(run):
    trained, scratch = (classifier(run, 3, kind, "probe", 0) for kind in (True, False))
    source, random = run.encoder(), classifier(run, 3, False, "weights")
    for name, weight in source.backbone.state_dict().items():
        assert torch.equal(trained.backbone.state_dict()[name], weight), name
    assert torch.equal(trained.readout.weight, scratch.readout.weight)
    weights = [net.backbone.layers[0].weight for net in (source, scratch, random)]
    assert not torch.equal(weights[0], weights[1])
    before = new_encoder(run.config, run.images(), 2)  # as the run began
    assert torch.equal(weights[2], before.backbone.layers[0].weight)
    assert (trained.mean == source.mean).all()
    assert trained.hidden is None


def test_an_interrupted_probe_goes_on_and_gives_the_same(run, copied, monkeypatch):
    whole = prober(run)
    everything = made_fits(whole)
    assert len(everything) == 2 * 2 * 5
    assert whole.forecast() == ""
    first = copied("stopped")
    begun = prober(first)
    real, done = begun.fits.accuracy, []

    def stopping(*job):
        if len(done) == 7:
            raise KeyboardInterrupt
        done.append(job)
        return real(*job)

    monkeypatch.setattr(begun.fits, "accuracy", stopping)
    with pytest.raises(KeyboardInterrupt):
        made_fits(begun)
    again = prober(first)
    assert len(again.left) == 13
    assert "H of" not in again.forecast()
    embedded = []
    for method in ("probe", "random"):
        monkeypatch.setattr(again.fits.kept(method), "embedded", embedded.append)
    assert made_fits(again) == everything
    assert not embedded  # H was kept
    assert not prober(first).left


def test_kept_h_is_not_taken_for_that_of_other_images_or_weights(run, monkeypatch):
    def stopped(prober):
        kept = prober.fits.kept("random")
        real = kept.compute_parts

        def stopping(rows):
            next(real(rows))
            raise KeyboardInterrupt
            yield

        monkeypatch.setattr(kept, "compute_parts", stopping)
        with pytest.raises(KeyboardInterrupt):
            made_fits(prober)

    def of(classes):
        options = ProbeOptions((2,), draws=1, methods=("random",))
        return Prober(run, options, Digits(name="digits", classes=[classes]))

    begun, other = of("0-2"), of("3-5")
    assert begun.name == other.name == "digits"
    stopped(begun)
    assert not read_probed(run.files, "digits").fits
    assert of("3-5").name == "digits-2"
    right = made_fits(of("3-5"))
    shutil.move(run.path / "probed/digits-2", run.path / "elsewhere")
    (begun.folder / "result.json").unlink()  # H alone, of nobody knows what
    alone = of("3-5")
    assert alone.name == "digits"
    assert not alone.fits.kept("random").known.any()
    assert made_fits(alone) == right
    again = of("3-5").fits.kept("random")
    assert again.known[alone.target.test].all()
    assert len(list(alone.folder.glob("h-random-*.npz"))) == 1


def test_more_labels_and_draws_add_to_what_is_there(run):
    small = made_fits(prober(run, (1,), methods=("probe",)))
    larger = prober(run, (1, 2, None), methods=("probe", "pixels"), draws=3)
    assert larger.name == "digits-unseen"
    assert len(larger.left) == 2 * (3 + 3 + 1) - len(small)
    fits = made_fits(larger)
    assert small.items() <= fits.items()
    assert ("probe", None, 0) in fits
    assert ("probe", None, 1) not in fits  # every draw of all labels is the same


def test_numbers_are_of_the_draws_that_are_asked_for(run):
    for _ in prober(run, (1,), methods=("pixels",), draws=3).run():
        pass
    once = prober(run, (1,), methods=("pixels", "probe"), draws=1)
    ((probe, pixels),) = once.run()
    fits = {fit.key: fit.accuracy for fit in once.result.fits}
    assert len(fits) == 3 + 1
    assert (pixels.draws, pixels.mean) == (1, fits[("pixels", 1, 0)])
    assert probe.draws == 1
    table = (once.folder / "table.csv").read_text().splitlines()
    assert [line.split(",")[2] for line in table[1:]] == ["1", "1"]


def test_the_curve_says_which_method_is_of_fewer_draws(run, monkeypatch):
    drawn = []

    def figure(curves, *rest):
        drawn.append([curve.name for curve in curves])
        return label_curve_figure(curves, *rest)

    monkeypatch.setattr("dimred.analysis.probe_files.label_curve_figure", figure)
    for methods, draws in ((("pixels",), 1), (("probe",), 3), (("probe",), 1)):
        made_fits(prober(run, (1,), methods=methods, draws=draws))
    assert drawn == [
        ["pixels"],
        ["linear probe", "pixels (1 of 3 draws)"],
        ["linear probe", "pixels"],
    ]


def test_another_budget_is_another_probe(run):
    made_fits(prober(run, (1,), methods=("pixels",)))
    other = prober(run, (1,), methods=("pixels",), steps=5)
    assert other.name == "digits-unseen-2"
    with pytest.raises(InputError, match=r"holds another probe .steps is 4 there, 5 here"):
        Prober(run, ProbeOptions((1,), steps=5), name="digits-unseen")


def test_labels_that_classes_do_not_have_are_refused_if_asked_for(run):
    assert "50 labels a class: class" in prober(run, None).left_out[0]
    with pytest.raises(InputError, match=r"labels=500: class '.' has 4. training images"):
        prober(run, (500,))
    for words in (["0"], ["-1"], ["some"], [""]):
        with pytest.raises(InputError, match="must be a whole number above 0, or all"):
            counts(words)


def test_another_dataset_is_probed_with_the_runs_normalization(run):
    other = Prober(
        run,
        ProbeOptions((2,), draws=1, methods=("probe", "random")),
        Digits(name="digits", classes=["0-2"], mean=[0.9], std=[0.01]),
    )
    assert (other.name, other.target.own) == ("digits", False)
    assert other.target.names == ("0", "1", "2")
    made_fits(other)
    assert json.loads((other.folder / "result.json").read_text())["classes"] == 3
    encoder, images = run.encoder().eval(), other.target.images.images
    with torch.no_grad():
        h, _ = encoder(images[other.target.test].float() / 255)
    kept = other.fits.kept("probe").h[other.target.test]
    np.testing.assert_allclose(kept, h.numpy(), atol=1e-5)


def notes(path, *given):
    return Prober(FinishedRun(path), ProbeOptions(), *given).target.notes


def test_a_note_says_where_the_run_has_learned_from_the_test_images(run):
    digits = Digits(name="digits")
    assert notes(run.path) == notes(run.path, digits) == ()  # dataset.fit_on=train
    config = run.path / "config.yaml"
    config.write_text(config.read_text().replace("fit_on: train", "fit_on: all"))
    assert notes(run.path) == ()  # classes that were not learned from
    (note,) = notes(run.path, digits)  # with 1197 more images and classes
    assert re.match(r"the run has learned from \d\d of the 297 test images too", note)
    (note,) = notes(run.path, Digits(name="digits", limit=600, classes=["0-4"]))
    assert note.endswith("images never seen (dataset.fit_on=train keeps them apart)")


def test_a_note_says_that_other_weights_came_first(run):
    summary = json.loads((run.path / "summary.json").read_text())
    begun = {"option": "model.init_from", "value": "outputs/first", "sha256": "0"}
    (run.path / "summary.json").write_text(json.dumps({**summary, "begins_with": begun}))
    expected = (
        "the run's backbone began with model.init_from=outputs/first, which may have learned from "
        "these images"
    )
    assert notes(run.path) == (expected,)


def test_chance_is_that_of_the_runs_measures(run, tmp_path):
    split = ["train"] * 4 + ["test"] * 8 + ["train"] * 6 + ["test"] * 3
    images = np.random.default_rng(0).integers(0, 255, (21, 8, 8), np.uint8)
    labels = np.array([0] * 12 + [1] * 9)
    np.savez(tmp_path / "two.npz", images=images, labels=labels, split=split)
    target = Prober(run, ProbeOptions(), Npz(name="npz", path=str(tmp_path / "two.npz"))).target
    assert target.chance == pytest.approx(3 / 11)  # of the class with most training images


def test_the_folder_is_named_after_the_file_without_its_ending(tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 255, (60, 8, 8), np.uint8), np.arange(60) % 2
    np.savez(tmp_path / "b32.npz", images=images, labels=labels)
    own = ["dataset=npz", "dataset.path=b32.npz", "eval.k=[3]", "schedule.batch_size=16"]
    dimred(tmp_path, *SMOKE, *own, "eval.linear=none", "device.threads=1", "run_dir=run")
    own = Prober(FinishedRun(tmp_path / "run", str(tmp_path / "b32.npz")), ProbeOptions())
    assert (own.name, own.target.dataset) == ("b32", "b32.npz")
    (note,) = own.target.notes
    assert note.endswith("so the probe of its network is not of images never seen")


def test_another_target_under_a_name_is_said(run):
    def of(**selected):
        dataset = Digits(name="digits", **selected)
        return Prober(run, ProbeOptions((1,), methods=("pixels",), draws=1), dataset, "mine")

    with pytest.raises(InputError, match=r"all images are of one class, '3'; a probe needs two"):
        of(classes=["3"])
    made_fits(of(classes=["0-2"]))
    with pytest.raises(InputError, match=r"another probe \(of digits, 3 classes \(0, 1, 2\)\)"):
        of(classes=["0-1"])
    with pytest.raises(InputError, match=r"another probe \(its images have changed since\)"):
        of(classes=["0-2"], limit=100)


def test_images_of_other_channels_are_refused(run, tmp_path):
    np.savez(
        tmp_path / "color.npz",
        images=np.zeros((20, 8, 8, 3), np.uint8),
        labels=np.arange(20) % 2,
    )
    with pytest.raises(InputError, match=r"dataset=npz: its images have 3 channels, .* run 1"):
        Prober(run, ProbeOptions(), Npz(name="npz", path=str(tmp_path / "color.npz")))
