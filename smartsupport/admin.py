"""Staff and groups, with the console's own forms."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from smartsupport.audit import pages  # noqa: F401 - the audit's page registers itself
from smartsupport.lib.console import HistoryAdmin

# Every list would offer it to whoever may delete one row, for all rows at once. Rows are deleted one by one.
admin.site.disable_action("delete_selected")

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class StaffAdmin(DjangoUserAdmin, HistoryAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_superuser")
    list_filter = ("is_active", "is_superuser", "groups")


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, HistoryAdmin):
    pass
