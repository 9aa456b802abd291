"""Oracle Fusion Cloud ERP over REST: reference data, journal import, journals read back."""

from clients.oracle_fusion.client import FusionClient
from clients.oracle_fusion.models import (
    BusinessUnit,
    CombinationState,
    Description,
    FusionJournal,
    FusionLine,
    ImportFault,
    ImportReport,
    Job,
    JobState,
    Pod,
)

__all__ = [
    "BusinessUnit",
    "CombinationState",
    "Description",
    "FusionClient",
    "FusionJournal",
    "FusionLine",
    "ImportFault",
    "ImportReport",
    "Job",
    "JobState",
    "Pod",
]
