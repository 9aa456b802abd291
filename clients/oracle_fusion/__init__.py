"""Oracle Fusion Cloud ERP over REST: reference data, journal import, journals read back, invoices in Receivables."""

from clients.oracle_fusion.client import FusionClient
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

__all__ = [
    "BillToSite",
    "BusinessUnit",
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
]
