-- Its events, in order; `wanted` says which of them there are.
CREATE TEMP TABLE said ON COMMIT DROP AS
SELECT n, conversation, CASE WHEN said.of = 2 THEN later WHEN said.of = 1 THEN turn END AS turn, said.kind, said.key,
    CASE WHEN said.own THEN agent ELSE '' END AS agent, said.payload, at + said.after * interval '1 second' AS at,
    row_number() OVER (PARTITION BY n ORDER BY said.place) AS seq, said.ms
FROM made, LATERAL (VALUES
    (1, true, 1, 'message_received', 'message:1', false, jsonb_build_object('content', question, 'client_message_id', NULL), 0.0, NULL),
    (2, true, 1, 'routed', 'route', false, jsonb_build_object('agents', jsonb_build_array(agent), 'reason', 'It asks about this.', 'by', 'model'), 0.5, 480),
    (3, true, 1, 'tool_called', 'call:c1', true, jsonb_build_object('tool', tool, 'title', 'Look it up', 'args', jsonb_build_object('order_id', n::text), 'call_id', 'c1'), 1.2, NULL),
    (4, true, 1, 'tool_returned', 'tool:c1', true, jsonb_build_object('tool', tool, 'call_id', 'c1', 'ok', luck % 25 > 0, 'result', jsonb_build_object('order', n, 'state', 'shipped')), 1.6, 200 + luck),
    (5, acts, 1, 'approval_opened', 'approval:' || action, true, jsonb_build_object('interrupt_id', action, 'action', 'give_discount', 'params', jsonb_build_object('order_id', n::text, 'percent', 10), 'message', 'Give 10% off order ' || n || '.', 'approver', 'staff', 'expires_at', at + interval '30 minutes'), 2.0, NULL),
    (6, acts AND decided <> 'awaiting', 1, 'approval_decided', 'decision:' || action, false, jsonb_build_object('interrupt_id', action, 'action', 'give_discount', 'resolution', CASE WHEN decided = 'rejected' THEN 'rejected' WHEN decided = 'expired' THEN 'expired' ELSE 'approved' END, 'by', 'staff', 'by_name', 'sam', 'reason', ''), 60.0 + mood, NULL),
    (7, NOT failed AND NOT (acts AND decided = 'awaiting'), 1, 'replied', 'reply', true, jsonb_build_object('content', answer), CASE WHEN acts THEN 64.0 + mood ELSE 3.0 + luck / 100.0 END, NULL),
    (8, NOT failed AND NOT (acts AND decided = 'awaiting'), 1, 'turn_completed', 'end', false, '{}', CASE WHEN acts THEN 64.1 + mood ELSE 3.1 + luck / 100.0 END, NULL),
    (9, failed, 1, 'turn_failed', 'end', false, jsonb_build_object('message', 'The model did not answer.'), 31.0, NULL),
    (10, twice, 2, 'message_received', 'message:1', false, jsonb_build_object('content', 'Thank you. Can you send that by e-mail, too?', 'client_message_id', NULL), 1200.0, NULL),
    (11, twice, 2, 'replied', 'reply', true, jsonb_build_object('content', 'Done: it is in your inbox.'), 1204.0, NULL),
    (12, twice, 2, 'turn_completed', 'end', false, '{}', 1204.1, NULL),
    (13, escalated OR waits OR held, NULL, 'handoff_requested', '', false, jsonb_build_object('reason', 'The customer wants a person.', 'by', 'customer'), 1300.0, NULL),
    (14, held OR escalated AND NOT waits, NULL, 'taken_over', '', false, jsonb_build_object('by_name', 'sam'), 1400.0, NULL),
    (15, held OR escalated AND NOT waits, NULL, 'staff_wrote', '', false, jsonb_build_object('content', 'Hello, I am looking into it now.', 'by_name', 'sam'), 1500.0, NULL),
    (16, luck % 20 = 7, NULL, 'note_written', '', false, jsonb_build_object('content', 'Has called about this before.', 'by_name', 'sam', 'once', ''), 1600.0, NULL),
    (17, asked, NULL, 'feedback_asked', '', false, '{}', 1700.0, NULL),
    (18, asked AND (solved IS NOT NULL OR score IS NOT NULL), NULL, 'feedback_given', '', false, jsonb_build_object('solved', solved, 'score', score, 'comment', ''), 1760.0, NULL)
) AS said(place, wanted, of, kind, key, own, payload, after, ms)
WHERE said.wanted
