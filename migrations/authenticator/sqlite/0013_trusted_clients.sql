-- +goose Up

-- Whether an administrator of the tenant lets people administer through it.
ALTER TABLE clients ADD COLUMN trusted BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE clients DROP COLUMN trusted;
