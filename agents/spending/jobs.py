"""What Celery beat does for spending."""

from celery import shared_task

from agents.spending import alerts, slices


@shared_task(name="agents.spending.look_at_budgets", ignore_result=True)  # type: ignore[untyped-decorator]
def look_at_budgets(whole_period: bool = False) -> None:
    alerts.look(whole_period=whole_period)


@shared_task(name="agents.spending.sum_up_days", ignore_result=True)  # type: ignore[untyped-decorator]
def sum_up_days() -> None:
    slices.sum_up()
