-- +goose Up

-- A token's record is found by the expiry and the id that the token itself
-- tells. In this order new records lie side by side, where by id alone each
-- of them would change a page of its own; and what has expired comes first.
CREATE TABLE ordered_tokens (
    expiry_time BIGINT NOT NULL,
    jti         TEXT   NOT NULL,
    tenant_id   TEXT   NOT NULL,
    token_type  TEXT   NOT NULL CHECK (token_type IN ('access', 'refresh')),
    family_id   TEXT   NOT NULL DEFAULT '',
    family_end  BIGINT NOT NULL DEFAULT 0,
    username    TEXT   NOT NULL,
    client_id   TEXT   NOT NULL DEFAULT '',
    grant_type  TEXT   NOT NULL,
    create_time BIGINT NOT NULL,
    revoke_time BIGINT NOT NULL DEFAULT 0,
    rotate_time BIGINT NOT NULL DEFAULT 0,
    successor   TEXT   NOT NULL DEFAULT '',
    scope       TEXT   NOT NULL DEFAULT '',
    nonce       TEXT   NOT NULL DEFAULT '',
    auth_time   BIGINT NOT NULL DEFAULT 0,
    amr         TEXT   NOT NULL DEFAULT '',
    PRIMARY KEY (expiry_time, jti, tenant_id)
) WITHOUT ROWID;
INSERT INTO ordered_tokens
  SELECT expiry_time, jti, tenant_id, token_type, family_id, family_end, username, client_id, grant_type, create_time,
         revoke_time, rotate_time, successor, scope, nonce, auth_time, amr
    FROM issued_tokens;
DROP TABLE issued_tokens;
ALTER TABLE ordered_tokens RENAME TO issued_tokens;
CREATE INDEX issued_tokens_with_successor ON issued_tokens (rotate_time) WHERE successor <> '';

-- +goose Down
CREATE TABLE tokens_by_id (
    tenant_id   TEXT   NOT NULL,
    jti         TEXT   NOT NULL,
    token_type  TEXT   NOT NULL CHECK (token_type IN ('access', 'refresh')),
    family_id   TEXT   NOT NULL DEFAULT '',
    family_end  BIGINT NOT NULL DEFAULT 0,
    username    TEXT   NOT NULL,
    client_id   TEXT   NOT NULL DEFAULT '',
    grant_type  TEXT   NOT NULL,
    create_time BIGINT NOT NULL,
    expiry_time BIGINT NOT NULL,
    revoke_time BIGINT NOT NULL DEFAULT 0,
    rotate_time BIGINT NOT NULL DEFAULT 0,
    successor   TEXT   NOT NULL DEFAULT '',
    scope       TEXT   NOT NULL DEFAULT '',
    nonce       TEXT   NOT NULL DEFAULT '',
    auth_time   BIGINT NOT NULL DEFAULT 0,
    amr         TEXT   NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, jti)
) WITHOUT ROWID;
INSERT INTO tokens_by_id
  SELECT tenant_id, jti, token_type, family_id, family_end, username, client_id, grant_type, create_time, expiry_time,
         revoke_time, rotate_time, successor, scope, nonce, auth_time, amr
    FROM issued_tokens;
DROP TABLE issued_tokens;
ALTER TABLE tokens_by_id RENAME TO issued_tokens;
CREATE INDEX issued_tokens_by_expiry ON issued_tokens (expiry_time);
CREATE INDEX issued_tokens_with_successor ON issued_tokens (rotate_time) WHERE successor <> '';
