-- Run once, by psql, in a new cluster: the site's role and database, and the standby's role.

-- There is no standby yet to confirm this.
SET synchronous_commit = local;

\getenv password CLOAKROOM_PASSWORD
CREATE ROLE cloakroom LOGIN PASSWORD :'password';
CREATE DATABASE cloakroom OWNER cloakroom;
CREATE ROLE standby LOGIN REPLICATION PASSWORD :'password';
