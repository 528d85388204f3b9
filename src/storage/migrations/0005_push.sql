-- Who is told that something came for an account (XEP-0357): a node of a push service, and the client that asked for it.
-- `since_us` tells a registration from an earlier one of the same node.
CREATE TABLE push (
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    service    TEXT    NOT NULL,
    node       TEXT    NOT NULL,
    resource   TEXT    NOT NULL,
    options    TEXT,
    since_us   INTEGER NOT NULL,
    failures   INTEGER NOT NULL,
    PRIMARY KEY (account_id, service, node)
) WITHOUT ROWID;
