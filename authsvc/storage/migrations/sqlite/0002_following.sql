-- What workers that follow each other need, and what is needed to forget.
--
-- due_at is when to look whether a row can go, and for an ended session exactly until when it is remembered
-- (authsvc.storage.rows.retention). A rotation moves a session's idle end, but not this: an index on the idle end
-- would make every rotation write a second page. Whoever finds a session due that was used puts it off to its present
-- end, so that costs one change in each idle lifetime, and a search for what is due reads nothing else.

-- The feed tells of two more kinds.
CREATE TABLE feed_of_all_kinds (
    revision INTEGER NOT NULL,
    ordinal  INTEGER NOT NULL,
    kind     TEXT NOT NULL
        CHECK (kind IN ('app', 'key', 'account', 'session', 'token', 'watermark', 'secret', 'level')),
    api_key  TEXT NOT NULL,
    subject  TEXT NOT NULL,
    PRIMARY KEY (revision, ordinal)
) STRICT, WITHOUT ROWID;
INSERT INTO feed_of_all_kinds SELECT revision, ordinal, kind, api_key, subject FROM feed;
DROP TABLE feed;
ALTER TABLE feed_of_all_kinds RENAME TO feed;

-- The level that a scope of the log writes from, until a moment.
CREATE TABLE log_levels (
    scope    TEXT NOT NULL PRIMARY KEY,
    level    TEXT NOT NULL,
    until    INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE secrets ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;

-- 120000000: the largest difference of clocks that an app can allow for.
ALTER TABLE sessions ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET due_at = CASE
    WHEN revoked_at IS NULL THEN min(idle_expires_at, absolute_expires_at) + access_ttl + 120000000
    ELSE absolute_expires_at + 120000000
        + (SELECT longest_ttl_ever FROM apps WHERE apps.api_key = sessions.api_key)
END;
DROP INDEX sessions_by_end;
DROP INDEX sessions_revoked;
DROP INDEX sessions_of_user;
CREATE INDEX sessions_due ON sessions (due_at);
CREATE INDEX sessions_of_app ON sessions (api_key, id);
CREATE INDEX sessions_of_user ON sessions (api_key, user_id, id);
-- With all that a worker that starts must know of them: it reads this and no row.
CREATE INDEX sessions_revoked ON sessions (due_at, id, api_key, revoked_revision) WHERE revoked_revision IS NOT NULL;
CREATE INDEX sessions_revoked_of_app ON sessions (api_key, id) WHERE revoked_at IS NOT NULL;

-- When sessions_revision was set; and due_at, here the first moment at which nothing it covers can live. At 0 it is
-- computed by the first who looks.
ALTER TABLE watermarks ADD COLUMN sessions_revoked_at INTEGER;
ALTER TABLE watermarks ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;
UPDATE watermarks SET sessions_revoked_at = tokens_revoked_at WHERE sessions_revision > 0;
CREATE INDEX watermarks_due ON watermarks (due_at);

CREATE INDEX revoked_tokens_due ON revoked_tokens (until) WHERE until IS NOT NULL;

CREATE INDEX audit_of_app ON audit (api_key);
CREATE INDEX audit_by_time ON audit (at);
