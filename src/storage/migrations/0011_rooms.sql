-- Rooms (XEP-0045) that are to outlive their occupants. What a configuration says is for others to know; `public`, `title`,
-- `description` and `lang` are taken from it, because rooms are found by them. AUTOINCREMENT: a late write can never reach a
-- new room of the same name.
CREATE TABLE rooms (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    service     TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    creator     TEXT    NOT NULL,
    created_us  INTEGER NOT NULL,
    public      INTEGER NOT NULL,
    title       TEXT    NOT NULL,
    description TEXT    NOT NULL,
    lang        TEXT    NOT NULL,
    config      TEXT    NOT NULL,
    subject     TEXT,
    subject_us  INTEGER,
    -- Grows with every change of affiliations (XEP-0463). What changed up to `version_floor` is not known any more.
    version       INTEGER NOT NULL DEFAULT 0,
    version_floor INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX rooms_by_name ON rooms (service, name);
CREATE INDEX rooms_public ON rooms (service, name) WHERE public = 1;
CREATE INDEX rooms_by_creator ON rooms (creator);

-- The words by which rooms are looked for (XEP-0433). It keeps no text of its own.
CREATE VIRTUAL TABLE rooms_words USING fts5 (
    name, title, description, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TRIGGER rooms_words_added AFTER INSERT ON rooms
BEGIN
    INSERT INTO rooms_words (rowid, name, title, description) VALUES (NEW.id, NEW.name, NEW.title, NEW.description);
END;
CREATE TRIGGER rooms_words_removed AFTER DELETE ON rooms
BEGIN
    DELETE FROM rooms_words WHERE rowid = OLD.id;
END;
CREATE TRIGGER rooms_words_changed AFTER UPDATE OF title, description ON rooms
WHEN NEW.title <> OLD.title OR NEW.description <> OLD.description
BEGIN
    DELETE FROM rooms_words WHERE rowid = OLD.id;
    INSERT INTO rooms_words (rowid, name, title, description) VALUES (NEW.id, NEW.name, NEW.title, NEW.description);
END;

-- An affiliation that was taken away stays for a while with 0, for those who ask what has changed. A registered nickname
-- (§7.10) belongs to an affiliation. `follows` is NULL for who has not said whether messages of the room concern him while
-- he is not in it.
CREATE TABLE room_affiliations (
    room_id     INTEGER NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    jid         TEXT    NOT NULL,
    affiliation INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    nick        TEXT,
    reason      TEXT,
    follows     INTEGER,
    PRIMARY KEY (room_id, jid)
) WITHOUT ROWID;
CREATE INDEX room_affiliations_by_jid ON room_affiliations (jid);
CREATE UNIQUE INDEX room_nicks ON room_affiliations (room_id, nick) WHERE nick IS NOT NULL;

-- The card of a room (XEP-0486), and the SHA-1 of each photograph in it.
CREATE TABLE room_vcards (
    room_id INTEGER PRIMARY KEY REFERENCES rooms (id) ON DELETE CASCADE,
    vcard   TEXT    NOT NULL,
    photos  TEXT    NOT NULL
);

-- Rooms that were destroyed. Nobody may take their names for a while: clients go on trying to enter.
CREATE TABLE rooms_gone (
    service   TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    gone_us   INTEGER NOT NULL,
    until_us  INTEGER NOT NULL,
    alternate TEXT,
    reason    TEXT,
    PRIMARY KEY (service, name)
) WITHOUT ROWID;

-- Whom a service keeps out: rooms, users and whole domains, by their address.
CREATE TABLE room_blocks (
    service  TEXT    NOT NULL,
    jid      TEXT    NOT NULL,
    since_us INTEGER NOT NULL,
    reason   TEXT,
    PRIMARY KEY (service, jid)
) WITHOUT ROWID;

-- How many rooms a service has: whether there is place for another one must not depend on how many there are.
CREATE TABLE room_services (
    service TEXT    NOT NULL PRIMARY KEY,
    rooms   INTEGER NOT NULL,
    public  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER rooms_added AFTER INSERT ON rooms
BEGIN
    INSERT INTO room_services (service, rooms, public) VALUES (NEW.service, 1, NEW.public)
        ON CONFLICT (service) DO UPDATE SET rooms = rooms + 1, public = public + excluded.public;
END;
CREATE TRIGGER rooms_removed AFTER DELETE ON rooms
BEGIN
    UPDATE room_services SET rooms = rooms - 1, public = public - OLD.public WHERE service = OLD.service;
END;
CREATE TRIGGER rooms_shown AFTER UPDATE OF public ON rooms WHEN NEW.public <> OLD.public
BEGIN
    UPDATE room_services SET public = public + NEW.public - OLD.public WHERE service = NEW.service;
END;

-- Whoever takes the name of a removed account next inherits no rights. Who was banned stays so: that outlives an account.
CREATE TRIGGER rooms_account_removed AFTER DELETE ON accounts
BEGIN
    UPDATE rooms SET version = version + 1
        WHERE id IN (SELECT room_id FROM room_affiliations WHERE jid = OLD.jid AND affiliation > 1);
    UPDATE room_affiliations SET affiliation = 0, nick = NULL, reason = NULL, follows = NULL,
        version = (SELECT version FROM rooms WHERE id = room_id)
        WHERE jid = OLD.jid AND affiliation > 1;
END;
