-- Partition the table of files, for PostgreSQL 15 and later: heads, content, and used links apart.
--
--     psql --set ON_ERROR_STOP=1 --file partitions.sql DATABASE-URL
--
-- Run it as the owner of the table, while no server of the site runs: it copies every row once. Until
-- it commits, the database holds all bytes twice. Start the servers again afterwards.
--
-- The names are unique in the partition of the heads alone, which holds all of them. A unique
-- constraint of the whole table would need the position in it, and so would its primary key.

BEGIN;

LOCK TABLE secure_dbstorage_storedfile IN ACCESS EXCLUSIVE MODE;
ALTER TABLE secure_dbstorage_storedfile RENAME TO secure_dbstorage_unpartitioned;
ALTER TABLE secure_dbstorage_unpartitioned DROP CONSTRAINT secure_dbstorage_unique_chunk;
ALTER TABLE secure_dbstorage_unpartitioned DROP CONSTRAINT secure_dbstorage_unique_name;

-- With the columns' defaults, their collations, and "STORAGE EXTERNAL" for the bytes.
CREATE TABLE secure_dbstorage_storedfile (
    LIKE secure_dbstorage_unpartitioned
    INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING IDENTITY INCLUDING STORAGE
) PARTITION BY RANGE (position);

-- The files, and the uploads that have no name yet.
CREATE TABLE secure_dbstorage_heads PARTITION OF secure_dbstorage_storedfile
    FOR VALUES FROM (MINVALUE) TO (1);

-- One-time links that were used.
CREATE TABLE secure_dbstorage_uses PARTITION OF secure_dbstorage_storedfile
    FOR VALUES FROM (2147483647) TO (MAXVALUE);

-- The rest of the bytes, spread by content. All rows of a file are in one of these. Choose their
-- number so that each stays below about 500 GB: it can't be changed without another copy.
CREATE TABLE secure_dbstorage_chunks PARTITION OF secure_dbstorage_storedfile
    FOR VALUES FROM (1) TO (2147483647) PARTITION BY HASH (content);
DO $$
DECLARE number_of_chunk_tables CONSTANT integer := 8;
BEGIN
    FOR number IN 0 .. number_of_chunk_tables - 1 LOOP
        EXECUTE format(
            'CREATE TABLE secure_dbstorage_chunks_%s PARTITION OF secure_dbstorage_chunks'
            ' FOR VALUES WITH (MODULUS %s, REMAINDER %s)',
            number, number_of_chunk_tables, number
        );
    END LOOP;
END $$;

INSERT INTO secure_dbstorage_storedfile SELECT * FROM secure_dbstorage_unpartitioned;

-- After the rows: an index is built faster than it grows.
ALTER TABLE secure_dbstorage_storedfile
    ADD CONSTRAINT secure_dbstorage_unique_chunk UNIQUE (content, position);
ALTER TABLE secure_dbstorage_heads
    ADD CONSTRAINT secure_dbstorage_unique_name UNIQUE (namespace, name);
CREATE INDEX secure_dbstorage_id ON secure_dbstorage_storedfile (id);

-- New rows continue the numbers of the old ones.
SELECT setval(
    pg_get_serial_sequence('secure_dbstorage_storedfile', 'id'),
    coalesce((SELECT max(id) FROM secure_dbstorage_unpartitioned), 0) + 1,
    false
);
DROP TABLE secure_dbstorage_unpartitioned;

COMMIT;

ANALYZE secure_dbstorage_storedfile;
