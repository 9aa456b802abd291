"""Oracle Fusion Cloud ERP over REST: reference data, journal import, journals read back, invoices in Receivables."""

from clients.oracle_fusion.client import FusionClient
from clients.oracle_fusion.collection import Collection
from clients.oracle_fusion.described import ResourceFacts
from clients.oracle_fusion.models import (
    BillToSite,
    BusinessUnit,
    CombinationState,
    Description,
    FoundInvoice,
    FusionJournal,
    FusionLine,
    ImportFault,
    ImportReport,
    Job,
    JobState,
    Pod,
)
from clients.oracle_fusion.windows import Window

__all__ = [
    "BillToSite",
    "BusinessUnit",
    "Collection",
    "CombinationState",
    "Description",
    "FoundInvoice",
    "FusionClient",
    "FusionJournal",
    "FusionLine",
    "ImportFault",
    "ImportReport",
    "Job",
    "JobState",
    "Pod",
    "ResourceFacts",
    "Window",
]
