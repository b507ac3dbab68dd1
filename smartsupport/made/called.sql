-- Its calls of a model.
CREATE TEMP TABLE called ON COMMIT DROP AS
SELECT n, conversation, customer, turn, at + after * interval '1 second' AS at, CASE WHEN purpose = 'answer' THEN agent ELSE '' END AS agent,
    purpose, size + luck AS tokens_in, 60 + mood / 10 AS tokens_out, (size + luck) / 4 AS micros
FROM made, LATERAL (VALUES ('route', 0.4, 600, true), ('answer', 2.5, 1800, true), ('answer', 1203.0, 2400, twice)) AS one(purpose, after, size, wanted)
WHERE wanted
