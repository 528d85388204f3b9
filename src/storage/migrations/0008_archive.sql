-- Messages of an account lie side by side: a page is then read from a few neighbouring places, however large the archive is.
-- Before, they lay in the order in which they had come, whoever they belonged to, and each message of a page was somewhere
-- else.
--
-- A chat is what an account exchanges with one bare JID. AUTOINCREMENT: the writer remembers numbers, and one must never
-- come back as another chat.
CREATE TABLE archive_chats (
    chat       INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    peer       TEXT    NOT NULL,
    UNIQUE (account_id, peer)
);
INSERT INTO archive_chats (account_id, peer)
    SELECT DISTINCT account_id, peer FROM archive INDEXED BY archive_by_peer ORDER BY account_id, peer;

-- `row_id` is the account's id, shifted by 31 bits, plus the number of the message in its archive. `id` is the moment of
-- archiving in microseconds; it is unique, and grows with the number.
--
-- DEFERRED: a statement that cannot fail in its middle needs no copy of the pages it changes. The writer knows the chats.
CREATE TABLE archive_messages (
    row_id     INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL,
    chat       INTEGER NOT NULL REFERENCES archive_chats (chat) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    id         INTEGER NOT NULL,
    resource   TEXT,
    mark       INTEGER NOT NULL,
    stanza     TEXT    NOT NULL
);
INSERT INTO archive_messages (row_id, account_id, chat, id, resource, mark, stanza)
    SELECT (m.account_id << 31) + row_number() OVER (PARTITION BY m.account_id ORDER BY m.id),
        m.account_id, c.chat, m.id, m.resource, m.mark, m.stanza
    FROM archive AS m INDEXED BY archive_by_account
    CROSS JOIN archive_chats AS c ON c.account_id = m.account_id AND c.peer = m.peer
    ORDER BY m.account_id, m.id;

DROP TRIGGER archive_unindexed;
DROP TABLE archive;
ALTER TABLE archive_messages RENAME TO archive;
CREATE UNIQUE INDEX archive_by_time ON archive (id);
-- With the mark, so that the message a retraction means is found in the index alone.
CREATE INDEX archive_by_chat ON archive (chat, id, mark);
-- Every 32nd message says where in an archive a moment is. A full index would change as many pages as the messages do.
CREATE INDEX archive_milestones ON archive (account_id, id) WHERE row_id & 31 = 0;

-- The rows have new numbers. Words are indexed again when somebody searches.
INSERT INTO archive_words (archive_words) VALUES ('delete-all');
DELETE FROM archive_indexed;
-- By the time a cascade comes here the mark of the account may be gone; its words then stay without a row they lead to.
CREATE TRIGGER archive_unindexed AFTER DELETE ON archive
WHEN OLD.id <= (SELECT upto_id FROM archive_indexed WHERE account_id = OLD.account_id)
BEGIN
    DELETE FROM archive_words WHERE rowid = OLD.row_id;
END;
