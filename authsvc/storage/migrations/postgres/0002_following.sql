-- What servers that follow each other need, and what is needed to forget.
--
-- due_at is when to look whether a row can go: never later than that is so, and for what was revoked exactly then
-- (authsvc.storage.rows.retention). A rotation moves a session's idle end, but not this: with an index on the idle end
-- every rotation would write all indexes. Whoever finds a live session due puts it off to its idle end, so a session
-- that is used costs one such change in each idle lifetime, and a search for what is due reads nothing else.

-- The feed tells of two more kinds.
ALTER TABLE feed DROP CONSTRAINT feed_kind_check;
ALTER TABLE feed ADD CONSTRAINT feed_kind_check
    CHECK (kind IN ('app', 'key', 'account', 'session', 'token', 'watermark', 'secret', 'level'));

-- The level that a scope of the log writes from, until a moment.
CREATE TABLE log_levels (
    scope    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    level    TEXT COLLATE "C" NOT NULL,
    until    BIGINT NOT NULL,
    revision BIGINT NOT NULL
);

ALTER TABLE secrets ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;

-- At 0 it is computed by the first who looks: a table of many sessions is not written anew for that. What was revoked
-- is told to every server that starts, so it is right from the beginning; 120000000 is the largest difference of
-- clocks that an app can allow for.
ALTER TABLE sessions ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0;
UPDATE sessions SET due_at = absolute_expires_at + 120000000
    + (SELECT longest_ttl_ever FROM apps WHERE apps.api_key = sessions.api_key)
WHERE revoked_revision IS NOT NULL;
DROP INDEX sessions_by_end;
DROP INDEX sessions_revoked;
DROP INDEX sessions_of_user;
CREATE INDEX sessions_due ON sessions (due_at);
CREATE INDEX sessions_of_app ON sessions (api_key, id);
CREATE INDEX sessions_of_user ON sessions (api_key, user_id, id);
-- With all that a server that starts must know of them: it reads this, and of rows that were vacuumed nothing else.
CREATE INDEX sessions_revoked ON sessions (due_at, id, api_key, revoked_revision) WHERE revoked_revision IS NOT NULL;
CREATE INDEX sessions_revoked_of_app ON sessions (api_key, id) WHERE revoked_revision IS NOT NULL;

-- When sessions_revision was set; and due_at, here the first moment at which nothing it covers can live.
ALTER TABLE watermarks ADD COLUMN sessions_revoked_at BIGINT;
ALTER TABLE watermarks ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0;
UPDATE watermarks SET sessions_revoked_at = tokens_revoked_at WHERE sessions_revision > 0;
CREATE INDEX watermarks_due ON watermarks (due_at);

CREATE INDEX revoked_tokens_due ON revoked_tokens (until) WHERE until IS NOT NULL;

CREATE INDEX audit_of_app ON audit (api_key, id);
CREATE INDEX audit_by_time ON audit (at);
