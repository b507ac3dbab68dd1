-- One row for each conversation, drawn from its number by dice that always fall the same way.
CREATE TEMP TABLE made ON COMMIT DROP AS
WITH drawn AS (
    SELECT n, %(count)s - n AS age, md5('made-conversation-' || n)::uuid AS conversation,
        md5('made-customer-' || (hashint8extended(n, 1) & 2147483647) %% %(people)s)::uuid AS customer,
        (hashint8extended(n, 1) & 2147483647) %% %(people)s AS person,
        ((hashint8extended(n, 2) & 2147483647) %% 1000) AS luck, ((hashint8extended(n, 3) & 2147483647) %% 1000) AS mood,
        ((hashint8extended(n, 4) & 2147483647) %% 100) AS topic, ((hashint8extended(n, 5) & 2147483647) %% 1000) AS second,
        ((hashint8extended(n, 6) & 2147483647) %% 900) AS pause
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
)
SELECT n, conversation, customer, person, luck, mood, topic, second,
    CASE WHEN age < %(latest)s THEN %(now)s::timestamptz - interval '1 minute' - age * interval '9 seconds'
        ELSE %(now)s::timestamptz - interval '2 hours' - interval '364 days' * ((age - %(latest)s)::float / %(count)s) - pause * interval '1 second'
    END AS at,
    md5('made-turn-' || n)::uuid AS turn, md5('made-second-' || n)::uuid AS later, md5('made-action-' || n)::uuid AS action,
    age < 60 AND luck < 300 AS waits, age < 200 AND luck BETWEEN 300 AND 400 AS held,
    luck >= 985 AS failed, luck < 120 AS escalated, luck BETWEEN 400 AND 650 AS acts,
    second < 400 AND luck < 985 AS twice, mood < 350 AND age > %(latest)s AS asked,
    CASE WHEN mood < 230 THEN true WHEN mood < 290 THEN false END AS solved,
    CASE WHEN mood < 200 THEN 4 + mood %% 2 WHEN mood < 280 THEN 1 + mood %% 3 END AS score,
    CASE WHEN age < 300 AND luck BETWEEN 400 AND 650 THEN 'awaiting' WHEN mood = 999 THEN 'unknown' WHEN mood < 60 THEN 'rejected'
        WHEN mood < 110 THEN 'expired' WHEN mood < 150 THEN 'failed' ELSE 'succeeded' END AS decided,
    CASE WHEN topic < 45 THEN 'parcel_tracking' WHEN topic < 75 THEN 'refunds_desk' ELSE 'help_desk' END AS agent,
    CASE WHEN topic < 45 THEN 'track_parcel' WHEN topic < 75 THEN 'give_discount' ELSE 'search_articles' END AS tool,
    CASE WHEN topic < 45 THEN 'Where is my order ' || n || '? It should have been here on Monday.'
        WHEN topic < 75 THEN 'I was charged twice for order ' || n || '. Please give me my money back.'
        ELSE 'How do I change the address of my account? I have moved.' END AS question,
    CASE WHEN topic < 45 THEN 'Order ' || n || ' left our warehouse yesterday and arrives tomorrow.'
        WHEN topic < 75 THEN 'I have asked a colleague to confirm the refund for order ' || n || '.'
        ELSE 'Open **Settings**, then **Addresses**, and choose *Edit*.' END AS answer
FROM drawn
