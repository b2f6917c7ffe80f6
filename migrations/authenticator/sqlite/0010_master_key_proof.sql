-- +goose Up

-- One value, sealed with the master key when that was first used: whether
-- another start has the same key is found out before anything is asked of it.
CREATE TABLE master_key_proof (
    id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    sealed TEXT    NOT NULL
);

-- +goose Down
DROP TABLE master_key_proof;
