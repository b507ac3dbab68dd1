"""Links that ask one person for one decision on one action."""

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0012_calls_of_a_model'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ApprovalLink',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('token_hash', models.CharField(editable=False, max_length=64, unique=True)),
                ('decider_name', models.CharField(max_length=120)),
                ('decider_email', models.EmailField(blank=True, max_length=254)),
                ('may_decide_without_account', models.BooleanField(default=False)),
                ('arguments_hash', models.CharField(max_length=64)),
                ('made_by', models.CharField(max_length=150)),
                ('made_by_id', models.CharField(max_length=100)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('expires_at', models.DateTimeField()),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('used_at', models.DateTimeField(blank=True, null=True)),
                ('decision', models.CharField(blank=True, max_length=8)),
                ('action', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='links', to='agents.action')),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at'],
                'default_permissions': (),
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('decision', ''), ('used_at', None)), models.Q(('decision__in', ['approved', 'rejected']), ('used_at__isnull', False)), _connector='OR'), name='approval_link_used_whole')],
            },
        ),
    ]
