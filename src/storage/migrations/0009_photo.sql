-- The SHA-1 of the photograph in a card, in hexadecimal (XEP-0153): presence carries it, so that it is read at login.
ALTER TABLE vcard ADD COLUMN photo TEXT;
