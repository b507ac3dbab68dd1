"""What was decided about an operation, beside what its document says and no longer within: a decision about 20,000
operations need not write 20,000 documents again."""

from django.db import migrations, models

MOVE = """
UPDATE openapi_import_classification SET
    decided = coalesce(tool -> 'decided', '{}'),
    kept = coalesce((tool ->> 'kept')::boolean, false),
    kept_group = coalesce(tool ->> 'kept_group', ''),
    tool = tool - ARRAY['decided', 'kept', 'kept_group']
WHERE jsonb_exists_any(tool, ARRAY['decided', 'kept', 'kept_group']);
"""
MOVE_BACK = """
UPDATE openapi_import_classification
SET tool = tool || jsonb_build_object('decided', decided, 'kept', kept, 'kept_group', kept_group);
"""


class Migration(migrations.Migration):
    dependencies = [("openapi_import", "0004_api_document")]

    operations = [
        migrations.AddField("classification", "decided", models.JSONField(blank=True, default=dict)),
        migrations.AddField("classification", "kept", models.BooleanField(default=False)),
        migrations.AddField("classification", "kept_group", models.CharField(blank=True, default="", max_length=64),
                            preserve_default=False),
        migrations.RunSQL(MOVE, MOVE_BACK),
    ]  # fmt: skip
