-- Nodes of accounts (XEP-0163) and of services (XEP-0060). `owner` is the bare JID of the account or the address of the
-- service. AUTOINCREMENT: a late write can never reach a new node of the same name.
CREATE TABLE pubsub_nodes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER REFERENCES accounts (id) ON DELETE CASCADE,
    owner      TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    creator    TEXT    NOT NULL,
    created_us INTEGER NOT NULL,
    config     TEXT    NOT NULL,
    items      INTEGER NOT NULL DEFAULT 0,
    bytes      INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX pubsub_nodes_by_owner ON pubsub_nodes (owner, name);
CREATE INDEX pubsub_nodes_by_account ON pubsub_nodes (account_id) WHERE account_id IS NOT NULL;

-- `seq` is the order of publication: an item that is published again is the newest one.
CREATE TABLE pubsub_items (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    node_id      INTEGER NOT NULL REFERENCES pubsub_nodes (id) ON DELETE CASCADE,
    id           TEXT    NOT NULL,
    publisher    TEXT    NOT NULL,
    published_us INTEGER NOT NULL,
    expires_us   INTEGER,
    bytes        INTEGER NOT NULL,
    payload      TEXT    NOT NULL
);
CREATE UNIQUE INDEX pubsub_items_by_id ON pubsub_items (node_id, id);
-- The row id is the implicit last column of every SQLite index: this is (node_id, seq).
CREATE INDEX pubsub_items_by_node ON pubsub_items (node_id);
CREATE INDEX pubsub_items_by_expiry ON pubsub_items (expires_us) WHERE expires_us IS NOT NULL;

CREATE TABLE pubsub_affiliations (
    node_id     INTEGER NOT NULL REFERENCES pubsub_nodes (id) ON DELETE CASCADE,
    jid         TEXT    NOT NULL,
    affiliation INTEGER NOT NULL,
    PRIMARY KEY (node_id, jid)
) WITHOUT ROWID;
CREATE INDEX pubsub_affiliations_by_jid ON pubsub_affiliations (jid);

-- `jid` is who gets the notifications, `bare` whose subscription it is.
CREATE TABLE pubsub_subscriptions (
    node_id  INTEGER NOT NULL REFERENCES pubsub_nodes (id) ON DELETE CASCADE,
    jid      TEXT    NOT NULL,
    bare     TEXT    NOT NULL,
    state    INTEGER NOT NULL,
    since_us INTEGER NOT NULL,
    PRIMARY KEY (node_id, jid)
) WITHOUT ROWID;
CREATE INDEX pubsub_subscriptions_by_bare ON pubsub_subscriptions (bare);

-- The sums of a node are kept with it: whether there is room for another item must not depend on how many there are.
CREATE TRIGGER pubsub_item_added AFTER INSERT ON pubsub_items
BEGIN
    UPDATE pubsub_nodes SET items = items + 1, bytes = bytes + NEW.bytes WHERE id = NEW.node_id;
END;
CREATE TRIGGER pubsub_item_removed AFTER DELETE ON pubsub_items
BEGIN
    UPDATE pubsub_nodes SET items = items - 1, bytes = bytes - OLD.bytes WHERE id = OLD.node_id;
END;

-- Whoever takes the name of a removed account next inherits no rights.
CREATE TRIGGER pubsub_account_removed AFTER DELETE ON accounts
BEGIN
    DELETE FROM pubsub_affiliations WHERE jid = OLD.jid;
    DELETE FROM pubsub_subscriptions WHERE bare = OLD.jid;
END;
