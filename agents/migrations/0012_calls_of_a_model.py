from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0011_lists_of_actions'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='modelcall',
            index=models.Index(fields=['model', '-at', '-id'], name='call_of_model'),
        ),
    ]
