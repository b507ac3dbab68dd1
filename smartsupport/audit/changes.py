"""Before and after, without anybody having to remember it: while a request is recorded, every row that is saved or
deleted through Django's models, every change of who is in which group, and what the admin's own log says.

Services that change rows by one statement (`QuerySet.update`) say what they changed by `audit.note`, or leave it to the
log of what they are about.
"""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from smartsupport.lib import audit

MOST_ROWS = 20


def connect() -> None:
    """Called once, when the apps are ready."""
    pre_save.connect(_before_saving, dispatch_uid="audit.before_saving")
    post_save.connect(_after_saving, dispatch_uid="audit.after_saving")
    # Only for what the console edits: a receiver of every deletion makes Django load all rows before it deletes any.
    for model in admin.site._registry:
        post_delete.connect(
            _after_deleting, sender=model, dispatch_uid=f"audit.after_deleting.{model._meta.label}"
        )
    m2m_changed.connect(_after_linking, dispatch_uid="audit.after_linking")
    post_save.connect(_log_entry, sender=LogEntry, dispatch_uid="audit.log_entry")


def _recorded(sender: type[Model]) -> audit.Recording | None:
    """What is being recorded, if rows of this kind are edited in the console."""
    of = audit.current()
    if of is None or sender not in admin.site._registry or len(of.after) + len(of.before) > MOST_ROWS * 20:
        return None
    return of


def _before_saving(sender: type[Model], instance: Model, raw: bool = False, **_: Any) -> None:
    if raw or instance._state.adding or _recorded(sender) is None:
        return
    instance._audit_before = sender._base_manager.filter(pk=instance.pk).values().first()  # type: ignore[attr-defined]


def _after_saving(sender: type[Model], instance: Model, raw: bool = False, **_: Any) -> None:
    of = None if raw else _recorded(sender)
    if of is None:
        return
    before = instance.__dict__.pop("_audit_before", None) or {}
    after = {field.attname: getattr(instance, field.attname) for field in sender._meta.concrete_fields}
    for name, value in after.items():
        value = _resolved(value)
        if value is not None and before.get(name) != value:
            of.after[_named(of, instance, name)] = value
            if before:
                of.before[_named(of, instance, name)] = before.get(name)
        elif value is None and before.get(name) is not None:
            of.before[_named(of, instance, name)], of.after[_named(of, instance, name)] = before[name], None


def _after_deleting(sender: type[Model], instance: Model, **_: Any) -> None:
    of = _recorded(sender)
    if of is not None:
        for field in sender._meta.concrete_fields:
            of.before[_named(of, instance, field.attname)] = getattr(instance, field.attname)


def _after_linking(
    sender: type[Model],
    instance: Model,
    action: str,
    model: type[Model],
    pk_set: Iterable[Any] | None,
    **_: Any,
) -> None:
    of = audit.current()
    if of is None or action not in ("post_add", "post_remove", "pre_clear") or not _is_ours(instance):
        return
    field = f"{sender._meta.model_name}".partition("_")[2] or model._meta.model_name or ""
    if action == "pre_clear":
        of.before[_named(of, instance, f"{field} cleared")] = True
        return
    names = sorted(str(row) for row in model._base_manager.filter(pk__in=pk_set or ())[:200])
    side = of.after if action == "post_add" else of.before
    side[_named(of, instance, field)] = names


def _log_entry(sender: type[Model], instance: LogEntry, created: bool = False, **_: Any) -> None:
    of = audit.current()
    if of is None or not created:
        return
    of.object_label = instance.object_repr
    if instance.object_id and not of.object_id:
        of.object_id = instance.object_id
    message = instance.get_change_message()
    if message:
        of.messages.append(str(message))


def _is_ours(instance: Model) -> bool:
    return type(instance) in admin.site._registry and apps.is_installed("django.contrib.admin")


def _named(of: audit.Recording, instance: Model, name: str) -> str:
    """The field's name; with its row before it, where it is not the row that the request is about."""
    label, pk = instance._meta.label_lower, str(instance.pk)
    about = of.object_type == label and of.object_id in ("", pk)
    return name if about else f"{label} {pk}: {name}"


def _resolved(value: Any) -> Any:
    """The value, unless the database computes it: an expression says nothing yet."""
    return None if hasattr(value, "resolve_expression") else value
