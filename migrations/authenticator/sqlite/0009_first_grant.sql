-- +goose Up

-- The grant type with which a family of tokens began: its refreshes do not
-- tell, and whether a second factor may be missing depends on it.
ALTER TABLE issued_tokens ADD COLUMN first_grant TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE issued_tokens DROP COLUMN first_grant;
