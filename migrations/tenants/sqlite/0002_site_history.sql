-- Sites have a history like that of tenants, and tenants differ in the host
-- of their base URLs, whatever its scheme: requests are matched by host. Base
-- URLs are origins in lower case that never spell out a default port.

-- +goose Up
CREATE TABLE site_history (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    site_id     TEXT    NOT NULL REFERENCES sites (site_id) ON DELETE CASCADE ON UPDATE RESTRICT,
    update_time INTEGER NOT NULL,
    updated_by  TEXT    NOT NULL,
    updates     TEXT    NOT NULL CHECK (json_type(updates) = 'object')
) STRICT;
CREATE INDEX site_history_site ON site_history (site_id, id);
CREATE UNIQUE INDEX tenants_host ON tenants (lower(substr(base_url, instr(base_url, '://') + 3)));

-- +goose Down
DROP INDEX tenants_host;
DROP TABLE site_history;
