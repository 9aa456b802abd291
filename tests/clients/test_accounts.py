from clients.accounts import account, short_name

FACTS = {"pod": "pod.example:443", "claims": {"sub": "ML_CONNECTOR", "aud": ["one"]}}


def test_an_account_is_the_same_whatever_the_order_of_its_facts() -> None:
    turned = {"claims": {"aud": ["one"], "sub": "ML_CONNECTOR"}, "pod": "pod.example:443"}
    assert account("a pod", FACTS).identity == account("a pod, renamed", turned).identity


def test_what_a_vendor_does_not_tell_makes_no_other_account() -> None:
    assert account("", FACTS).identity == account("", {**FACTS, "tenant": None, "owner": ""}).identity


def test_another_user_is_another_account_and_no_name_is_kept() -> None:
    other = {**FACTS, "claims": {"sub": "SOMEBODY_ELSE", "aud": ["one"]}}
    mine, theirs = account("", FACTS), account("", other)
    assert mine.identity != theirs.identity
    assert "ML_CONNECTOR" not in repr(mine)
    assert short_name(FACTS["claims"]) != short_name(other["claims"])
    assert short_name({}) == "unknown"
