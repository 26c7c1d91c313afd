-- Everything that a server remembers.
-- Instants are seconds since 1970, spans are seconds, lists are JSON arrays of text.

PRAGMA application_id = 0x46696E6C; -- "Finl": other programs' files are refused, not migrated

-- The newest revision. A change takes the next one before anything else.
CREATE TABLE revision (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    n        INTEGER NOT NULL
) STRICT;
INSERT INTO revision VALUES (1, 0);

-- What changed at each revision; old rows are pruned.
CREATE TABLE changes (
    revision INTEGER PRIMARY KEY,
    kind     TEXT NOT NULL CHECK (kind IN ('entry', 'node', 'bundle')),
    key      TEXT NOT NULL
) STRICT;

CREATE TABLE entries (
    id                          TEXT PRIMARY KEY,
    revision_number             INTEGER NOT NULL,
    created_at                  INTEGER NOT NULL,
    spiffe_id                   TEXT NOT NULL,
    parent_id                   TEXT NOT NULL,
    selectors                   TEXT NOT NULL, -- sorted
    likeness                    BLOB NOT NULL UNIQUE, -- SHA-256 over SPIFFE ID, parent and selectors
    x509_svid_ttl               INTEGER,
    jwt_svid_ttl                INTEGER,
    federates_with              TEXT NOT NULL,
    admin                       INTEGER NOT NULL,
    downstream                  INTEGER NOT NULL,
    store_svid                  INTEGER NOT NULL,
    expires_at                  INTEGER,
    dns_names                   TEXT NOT NULL,
    hint                        TEXT NOT NULL,
    x509_svid_prefetch_disabled INTEGER NOT NULL,
    jwt_svid_includes_jti       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX entries_by_parent ON entries (parent_id);

CREATE TABLE nodes (
    id                TEXT PRIMARY KEY,
    attestation_type  TEXT NOT NULL,
    serial_number     TEXT NOT NULL, -- decimal; empty when banned
    expires_at        INTEGER NOT NULL,
    new_serial_number TEXT,
    new_expires_at    INTEGER,
    selectors         TEXT NOT NULL,
    can_reattest      INTEGER NOT NULL,
    agent_version     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE bundles (
    trust_domain    TEXT PRIMARY KEY,
    sequence_number INTEGER NOT NULL,
    content         TEXT NOT NULL -- JSON: authorities and refresh hint
) STRICT, WITHOUT ROWID;

-- Join tokens by the SHA-256 of their value: whoever reads this file cannot use them.
CREATE TABLE tokens (
    digest     BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The journal of the authorities, and what it was one revision before.
CREATE TABLE journal (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    revision INTEGER NOT NULL,
    bytes    BLOB NOT NULL,
    previous BLOB
) STRICT;
