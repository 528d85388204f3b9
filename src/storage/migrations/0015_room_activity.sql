-- Messages in a room within an hour (XEP-0502): of the last 24 hours before something was said, and of the latest one.
CREATE TABLE room_activity (
    room_id  INTEGER NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    -- Hours since 1970.
    hour     INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    PRIMARY KEY (room_id, hour)
) WITHOUT ROWID;
