"""What `dimred map` chooses."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimred.run import plan
from dimred.run.plan import Asked, Machine, Speed, Survey

EPOCHS = 305
PHOTOS = Survey(n=2_000, width=640, height=480, gray=False, n_classes=0, seconds=0.004)
NOTHING = Asked()
QUIET, BUSY, GPU = Machine(), Machine(contention=7.0), Machine(on_gpu=True)


def machine_of(images_per_second, bf16_gain=2.0):
    """Speeds as of a machine that trains so many images of 32x32 a second in float32."""

    def measure(trial):
        rate = images_per_second * (32 / trial.image_size) ** 2
        rate *= bf16_gain if trial.precision == "bf16" else 1
        rate *= 4 if trial.threads == 1 else 1  # of a busy machine
        return Speed(EPOCHS / rate, 1 / rate)

    return measure


def chosen(survey=PHOTOS, minutes=10, asked=NOTHING, machine=QUIET, rate=400.0, gain=2.0):
    return plan.choose(survey, lambda: 60.0 * minutes, asked, machine, machine_of(rate, gain))


@given(n=st.integers(30, 10**6), on_gpu=st.booleans())
def test_a_batch_is_at_most_all_images_and_hardly_any_sits_out_an_epoch(n, on_gpu):
    size = plan.batch_size_for(n, on_gpu)
    assert 2 <= size <= n
    assert n % size <= max(0.01 * n, 1)


@given(
    n=st.integers(30, 10**6),
    minutes=st.floats(0.5, 10_000),
    rate=st.floats(1, 1e5),
    gain=st.floats(0.1, 4),
    reading=st.floats(1e-4, 1),
    contention=st.floats(1, 20),
)
def test_all_of_it_fits_into_the_budget(n, minutes, rate, gain, reading, contention):
    survey, machine = replace(PHOTOS, n=n, seconds=reading), Machine(contention=contention)
    choice = chosen(survey, minutes, machine=machine, rate=rate, gain=gain)
    assert choice.n <= n
    assert choice.trial.batch_size <= choice.n
    assert plan.MIN_SCALE * 0.95 <= choice.scale <= plan.MAX_SCALE
    others = machine.overhead(survey, choice.n)
    smallest = choice.n <= plan.MIN_MAPPED
    # The fewest epochs on four fifths of the images may need all of the time and a quarter more.
    assert smallest or others + choice.seconds <= 1.3 * 60 * minutes


@pytest.mark.parametrize("n", [200, 2_000, 20_000])
def test_usual_folders_are_mapped_whole_and_well_within_ten_minutes(n):
    choice = chosen(replace(PHOTOS, n=n))
    assert choice.n == n
    assert n % choice.trial.batch_size == 0
    assert choice.seconds + QUIET.overhead(PHOTOS, n) <= 600
    assert choice.trial.precision == "bf16"


def test_bf16_is_taken_only_where_it_is_faster():
    assert chosen(gain=0.5).trial.precision == "float32"
    assert chosen(gain=0.5).gain == 1
    assert chosen(machine=GPU).trial.precision == "auto"


def test_on_busy_cores_one_thread_is_taken_where_it_is_faster():
    assert chosen(machine=BUSY).trial.threads == 1
    assert chosen(machine=BUSY).alone
    assert not chosen(asked=Asked(threads=1)).alone  # whoever asked for it knows why
    assert chosen().trial.threads is None


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
    assert "dataset.limit" in plan.overrides(PHOTOS, chosen(minutes=0.5), Asked(), QUIET)


def test_what_is_asked_for_is_not_chosen():
    asked = Asked(image_size=24, batch_size=100, precision="float32", threads=2, limit=500, scale=1)
    choice = chosen(asked=asked)
    assert (choice.n, choice.scale) == (500, 1)
    assert choice.trial == plan.Trial(24, 100, "float32", 2)
    assert set(plan.overrides(PHOTOS, choice, asked, QUIET)) == {"schedule", "model"}


def test_three_lines_say_what_was_chosen():
    choice = chosen()
    lines = plan.lines(PHOTOS, choice, "convnet", "demo", 80, 600)
    assert len(lines) == 3
    assert "2,000 color images of about 640x480, no classes" in lines[0]
    assert "bf16 (2.0 times" in lines[1]
    assert lines[1].endswith("batches of 125: no image sits out an epoch if all can be read")
    assert lines[2].startswith("epochs    80 (schedule=demo times ")
    assert " of 10 min; " in lines[2]
