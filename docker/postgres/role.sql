-- Run by the image, once, when it makes the database. The product works as a role that owns its database and is no
-- superuser, who could read files and start programs there. The superuser has no password afterwards: nobody is let in
-- as it but inside of the container (psql -U postgres).
\getenv password POSTGRES_PASSWORD
CREATE ROLE smartsupport LOGIN PASSWORD :'password';
ALTER DATABASE smartsupport OWNER TO smartsupport;
ALTER ROLE postgres PASSWORD NULL;
