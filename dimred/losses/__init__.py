"""Losses: functions of (embeddings, pairs) and nothing else."""

from typing import TYPE_CHECKING

from dimred.options.lazy import lazy_names

if TYPE_CHECKING:
    from dimred.losses.check import check_loss as check_loss
    from dimred.losses.contrastive import component_losses as component_losses
    from dimred.losses.contrastive import drlim_loss as drlim_loss
    from dimred.losses.contrastive import (
        generalized_contrastive_loss as generalized_contrastive_loss,
    )
    from dimred.losses.hinge import HingeForm as HingeForm
    from dimred.losses.infonce import InfoNCE as InfoNCE
    from dimred.losses.infonce import infonce_loss as infonce_loss
    from dimred.losses.kernels import CauchyKernel as CauchyKernel
    from dimred.losses.kernels import CosineKernel as CosineKernel
    from dimred.losses.kernels import GaussianKernel as GaussianKernel
    from dimred.losses.kernels import Kernel as Kernel
    from dimred.losses.kernels import LearnedCosineKernel as LearnedCosineKernel
    from dimred.losses.lifted_structure import lifted_structure_loss as lifted_structure_loss
    from dimred.losses.margin_contrastive import margin_contrastive_loss as margin_contrastive_loss
    from dimred.losses.mining import Average as Average
    from dimred.losses.mining import Mining as Mining
    from dimred.losses.n_pair import n_pair_loss as n_pair_loss
    from dimred.losses.options import EmbeddingGroups as EmbeddingGroups
    from dimred.losses.options import LossOptions as LossOptions
    from dimred.losses.protocol import Loss as Loss
    from dimred.losses.protocol import LossSizes as LossSizes
    from dimred.losses.protocol import Reduction as Reduction
    from dimred.losses.protocol import StepContext as StepContext
    from dimred.losses.protocol import loss_of as loss_of
    from dimred.losses.proxy_nca import ProxyNCALoss as ProxyNCALoss
    from dimred.losses.simclr import simclr_loss as simclr_loss
    from dimred.losses.supervised import binary_logistic_loss as binary_logistic_loss
    from dimred.losses.supervised import cross_entropy_loss as cross_entropy_loss
    from dimred.losses.supervised import squared_error_loss as squared_error_loss
    from dimred.losses.triplet import TripletLoss as TripletLoss
    from dimred.losses.tsimcne import tsimcne_loss as tsimcne_loss

_MODULES = {
    "Average": "mining",
    "CauchyKernel": "kernels",
    "CosineKernel": "kernels",
    "EmbeddingGroups": "options",
    "GaussianKernel": "kernels",
    "HingeForm": "hinge",
    "InfoNCE": "infonce",
    "Kernel": "kernels",
    "LearnedCosineKernel": "kernels",
    "Loss": "protocol",
    "LossOptions": "options",
    "LossSizes": "protocol",
    "Mining": "mining",
    "ProxyNCALoss": "proxy_nca",
    "Reduction": "protocol",
    "StepContext": "protocol",
    "TripletLoss": "triplet",
    "binary_logistic_loss": "supervised",
    "check_loss": "check",
    "component_losses": "contrastive",
    "cross_entropy_loss": "supervised",
    "drlim_loss": "contrastive",
    "generalized_contrastive_loss": "contrastive",
    "infonce_loss": "infonce",
    "lifted_structure_loss": "lifted_structure",
    "loss_of": "protocol",
    "margin_contrastive_loss": "margin_contrastive",
    "n_pair_loss": "n_pair",
    "simclr_loss": "simclr",
    "squared_error_loss": "supervised",
    "tsimcne_loss": "tsimcne",
}
__all__ = list(_MODULES)
__getattr__ = lazy_names(__name__, _MODULES)
