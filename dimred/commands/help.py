"""The texts of --help, in the project's own words."""

from __future__ import annotations

from pathlib import Path

GROUPS = {
    "dataset": "which images",
    "pairing": "which images are similar (digits and mnist choose augmentation_digits)",
    "model": "the network",
    "loss": "what the embedding is judged by",
    "schedule": "stages, epochs, learning rates",
    "device": "where to compute",
    "experiment": "a whole recipe; what you set besides it wins",
}


def command_help() -> str:
    """The text of `dimred --help`."""
    return """\
dimred learns low-dimensional maps of image sets with contrastive losses.

  dimred train [GROUP=CHOICE ...] [KEY=VALUE ...]   train a map and write it to a run folder
  dimred options [GROUP=CHOICE ...]                 every key with its type, value and meaning
  dimred view RUN                                   a finished run's map as a page to look into
  dimred inspect RUN                                what deserves a look: duplicates, outliers ...
  dimred embed RUN IMAGES ...                       place new images on a finished run's map
  dimred export RUN                                 a finished run's encoder as ONNX
  dimred reproduce TABLE [--budget B]               the runs of a paper's table
  dimred table TABLE                                a paper's table beside what the runs gave
  dimred baselines RUN                              other methods on the images of a finished run
  dimred plot FIGURE RUN ...                        a figure of finished runs, as PDF and PNG
  dimred COMMAND --help                             more about a command
  dimred --version

First steps:  dimred train experiment=demo"""


def config_folder() -> Path:
    """The folder of YAML choices: the packaged copy, or the checkout's."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parent / "conf"


def choices(group: str) -> list[str]:
    """The choices of a group, as the YAML files of conf/ name them."""
    return sorted(path.stem for path in (config_folder() / group).glob("*.yaml"))


def train_help() -> str:
    """The text of `dimred train --help`."""
    lines = []
    for group, meaning in GROUPS.items():
        lines.append(f"  {group:<11} {meaning}")
        lines += _wrapped(choices(group))
    return "\n".join([_TRAIN_HEAD, *lines, _TRAIN_TAIL])


def _wrapped(words: list[str], width: int = 84) -> list[str]:
    lines = [" " * 13]
    for word in words:
        if len(lines[-1]) + len(word) + 1 > width:
            lines.append(" " * 13)
        lines[-1] += f" {word}"
    return lines


def options_help() -> str:
    """The text of `dimred options --help`."""
    return """\
dimred options [GROUP=CHOICE ...] [KEY=VALUE ...]

Prints every key of the configuration that these words make: its type, its value, what it may be,
and a sentence on what it does. The words are those of `dimred train`.

  dimred options
  dimred options loss=simclr dataset=image_folder"""


def table_help() -> str:
    """The text of `dimred table --help`."""
    return """\
dimred table TABLE [--outputs FOLDER] [--budget full|short|smoke]
                   [--format text|markdown|latex|csv] [--out FILE]

Prints a paper's table: what was published, and below each row what the finished runs in FOLDER
(default: outputs) gave, mean and standard deviation of the seeds. What a run did otherwise than the
paper stands in its line; runs of different configurations are never averaged; a row without runs
names the command that makes them. --budget leaves out the runs of other budgets. FOLDER may also be
a .jsonl file of run records.

TABLE is one of
  table1        t-SimCNE paper, CIFAR-10            table_a1      the same, CIFAR-100
  drlim         DrLIM paper, MNIST and NORB         thesis_mnist  thesis, MNIST
  thesis_norb   thesis, NORB                        baselines     other methods on the same images

  dimred reproduce table1 --budget smoke && dimred table table1
  dimred table table1 --format latex --out table1.tex"""


def reproduce_help() -> str:
    """The text of `dimred reproduce --help`."""
    return """\
dimred reproduce TABLE [--budget full|short|smoke] [--rows KEY,...] [--seeds 0,1,2] [--list]
                       [GROUP=CHOICE ...] [KEY=VALUE ...]

Makes the runs of a paper's table, first all rows with the first seed. Skips what is finished, goes
on with what was interrupted, and says before it starts how long training will take. TABLE is one
of those of `dimred table`; baselines trains Table 1's SimCLR and measures `dimred baselines` on it.

  --budget   full = as published (default); short = small networks and embedded or fewer images,
             minutes to hours on a CPU; smoke = seconds a row, proves the path and not the numbers
  --rows     some rows only, by their key in the table
  --seeds    default 0,1,2; smoke: 0
  --list     print the commands and the time, run nothing

Words as of `dimred train` go to every run:
  dimred reproduce table1 dataset.root=data dataset.download=true
  dimred reproduce table1 --budget short --rows 4,8 dataset=fashion_mnist dataset.root=data"""


def baselines_help() -> str:
    """The text of `dimred baselines --help`."""
    return """\
dimred baselines RUN [RUN ...] [--only METHOD,...] [--root DATA] [--again]

Places the images of a finished run by other methods, from their pixels and from the run's H, and
measures those maps as it was measured: kNN accuracy on the same splits, trustworthiness, time.
Results go to RUN/baselines.json, maps to RUN/baselines/ and RUN/plots/; what is there is not
measured again unless --again. --root names the data where they have moved.
t-SNE and UMAP come with pip install 'dimred[baselines]'.

METHOD is one of
  z                      the run's own map, for comparison
  pixels, pixels_pca, pixels_lle, pixels_tsne, pixels_umap
  h_pca, h_tsne, h_umap
  imagenet               features of torchvision's ResNet-18, where its weights are on disk

  dimred baselines outputs/demo-seed0-*
  dimred table baselines"""


def plot_help() -> str:
    """The text of `dimred plot --help`."""
    return """\
dimred plot FIGURE RUN [RUN ...] [--out NAME]

Draws a figure of finished runs to NAME.pdf and NAME.png (default: outputs/figures/FIGURE).

FIGURE is one of
  knn        kNN accuracy of the map against k = 1..30
  stages     the maps after each stage side by side, of one run
  spectrum   eigenvalues of the covariance of Z, of its stage with the most dimensions
  norms      lengths of Z by class
  seeds      maps side by side, turned and mirrored to fit the first
  loss       training loss against epochs
  contrast   DrLIM's and the generalized loss on test pairs against epochs (runs with eval.every=1)

  dimred plot seeds outputs/table1_row7-seed*
  dimred plot spectrum outputs/table1_row1-seed0-* outputs/table1_row3-seed0-*"""


def view_help() -> str:
    """The text of `dimred view --help`."""
    return """\
dimred view RUN [--out FILE] [--open] [--root DATA] [--thumbnail PIXELS]

Writes the map of a finished run as one HTML file (default: RUN/map.html) that needs no server and
no network: hover over a point to see its image, click to pin it with its nearest neighbours in Z
and in H, zoom in until images replace points, select with a box or a lasso, colour by class, split,
loss or what else is known of the images, go through the stages of training. What `dimred inspect`
found is marked, where it has been run.

  --out        the file
  --open       open it in the browser
  --root       the data, where they have moved
  --thumbnail  side of the images in the page; default: theirs, less for many or large images

  dimred view outputs/demo-seed0-* --open"""


def inspect_help() -> str:
    """The text of `dimred inspect --help`."""
    return """\
dimred inspect RUN [--root DATA]

Looks for what deserves a look among the images of a finished run, and writes each kind to
RUN/inspect/ as CSV and as a sheet of pictures, the rows of embedding.npz to findings.json:

  near_duplicates   pairs and groups of images that are copies but for shift, compression or noise
  outliers          images whose 10th neighbour in H is far, of all images or of their class
  label_conflicts   images 12 or more of whose 15 neighbours in H are of one other class
  islands           the clusters that HDBSCAN finds in the map, the densest first

  --root   the data, where they have moved

  dimred inspect outputs/demo-seed0-* && dimred view outputs/demo-seed0-*"""


def embed_help() -> str:
    """The text of `dimred embed --help`."""
    return """\
dimred embed RUN IMAGES [IMAGES ...] [--out FILE] [--k K] [--root DATA]

Places new images on the map of a finished run by its weights; the run's own images need not be
there. IMAGES are image files, folders (all images below), or .npz files with an array `images`.
Files are cropped and resized as for training; what cannot be read is named and left out. Writes
FILE.npz and FILE.csv (default: in RUN/embedded/): path, z, the class that most of the K nearest
training images in Z have and the share that has it, and these images: neighbour1 is the `index` of
the nearest in RUN/embedding.npz; `neighbours` in FILE.npz are rows of it.

  --out   FILE, .npz, .csv or neither
  --k     default: the first of the run's eval.k
  --root  the run's data, wanted only by runs of an early version

  dimred embed outputs/demo-seed0-33b97606 new_images/

In Python:
  from dimred import load_run
  run = load_run("outputs/demo-seed0-33b97606")
  placed = run.place(["new_images/"])            # or an array, uint8 (N, H, W) or (N, C, H, W)
  placed.paths, placed.z, placed.neighbours, placed.votes"""


def export_help() -> str:
    """The text of `dimred export --help`."""
    return """\
dimred export RUN [--out FILE] [--root DATA]

Writes the encoder of a finished run as one ONNX file (default: RUN/encoder.onnx): `images`, uint8
(N, C, height, width), to `h` and `z`, normalisation included. Holds what ONNX Runtime makes of 256
of the run's images (of random ones, where these are not there) against PyTorch; a file that is off
by more than 1e-4 of the largest value is not written. Wants pip install 'dimred[onnx]'.

  --out   the file
  --root  the run's data, where they have moved

  dimred export outputs/demo-seed0-33b97606"""


_TRAIN_HEAD = """\
dimred train [GROUP=CHOICE ...] [KEY=VALUE ...] [-m]

Learns a map of an image set: builds the network, trains it stage by stage, measures the map after
each stage, and writes embedding, metrics, weights and plots to a run folder.

Groups and their choices:"""

_TRAIN_TAIL = """
Examples:
  dimred train experiment=demo
  dimred train dataset=fashion_mnist dataset.root=data dataset.download=true model=resnet18 \\
      schedule=annealed_1500 device=cuda seed=3
  dimred train -m seed=0,1,2 loss=tsimcne,simclr            a sweep: one run for each combination

Results go to outputs/NAME-seedSEED-HASH/ (output_dir=FOLDER or run_dir=FOLDER change that).
The same command goes on where a stopped run was; a finished run is not repeated unless
restart=true, only measured again where what is measured at the end differs (see dimred options).

Single values:  schedule.stages.finetune.epochs=20   dataset.classes=[4,9]
All of them:    dimred options
Your own YAML:  dimred train --config-dir FOLDER ..., FOLDER laid out like conf/"""


_HELP = {
    "train": train_help,
    "options": options_help,
    "view": view_help,
    "inspect": inspect_help,
    "embed": embed_help,
    "export": export_help,
    "reproduce": reproduce_help,
    "table": table_help,
    "baselines": baselines_help,
    "plot": plot_help,
}


def help_text(command: str) -> str:
    """The text of `dimred COMMAND --help`."""
    return _HELP[command]()
