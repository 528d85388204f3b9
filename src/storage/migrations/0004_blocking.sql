-- Whom an account does not want to hear of (XEP-0191).
CREATE TABLE blocking (
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    jid        TEXT    NOT NULL,
    PRIMARY KEY (account_id, jid)
) WITHOUT ROWID;
