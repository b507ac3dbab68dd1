"""The audit's table with its chain and its guards, and what is remembered of the roles.

The canonical content that is hashed is also written in `smartsupport.audit.chain`, which verifies it without asking the
database's functions: change neither without the other.
"""

import django.db.models.deletion
from django.db import migrations, models

# Fields of the canonical content, in this order. Each is `<bytes>:<text>,` and `-` where it is null.
TABLE = """
CREATE TABLE smartsupport_auditentry (
    id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    actor_kind text NOT NULL DEFAULT '',
    actor_id text NOT NULL DEFAULT '',
    actor_name text NOT NULL DEFAULT '',
    verb text NOT NULL,
    object_type text NOT NULL DEFAULT '',
    object_id text NOT NULL DEFAULT '',
    object_label text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT '',
    user_agent text NOT NULL DEFAULT '',
    request_id text NOT NULL DEFAULT '',
    method text NOT NULL DEFAULT '',
    path text NOT NULL DEFAULT '',
    outcome text NOT NULL,
    status integer,
    begun_id bigint,
    before jsonb,
    after jsonb,
    detail jsonb,
    previous_hash text NOT NULL,
    hash text NOT NULL
);
CREATE INDEX smartsupport_audit_at ON smartsupport_auditentry (at);
CREATE INDEX smartsupport_audit_actor ON smartsupport_auditentry (actor_name, id);
CREATE INDEX smartsupport_audit_verb ON smartsupport_auditentry (verb, id);
CREATE INDEX smartsupport_audit_object ON smartsupport_auditentry (object_type, object_id, id);
CREATE INDEX smartsupport_audit_outcome ON smartsupport_auditentry (outcome, id);
CREATE INDEX smartsupport_audit_begun ON smartsupport_auditentry (begun_id) WHERE begun_id IS NOT NULL;
CREATE INDEX smartsupport_audit_words ON smartsupport_auditentry USING gin (to_tsvector('simple', regexp_replace(
    actor_name || ' ' || verb || ' ' || object_type || ' ' || object_id || ' ' || object_label || ' ' || address || ' '
    || path || ' ' || coalesce(detail::text, ''), '[^[:alnum:]]+', ' ', 'g')));

CREATE TABLE smartsupport_audithead (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    last_id bigint NOT NULL,
    last_hash text NOT NULL
);
INSERT INTO smartsupport_audithead (last_id, last_hash) VALUES (0, repeat('0', 64));
"""

# SECURITY DEFINER: whoever may insert an entry needs no right on the head, and can set neither number, time nor hash.
# The head's row is the lock: one writer after the other, each sees what the one before has committed.
FUNCTIONS = """
CREATE FUNCTION smartsupport_audit_chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp AS $body$
DECLARE
    head smartsupport_audithead%ROWTYPE;
    canonical text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('smartsupport audit', 0));
    SELECT * INTO head FROM smartsupport_audithead FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'The audit has lost its head record, so nothing can be added to it.'
            USING HINT = 'Run manage.py verify_audit, and restore the table smartsupport_audithead from a backup.';
    END IF;
    NEW.id := head.last_id + 1;
    NEW.at := clock_timestamp();
    NEW.previous_hash := head.last_hash;
    SELECT string_agg(CASE WHEN field IS NULL THEN '-' ELSE octet_length(field) || ':' || field || ',' END, ''
                      ORDER BY nth)
    INTO canonical
    FROM unnest(ARRAY[
        NEW.previous_hash, NEW.id::text, to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
        NEW.actor_kind, NEW.actor_id, NEW.actor_name, NEW.verb, NEW.object_type, NEW.object_id, NEW.object_label,
        NEW.address, NEW.user_agent, NEW.request_id, NEW.method, NEW.path, NEW.outcome, NEW.status::text,
        NEW.begun_id::text, NEW.before::text, NEW.after::text, NEW.detail::text
    ]) WITH ORDINALITY AS fields (field, nth);
    NEW.hash := encode(sha256(convert_to(canonical, 'UTF8')), 'hex');
    UPDATE smartsupport_audithead SET last_id = NEW.id, last_hash = NEW.hash;
    RETURN NEW;
END
$body$;

CREATE FUNCTION smartsupport_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    IF TG_TABLE_NAME = 'smartsupport_audithead' AND TG_OP = 'UPDATE' AND pg_trigger_depth() > 1 THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'The audit is append-only: % is refused.', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$body$;
REVOKE ALL ON FUNCTION smartsupport_audit_chain() FROM PUBLIC;

CREATE TRIGGER chain BEFORE INSERT ON smartsupport_auditentry
    FOR EACH ROW EXECUTE FUNCTION smartsupport_audit_chain();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON smartsupport_auditentry
    FOR EACH ROW EXECUTE FUNCTION smartsupport_audit_refuse();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON smartsupport_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION smartsupport_audit_refuse();
CREATE TRIGGER refuse_change BEFORE INSERT OR UPDATE OR DELETE ON smartsupport_audithead
    FOR EACH ROW EXECUTE FUNCTION smartsupport_audit_refuse();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON smartsupport_audithead
    FOR EACH STATEMENT EXECUTE FUNCTION smartsupport_audit_refuse();
ALTER TABLE smartsupport_auditentry ENABLE ALWAYS TRIGGER chain;
ALTER TABLE smartsupport_auditentry ENABLE ALWAYS TRIGGER refuse_change;
ALTER TABLE smartsupport_auditentry ENABLE ALWAYS TRIGGER refuse_truncate;

REVOKE ALL ON smartsupport_auditentry, smartsupport_audithead FROM PUBLIC;
REVOKE UPDATE, DELETE, TRUNCATE, TRIGGER, REFERENCES ON smartsupport_auditentry FROM CURRENT_USER;
REVOKE DELETE, TRUNCATE, TRIGGER, REFERENCES ON smartsupport_audithead FROM CURRENT_USER;
"""

DROP = """
DROP TABLE smartsupport_auditentry, smartsupport_audithead;
DROP FUNCTION smartsupport_audit_chain(), smartsupport_audit_refuse();
"""


def make(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        schema = cursor.fetchone()[0]
        cursor.execute(TABLE)
        cursor.execute(FUNCTIONS.replace("{schema}", schema))


def unmake(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(DROP)


TEXTS = (
    "actor_kind", "actor_id", "actor_name", "verb", "object_type", "object_id", "object_label", "address",
    "user_agent", "request_id", "method", "path", "outcome",
)


class Migration(migrations.Migration):
    initial = True
    dependencies = [("auth", "0012_alter_user_first_name_max_length")]
    operations = [
        migrations.RunPython(make, unmake),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                *((name, models.TextField()) for name in TEXTS),
                ("status", models.IntegerField(null=True)),
                ("begun_id", models.BigIntegerField(null=True)),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
                ("detail", models.JSONField(null=True)),
                ("previous_hash", models.TextField()),
                ("hash", models.TextField()),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit",
                "db_table": "smartsupport_auditentry",
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Role",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=150, unique=True)),
                ("granted", models.JSONField(default=list)),
                (
                    "group",
                    models.OneToOneField(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="auth.group"
                    ),
                ),
            ],
            options={"default_permissions": ()},
        ),
    ]
