-- What the last restore revoked, which no clearing of a revocation takes back: everything of a smaller revision, and
-- what carries none and was issued until that moment. 0 and NULL: nothing was ever restored.
ALTER TABLE meta ADD COLUMN restored_revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN restored_at BIGINT;
UPDATE meta SET
    restored_revision = coalesce((SELECT max(revision) FROM audit WHERE action = 'store.restored'), 0),
    restored_at = (SELECT max(at) FROM audit WHERE action = 'store.restored');
