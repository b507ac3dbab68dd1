from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0010_unknown_outcomes'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='action',
            index=models.Index(condition=models.Q(('status', 'failed')), fields=['-created_at', '-id'], name='action_failed'),
        ),
        migrations.AddIndex(
            model_name='action',
            index=models.Index(condition=models.Q(('status', 'expired')), fields=['-created_at', '-id'], name='action_expired'),
        ),
        migrations.AddIndex(
            model_name='action',
            index=models.Index(fields=['tool_name', '-created_at', '-id'], name='action_of_tool'),
        ),
    ]
