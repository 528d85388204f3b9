-- Invitations to make an account (XEP-0401, XEP-0445) and to become somebody's contact (XEP-0379). They go with the account
-- of whoever made them, and with that of the inviter. `kind`: 1 account, 2 contact, 3 both. `username` is reserved while the
-- invitation can be used.
CREATE TABLE invitations (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    token      TEXT    NOT NULL UNIQUE,
    domain     TEXT    NOT NULL,
    kind       INTEGER NOT NULL,
    creator_id INTEGER REFERENCES accounts (id) ON DELETE CASCADE,
    inviter_id INTEGER REFERENCES accounts (id) ON DELETE CASCADE,
    username   TEXT,
    roster_group TEXT,
    created_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    uses_max   INTEGER NOT NULL,
    uses_left  INTEGER NOT NULL
);
CREATE INDEX invitations_by_creator ON invitations (creator_id, expires_us);
CREATE INDEX invitations_by_inviter ON invitations (inviter_id) WHERE inviter_id IS NOT NULL;
CREATE INDEX invitations_by_username ON invitations (username, domain) WHERE username IS NOT NULL;
CREATE INDEX invitations_by_expiry ON invitations (expires_us);

-- Those of before were all an operator's and all for accounts.
INSERT INTO invitations (token, domain, kind, created_us, expires_us, uses_max, uses_left)
    SELECT token, domain, 1, created_us, coalesce(expires_us, created_us + 315360000000000), uses_left, uses_left
    FROM invites ORDER BY created_us, token;
DROP TABLE invites;
