-- To which database a session journal belongs, and the last transaction of which it says what it committed.
CREATE TABLE session_journal (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    database  INTEGER NOT NULL,
    committed INTEGER NOT NULL
);
INSERT INTO session_journal (id, database, committed) VALUES (1, random(), 0);
