"""Scenes of customers that a shop and Fusion both have."""

from replay.order_scenes import Open
from support.clientele import ADA, BEN, COMPANY, Clientele, with_customers

from contracts import names
from contracts.flow import State


async def customers(open_stage: Open) -> None:
    """Made, agreed, changed on either side, refused, decided, gone."""
    async with open_stage(adjust=with_customers) as stage:
        shop = Clientele(stage.stack)
        await shop.announce()
        await shop.in_review()
        shop.register()
        await shop.announce()
        assert (await shop.result()).state is State.POSTED
        await stage.save("customer-made", shop.flow())

        assert (await shop.converged()).state is State.POSTED
        await stage.save("customer-agreed", shop.flow())

        shop.rows.add_address(ADA, address1="5 Dock Road", city="Boston", country_code="US")
        assert (await shop.converged()).state is State.POSTED
        await stage.save("customer-site-added", shop.flow())

        account = shop.once()
        account.active, account.changed = False, stage.stack.fusion.clock.now()
        assert (await shop.converged()).state is State.POSTED
        await stage.save("customer-status-written", shop.flow())

        stage.stack.fusion.parties.touch(shop.party(), OrganizationName="Quill Brothers")
        await shop.announce()
        await shop.in_review()
        await stage.parked(shop.flow())
        await stage.save("customer-differs", shop.flow(), run=0)
        stage.stack.fusion.parties.touch(shop.party(), OrganizationName=COMPANY)
        await shop.decide("retry")
        assert (await shop.result()).state is State.POSTED
        await stage.save("customer-retried", shop.flow())

        shop.rows.delete(ADA)
        assert (await shop.converged()).state is State.SKIPPED
        await stage.save("customer-deleted", shop.flow())

        await shop.announce(BEN, flow=names.LOOK_AT_CUSTOMER)
        look = names.flow_id(names.LOOK_AT_CUSTOMER, "bc-us", str(BEN))
        await stage.closed(look)
        await stage.save("look-at-customer", look)
