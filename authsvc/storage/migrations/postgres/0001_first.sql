-- Moments are integer microseconds since 1970 UTC, lifetimes integer microseconds: exact, and no session's time zone
-- or daylight saving has a say in them. Text has the collation "C": it compares and sorts by its bytes, so identifiers
-- that differ only in case differ, whatever the database's locale.

-- The number of the last committed change. One row; raising it is the last thing a transaction does before it writes
-- the rows that carry the number. The row's lock is held until the commit, so the order of revisions is the order of
-- commits; a sequence could not promise that. The space left in the page lets each update stay in it.
CREATE TABLE feed_head (
    one      BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    revision BIGINT NOT NULL
) WITH (fillfactor = 10);
INSERT INTO feed_head (one, revision) VALUES (1, 0);

-- What changed under a revision, for those who follow: the kind of the thing and what it is called, not its content.
CREATE TABLE feed (
    revision BIGINT NOT NULL,
    ordinal  BIGINT NOT NULL,
    kind     TEXT COLLATE "C" NOT NULL CHECK (kind IN ('app', 'key', 'account', 'session', 'token', 'watermark')),
    api_key  TEXT COLLATE "C" NOT NULL,
    subject  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (revision, ordinal)
);

-- Who did what to whom. Written in the transaction that makes the change; revision is NULL where nothing changed.
-- id tells rows apart and is no order: the order of commits is the revision's.
CREATE TABLE audit (
    id        BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        BIGINT NOT NULL,
    revision  BIGINT,
    action    TEXT COLLATE "C" NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,
    api_key   TEXT COLLATE "C" NOT NULL,
    subject   TEXT COLLATE "C" NOT NULL,
    outcome   TEXT COLLATE "C" NOT NULL,
    reason    TEXT COLLATE "C" NOT NULL
);

-- The store itself: the epoch grows when a backup is restored; probed_at is what a health check writes.
CREATE TABLE meta (
    one       BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    epoch     BIGINT NOT NULL CHECK (epoch BETWEEN 1 AND 65535),
    store_id  BYTEA NOT NULL CHECK (octet_length(store_id) = 16),
    probed_at BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO meta (one, epoch, store_id) VALUES (1, 1, uuid_send(gen_random_uuid()));

-- Service-wide secrets, sealed.
CREATE TABLE secrets (
    purpose    TEXT COLLATE "C" NOT NULL,
    number     BIGINT NOT NULL CHECK (number BETWEEN 0 AND 255),
    sealed     BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (purpose, number)
);

-- Tenants. settings and past_issuers are JSON texts (authsvc.storage.codec): no statement looks into them.
CREATE TABLE apps (
    api_key              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    settings             TEXT COLLATE "C" NOT NULL,
    past_issuers         TEXT COLLATE "C" NOT NULL,
    longest_ttl_ever     BIGINT NOT NULL,
    longest_session_ever BIGINT NOT NULL,
    ever_non_expiring    BOOLEAN NOT NULL,
    version              BIGINT NOT NULL,
    revision             BIGINT NOT NULL,
    created_at           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL
);

-- Signing keys: the secret part sealed, the public part as JWK text (empty for HMAC). imported: others hold it too.
CREATE TABLE keys (
    api_key      TEXT COLLATE "C" NOT NULL REFERENCES apps (api_key),
    key_id       TEXT COLLATE "C" NOT NULL,
    algorithm    TEXT COLLATE "C" NOT NULL,
    state        TEXT COLLATE "C" NOT NULL,
    sealed       BYTEA NOT NULL,
    public_jwk   TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    activated_at BIGINT,
    retired_at   BIGINT,
    revoked_at   BIGINT,
    imported     BOOLEAN NOT NULL,
    revision     BIGINT NOT NULL,
    PRIMARY KEY (api_key, key_id)
);
CREATE UNIQUE INDEX keys_one_active ON keys (api_key) WHERE state = 'active';

-- Backend services that may call. rights is JSON text: permissions, apps, audiences.
CREATE TABLE accounts (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    rights     TEXT COLLATE "C" NOT NULL,
    disabled   BOOLEAN NOT NULL,
    version    BIGINT NOT NULL,
    revision   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- The digests of an account's secrets, in the account's order.
CREATE TABLE credentials (
    account_id TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    position   BIGINT NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    digest     BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, position),
    UNIQUE (account_id, id)
);

-- One row a login. A rotation changes generation, rotated_at, request_id_hash and idle_expires_at: none of them is in
-- an index, and pages are left room for a row's next versions, so a rotation writes no index and leaves nothing for a
-- vacuum to collect. claims is JSON text: what the session's access tokens say beyond the user.
-- api_key references no table: a foreign key would lock the app's row for every login, and all logins of an app share
-- one row. The statement that opens a session reads the app, and apps are never removed.
CREATE TABLE sessions (
    id                  BYTEA NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    api_key             TEXT COLLATE "C" NOT NULL,
    kind                TEXT COLLATE "C" NOT NULL,
    user_id             TEXT COLLATE "C" NOT NULL CHECK (user_id <> ''),
    claims              TEXT COLLATE "C" NOT NULL,
    profile             TEXT COLLATE "C" NOT NULL,
    access_ttl          BIGINT NOT NULL,
    generation          BIGINT NOT NULL CHECK (generation BETWEEN 0 AND 4294967295),
    rotated_at          BIGINT NOT NULL,
    request_id_hash     BYTEA NOT NULL,
    created_revision    BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    idle_expires_at     BIGINT NOT NULL,
    absolute_expires_at BIGINT NOT NULL,
    revoked_at          BIGINT,
    revoke_reason       TEXT COLLATE "C" NOT NULL,
    revoked_revision    BIGINT,
    caller              TEXT COLLATE "C" NOT NULL,
    opened_public       BOOLEAN NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX sessions_of_user ON sessions (api_key, user_id);
CREATE INDEX sessions_by_end ON sessions (absolute_expires_at);
CREATE INDEX sessions_revoked ON sessions (absolute_expires_at) WHERE revoked_at IS NOT NULL;

-- What was revoked for a user, or for a whole app (user_id ''), in O(1). No part ever shrinks.
CREATE TABLE watermarks (
    api_key                 TEXT COLLATE "C" NOT NULL REFERENCES apps (api_key),
    user_id                 TEXT COLLATE "C" NOT NULL,
    tokens_revision         BIGINT NOT NULL,
    tokens_revoked_at       BIGINT,
    tokens_issued_before    BIGINT,
    sessions_revision       BIGINT NOT NULL,
    sessions_created_before BIGINT,
    revision                BIGINT NOT NULL,
    PRIMARY KEY (api_key, user_id)
);

-- Single tokens, remembered until they would have expired (NULL: for ever).
CREATE TABLE revoked_tokens (
    api_key  TEXT COLLATE "C" NOT NULL REFERENCES apps (api_key),
    token_id TEXT COLLATE "C" NOT NULL,
    until    BIGINT,
    revision BIGINT NOT NULL,
    PRIMARY KEY (api_key, token_id)
);
