"""What `dimred map` chooses."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimred.run import plan
from dimred.run.plan import BRIEF, THOROUGH, Asked, Speed, Survey
from dimred.run.plan_words import Names, lines, overrides

EPOCHS = 305
NAMES = Names("convnet", "demo", "augmentation")
PHOTOS = Survey(n=2_000, width=640, height=480, channels=3, n_classes=0, seconds=0.004)
NOTHING = Asked()
BUSY = 7.0


def machine_of(images_per_second, bf16_gain=2.0, contention=1.0, spike=1.0):
    """Speeds as of a machine that trains so many images of 32x32 a second in float32. spike: how
    many times as slow it is while settings are compared."""

    def measure(trial, seconds):
        rate = images_per_second * (32 / trial.image_size) ** 2
        rate *= bf16_gain if trial.precision == "bf16" else 1
        rate *= 4 if trial.threads == 1 else 1  # of a busy machine
        took = EPOCHS / rate * (spike if seconds <= BRIEF.most else 1)
        return Speed(took, 1 / rate, contention)

    return measure


def chosen(survey=PHOTOS, minutes=10, asked=NOTHING, on_gpu=False, rate=400.0, gain=2.0, **machine):
    measure = machine_of(rate, gain, **machine)
    return plan.choose(survey, lambda: 60.0 * minutes, asked, on_gpu, measure)


@given(n=st.integers(30, 10**6), on_gpu=st.booleans())
def test_a_batch_is_at_most_all_images_and_hardly_any_sits_out_an_epoch(n, on_gpu):
    size = plan.batch_size_for(n, on_gpu)
    assert 2 <= size <= n
    assert n % size <= max(0.01 * n, 3)  # 3 of 143, the most in a small folder


@given(
    n=st.integers(30, 10**6),
    minutes=st.floats(0.5, 10_000),
    rate=st.floats(1, 1e5),
    gain=st.floats(0.1, 4),
    reading=st.floats(1e-4, 1),
    contention=st.floats(1, 20),
)
def test_all_of_it_fits_into_the_budget(n, minutes, rate, gain, reading, contention):
    survey = replace(PHOTOS, n=n, seconds=reading)
    choice = chosen(survey, minutes, contention=contention, rate=rate, gain=gain)
    assert choice.n <= n
    assert choice.trial.batch_size <= choice.n
    assert plan.MIN_SCALE * 0.95 <= choice.scale <= plan.MAX_SCALE
    others = choice.speed.overhead(survey, choice.n)
    smallest = choice.n <= plan.MIN_MAPPED
    # The fewest epochs on four fifths of the images may need all of the time and a quarter more.
    assert smallest or others + choice.seconds <= 1.3 * 60 * minutes


@pytest.mark.parametrize("n", [200, 2_000, 20_000])
def test_usual_folders_are_mapped_whole_and_well_within_ten_minutes(n):
    choice = chosen(replace(PHOTOS, n=n))
    assert choice.n == n
    assert n % choice.trial.batch_size == 0
    assert choice.seconds + choice.speed.overhead(PHOTOS, n) <= 600
    assert choice.trial.precision == "bf16"


def test_fewer_images_are_mapped_before_hardly_any_time_is_left_for_training():
    choice = chosen(replace(PHOTOS, n=60_000), minutes=4, on_gpu=True, rate=25_000.0)
    assert choice.n < 60_000
    assert choice.seconds > 0.25 * 240
    small_files = replace(PHOTOS, n=60_000, seconds=0.0003)
    assert chosen(small_files, minutes=12, on_gpu=True, rate=25_000.0).n == 60_000


def test_on_a_gpu_only_what_trains_long_is_compiled():
    def compiles(choice, on_gpu=True):
        return overrides(PHOTOS, choice, NOTHING, on_gpu).get("device.compile")

    assert compiles(chosen(on_gpu=True)) == "false"
    assert compiles(chosen(on_gpu=False), on_gpu=False) is None
    assert compiles(chosen(replace(PHOTOS, n=60_000), minutes=60, on_gpu=True)) is None


def test_bf16_is_taken_only_where_it_is_faster():
    assert chosen(gain=0.5).trial.precision == "float32"
    assert chosen(gain=0.5).gain == 1
    assert chosen(on_gpu=True).trial.precision == "auto"


def test_on_busy_cores_one_thread_is_taken_where_it_is_faster():
    assert chosen(contention=BUSY).trial.threads == 1
    assert chosen(contention=BUSY).alone
    assert not chosen(asked=Asked(threads=1)).alone  # whoever asked for it knows why
    assert chosen().trial.threads is None


def test_cores_that_others_begin_to_use_while_settings_are_compared_are_noticed():
    quiet, busy = machine_of(400.0), machine_of(400.0, contention=BUSY)

    def measure(trial, seconds):
        return (busy if seconds > BRIEF.most else quiet)(trial, seconds)

    assert plan.choose(PHOTOS, lambda: 600.0, NOTHING, False, measure).trial.threads == 1
    assert plan.choose(PHOTOS, lambda: 600.0, NOTHING, True, measure).trial.threads is None


def test_time_that_is_left_over_goes_into_larger_images():
    small = replace(PHOTOS, n=200)
    assert chosen(small, minutes=1).trial.image_size == 32
    assert chosen(small, minutes=1_000).trial.image_size == 64
    assert chosen(replace(small, height=40), minutes=1_000).trial.image_size == 32
    assert chosen(replace(small, height=20)).trial.image_size == 20


def test_of_too_many_images_some_are_mapped():
    choice = chosen(replace(PHOTOS, n=10**6))
    assert plan.MIN_MAPPED < choice.n < 10**5
    assert chosen(replace(PHOTOS, n=10**6), rate=0.1).n == plan.MIN_MAPPED
    assert chosen(replace(PHOTOS, n=300), rate=0.1).n == 300
    assert "dataset.limit" in overrides(PHOTOS, chosen(minutes=0.5), Asked(), False)


def test_what_is_asked_for_is_not_chosen():
    asked = Asked(image_size=24, batch_size=100, precision="float32", threads=2, limit=500, scale=1)
    choice = chosen(asked=asked)
    assert (choice.n, choice.scale) == (500, 1)
    assert choice.trial == plan.Trial(24, 100, "float32", 2)
    assert set(overrides(PHOTOS, choice, asked, False)) == {"schedule", "model"}


def test_three_lines_say_what_was_chosen():
    choice = chosen()
    images, network, epochs = lines(PHOTOS, choice, NAMES, 80, 600)
    assert images.endswith("; views by pairing=augmentation")
    assert "2,000 color images of about 640x480, no classes; middle" in images
    assert "bf16 (2.0 times" in network
    assert network.endswith("batches of 125: no image sits out an epoch if all can be read")
    assert epochs.startswith("epochs    80 (schedule=demo times ")
    assert " of 10 min; " in epochs


def test_files_that_cannot_be_read_are_said_and_none_of_the_others_sits_out():
    survey = replace(PHOTOS, n=200, unreadable=3)
    choice = chosen(survey)
    assert (choice.n, choice.n % choice.trial.batch_size) == (200, 0)
    images, network, _ = lines(survey, choice, NAMES, 80, 600)
    assert "200 color images of about 640x480, no classes; 3 of 203 cannot be read; " in images
    assert network.endswith("no image sits out an epoch")
    # A part is drawn from all files, of which it is not known how many of these are in it.
    part = replace(choice, n=80)
    assert lines(survey, part, NAMES, 80, 600)[1].endswith("if all can be read")


def test_images_that_are_neither_gray_nor_in_color_are_no_photographs():
    kinds = [(1, True), (3, True), (3, False), (2, True), (5, False)]
    of = [replace(PHOTOS, channels=channels, is_rgb=is_rgb) for channels, is_rgb in kinds]
    micrographs = 3 * ["augmentation_microscopy"]
    assert [plan.pairing_for(it) for it in of] == [*2 * ["augmentation"], *micrographs]
    assert [str(it).split()[1] for it in of] == [
        "gray",
        "color",
        "3-channel",
        "2-channel",
        "5-channel",
    ]


def test_a_batch_fits_the_images_that_are_learned_from():
    survey = replace(PHOTOS, n=240, learned=200, unreadable=0)
    choice = chosen(survey)
    assert choice.n == 240
    assert choice.trial.batch_size == chosen(replace(PHOTOS, n=200)).trial.batch_size
    assert choice.seconds == pytest.approx(
        choice.scale * 200 * EPOCHS / 800  # images a second
    )


def test_epochs_follow_from_the_speed_that_was_measured_longest():
    assert chosen(spike=3.0, minutes=2).scale == chosen(minutes=2).scale
    # 3 % of the budget, within bounds; and all of it in less than 4 seconds of a minute.
    assert [round(THOROUGH.of(60 * m), 1) for m in (0.1, 2, 10, 60)] == [1.5, 3.6, 18, 20]
    assert 2 * BRIEF.of(60) + THOROUGH.of(60) < 4


def test_images_are_left_out_where_the_last_measurement_is_slower_than_the_first():
    many = replace(PHOTOS, n=20_000)
    choice = chosen(many, spike=0.02, minutes=2)
    assert choice.n < 20_000
    assert choice.seconds + choice.speed.overhead(many, choice.n) <= 130
