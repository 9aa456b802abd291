"""Items, parties and customer accounts of the twin, asked with documents written by hand."""

import re
import time
from typing import Any

import httpx
import pytest
from support.fusion_pod import Pod

from sandbox.fusion.masters.setup import EU_SET, US_SET

SERVICE = "/crmService/CustomerAccountService"
CRM = "/crmRestApi/resources/11.13.18.05/hubOrganizations"
ITEMS = "/fscmRestApi/resources/11.13.18.05/itemsV2"
NAMES = (
    'xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:t="http://xmlns.oracle.com/apps/cdm/foundation/parties/customerAccountService/applicationModule/types/" '
    'xmlns:c="http://xmlns.oracle.com/apps/cdm/foundation/parties/customerAccountService/" '
    'xmlns:r="http://xmlns.oracle.com/apps/cdm/foundation/parties/partyService/" '
    'xmlns:a="http://xmlns.oracle.com/adf/svc/types/"'
)


async def call(pod: Pod, operation: str, inner: str) -> httpx.Response:
    document = f"<e:Envelope {NAMES}><e:Body><t:{operation}>{inner}</t:{operation}></e:Body></e:Envelope>"
    return await pod.http.post(SERVICE, content=document.encode(), headers={"Content-Type": "text/xml"})


def account(party: int, inner: str = "", reference: str = "C-1", module: str = "HZ_WS") -> str:
    made = f"<c:CreatedByModule>{module}</c:CreatedByModule>" if module else ""
    return (
        f"<t:customerAccount><c:PartyId>{party}</c:PartyId>{made}{inner}"
        f"<c:OriginalSystemReference><r:OrigSystem>LEGACY</r:OrigSystem>"
        f"<r:OrigSystemReference>{reference}</r:OrigSystemReference></c:OriginalSystemReference></t:customerAccount>"
    )


def criteria(attribute: str, value: str, wanted: str = "") -> str:
    return (
        "<t:findCriteria><a:fetchStart>0</a:fetchStart><a:fetchSize>-1</a:fetchSize><a:filter><a:group><a:item>"
        f"<a:attribute>{attribute}</a:attribute><a:operator>=</a:operator><a:value>{value}</a:value>"
        f"</a:item></a:group></a:filter>{wanted}</t:findCriteria>"
    )


def texts(answer: httpx.Response, name: str) -> list[str]:
    return re.findall(rf"<(?:\w+:)?{name}>([^<]*)<", answer.text)


async def party(pod: Pod, **changes: Any) -> dict[str, Any]:
    body = {"OrganizationName": "Smith", "Address": [{"Country": "US", "Address1": "1 Elm Street"}], **changes}
    answer = await pod.http.post(CRM, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_account_is_created_found_and_completed(pod: Pod) -> None:
    owner = await party(pod)
    address = pod.twin.parties.identified(owner["PartyId"])
    assert address is not None
    (site,) = pod.twin.parties.site_ids(address)
    inner = (
        f"<c:CustomerAccountSite><c:PartySiteId>{site}</c:PartySiteId><c:SetId>{US_SET}</c:SetId>"
        "<c:CustomerAccountSiteUse><c:SiteUseCode>BILL_TO</c:SiteUseCode></c:CustomerAccountSiteUse>"
        "</c:CustomerAccountSite>"
    )
    made = await call(pod, "createCustomerAccount", account(owner["PartyId"], inner))
    assert made.status_code == 200
    assert texts(made, "SiteUseCode") == ["BILL_TO"]
    (number,) = texts(made, "AccountNumber")
    found = await call(pod, "findCustomerAccount", criteria("AccountNumber", number))
    assert texts(found, "AccountNumber") == [number]
    assert not texts(found, "SiteUseCode"), "children come only when they are asked for"
    asked = "<a:findAttribute>CustomerAccountSite</a:findAttribute>"
    assert texts(await call(pod, "findCustomerAccount", criteria("AccountNumber", number, asked)), "SetId") == [
        str(US_SET)
    ]
    held = pod.twin.customers.accounts[-1]
    use = "<c:CustomerAccountSiteUse><c:SiteUseCode>SHIP_TO</c:SiteUseCode></c:CustomerAccountSiteUse>"
    same = f"<c:CustomerAccountSiteId>{held.sites[0].id}</c:CustomerAccountSiteId>{use}"
    more = f"<c:PartySiteId>{site}</c:PartySiteId><c:SetId>{EU_SET}</c:SetId>{use}"
    merged = (
        f"<t:customerAccount><c:CustomerAccountId>{held.id}</c:CustomerAccountId>"
        f"<c:CustomerAccountSite>{same}</c:CustomerAccountSite><c:CustomerAccountSite>{more}</c:CustomerAccountSite>"
        "</t:customerAccount>"
    )
    assert (await call(pod, "mergeCustomerAccount", merged)).status_code == 200
    assert [[use.purpose for use in site.uses] for site in held.sites] == [["BILL_TO", "SHIP_TO"], ["SHIP_TO"]]
    again = await call(pod, "mergeCustomerAccount", merged)
    assert again.status_code == 500
    assert "already exists" in again.text


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        (account(1), "The party doesn"),
        (account(0, module=""), "CreatedByModule is required"),
        (account(0, "<c:AccountNumber>77</c:AccountNumber>"), "You can"),
        (account(0, "<c:CustomerAccountSite><c:PartySiteId>1</c:PartySiteId></c:CustomerAccountSite>"), "address isn"),
    ],
)
async def test_what_an_account_lacks_is_a_fault_of_the_service_and_nothing_is_kept(
    pod: Pod, inner: str, said: str
) -> None:
    before, owner = len(pod.twin.customers.accounts), await party(pod)
    answer = await call(pod, "createCustomerAccount", inner.replace(">0<", f">{owner['PartyId']}<"))
    assert answer.status_code == 500
    assert "ServiceErrorMessage" in answer.text
    assert said in answer.text
    assert len(pod.twin.customers.accounts) == before


async def test_a_reference_belongs_to_one_record_unless_the_pod_is_set_up_otherwise(pod: Pod) -> None:
    reference = [{"SourceSystem": "LEGACY", "SourceSystemReferenceValue": "P-1"}]
    owner = await party(pod, SourceSystemReference=reference)
    refused = await pod.http.post(CRM, json={"OrganizationName": "Smith", "SourceSystemReference": reference})
    assert (refused.status_code, len(pod.twin.parties.referred("P-1"))) == (400, 1)
    assert (await call(pod, "createCustomerAccount", account(owner["PartyId"]))).status_code == 200
    assert (await call(pod, "createCustomerAccount", account(owner["PartyId"]))).status_code == 500
    pod.twin.world.masters.habits.duplicate_references = "accepted"
    await party(pod, SourceSystemReference=reference)
    assert (await call(pod, "createCustomerAccount", account(owner["PartyId"]))).status_code == 200
    assert len(pod.twin.parties.referred("P-1")) == len(pod.twin.customers.referred("C-1")) == 2
    assert len(pod.twin.references.duplicates()) == 2


async def test_numbers_are_the_pods_own_or_given_and_then_each_is_there_once(pod: Pod) -> None:
    assert (await party(pod))["PartyNumber"].startswith("CDRM_")
    given = {"OrganizationName": "Smith", "PartyNumber": "ML77"}
    assert (await pod.http.post(CRM, json=given)).status_code == 400
    pod.twin.world.masters.habits.party_numbers = "given"
    assert (await pod.http.post(CRM, json={"OrganizationName": "Smith"})).status_code == 400
    assert (await pod.http.post(CRM, json=given)).status_code == 201
    assert (await pod.http.post(CRM, json=given)).status_code == 400
    assert (await pod.http.get(f"{CRM}/ML77")).json()["OrganizationName"] == "Smith"


@pytest.mark.parametrize(
    ("query", "shown", "by_attribute", "by_child"),
    [("attribute", "P-1", 1, 400), ("child", None, 0, 1), ("none", None, 400, 400)],
)
async def test_a_party_is_found_by_its_reference_in_the_ways_that_the_pod_has(
    pod: Pod, query: str, shown: str | None, by_attribute: int, by_child: int
) -> None:
    await party(pod, SourceSystemReference=[{"SourceSystem": "LEGACY", "SourceSystemReferenceValue": "P-1"}])
    pod.twin.world.masters.habits.party_query = query  # type: ignore[assignment]

    async def ask(question: str) -> int:
        params = {"q": question, "onlyData": "true"}
        answer = await pod.http.get(CRM, params=params, headers={"REST-Framework-Version": "4"})
        return len(answer.json()["items"]) if answer.status_code == 200 else answer.status_code

    rows = (await pod.http.get(CRM, params={"orderBy": "PartyId:desc", "limit": 1})).json()["items"]
    assert rows[0]["SourceSystemReferenceValue"] == shown
    assert await ask("SourceSystemReferenceValue = 'P-1'") == by_attribute
    assert await ask("SourceSystemReference.SourceSystemReferenceValue = 'P-1'") == by_child


async def test_faults_come_in_mime_documents_and_with_a_good_status_where_the_pod_is_like_that(pod: Pod) -> None:
    pod.twin.world.masters.habits.soap_answers = "mtom"
    pod.twin.world.masters.habits.fault_status = 200
    answer = await call(pod, "createCustomerAccount", account(1))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("multipart/related")
    assert "application/xop+xml" in answer.text
    assert "Fault" in answer.text


async def test_parties_and_their_service_are_at_their_own_addresses_and_for_who_signed_in(pod: Pod) -> None:
    assert (await pod.http.get(CRM.replace("crm", "fscm"))).status_code == 404
    assert (await pod.http.get(ITEMS.replace("fscm", "crm"))).status_code == 404
    answer = await pod.http.post(SERVICE, content=b"<a/>", headers={"Authorization": "Bearer x"})
    assert answer.status_code == 401
    no_envelope = await pod.http.post(SERVICE, content=b"<a/>", headers={"Content-Type": "text/xml"})
    assert (no_envelope.status_code, "ServiceErrorMessage" in no_envelope.text) == (500, False)


async def test_an_item_has_a_row_for_each_organization_and_a_number_once_in_each(pod: Pod) -> None:
    body = {"OrganizationCode": "ITM", "ItemNumber": "A-1", "ItemDescription": "A"}
    made = (await pod.http.post(ITEMS, json=body)).json()
    again = await pod.http.post(ITEMS, json=body)
    assert (again.status_code, "already exists" in again.text) == (400, True)
    pod.twin.items.assign(pod.twin.items.numbered("A-1")[0], "WEB")
    rows = (await pod.http.get(ITEMS)).json()["items"]
    assert {(row["ItemId"], row["OrganizationCode"]) for row in rows} == {
        (made["ItemId"], "ITM"),
        (made["ItemId"], "WEB"),
    }
    links = {row["links"][0]["href"] for row in rows}
    assert len(links) == 2
    assert [(await pod.http.get(link)).status_code for link in links] == [200, 200]


async def test_an_item_is_found_by_its_number_as_it_stands_and_costs_no_more_among_many(pod: Pod) -> None:
    async def found(question: str) -> list[str]:
        params = {"q": question, "fields": "ItemNumber,OrganizationCode", "onlyData": "true"}
        answer = await pod.http.get(ITEMS, params=params, headers={"REST-Framework-Version": "4"})
        return sorted(f"{row['ItemNumber']} {row['OrganizationCode']}" for row in answer.json()["items"])

    items = pod.twin.items
    items.seed(20_000)
    items.assign(items.numbered("SKU-00007")[0], "WEB")
    assert await found("ItemNumber='SKU-00007'") == ["SKU-00007 ITM", "SKU-00007 WEB"]
    assert await found("ItemNumber='SKU-00007' and OrganizationCode='WEB'") == ["SKU-00007 WEB"]
    assert await found("ItemNumber='sku-00007' or ItemNumber='SKU-00008'") == ["SKU-00008 ITM"]
    items.rows.remove(items.numbered("SKU-00008")[0])
    assert await found("ItemNumber='SKU-00008'") == []
    began = time.process_time()
    for number in range(100):
        assert await found(f"ItemNumber='NEW-{number}' and OrganizationCode='ITM'") == []
    assert time.process_time() - began < 3


async def test_masters_are_watched_and_changed_through_the_twins_own_routes(pod: Pod) -> None:
    assert (await pod.http.post("/_twin/items", json={"seed": 50})).json() == {"count": 50}
    changed = await pod.http.post("/_twin/items", json={"number": "SKU-00007", "description": "Seven"})
    assert changed.json()["ItemDescription"] == "Seven"
    shown = (await pod.http.get("/_twin/items", params={"number": "SKU-00007"})).json()
    assert (shown["count"], shown["items"][0]["ItemDescription"]) == (1, "Seven")
    assert (await pod.http.post("/_twin/items", json={"number": "X", "Colour": "red"})).status_code == 400
    accounts = (await pod.http.get("/_twin/customer_accounts")).json()
    assert {one["number"] for one in accounts["accounts"]} == {"1006", "1007", "2006"}
    assert len((await pod.http.get("/_twin/parties")).json()) == 3
    habits = await pod.http.post("/_twin/master_habits", json={"soap_answers": "mtom"})
    assert habits.json()["soap_answers"] == "mtom"
    assert (await pod.http.post("/_twin/master_habits", json={"moods": 1})).status_code == 400
