-- Moments are integer microseconds since 1970 UTC, lifetimes integer microseconds. Text compares by its bytes
-- (BINARY is the default collation), so identifiers that differ only in case differ.
-- WITHOUT ROWID where rows are small or few; sessions and audit keep rowids: their rows are large and arrive in order.

-- The number of the last committed change. One row; raising it is the last thing a transaction does before it writes
-- the rows that carry the number, so that the order of revisions is the order of commits.
CREATE TABLE feed_head (
    one      INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL
) STRICT;
INSERT INTO feed_head (one, revision) VALUES (1, 0);

-- What changed under a revision, for those who follow: the kind of the thing and what it is called, not its content.
CREATE TABLE feed (
    revision INTEGER NOT NULL,
    ordinal  INTEGER NOT NULL,
    kind     TEXT NOT NULL CHECK (kind IN ('app', 'key', 'account', 'session', 'token', 'watermark')),
    api_key  TEXT NOT NULL,
    subject  TEXT NOT NULL,
    PRIMARY KEY (revision, ordinal)
) STRICT, WITHOUT ROWID;

-- Who did what to whom. Written in the transaction that makes the change; revision is NULL where nothing changed.
CREATE TABLE audit (
    id        INTEGER NOT NULL PRIMARY KEY,
    at        INTEGER NOT NULL,
    revision  INTEGER,
    action    TEXT NOT NULL,
    principal TEXT NOT NULL,
    api_key   TEXT NOT NULL,
    subject   TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    reason    TEXT NOT NULL
) STRICT;

-- The store itself: the epoch grows when a backup is restored; probed_at is what a health check writes.
CREATE TABLE meta (
    one       INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    epoch     INTEGER NOT NULL CHECK (epoch BETWEEN 1 AND 65535),
    store_id  BLOB NOT NULL CHECK (length(store_id) = 16),
    probed_at INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Service-wide secrets, sealed.
CREATE TABLE secrets (
    purpose    TEXT NOT NULL,
    number     INTEGER NOT NULL CHECK (number BETWEEN 0 AND 255),
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (purpose, number)
) STRICT, WITHOUT ROWID;

-- Tenants. settings and past_issuers are JSON texts (authsvc.storage.codec): no statement looks into them.
CREATE TABLE apps (
    api_key              TEXT NOT NULL PRIMARY KEY,
    settings             TEXT NOT NULL,
    past_issuers         TEXT NOT NULL,
    longest_ttl_ever     INTEGER NOT NULL,
    longest_session_ever INTEGER NOT NULL,
    ever_non_expiring    INTEGER NOT NULL CHECK (ever_non_expiring IN (0, 1)),
    version              INTEGER NOT NULL,
    revision             INTEGER NOT NULL,
    created_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Signing keys: the secret part sealed, the public part as JWK text (empty for HMAC). imported: others hold it too.
CREATE TABLE keys (
    api_key      TEXT NOT NULL REFERENCES apps (api_key),
    key_id       TEXT NOT NULL,
    algorithm    TEXT NOT NULL,
    state        TEXT NOT NULL,
    sealed       BLOB NOT NULL,
    public_jwk   TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    activated_at INTEGER,
    retired_at   INTEGER,
    revoked_at   INTEGER,
    imported     INTEGER NOT NULL CHECK (imported IN (0, 1)),
    revision     INTEGER NOT NULL,
    PRIMARY KEY (api_key, key_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX keys_one_active ON keys (api_key) WHERE state = 'active';

-- Backend services that may call. rights is JSON text: permissions, apps, audiences.
CREATE TABLE accounts (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    rights     TEXT NOT NULL,
    disabled   INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    version    INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The digests of an account's secrets, in the account's order.
CREATE TABLE credentials (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    position   INTEGER NOT NULL,
    id         TEXT NOT NULL,
    digest     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, position),
    UNIQUE (account_id, id)
) STRICT, WITHOUT ROWID;

-- One row a login. A rotation changes generation, rotated_at, request_id_hash and idle_expires_at: none of them is in
-- an index, so a rotation writes one page. claims is JSON text: what the session's access tokens say beyond the user.
CREATE TABLE sessions (
    id                  BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    api_key             TEXT NOT NULL REFERENCES apps (api_key),
    kind                TEXT NOT NULL,
    user_id             TEXT NOT NULL CHECK (user_id <> ''),
    claims              TEXT NOT NULL,
    profile             TEXT NOT NULL,
    access_ttl          INTEGER NOT NULL,
    generation          INTEGER NOT NULL CHECK (generation BETWEEN 0 AND 4294967295),
    rotated_at          INTEGER NOT NULL,
    request_id_hash     BLOB NOT NULL,
    created_revision    INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    idle_expires_at     INTEGER NOT NULL,
    absolute_expires_at INTEGER NOT NULL,
    revoked_at          INTEGER,
    revoke_reason       TEXT NOT NULL,
    revoked_revision    INTEGER,
    caller              TEXT NOT NULL,
    opened_public       INTEGER NOT NULL CHECK (opened_public IN (0, 1))
) STRICT;
CREATE INDEX sessions_of_user ON sessions (api_key, user_id);
CREATE INDEX sessions_by_end ON sessions (absolute_expires_at);
CREATE INDEX sessions_revoked ON sessions (absolute_expires_at) WHERE revoked_at IS NOT NULL;

-- What was revoked for a user, or for a whole app (user_id ''), in O(1). No part ever shrinks.
CREATE TABLE watermarks (
    api_key                 TEXT NOT NULL REFERENCES apps (api_key),
    user_id                 TEXT NOT NULL,
    tokens_revision         INTEGER NOT NULL,
    tokens_revoked_at       INTEGER,
    tokens_issued_before    INTEGER,
    sessions_revision       INTEGER NOT NULL,
    sessions_created_before INTEGER,
    revision                INTEGER NOT NULL,
    PRIMARY KEY (api_key, user_id)
) STRICT, WITHOUT ROWID;

-- Single tokens, remembered until they would have expired (NULL: for ever).
CREATE TABLE revoked_tokens (
    api_key  TEXT NOT NULL REFERENCES apps (api_key),
    token_id TEXT NOT NULL,
    until    INTEGER,
    revision INTEGER NOT NULL,
    PRIMARY KEY (api_key, token_id)
) STRICT, WITHOUT ROWID;
