-- Entries in the order in which they came, and their keys in indexes beside them: to insert into a table that is sorted by
-- its keys moved whole rows about, wherever the keys fell.

CREATE TABLE entries_in_order (
    number                      INTEGER PRIMARY KEY,
    id                          TEXT NOT NULL UNIQUE,
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
) STRICT;

INSERT INTO entries_in_order
    SELECT row_number() OVER (ORDER BY id), id, revision_number, created_at, spiffe_id, parent_id, selectors, likeness,
        x509_svid_ttl, jwt_svid_ttl, federates_with, admin, downstream, store_svid, expires_at, dns_names, hint,
        x509_svid_prefetch_disabled, jwt_svid_includes_jti
    FROM entries;
DROP TABLE entries;
ALTER TABLE entries_in_order RENAME TO entries;

-- Parents are looked for only when a node is deleted, with the aliases that its join token had made.
CREATE INDEX aliases_of_nodes ON entries (parent_id) WHERE selectors LIKE '["spiffe_id:%';
