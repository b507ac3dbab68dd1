import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Keys that are held to one customer: a column that older processes need not fill. They refuse such keys, whose
    hash is none that they would look for."""

    dependencies = [
        ('chat', '0012_retention'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='customer',
            field=models.ForeignKey(blank=True, help_text='The one customer whom it is held to. Null: any.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='api_keys', to='chat.customer'),
        ),
    ]
