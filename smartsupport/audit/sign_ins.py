"""Signing in and out, by Django's own signals: whoever adds another way to sign in is recorded, too."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from smartsupport.audit.requests import place_of, typed_name
from smartsupport.lib import audit


def connect() -> None:
    """Called once, when the apps are ready."""
    user_logged_in.connect(_signed_in, dispatch_uid="audit.signed_in")
    user_logged_out.connect(_signed_out, dispatch_uid="audit.signed_out")
    user_login_failed.connect(_failed, dispatch_uid="audit.sign_in_failed")


def actor_of(user: AbstractBaseUser) -> audit.Actor:
    return audit.Actor("staff", str(user.pk), user.get_username())


def _signed_in(sender: Any, request: HttpRequest | None, user: AbstractBaseUser, **_: Any) -> None:
    _record(request, "login", actor_of(user), audit.DONE)


def _signed_out(sender: Any, request: HttpRequest | None, user: AbstractBaseUser | None, **_: Any) -> None:
    if user is not None:
        _record(request, "logout", actor_of(user), audit.DONE)


def _failed(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Runs after the limit has counted (`smartsupport.sign_in`), which says whether this failure locks, or whether it
    was locked before: then nothing is recorded, the lock was."""
    if getattr(request, "was_locked_out", False):
        return
    verb = "login_locked" if getattr(request, "axes_locked_out", False) else "login_failed"
    _record(request, verb, typed_name(str(credentials.get("username", ""))), audit.REFUSED)


def _record(request: HttpRequest | None, verb: str, actor: audit.Actor, outcome: str) -> None:
    """Into what is being recorded, whose end writes it; as an entry of its own where nothing is."""
    of = audit.current()
    if of is None:
        audit.write(actor=actor, verb=verb, outcome=outcome, place=place_of(request) if request else None)
        return
    of.verb, of.object_type, of.object_id, of.object_label = verb, "auth.user", actor.id, actor.name
    if of.begun_id is None:
        of.actor = actor
