-- +goose Up

-- redirect_uris are those beyond callback_url, which is the first, and
-- grant_types those that the client is held to, both as JSON lists.
-- previous_key_hash is good until previous_key_expiry.
ALTER TABLE clients ADD COLUMN redirect_uris TEXT NOT NULL DEFAULT '[]';
ALTER TABLE clients ADD COLUMN grant_types TEXT NOT NULL DEFAULT '[]';
ALTER TABLE clients ADD COLUMN auth_method_chosen BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE clients ADD COLUMN previous_key_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN previous_key_expiry BIGINT NOT NULL DEFAULT 0;

-- What ID tokens and introspection say of the sign-in behind a token.
ALTER TABLE issued_tokens ADD COLUMN scope TEXT NOT NULL DEFAULT '';
ALTER TABLE issued_tokens ADD COLUMN nonce TEXT NOT NULL DEFAULT '';
ALTER TABLE issued_tokens ADD COLUMN auth_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE issued_tokens ADD COLUMN amr TEXT NOT NULL DEFAULT '';

-- Authorization codes by their hashes. A consumed code is kept for a day, so
-- that its reuse is noticed; family_end is the latest end of what it gave.
CREATE TABLE authorization_codes (
    tenant_id      TEXT   NOT NULL,
    code_hash      TEXT   NOT NULL,
    client_id      TEXT   NOT NULL,
    username       TEXT   NOT NULL,
    redirect_uri   TEXT   NOT NULL,
    scope          TEXT   NOT NULL,
    nonce          TEXT   NOT NULL,
    code_challenge TEXT   NOT NULL,
    auth_time      BIGINT NOT NULL,
    amr            TEXT   NOT NULL,
    idp_id         TEXT   NOT NULL,
    family_id      TEXT   NOT NULL,
    family_end     BIGINT NOT NULL,
    create_time    BIGINT NOT NULL,
    expiry_time    BIGINT NOT NULL,
    consume_time   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, code_hash)
) WITHOUT ROWID;
CREATE INDEX authorization_codes_by_expiry ON authorization_codes (expiry_time);

-- Device codes by their hashes, and the user codes that people type.
CREATE TABLE device_codes (
    tenant_id      TEXT   NOT NULL,
    id             TEXT   NOT NULL,
    code_hash      TEXT   NOT NULL,
    user_code      TEXT   NOT NULL,
    client_id      TEXT   NOT NULL,
    scope          TEXT   NOT NULL,
    address        TEXT   NOT NULL,
    status         TEXT   NOT NULL CHECK (status IN ('Created', 'Entered', 'Approved', 'Denied', 'Consumed')),
    username       TEXT   NOT NULL DEFAULT '',
    auth_time      BIGINT NOT NULL DEFAULT 0,
    amr            TEXT   NOT NULL DEFAULT '',
    idp_id         TEXT   NOT NULL DEFAULT '',
    access_ttl     BIGINT NOT NULL DEFAULT 0,
    poll_interval  BIGINT NOT NULL,
    next_poll_time BIGINT NOT NULL DEFAULT 0,
    create_time    BIGINT NOT NULL,
    expiry_time    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX device_codes_by_code ON device_codes (tenant_id, code_hash);
CREATE UNIQUE INDEX device_codes_by_user_code ON device_codes (tenant_id, user_code);
CREATE INDEX device_codes_by_expiry ON device_codes (expiry_time);

-- +goose Down
DROP TABLE device_codes;
DROP TABLE authorization_codes;
ALTER TABLE issued_tokens DROP COLUMN amr;
ALTER TABLE issued_tokens DROP COLUMN auth_time;
ALTER TABLE issued_tokens DROP COLUMN nonce;
ALTER TABLE issued_tokens DROP COLUMN scope;
ALTER TABLE clients DROP COLUMN previous_key_expiry;
ALTER TABLE clients DROP COLUMN previous_key_hash;
ALTER TABLE clients DROP COLUMN auth_method_chosen;
ALTER TABLE clients DROP COLUMN grant_types;
ALTER TABLE clients DROP COLUMN redirect_uris;
