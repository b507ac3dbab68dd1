"""The words of questions: those that say nothing, and those that customers use for words of the articles."""

COMMON = frozenset(
    """
    a about all also am an and any are as at be been but by ca can could did do does find for from get gets
    give got
    had happen happens has have hello help hi how i if in into is it its just know let like may me might more
    much must
    my need no not of on or our please policy possible question see should so some somebody someone something
    take
    takes tell than thank thanks that the their them then there they this to too took us want was we were
    what when
    where which who why will with wo work works would yes you your
    """.split()
)

SAME = {
    theirs: ours
    for ours, others in {
        "cancel": "terminate unsubscribe",
        "cash": "atm",
        "coupon": "voucher",
        "damaged": "broken defective faulty",
        "dispute": "chargeback contest",
        "factor": "2fa mfa",
        "forgotten": "forgot",
        "invoice": "bill receipt",
        "lost": "stolen",
        "parcel": "package",
        "price": "cost costs pricing",
        "refund": "money refunded reimburse",
        "seat": "member members user users",
        "shipping": "arrive arrived arrives deliver delivered delivery postage ship shipment shipped",
        "sign": "log login",
        "telephone": "phone",
        "time": "long",
        "unknown": "fraud recognise recognize unauthorised unauthorized",
        "warranty": "guarantee",
    }.items()
    for theirs in others.split()
}
