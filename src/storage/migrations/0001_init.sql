-- "Magp": lets `verify` tell one of our databases from any other.
PRAGMA application_id = 1298229104;

-- AUTOINCREMENT: an id is never used twice, so a late write can never reach a new account of the same name.
CREATE TABLE accounts (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    jid            TEXT    NOT NULL UNIQUE,
    domain         TEXT    NOT NULL,
    created_us     INTEGER NOT NULL,
    last_logout_us INTEGER,
    last_status    TEXT,
    disabled       INTEGER NOT NULL DEFAULT 0,
    roster_version INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX accounts_by_domain ON accounts (domain, jid);

CREATE TABLE credentials (
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    hash       TEXT    NOT NULL,
    salt       BLOB    NOT NULL,
    iterations INTEGER NOT NULL,
    stored_key BLOB    NOT NULL,
    server_key BLOB    NOT NULL,
    PRIMARY KEY (account_id, hash)
) WITHOUT ROWID;

CREATE TABLE roster (
    account_id     INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    contact        TEXT    NOT NULL,
    name           TEXT,
    subscription   INTEGER NOT NULL,
    ask            INTEGER NOT NULL,
    approved       INTEGER NOT NULL,
    pending_in     INTEGER NOT NULL,
    pending_stanza TEXT,
    in_roster      INTEGER NOT NULL,
    groups         TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    PRIMARY KEY (account_id, contact)
) WITHOUT ROWID;

-- AUTOINCREMENT: ids grow for ever, so "everything up to this id" stays true after deletions and restarts.
CREATE TABLE offline (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    stamp_us   INTEGER NOT NULL,
    expires_us INTEGER,
    bytes      INTEGER NOT NULL,
    stanza     TEXT    NOT NULL
);
-- The row id is the implicit last column of every SQLite index: this is (account_id, id).
CREATE INDEX offline_by_account ON offline (account_id);
CREATE INDEX offline_by_expiry ON offline (expires_us) WHERE expires_us IS NOT NULL;

CREATE TABLE private (
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    key        TEXT    NOT NULL,
    xml        TEXT    NOT NULL,
    PRIMARY KEY (account_id, key)
);

CREATE TABLE vcard (
    account_id INTEGER PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    xml        TEXT    NOT NULL,
    updated_us INTEGER NOT NULL
);

CREATE TABLE invites (
    token      TEXT    NOT NULL PRIMARY KEY,
    domain     TEXT    NOT NULL,
    created_us INTEGER NOT NULL,
    expires_us INTEGER,
    uses_left  INTEGER NOT NULL,
    creator    TEXT,
    note       TEXT
);

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
);
