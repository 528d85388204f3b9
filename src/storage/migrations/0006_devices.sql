-- Installations of clients that logged in to an account (XEP-0388 §2.3), under a name derived from what identifies them.
-- `password_us`: when it last proved the password that is in force.
CREATE TABLE devices (
    account_id    INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    id            TEXT    NOT NULL,
    software      TEXT,
    name          TEXT,
    first_seen_us INTEGER NOT NULL,
    last_seen_us  INTEGER NOT NULL,
    password_us   INTEGER,
    PRIMARY KEY (account_id, id)
) WITHOUT ROWID;

-- Tokens of XEP-0484. Slot 0: in use; slot 1: given out and not used yet (§5.1). The token itself is derived from the nonce
-- and a secret that is not in the database. `count`: the last replay counter (§3.4).
CREATE TABLE fast_tokens (
    account_id INTEGER NOT NULL,
    device     TEXT    NOT NULL,
    slot       INTEGER NOT NULL,
    mechanism  TEXT    NOT NULL,
    nonce      BLOB    NOT NULL,
    issued_us  INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    count      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, device, slot),
    FOREIGN KEY (account_id, device) REFERENCES devices (account_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
