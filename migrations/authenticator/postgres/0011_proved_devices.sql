-- +goose Up

-- Whether the program that asked for a device code proved to be the client
-- whose id it gave.
ALTER TABLE device_codes ADD COLUMN proved BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE device_codes DROP COLUMN proved;
