-- +goose Up

-- How many revocations a tenant has seen, beginning with 1. A grant knows the
-- number at which it began, and all that descends from it inherits that; a mark
-- voids what began before its own number, however late it is minted and
-- whatever clocks say. Marks from before have the number 0 and go by time.
CREATE TABLE revocation_numbers (
    tenant_id TEXT   NOT NULL PRIMARY KEY,
    number    BIGINT NOT NULL
);
ALTER TABLE revocation_marks ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE issued_tokens ADD COLUMN began BIGINT NOT NULL DEFAULT 1;
ALTER TABLE authorization_codes ADD COLUMN began BIGINT NOT NULL DEFAULT 1;
ALTER TABLE device_codes ADD COLUMN began BIGINT NOT NULL DEFAULT 1;

-- +goose Down
ALTER TABLE device_codes DROP COLUMN began;
ALTER TABLE authorization_codes DROP COLUMN began;
ALTER TABLE issued_tokens DROP COLUMN began;
ALTER TABLE revocation_marks DROP COLUMN number;
DROP TABLE revocation_numbers;
