import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from smartsupport.lib import resumable


TELL = """
CREATE SEQUENCE IF NOT EXISTS chat_webhook_place;
-- One delivery for each endpoint that wants to be told of this. Paused ones, too: theirs wait.
CREATE OR REPLACE FUNCTION chat_webhook_tell(told text, conversation uuid, facts jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO chat_webhookdelivery (id, endpoint_id, conversation_id, kind, payload, note, place, status,
                                      attempts_made, failures, resent_by, next_attempt_at, created_at)
    SELECT gen_random_uuid(), id, conversation, told, '{}', facts, nextval('chat_webhook_place'), 'queued',
           0, 0, '', statement_timestamp(), statement_timestamp()
    FROM chat_webhookendpoint WHERE deleted_at IS NULL AND told = ANY (events)
$$;
"""
OF_ACTIONS = """
CREATE OR REPLACE FUNCTION chat_webhook_of_action() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told text := CASE WHEN NEW.status = 'awaiting' THEN 'action.awaiting'
                      WHEN NEW.status = 'unknown' THEN 'action.unknown'
                      WHEN NEW.status IN ('succeeded', 'failed') THEN 'action.executed'
                      ELSE 'action.decided' END;
BEGIN
    IF EXISTS (SELECT FROM chat_webhookendpoint WHERE deleted_at IS NULL AND told = ANY (events)) THEN
        PERFORM chat_webhook_tell(
            told,
            (SELECT conversation_id FROM chat_turn WHERE id = NEW.turn_id),
            jsonb_build_object(
                'action_id', NEW.id, 'tool', NEW.tool_name, 'agent', NEW.agent, 'status', NEW.status,
                'approver', NEW.approver, 'expires_at', NEW.expires_at, 'decided_by', NEW.decided_by,
                'decided_by_name', NEW.decided_by_name, 'http_status', NEW.http_status,
                'error_kind', NEW.error_kind,
                'was_unknown', TG_OP = 'UPDATE' AND OLD.status = 'unknown'));
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER chat_webhook_opened AFTER INSERT ON agents_action FOR EACH ROW
WHEN (NEW.status = 'awaiting') EXECUTE FUNCTION chat_webhook_of_action();
CREATE OR REPLACE TRIGGER chat_webhook_moved AFTER UPDATE OF status ON agents_action FOR EACH ROW
WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.status <> 'dispatching')
EXECUTE FUNCTION chat_webhook_of_action();
"""
OF_EVENTS = """
CREATE OR REPLACE FUNCTION chat_webhook_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told text := CASE NEW.kind WHEN 'message_received' THEN 'conversation.started'
                               WHEN 'handoff_requested' THEN 'conversation.escalated'
                               WHEN 'handed_back' THEN 'conversation.handed_back'
                               ELSE 'conversation.completed' END;
BEGIN
    IF NOT EXISTS (SELECT FROM chat_webhookendpoint WHERE deleted_at IS NULL AND told = ANY (events)) THEN
        RETURN NULL;
    END IF;
    -- The conversation's row is changed after the event is written: here it still says what was before.
    IF NEW.kind = 'handoff_requested' AND EXISTS (
        SELECT FROM chat_conversation WHERE id = NEW.conversation_id AND status IN ('waiting', 'held')
    ) OR NEW.kind = 'feedback_given' AND EXISTS (
        SELECT FROM chat_conversation WHERE id = NEW.conversation_id AND solved
    ) THEN
        RETURN NULL;
    END IF;
    PERFORM chat_webhook_tell(told, NEW.conversation_id, jsonb_build_object('seq', NEW.seq));
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER chat_webhook_of_event AFTER INSERT ON chat_event FOR EACH ROW
WHEN (NEW.kind IN ('handoff_requested', 'handed_back', 'conversation_resolved')
      OR (NEW.kind = 'message_received' AND NEW.seq = 1)
      OR (NEW.kind = 'feedback_given' AND NEW.payload -> 'solved' = 'true'))
EXECUTE FUNCTION chat_webhook_of_event();
"""
OF_IMPORTS = """
CREATE OR REPLACE FUNCTION chat_webhook_of_import() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM chat_webhook_tell(
        'import.' || NEW.status, NULL,
        jsonb_build_object(
            'job_id', NEW.id, 'name', NEW.name, 'title', NEW.title, 'total_endpoints', NEW.total_endpoints,
            'usable_count', NEW.usable_count, 'error_stage', NEW.error_stage,
            'error_message', NEW.error_message));
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER chat_webhook_of_import AFTER UPDATE OF status ON openapi_import_importjob FOR EACH ROW
WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.status IN ('done', 'failed'))
EXECUTE FUNCTION chat_webhook_of_import();
"""
BACK = {
    TELL: "DROP FUNCTION chat_webhook_tell(text, uuid, jsonb); DROP SEQUENCE chat_webhook_place;",
    OF_ACTIONS: "DROP TRIGGER chat_webhook_opened ON agents_action; DROP TRIGGER chat_webhook_moved ON agents_action; "
    "DROP FUNCTION chat_webhook_of_action();",
    OF_EVENTS: "DROP TRIGGER chat_webhook_of_event ON chat_event; DROP FUNCTION chat_webhook_of_event();",
    OF_IMPORTS: "DROP TRIGGER chat_webhook_of_import ON openapi_import_importjob; "
    "DROP FUNCTION chat_webhook_of_import();",
}


class Migration(migrations.Migration):
    """Endpoints as rows, and the triggers that write what they are told, whichever process of whichever version does
    what is told of. Not atomic: each table is locked for its own moment, and indexes are built while others write. Who
    was killed half-way goes on where they were."""

    atomic = False

    dependencies = [
        ('chat', '0010_keys_expire'),
        ('agents', '0012_calls_of_a_model'),
        ('openapi_import', '0005_decisions'),
    ]

    operations = [
        resumable.CreateModel(
            name='WebhookEndpoint',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('url', models.CharField(max_length=2000)),
                ('description', models.CharField(blank=True, max_length=200)),
                ('events', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), size=None)),
                ('secret', models.TextField(editable=False)),
                ('old_secret', models.TextField(blank=True, editable=False)),
                ('old_secret_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('paused_at', models.DateTimeField(blank=True, null=True)),
                ('paused_by', models.CharField(blank=True, help_text='Empty: it was paused by itself.', max_length=150)),
                ('pause_reason', models.CharField(blank=True, max_length=300)),
                ('failing_since', models.DateTimeField(blank=True, null=True)),
                ('failures', models.PositiveIntegerField(default=0)),
                ('held_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('last_delivered_at', models.DateTimeField(blank=True, null=True)),
                ('created_by', models.CharField(blank=True, max_length=150)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('deleted_at', models.DateTimeField(blank=True, editable=False, help_text='The jobs remove the row and what was sent to it.', null=True)),
            ],
            options={
                'ordering': ['created_at', 'id'],
            },
        ),
        resumable.AddField(
            model_name='webhookdelivery',
            name='note',
            field=models.JSONField(editable=False, null=True),
        ),
        resumable.AddField(
            model_name='webhookdelivery',
            name='place',
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='webhookdelivery',
            name='status',
            field=models.CharField(choices=[('pending', 'Waiting to be sent'), ('queued', 'Waiting to be sent'), ('delivered', 'Delivered'), ('failed', 'Given up'), ('skipped', 'Skipped')], default='pending', max_length=10),
        ),
        resumable.AddField(
            model_name='webhookdelivery',
            name='endpoint',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='chat.webhookendpoint'),
        ),
        resumable.AddIndexConcurrently(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('status', 'queued')), fields=['endpoint', 'next_attempt_at'], name='webhook_queue'),
        ),
        resumable.AddIndexConcurrently(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('status', 'queued')), fields=['endpoint', 'conversation', 'place'], name='webhook_in_order'),
        ),
        resumable.AddIndexConcurrently(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('endpoint__isnull', False)), fields=['endpoint', '-created_at'], name='webhook_of_endpoint'),
        ),
        resumable.AddIndexConcurrently(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('status', 'failed')), fields=['endpoint', '-created_at'], name='webhook_given_up'),
        ),
        *(migrations.RunSQL(sql, back) for sql, back in BACK.items()),
    ]
