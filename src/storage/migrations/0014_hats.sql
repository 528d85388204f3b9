-- Hats (XEP-0317): those a room has, and who wears which of them.
CREATE TABLE room_hats (
    room_id INTEGER NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    uri     TEXT    NOT NULL,
    title   TEXT    NOT NULL,
    hue     TEXT,
    PRIMARY KEY (room_id, uri)
) WITHOUT ROWID;
CREATE TABLE room_hats_worn (
    room_id INTEGER NOT NULL,
    uri     TEXT    NOT NULL,
    jid     TEXT    NOT NULL,
    PRIMARY KEY (room_id, uri, jid),
    FOREIGN KEY (room_id, uri) REFERENCES room_hats (room_id, uri) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX room_hats_worn_by_jid ON room_hats_worn (jid);

-- Whoever takes the name of a removed account next wears nothing.
CREATE TRIGGER room_hats_account_removed AFTER DELETE ON accounts
BEGIN
    DELETE FROM room_hats_worn WHERE jid = OLD.jid;
END;

-- Who asks what has changed (XEP-0463) does not learn who was on a list only in between: the version that brought
-- somebody first, and the one that first brought more than a ban (NULL: none did). What was there before is known to all.
ALTER TABLE room_affiliations ADD COLUMN listed_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE room_affiliations ADD COLUMN shown_from INTEGER DEFAULT 0;
-- The last version of each that was not about bans alone (NULL: none was).
ALTER TABLE room_affiliations ADD COLUMN shown_at INTEGER;
UPDATE room_affiliations SET shown_from = NULL WHERE affiliation = 1;
UPDATE room_affiliations SET shown_at = version WHERE affiliation <> 1;

-- As before, with `shown_at`.
DROP TRIGGER rooms_account_removed;
CREATE TRIGGER rooms_account_removed AFTER DELETE ON accounts
BEGIN
    UPDATE rooms SET version = version + 1
        WHERE id IN (SELECT room_id FROM room_affiliations WHERE jid = OLD.jid AND affiliation > 1);
    UPDATE room_affiliations SET affiliation = 0, nick = NULL, reason = NULL, follows = NULL,
        version = (SELECT version FROM rooms WHERE id = room_id),
        shown_at = (SELECT version FROM rooms WHERE id = room_id)
        WHERE jid = OLD.jid AND affiliation > 1;
END;
