-- Files that users have uploaded, or may upload (XEP-0363). `token` names the file on disk and in its URL. A slot that has not
-- been used has a `put_key` and no `stored_us`.
CREATE TABLE uploads (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id    INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    token         TEXT    NOT NULL UNIQUE,
    put_key       BLOB,
    name          TEXT    NOT NULL,
    content_type  TEXT,
    bytes         INTEGER NOT NULL,
    created_us    INTEGER NOT NULL,
    stored_us     INTEGER,
    expires_us    INTEGER,
    keep_until_us INTEGER
);
CREATE INDEX uploads_by_account ON uploads (account_id, id, bytes, stored_us);
CREATE INDEX uploads_by_expiry ON uploads (expires_us) WHERE expires_us IS NOT NULL;

-- Files whose row is gone, whatever took it, until they are removed from the disk.
CREATE TABLE uploads_gone (
    token TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;
CREATE TRIGGER uploads_go AFTER DELETE ON uploads
BEGIN
    INSERT OR IGNORE INTO uploads_gone (token) VALUES (OLD.token);
END;
