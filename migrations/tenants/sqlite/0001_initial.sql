-- The registry: sites, owners, LDAP connections, tenants and their history.
-- Times are microseconds since 1970 in UTC; lists of service names and the
-- updates of a history row are JSON text; an absent value is NULL, never ''.

-- +goose Up
CREATE TABLE sites (
    site_id                  TEXT    NOT NULL PRIMARY KEY CHECK (length(site_id) BETWEEN 1 AND 50),
    is_primary               INTEGER NOT NULL CHECK (is_primary IN (0, 1)),
    base_url                 TEXT    CHECK (length(base_url) BETWEEN 1 AND 2000),
    tenant_base_url_template TEXT    CHECK (length(tenant_base_url_template) BETWEEN 1 AND 2000),
    -- No foreign key: a site is created before its admin tenant.
    site_admin_tenant_id     TEXT    NOT NULL CHECK (length(site_admin_tenant_id) BETWEEN 1 AND 50),
    services                 TEXT    NOT NULL CHECK (json_type(services) = 'array'),
    create_time              INTEGER NOT NULL,
    created_by               TEXT    NOT NULL,
    last_update_time         INTEGER NOT NULL,
    last_updated_by          TEXT    NOT NULL,
    -- The primary site has a template, an associate site has none.
    CHECK (is_primary = (tenant_base_url_template IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX sites_one_primary ON sites (is_primary) WHERE is_primary = 1;
CREATE UNIQUE INDEX sites_base_url ON sites (lower(base_url));
CREATE UNIQUE INDEX sites_template ON sites (lower(tenant_base_url_template));

CREATE TABLE owners (
    email            TEXT    NOT NULL PRIMARY KEY CHECK (length(email) BETWEEN 1 AND 120),
    name             TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    institution      TEXT    NOT NULL CHECK (length(institution) BETWEEN 1 AND 80),
    create_time      INTEGER NOT NULL,
    last_update_time INTEGER NOT NULL
) STRICT;

CREATE TABLE ldap_connections (
    ldap_id          TEXT    NOT NULL PRIMARY KEY CHECK (length(ldap_id) BETWEEN 1 AND 50),
    url              TEXT    NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    port             INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    use_ssl          INTEGER NOT NULL CHECK (use_ssl IN (0, 1)),
    user_dn          TEXT    NOT NULL CHECK (length(user_dn) BETWEEN 1 AND 200),
    bind_dn          TEXT    NOT NULL CHECK (length(bind_dn) BETWEEN 1 AND 200),
    -- The name of a secret in the security service, never the secret.
    bind_credential  TEXT    NOT NULL CHECK (length(bind_credential) BETWEEN 1 AND 200),
    account_type     TEXT    NOT NULL CHECK (account_type IN ('user', 'service')),
    create_time      INTEGER NOT NULL,
    last_update_time INTEGER NOT NULL
) STRICT;

CREATE TABLE tenants (
    tenant_id                  TEXT    NOT NULL PRIMARY KEY
        CHECK (length(tenant_id) BETWEEN 1 AND 50 AND tenant_id NOT GLOB '*[^A-Za-z0-9-]*' AND tenant_id NOT LIKE '-%'),
    base_url                   TEXT    NOT NULL CHECK (length(base_url) BETWEEN 1 AND 2000),
    site_id                    TEXT    NOT NULL REFERENCES sites (site_id) ON DELETE RESTRICT ON UPDATE RESTRICT,
    status                     TEXT    NOT NULL CHECK (status IN ('draft', 'active', 'inactive')),
    token_service              TEXT    NOT NULL CHECK (length(token_service) BETWEEN 1 AND 2000),
    security_kernel            TEXT    NOT NULL CHECK (length(security_kernel) BETWEEN 1 AND 2000),
    authenticator              TEXT    NOT NULL CHECK (length(authenticator) BETWEEN 1 AND 2000),
    owner                      TEXT    NOT NULL REFERENCES owners (email) ON DELETE RESTRICT ON UPDATE RESTRICT,
    admin_user                 TEXT    NOT NULL CHECK (length(admin_user) BETWEEN 1 AND 120),
    token_gen_services         TEXT    NOT NULL CHECK (json_type(token_gen_services) = 'array'),
    public_key                 TEXT    CHECK (length(public_key) BETWEEN 1 AND 10000),
    service_ldap_connection_id TEXT    REFERENCES ldap_connections (ldap_id) ON DELETE RESTRICT ON UPDATE RESTRICT,
    user_ldap_connection_id    TEXT    REFERENCES ldap_connections (ldap_id) ON DELETE RESTRICT ON UPDATE RESTRICT,
    description                TEXT    CHECK (length(description) BETWEEN 1 AND 1000),
    create_time                INTEGER NOT NULL,
    created_by                 TEXT    NOT NULL,
    last_update_time           INTEGER NOT NULL,
    last_updated_by            TEXT    NOT NULL,
    -- An active tenant without a key would break every verifier of tokens.
    CHECK (status <> 'active' OR public_key IS NOT NULL)
) STRICT;
-- Tenant ids become DNS labels and base URLs are host names: case does not tell them apart.
CREATE UNIQUE INDEX tenants_id_folded ON tenants (lower(tenant_id));
CREATE UNIQUE INDEX tenants_base_url ON tenants (lower(base_url));
CREATE INDEX tenants_site ON tenants (site_id);

CREATE TABLE tenant_history (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id   TEXT    NOT NULL REFERENCES tenants (tenant_id) ON DELETE RESTRICT ON UPDATE RESTRICT,
    update_time INTEGER NOT NULL,
    updated_by  TEXT    NOT NULL,
    updates     TEXT    NOT NULL CHECK (json_type(updates) = 'object')
) STRICT;
CREATE INDEX tenant_history_tenant ON tenant_history (tenant_id, id);

-- One row whose counter grows in the same transaction as every change of the
-- rows above but history, so that each replica can tell whether its copy is
-- still good.
CREATE TABLE registry_changes (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    counter INTEGER NOT NULL
) STRICT;
INSERT INTO registry_changes (id, counter) VALUES (1, 1);

-- +goose StatementBegin
CREATE TRIGGER sites_insert_counted AFTER INSERT ON sites BEGIN
    UPDATE registry_changes SET counter = counter + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER sites_update_counted AFTER UPDATE ON sites BEGIN
    UPDATE registry_changes SET counter = counter + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER sites_delete_counted AFTER DELETE ON sites BEGIN
    UPDATE registry_changes SET counter = counter + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER owners_insert_counted AFTER INSERT ON owners BEGIN
    UPDATE registry_changes SET counter = counter + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER owners_update_counted AFTER UPDATE ON owners BEGIN
    UPDATE registry_changes SET counter = counter + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER owners_delete_counted AFTER DELETE ON owners BEGIN
    UPDATE registry_changes SET counter = counter + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER ldap_connections_insert_counted AFTER INSERT ON ldap_connections BEGIN
    UPDATE registry_changes SET counter = counter + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER ldap_connections_update_counted AFTER UPDATE ON ldap_connections BEGIN
    UPDATE registry_changes SET counter = counter + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER ldap_connections_delete_counted AFTER DELETE ON ldap_connections BEGIN
    UPDATE registry_changes SET counter = counter + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER tenants_insert_counted AFTER INSERT ON tenants BEGIN
    UPDATE registry_changes SET counter = counter + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER tenants_update_counted AFTER UPDATE ON tenants BEGIN
    UPDATE registry_changes SET counter = counter + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER tenants_delete_counted AFTER DELETE ON tenants BEGIN
    UPDATE registry_changes SET counter = counter + 1;
END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE tenant_history;
DROP TABLE tenants;
DROP TABLE ldap_connections;
DROP TABLE owners;
DROP TABLE sites;
DROP TABLE registry_changes;
