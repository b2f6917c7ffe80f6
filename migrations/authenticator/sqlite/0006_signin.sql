-- +goose Up

-- Browsers in which somebody is signed in, by the hashes of their cookies.
-- kept is sealed: what a page of ours keeps for this person.
CREATE TABLE sessions (
    tenant_id   TEXT   NOT NULL,
    cookie_hash TEXT   NOT NULL,
    username    TEXT   NOT NULL,
    auth_time   BIGINT NOT NULL,
    amr         TEXT   NOT NULL,
    idp_id      TEXT   NOT NULL,
    kept        TEXT   NOT NULL DEFAULT '',
    create_time BIGINT NOT NULL,
    seen_time   BIGINT NOT NULL,
    expiry_time BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, cookie_hash)
) WITHOUT ROWID;
CREATE INDEX sessions_by_expiry ON sessions (expiry_time);
CREATE INDEX sessions_by_use ON sessions (seen_time);

-- What a browser is in the middle of: one row for each sign-in, bound to the
-- cookie of the browser. content is sealed.
CREATE TABLE flows (
    tenant_id   TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    cookie_hash TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    content     TEXT   NOT NULL,
    create_time BIGINT NOT NULL,
    expiry_time BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
CREATE INDEX flows_by_browser ON flows (tenant_id, cookie_hash, create_time);
CREATE INDEX flows_by_expiry ON flows (expiry_time);

-- Which applications people have allowed to act for them. Only where always
-- is set are they not asked again; fingerprint is the client as it was then.
CREATE TABLE client_authorizations (
    tenant_id    TEXT    NOT NULL,
    username     TEXT    NOT NULL,
    client_id    TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,
    always       BOOLEAN NOT NULL,
    fingerprint  TEXT    NOT NULL,
    grant_time   BIGINT  NOT NULL,
    expiry_time  BIGINT  NOT NULL,
    PRIMARY KEY (tenant_id, username, client_id)
) WITHOUT ROWID;
CREATE INDEX client_authorizations_by_expiry ON client_authorizations (expiry_time);

-- A mark of kind consent is of one person's tokens through one client.
CREATE TABLE revocation_marks_new (
    tenant_id     TEXT   NOT NULL,
    kind          TEXT   NOT NULL CHECK (kind IN ('client', 'user', 'family', 'consent')),
    name          TEXT   NOT NULL,
    issued_before BIGINT NOT NULL,
    expiry_time   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, kind, name)
) WITHOUT ROWID;
INSERT INTO revocation_marks_new SELECT tenant_id, kind, name, issued_before, expiry_time FROM revocation_marks;
DROP TABLE revocation_marks;
ALTER TABLE revocation_marks_new RENAME TO revocation_marks;

-- +goose Down
CREATE TABLE revocation_marks_new (
    tenant_id     TEXT   NOT NULL,
    kind          TEXT   NOT NULL CHECK (kind IN ('client', 'user', 'family')),
    name          TEXT   NOT NULL,
    issued_before BIGINT NOT NULL,
    expiry_time   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, kind, name)
) WITHOUT ROWID;
INSERT INTO revocation_marks_new SELECT tenant_id, kind, name, issued_before, expiry_time FROM revocation_marks WHERE kind <> 'consent';
DROP TABLE revocation_marks;
ALTER TABLE revocation_marks_new RENAME TO revocation_marks;

DROP TABLE client_authorizations;
DROP TABLE flows;
DROP TABLE sessions;
