"""The history of agents and tools, written by the database: whoever changes a row (a form, a COPY of 20,000 tools, a
bulk update, SQL) cannot forget it.

Triggers run once a statement over all of its rows. Several statements of one change (`smartsupport.change`, else the
transaction) become one row for each agent or tool; what came out as it was before leaves none. `updated_at`,
`created_at` and the text-search column are no part of it. A test compares the columns with the models'.

Nested loops are off inside: a plan that was made for one row is kept, and would be used for 20,000 then.
"""

from django.db import migrations, models

AGENT = "name description permission tone greeting escalation_message keywords model position enabled".split()
TOOL = """
name title description source_id operation_id method server_url path parameters request_body input_schema bound security
response projection access risk approval staff_above_argument staff_above_amount confirmation approvals_needed requires
read_back_id repeat_safe enabled paused_because
""".split()

SHARED = r"""
CREATE FUNCTION agents_change() RETURNS text LANGUAGE sql STABLE
RETURN coalesce(
    nullif(current_setting('smartsupport.change', true), ''),
    pg_current_xact_id()::text || ' ' || extract(epoch FROM now())::text
);

CREATE FUNCTION agents_merged(earlier jsonb, later jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN (
    SELECT coalesce(jsonb_object_agg(key, pair), '{}') FROM (
        SELECT key, jsonb_build_array(
            CASE WHEN e.value IS NULL THEN l.value -> 0 ELSE e.value -> 0 END,
            CASE WHEN l.value IS NULL THEN e.value -> 1 ELSE l.value -> 1 END
        ) AS pair
        FROM jsonb_each(earlier) AS e FULL JOIN jsonb_each(later) AS l USING (key)
    ) AS both_of WHERE pair -> 0 IS DISTINCT FROM pair -> 1
);

CREATE FUNCTION agents_merged_kind(earlier text, later text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE
    WHEN earlier = 'made' AND later = 'deleted' THEN 'undone'
    WHEN earlier = 'made' OR later = 'changed' THEN earlier
    WHEN earlier = 'deleted' THEN 'changed'
    ELSE later
END;

CREATE FUNCTION agents_drop_unchanged() RETURNS void LANGUAGE sql
BEGIN ATOMIC
    DELETE FROM agents_revision WHERE change = agents_change()
        AND (kind = 'undone' OR (kind = 'changed' AND fields = '{}' AND links = '{}'));
END;
"""

INTO = """
    INSERT INTO agents_revision (at, change, subject, subject_id, name, kind, fields, links, by_name, why)
    SELECT clock_timestamp(), agents_change(), '{subject}', {id}, {name}, {kind}, {fields}, {links},
        coalesce(current_setting('smartsupport.by', true), ''), coalesce(current_setting('smartsupport.why', true), '')
    FROM {rows}
    ON CONFLICT (change, subject, subject_id) DO UPDATE SET
        at = excluded.at,
        name = excluded.name,
        kind = agents_merged_kind(agents_revision.kind, excluded.kind),
        fields = agents_merged(agents_revision.fields, excluded.fields),
        links = agents_merged(agents_revision.links, excluded.links);
"""


def _differences(columns: list[str]) -> str:
    return " || ".join(
        f"CASE WHEN o.{name} IS DISTINCT FROM n.{name} THEN jsonb_build_object('{name}', "
        f"jsonb_build_array(o.{name}, n.{name})) ELSE '{{}}' END"
        for name in columns
    )


def _functions(subject: str, columns: list[str]) -> str:
    old, new = (f"ROW({', '.join(f'{row}.{name}' for name in columns)})" for row in "on")
    whole = ", ".join(f"'{name}', jsonb_build_array(o.{name}, NULL)" for name in columns)
    common = {"subject": subject, "links": "'{}'"}
    made = INTO.format(**common, id="n.id", name="n.name", kind="'made'", fields="'{}'", rows="became AS n")
    changed = INTO.format(
        **common,
        id="n.id",
        name="n.name",
        kind="'changed'",
        fields=_differences(columns),
        rows=f"became AS n JOIN was AS o USING (id) WHERE {old} IS DISTINCT FROM {new}",
    )
    deleted = INTO.format(
        **common,
        id="o.id",
        name="o.name",
        kind="'deleted'",
        fields=f"jsonb_build_object({whole})",
        rows="was AS o",
    )
    return "".join(
        f"""
CREATE FUNCTION agents_{subject}_{what}() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$
BEGIN {body}
    PERFORM agents_drop_unchanged();
    RETURN NULL;
END $$;
CREATE TRIGGER agents_{subject}_{what} AFTER {on} ON agents_{subject}
REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION agents_{subject}_{what}();
"""
        for what, on, tables, body in (
            ("made", "INSERT", "NEW TABLE AS became", made),
            ("changed", "UPDATE", "OLD TABLE AS was NEW TABLE AS became", changed),
            ("deleted", "DELETE", "OLD TABLE AS was", deleted),
        )
    )


def _links() -> str:
    """An agent's tools, and the place of each."""
    was = "SELECT agent_id, tool_id, position AS was, NULL::integer AS became FROM was"
    became = "SELECT agent_id, tool_id, NULL::integer AS was, position AS became FROM became"
    found = ""
    for what, on, tables, rows in (
        ("made", "INSERT", "NEW TABLE AS became", became),
        ("changed", "UPDATE", "OLD TABLE AS was NEW TABLE AS became", f"{was} UNION ALL {became}"),
        ("deleted", "DELETE", "OLD TABLE AS was", was),
    ):
        body = INTO.format(
            subject="agent",
            id="agent_id",
            name="name",
            kind="'changed'",
            fields="'{}'",
            links="places",
            rows=f"""(
        SELECT agent_id, coalesce(max(agent.name), '') AS name,
            jsonb_object_agg(tool_id::text, jsonb_build_array(one.was, one.became)) AS places
        FROM (
            SELECT agent_id, tool_id, max(was) AS was, max(became) AS became
            FROM ({rows}) AS link GROUP BY agent_id, tool_id
        ) AS one LEFT JOIN agents_agent AS agent ON agent.id = one.agent_id
        WHERE one.was IS DISTINCT FROM one.became GROUP BY agent_id
    ) AS of_agent""",
        )
        found += f"""
CREATE FUNCTION agents_link_{what}() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$
BEGIN {body}
    PERFORM agents_drop_unchanged();
    RETURN NULL;
END $$;
CREATE TRIGGER agents_link_{what} AFTER {on} ON agents_agenttool
REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION agents_link_{what}();
"""
    return found


BACK = (
    "".join(
        f"DROP TRIGGER agents_{subject}_{what} ON agents_{table}; DROP FUNCTION agents_{subject}_{what}();\n"
        for subject, table in (("agent", "agent"), ("tool", "tool"), ("link", "agenttool"))
        for what in ("made", "changed", "deleted")
    )
    + """
DROP FUNCTION agents_drop_unchanged();
DROP FUNCTION agents_merged_kind(text, text);
DROP FUNCTION agents_merged(jsonb, jsonb);
DROP FUNCTION agents_change();
"""
)


class Migration(migrations.Migration):
    dependencies = [("agents", "0007_spending")]

    operations = [
        migrations.CreateModel(
            name="Revision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                ("change", models.CharField(max_length=64)),
                ("subject", models.CharField(choices=[("agent", "Agent"), ("tool", "Tool")], max_length=8)),
                ("subject_id", models.UUIDField()),
                ("name", models.CharField(max_length=64)),
                (
                    "kind",
                    models.CharField(
                        choices=[("made", "Made"), ("changed", "Changed"), ("deleted", "Deleted")],
                        max_length=8,
                    ),
                ),
                ("fields", models.JSONField(default=dict)),
                ("links", models.JSONField(default=dict)),
                (
                    "by_name",
                    models.CharField(blank=True, help_text="Empty: set-up, or a command.", max_length=150),
                ),
                ("why", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["subject", "subject_id", "-id"], name="revision_of_subject"),
                    models.Index(fields=["subject", "-id"], name="revision_newest"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("change", "subject", "subject_id"), name="revision_once_a_change"
                    )
                ],
            },
        ),
        migrations.RunSQL(SHARED + _functions("agent", AGENT) + _functions("tool", TOOL) + _links(), BACK),
    ]
