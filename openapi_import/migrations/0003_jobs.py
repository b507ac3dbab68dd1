from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("openapi_import", "0002_imports")]

    operations = [
        migrations.AlterField(
            model_name="importjob",
            name="name",
            field=models.SlugField(blank=True, help_text="The source that this becomes.", max_length=64),
        ),
        migrations.AddField(
            model_name="importjob",
            name="etag",
            field=models.CharField(
                blank=True, default="", help_text="The server's own mark of this version.", max_length=200
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="importjob",
            name="unchanged",
            field=models.BooleanField(
                default=False, help_text="It is the document that is published already."
            ),
        ),
        migrations.AddField(
            model_name="importjob",
            name="submission",
            field=models.CharField(blank=True, editable=False, max_length=64, null=True, unique=True),
        ),
    ]
