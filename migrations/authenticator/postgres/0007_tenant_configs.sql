-- +goose Up

-- Who changed the settings of a tenant last. Secrets in settings are sealed.
ALTER TABLE tenant_configs ADD COLUMN last_update_by TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE tenant_configs DROP COLUMN last_update_by;
