-- +goose Up

-- Signing keys, one active per tenant. private_key is sealed.
CREATE TABLE signing_keys (
    tenant_id     TEXT   NOT NULL,
    kid           TEXT   NOT NULL,
    state         TEXT   NOT NULL CHECK (state IN ('next', 'active', 'retiring', 'retired')),
    private_key   TEXT   NOT NULL,
    public_key    TEXT   NOT NULL,
    create_time   BIGINT NOT NULL,
    activate_time BIGINT NOT NULL DEFAULT 0,
    retire_time   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, kid)
) WITHOUT ROWID;
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (tenant_id) WHERE state = 'active';

-- OAuth clients. key_hash checks a secret, key_sealed shows it to its owner.
CREATE TABLE clients (
    tenant_id                  TEXT    NOT NULL,
    client_id                  TEXT    NOT NULL,
    owner                      TEXT    NOT NULL,
    key_hash                   TEXT    NOT NULL,
    key_sealed                 TEXT    NOT NULL,
    token_endpoint_auth_method TEXT    NOT NULL,
    callback_url               TEXT    NOT NULL,
    display_name               TEXT    NOT NULL,
    description                TEXT    NOT NULL,
    active                     BOOLEAN NOT NULL,
    create_time                BIGINT  NOT NULL,
    last_update_time           BIGINT  NOT NULL,
    PRIMARY KEY (tenant_id, client_id)
) WITHOUT ROWID;
CREATE INDEX clients_by_owner ON clients (tenant_id, owner, create_time, client_id);

-- One row per token issued, never the token itself. A family is everything
-- that came, by refreshing, from one first grant.
CREATE TABLE issued_tokens (
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
    PRIMARY KEY (tenant_id, jti)
) WITHOUT ROWID;
CREATE INDEX issued_tokens_by_expiry ON issued_tokens (expiry_time);
CREATE INDEX issued_tokens_with_successor ON issued_tokens (rotate_time) WHERE successor <> '';

-- Tokens of a client, user or family created before issued_before are void.
-- A mark with an expiry_time is swept after it.
CREATE TABLE revocation_marks (
    tenant_id     TEXT   NOT NULL,
    kind          TEXT   NOT NULL CHECK (kind IN ('client', 'user', 'family')),
    name          TEXT   NOT NULL,
    issued_before BIGINT NOT NULL,
    expiry_time   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, kind, name)
) WITHOUT ROWID;

-- Settings of a tenant that differ from the defaults, as JSON.
CREATE TABLE tenant_configs (
    tenant_id        TEXT   NOT NULL PRIMARY KEY,
    settings         TEXT   NOT NULL,
    last_update_time BIGINT NOT NULL
) WITHOUT ROWID;

-- The last view of the registry that was seen, for starts without it.
CREATE TABLE registry_views (
    resource   TEXT   NOT NULL PRIMARY KEY,
    etag       TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    fetch_time BIGINT NOT NULL
) WITHOUT ROWID;

-- Passwords of service accounts, as keyed hashes.
CREATE TABLE service_passwords (
    tenant_id        TEXT   NOT NULL,
    service          TEXT   NOT NULL,
    hash             TEXT   NOT NULL,
    last_update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, service)
) WITHOUT ROWID;

-- Secrets by owner and name, every version sealed.
CREATE TABLE secrets (
    tenant_id   TEXT    NOT NULL,
    secret_type TEXT    NOT NULL,
    account     TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    content     TEXT    NOT NULL,
    create_time BIGINT  NOT NULL,
    PRIMARY KEY (tenant_id, secret_type, account, name, version)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE secrets;
DROP TABLE service_passwords;
DROP TABLE registry_views;
DROP TABLE tenant_configs;
DROP TABLE revocation_marks;
DROP TABLE issued_tokens;
DROP TABLE clients;
DROP TABLE signing_keys;
