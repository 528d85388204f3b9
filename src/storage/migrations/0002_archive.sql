-- Messages are appended in the order in which they came, whoever they belong to: `row_id` is that order, and the oldest
-- rows are found at its beginning. `id` is the moment of archiving in microseconds, unique and growing within an account.
-- AUTOINCREMENT: the text index refers to rows, so a row id is never used twice.
CREATE TABLE archive (
    row_id     INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    id         INTEGER NOT NULL,
    peer       TEXT    NOT NULL,
    resource   TEXT,
    mark       INTEGER NOT NULL,
    stanza     TEXT    NOT NULL
);
CREATE UNIQUE INDEX archive_by_account ON archive (account_id, id);
-- With the mark, so that the message a retraction means is found in the index alone.
CREATE INDEX archive_by_peer ON archive (account_id, peer, id, mark);

CREATE TABLE archive_prefs (
    account_id INTEGER PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    prefs      TEXT    NOT NULL
);

-- The words of the archives of those who search (XEP-0431), up to the message that was indexed last. Nobody pays for it who
-- never searches. It keeps no text of its own.
CREATE VIRTUAL TABLE archive_words USING fts5 (
    owner, body, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TABLE archive_indexed (
    account_id INTEGER PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    upto_id    INTEGER NOT NULL
);
-- By the time a cascade comes here the mark of the account may be gone; its words then stay without a row they lead to.
CREATE TRIGGER archive_unindexed AFTER DELETE ON archive
WHEN OLD.id <= (SELECT upto_id FROM archive_indexed WHERE account_id = OLD.account_id)
BEGIN
    DELETE FROM archive_words WHERE rowid = OLD.row_id;
END;
