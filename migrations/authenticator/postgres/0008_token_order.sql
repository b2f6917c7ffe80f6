-- +goose Up

-- A token's record is found by the expiry and the id that the token itself
-- tells. In this order new records lie side by side, where by id alone each
-- of them would change a page of its own; and what has expired comes first.
ALTER TABLE issued_tokens DROP CONSTRAINT issued_tokens_pkey;
ALTER TABLE issued_tokens ADD PRIMARY KEY (expiry_time, jti, tenant_id);
DROP INDEX issued_tokens_by_expiry;

-- +goose Down
CREATE INDEX issued_tokens_by_expiry ON issued_tokens (expiry_time);
ALTER TABLE issued_tokens DROP CONSTRAINT issued_tokens_pkey;
ALTER TABLE issued_tokens ADD PRIMARY KEY (tenant_id, jti);
