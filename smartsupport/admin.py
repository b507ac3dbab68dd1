"""Staff and groups, with the console's own forms. Whoever may edit them gives what they have themselves and no more."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from smartsupport.audit import pages  # noqa: F401 - the audit's page registers itself
from smartsupport.lib.console import HistoryAdmin

# Every list would offer it to whoever may delete one row, for all rows at once. Rows are deleted one by one.
admin.site.disable_action("delete_selected")

admin.site.unregister(User)
admin.site.unregister(Group)


def held_by(user: Any) -> QuerySet[Permission]:
    """What this member of staff may, by themselves or by their groups."""
    return Permission.objects.filter(Q(user=user.pk) | Q(group__user=user.pk)).distinct()


def _beyond(user: Any) -> QuerySet[Permission]:
    return Permission.objects.exclude(pk__in=held_by(user).values("pk"))


def _is_above(user: Any, obj: User | Group | None) -> bool:
    """Whether this member of staff or group may something that `user` may not: then it is not theirs to edit."""
    if user.is_superuser or obj is None:
        return False
    if isinstance(obj, Group):
        return obj.permissions.filter(pk__in=_beyond(user).values("pk")).exists()
    return obj.is_superuser or held_by(obj).filter(pk__in=_beyond(user).values("pk")).exists()


class NoHigherAdmin(HistoryAdmin):
    """Nobody edits, deletes or makes what may more than they do, unless they are a superuser."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and not _is_above(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not _is_above(request.user, obj)

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Offers, and takes, only what the member of staff has."""
        if not request.user.is_superuser:
            if db_field.related_model is Permission:
                kwargs["queryset"] = held_by(request.user).select_related("content_type")
            elif db_field.related_model is Group:
                kwargs["queryset"] = Group.objects.exclude(permissions__in=_beyond(request.user))
        if db_field.related_model is Group:
            kwargs |= {"label": "Roles", "help_text": "Each gives all of its permissions."}
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if db_field.related_model is Group and field is not None:
            lists = getattr(field.widget, "widget", field.widget)  # what they are called above both lists
            lists.verbose_name = "roles"
        return field


class RoleFilter(admin.RelatedFieldListFilter):
    """By a role that somebody has."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "role"


@admin.register(User)
class StaffAdmin(DjangoUserAdmin, NoHigherAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_superuser")
    list_filter = ("is_active", "is_superuser", ("groups", RoleFilter))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = super().get_readonly_fields(request, obj)
        return fixed if request.user.is_superuser else (*fixed, "is_superuser")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            obj.is_staff = True  # whoever is made here is a colleague, and is to sign in here
        super().save_model(request, obj, form, change)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, NoHigherAdmin):
    pass
