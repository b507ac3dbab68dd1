import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Keys that end, that have a limit of their own, and that take another one's place."""

    dependencies = [
        ('chat', '0009_customers_newest'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='created_by',
            field=models.CharField(blank=True, db_default='', max_length=150),
        ),
        migrations.AddField(
            model_name='apikey',
            name='expires_at',
            field=models.DateTimeField(blank=True, help_text='Refused from then on. Null: never.', null=True),
        ),
        migrations.AddField(
            model_name='apikey',
            name='per_minute',
            field=models.PositiveIntegerField(blank=True, help_text='Requests a minute. Null: as many as API_REQUESTS_PER_MINUTE says.', null=True),
        ),
        migrations.AddField(
            model_name='apikey',
            name='replaces',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='replaced_by', to='chat.apikey'),
        ),
    ]
