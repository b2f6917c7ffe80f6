-- +goose Up

-- Roles of each tenant; docs/security.md says which have a meaning.
CREATE TABLE roles (
    tenant_id        TEXT   NOT NULL,
    name             TEXT   NOT NULL,
    owner            TEXT   NOT NULL,
    owner_tenant     TEXT   NOT NULL,
    description      TEXT   NOT NULL,
    create_time      BIGINT NOT NULL,
    last_update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, name)
) WITHOUT ROWID;

-- Who has them. A grant whose source is the registry follows the registry.
CREATE TABLE role_grants (
    tenant_id   TEXT   NOT NULL,
    role        TEXT   NOT NULL,
    username    TEXT   NOT NULL,
    source      TEXT   NOT NULL CHECK (source IN ('registry', 'request')),
    granted_by  TEXT   NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, role, username),
    FOREIGN KEY (tenant_id, role) REFERENCES roles (tenant_id, name) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX role_grants_by_user ON role_grants (tenant_id, username);

-- A version that was deleted can come back, one that was destroyed has no
-- content any more.
ALTER TABLE secrets ADD COLUMN deletion_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE secrets ADD COLUMN destroy_time BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE secrets DROP COLUMN destroy_time;
ALTER TABLE secrets DROP COLUMN deletion_time;
DROP TABLE role_grants;
DROP TABLE roles;
