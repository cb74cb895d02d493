"""The tables of the t-SimCNE paper (Böhm, Berens, Kobak 2023)."""

from __future__ import annotations

from dimred.tables.published import Column, Row, Table, printed

_KNN = Column("knn", "kNN in Z, random, %", "final.knn15_z_random", 100)
_KNN_OFFICIAL = Column("knn_official", "official, %", "final.knn15_z_official", 100)
_LINEAR = Column("linear", "linear in H, %", "linear.accuracy", 100)
_LOSS = Column("loss", "loss", "final.loss", same=("schedule.batch_size",))
_HOURS = Column("hours", "hours", "training_seconds", 1 / 3600, 2, comparable=False)
_SUPERCLASS = Column("superclass", "superclass kNN, %", "final.knn15_superclass_z_random", 100)


def _tsimcne(prefix: str, key: str, label: str, *published: str, superclass: str = "") -> Row:
    """A row. published: linear accuracy, kNN accuracy, loss and, where printed, hours."""
    values = {
        name: printed(text)
        for name, text in zip(("linear", "knn", "loss", "hours"), published, strict=False)
    }
    if superclass:
        values["superclass"] = printed(superclass)
    return Row(key, label, f"{prefix}{key}", values, annealed=int(key) >= 6)


# A small network, 5,000 images and 1/25 of the epochs: minutes on two CPU cores.
_SHORT = (
    "dataset.limit=5000",
    "model=convnet",
    "model.widths=[16,32,64,128]",
    "schedule.epochs_scale=0.04",
    "schedule.batch_size=256",
    "schedule.lr_update=step",
    "schedule.optimizer.lr_per_256=0.1",
    "eval.linear=logistic",
)
_SMOKE = (
    "dataset=digits",
    "dataset.limit=300",
    "model=convnet",
    "model.widths=[8,16]",
    "schedule.epochs_scale=0.001",
    "schedule.batch_size=64",
    "eval.linear=logistic",
    "device=cpu",
)

TABLE1 = Table(
    "t-SimCNE paper, Table 1: CIFAR-10",
    "Böhm, Berens, Kobak 2023, arXiv:2210.09879; an hour is one of an RTX 2080 Ti (row 5: V100)",
    (_KNN, _KNN_OFFICIAL, _LINEAR, _LOSS, _HOURS),
    (
        _tsimcne("table1_row", "1", "cosine, 128-D, 1,000 epochs",
                 "92.0 +- 0.2", "91.0 +- 0.2", "5.8", "12.0"),
        _tsimcne("table1_row", "2", "cosine, 3-D, 1,000 epochs",
                 "80.7 +- 0.3", "73.9 +- 0.8", "6.3", "12.3"),
        _tsimcne("table1_row", "3", "Euclidean, 128-D, 1,000 epochs",
                 "89.9 +- 0.3", "89.9 +- 0.2", "2.3", "12.9"),
        _tsimcne("table1_row", "4", "Euclidean, 2-D, 1,000 epochs",
                 "83.6 +- 0.5", "80.6 +- 0.5", "3.7", "11.9"),
        _tsimcne("table1_row", "5", "Euclidean, 2-D, 5,000 epochs",
                 "88.0 +- 0.3", "87.1 +- 0.1", "2.9", "65.4"),
        _tsimcne("table1_row", "6", "cosine to Euclidean, 2-D, 1,500 epochs",
                 "92.0 +- 0.2", "90.1 +- 0.4", "3.2", "17.5"),
        _tsimcne("table1_row", "7", "Euclidean to Euclidean, 2-D, 1,500 epochs",
                 "89.9 +- 0.3", "89.1 +- 0.1", "2.7", "18.9"),
        _tsimcne("table1_row", "8", "Euclidean to Euclidean, 2-D, 1,000 epochs",
                 "89.4 +- 0.1", "88.5 +- 0.3", "2.9", "11.8"),
        _tsimcne("table1_row", "9", "Euclidean to Euclidean, 2-D, 500 epochs",
                 "87.9 +- 0.2", "85.7 +- 0.4", "3.3", "6.0"),
    ),
    {"short": _SHORT, "smoke": _SMOKE},
    {"short": ("schedule.stages.finetune.lr_scale=0.1",)},
)  # fmt: skip

TABLE_A1 = Table(
    "t-SimCNE paper, Table A.1: CIFAR-100",
    "Böhm, Berens, Kobak 2023, arXiv:2210.09879",
    (_KNN, _KNN_OFFICIAL, _SUPERCLASS, _LINEAR, _LOSS, _HOURS),
    (
        _tsimcne("table_a1_row", "1", "cosine, 128-D, 1,000 epochs", "59.9", "57.5", "5.8"),
        _tsimcne("table_a1_row", "2", "cosine, 3-D, 1,000 epochs", "24.4", "15.9", "6.3"),
        _tsimcne("table_a1_row", "3", "Euclidean, 128-D, 1,000 epochs", "56.1", "54.7", "2.5"),
        _tsimcne("table_a1_row", "4", "Euclidean, 2-D, 1,000 epochs", "40.3", "33.0", "4.3",
                 superclass="50"),
        _tsimcne("table_a1_row", "6", "cosine to Euclidean, 2-D, 1,500 epochs",
                 "57.7", "46.0", "3.7", superclass="65"),
        _tsimcne("table_a1_row", "7", "Euclidean to Euclidean, 2-D, 1,500 epochs",
                 "55.9", "51.4", "2.9", superclass="68"),
    ),
    TABLE1.overrides,
    TABLE1.annealed_overrides,
)  # fmt: skip
