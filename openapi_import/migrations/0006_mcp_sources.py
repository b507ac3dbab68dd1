"""Whether a source is a document or an MCP server."""

from django.db import migrations, models

KINDS = [('openapi', 'OpenAPI document'), ('mcp', 'MCP server')]


class Migration(migrations.Migration):

    dependencies = [
        ('openapi_import', '0005_decisions'),
    ]

    operations = [
        migrations.AddField(
            model_name='importjob',
            name='kind',
            field=models.CharField(choices=KINDS, db_default='openapi', default='openapi', max_length=8),
        ),
        migrations.AddField(
            model_name='specsource',
            name='kind',
            field=models.CharField(choices=KINDS, db_default='openapi', default='openapi', max_length=8),
        ),
    ]
