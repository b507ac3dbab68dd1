"""What tools are found by: a text-search column that Postgres keeps itself, and its index.

The column is generated, so whoever writes a tool (a form, a bulk insert, SQL) cannot forget it. No model has it: rows
are read without it, and only `agents.tool_index` asks for it. The functions have their bodies bound when they are made,
so that a restore, which has an empty search path, can fill the column. Of each text the first 4,000 characters count.

No list of pending entries (`fastupdate`): every search would read all of it right after a large import.
"""

from django.db import migrations

FUNCTIONS = r"""
CREATE FUNCTION agents_spaced(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN translate(left($1, 4000), '-_/{}.:,;()[]"''`*#<>=', '                     ');

CREATE FUNCTION agents_plain_words(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(
    regexp_replace(agents_spaced($1), '([a-z0-9])([A-Z])', '\1 \2', 'g'), '([A-Z]+)([A-Z][a-z])', '\1 \2', 'g'
);

CREATE FUNCTION agents_schema_texts(jsonb, jsonpath) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT coalesce(string_agg(found #>> '{}', ' '), '') FROM jsonb_path_query($1, $2, '{}', true) AS found);

CREATE FUNCTION agents_tool_search(name text, title text, path text, description text, input_schema jsonb)
RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN
    setweight(to_tsvector('pg_catalog.english'::regconfig, agents_plain_words(concat(name, ' ', title))), 'A')
    || setweight(to_tsvector('pg_catalog.english'::regconfig, agents_plain_words(concat(
        path, ' ', agents_schema_texts(input_schema, '$.properties.keyvalue().key')))), 'B')
    || setweight(to_tsvector('pg_catalog.english'::regconfig, agents_spaced(description)), 'C')
    || setweight(to_tsvector('pg_catalog.english'::regconfig, agents_spaced(
        agents_schema_texts(input_schema, '$.properties.*.description'))), 'D');
"""

COLUMN = """
ALTER TABLE agents_tool ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS (
    agents_tool_search(name, title, path, description, input_schema)
) STORED;
CREATE INDEX agents_tool_search ON agents_tool USING gin (search) WITH (fastupdate = off);
"""

BACK = """
ALTER TABLE agents_tool DROP COLUMN search;
DROP FUNCTION agents_tool_search(text, text, text, text, jsonb);
DROP FUNCTION agents_schema_texts(jsonb, jsonpath);
DROP FUNCTION agents_plain_words(text);
DROP FUNCTION agents_spaced(text);
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0005_tool_calls")]

    operations = [migrations.RunSQL(FUNCTIONS + COLUMN, BACK)]
