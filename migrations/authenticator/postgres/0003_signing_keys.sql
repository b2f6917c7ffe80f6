-- +goose Up

-- What a rotation has to remember. private_key holds the sealed private half
-- while the key may sign and the sealed public half from then on; nothing once
-- the key has ended. Times of 0 have not come.
ALTER TABLE signing_keys ADD COLUMN switch_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE signing_keys ADD COLUMN leave_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE signing_keys ADD COLUMN end_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE signing_keys ADD COLUMN emergency BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE signing_keys ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX signing_keys_one_next ON signing_keys (tenant_id) WHERE state = 'next';
CREATE INDEX signing_keys_by_version ON signing_keys (version);
CREATE INDEX signing_keys_in_motion ON signing_keys (state, tenant_id) WHERE state IN ('next', 'retiring');

-- The one counter of changes: every change of a key takes the next number,
-- so that replicas find what is new to them.
CREATE TABLE signing_key_changes (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    version BIGINT  NOT NULL
);
INSERT INTO signing_key_changes (id, version) VALUES (1, 0);

-- +goose Down
DROP TABLE signing_key_changes;
DROP INDEX signing_keys_in_motion;
DROP INDEX signing_keys_by_version;
DROP INDEX signing_keys_one_next;
ALTER TABLE signing_keys DROP COLUMN version;
ALTER TABLE signing_keys DROP COLUMN emergency;
ALTER TABLE signing_keys DROP COLUMN end_time;
ALTER TABLE signing_keys DROP COLUMN leave_time;
ALTER TABLE signing_keys DROP COLUMN switch_time;
