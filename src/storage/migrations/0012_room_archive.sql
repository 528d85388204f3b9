-- The archives of rooms (XEP-0313): the tables of those of accounts once more, with `room_id` for `account_id`, and read and
-- written by the same statements. Here a chat is what one author, by the real bare JID, has said in one room; `resource` is
-- the real resource.
CREATE TABLE room_archive_chats (
    chat    INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id INTEGER NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    peer    TEXT    NOT NULL,
    UNIQUE (room_id, peer)
);
CREATE TABLE room_archive (
    row_id   INTEGER PRIMARY KEY,
    room_id  INTEGER NOT NULL,
    chat     INTEGER NOT NULL REFERENCES room_archive_chats (chat) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    id       INTEGER NOT NULL,
    resource TEXT,
    mark     INTEGER NOT NULL,
    stanza   TEXT    NOT NULL
);
CREATE UNIQUE INDEX room_archive_by_time ON room_archive (id);
CREATE INDEX room_archive_by_chat ON room_archive (chat, id, mark);
CREATE INDEX room_archive_milestones ON room_archive (room_id, id) WHERE row_id & 31 = 0;

CREATE VIRTUAL TABLE room_archive_words USING fts5 (
    owner, body, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TABLE room_archive_indexed (
    room_id INTEGER PRIMARY KEY REFERENCES rooms (id) ON DELETE CASCADE,
    upto_id INTEGER NOT NULL
);
CREATE TRIGGER room_archive_unindexed AFTER DELETE ON room_archive
WHEN OLD.id <= (SELECT upto_id FROM room_archive_indexed WHERE room_id = OLD.room_id)
BEGIN
    DELETE FROM room_archive_words WHERE rowid = OLD.row_id;
END;
