-- The registry: sites, owners, LDAP connections, tenants and their history.
-- Times are microseconds since 1970 in UTC; lists of service names and the
-- updates of a history row are JSON text; an absent value is NULL, never ''.

-- +goose Up
CREATE TABLE sites (
    site_id                  TEXT    NOT NULL PRIMARY KEY CHECK (length(site_id) BETWEEN 1 AND 50),
    is_primary               BOOLEAN NOT NULL,
    base_url                 TEXT    CHECK (length(base_url) BETWEEN 1 AND 2000),
    tenant_base_url_template TEXT    CHECK (length(tenant_base_url_template) BETWEEN 1 AND 2000),
    -- No foreign key: a site is created before its admin tenant.
    site_admin_tenant_id     TEXT    NOT NULL CHECK (length(site_admin_tenant_id) BETWEEN 1 AND 50),
    services                 TEXT    NOT NULL CHECK (jsonb_typeof(services::jsonb) = 'array'),
    create_time              BIGINT  NOT NULL,
    created_by               TEXT    NOT NULL,
    last_update_time         BIGINT  NOT NULL,
    last_updated_by          TEXT    NOT NULL,
    -- The primary site has a template, an associate site has none.
    CHECK (is_primary = (tenant_base_url_template IS NOT NULL))
);
CREATE UNIQUE INDEX sites_one_primary ON sites (is_primary) WHERE is_primary;
CREATE UNIQUE INDEX sites_base_url ON sites (lower(base_url));
CREATE UNIQUE INDEX sites_template ON sites (lower(tenant_base_url_template));

CREATE TABLE owners (
    email            TEXT   NOT NULL PRIMARY KEY CHECK (length(email) BETWEEN 1 AND 120),
    name             TEXT   NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    institution      TEXT   NOT NULL CHECK (length(institution) BETWEEN 1 AND 80),
    create_time      BIGINT NOT NULL,
    last_update_time BIGINT NOT NULL
);

CREATE TABLE ldap_connections (
    ldap_id          TEXT    NOT NULL PRIMARY KEY CHECK (length(ldap_id) BETWEEN 1 AND 50),
    url              TEXT    NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    port             INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    use_ssl          BOOLEAN NOT NULL,
    user_dn          TEXT    NOT NULL CHECK (length(user_dn) BETWEEN 1 AND 200),
    bind_dn          TEXT    NOT NULL CHECK (length(bind_dn) BETWEEN 1 AND 200),
    -- The name of a secret in the security service, never the secret.
    bind_credential  TEXT    NOT NULL CHECK (length(bind_credential) BETWEEN 1 AND 200),
    account_type     TEXT    NOT NULL CHECK (account_type IN ('user', 'service')),
    create_time      BIGINT  NOT NULL,
    last_update_time BIGINT  NOT NULL
);

CREATE TABLE tenants (
    tenant_id                  TEXT   NOT NULL PRIMARY KEY
        CHECK (length(tenant_id) BETWEEN 1 AND 50 AND tenant_id ~ '^[A-Za-z0-9][A-Za-z0-9-]*$'),
    base_url                   TEXT   NOT NULL CHECK (length(base_url) BETWEEN 1 AND 2000),
    site_id                    TEXT   NOT NULL REFERENCES sites (site_id) ON DELETE RESTRICT ON UPDATE RESTRICT,
    status                     TEXT   NOT NULL CHECK (status IN ('draft', 'active', 'inactive')),
    token_service              TEXT   NOT NULL CHECK (length(token_service) BETWEEN 1 AND 2000),
    security_kernel            TEXT   NOT NULL CHECK (length(security_kernel) BETWEEN 1 AND 2000),
    authenticator              TEXT   NOT NULL CHECK (length(authenticator) BETWEEN 1 AND 2000),
    owner                      TEXT   NOT NULL REFERENCES owners (email) ON DELETE RESTRICT ON UPDATE RESTRICT,
    admin_user                 TEXT   NOT NULL CHECK (length(admin_user) BETWEEN 1 AND 120),
    token_gen_services         TEXT   NOT NULL CHECK (jsonb_typeof(token_gen_services::jsonb) = 'array'),
    public_key                 TEXT   CHECK (length(public_key) BETWEEN 1 AND 10000),
    service_ldap_connection_id TEXT   REFERENCES ldap_connections (ldap_id) ON DELETE RESTRICT ON UPDATE RESTRICT,
    user_ldap_connection_id    TEXT   REFERENCES ldap_connections (ldap_id) ON DELETE RESTRICT ON UPDATE RESTRICT,
    description                TEXT   CHECK (length(description) BETWEEN 1 AND 1000),
    create_time                BIGINT NOT NULL,
    created_by                 TEXT   NOT NULL,
    last_update_time           BIGINT NOT NULL,
    last_updated_by            TEXT   NOT NULL,
    -- An active tenant without a key would break every verifier of tokens.
    CHECK (status <> 'active' OR public_key IS NOT NULL)
);
-- Tenant ids become DNS labels and base URLs are host names: case does not tell them apart.
CREATE UNIQUE INDEX tenants_id_folded ON tenants (lower(tenant_id));
CREATE UNIQUE INDEX tenants_base_url ON tenants (lower(base_url));
CREATE INDEX tenants_site ON tenants (site_id);

CREATE TABLE tenant_history (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   TEXT   NOT NULL REFERENCES tenants (tenant_id) ON DELETE RESTRICT ON UPDATE RESTRICT,
    update_time BIGINT NOT NULL,
    updated_by  TEXT   NOT NULL,
    updates     TEXT   NOT NULL CHECK (jsonb_typeof(updates::jsonb) = 'object')
);
CREATE INDEX tenant_history_tenant ON tenant_history (tenant_id, id);

-- One row whose counter grows in the same transaction as every change of the
-- rows above but history, so that each replica can tell whether its copy is
-- still good.
CREATE TABLE registry_changes (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    counter BIGINT  NOT NULL
);
INSERT INTO registry_changes (id, counter) VALUES (1, 1);

-- +goose StatementBegin
CREATE FUNCTION count_registry_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE registry_changes SET counter = counter + 1;
    RETURN NULL;
END;
$$;
-- +goose StatementEnd
CREATE TRIGGER sites_counted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sites
    FOR EACH STATEMENT EXECUTE FUNCTION count_registry_change();
CREATE TRIGGER owners_counted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON owners
    FOR EACH STATEMENT EXECUTE FUNCTION count_registry_change();
CREATE TRIGGER ldap_connections_counted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ldap_connections
    FOR EACH STATEMENT EXECUTE FUNCTION count_registry_change();
CREATE TRIGGER tenants_counted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenants
    FOR EACH STATEMENT EXECUTE FUNCTION count_registry_change();

-- +goose Down
DROP TABLE tenant_history;
DROP TABLE tenants;
DROP TABLE ldap_connections;
DROP TABLE owners;
DROP TABLE sites;
DROP TABLE registry_changes;
DROP FUNCTION count_registry_change();
