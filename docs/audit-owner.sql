-- Takes the audit away from the role that Smart Support logs in as, so that nobody who has its password can change what
-- is recorded. Run it once as a superuser, after `manage.py migrate`, with your own names in place of
-- smartsupport_audit_owner (made here; nobody can log in as it) and smartsupport_app (the role in DATABASE_URL, which
-- must not be a superuser). Running it again changes nothing.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'smartsupport_audit_owner') THEN
        CREATE ROLE smartsupport_audit_owner NOLOGIN;
    END IF;
END
$$;
GRANT USAGE, CREATE ON SCHEMA public TO smartsupport_audit_owner;
ALTER TABLE smartsupport_auditentry OWNER TO smartsupport_audit_owner;
ALTER TABLE smartsupport_audithead OWNER TO smartsupport_audit_owner;
ALTER FUNCTION smartsupport_audit_chain() OWNER TO smartsupport_audit_owner;
ALTER FUNCTION smartsupport_audit_refuse() OWNER TO smartsupport_audit_owner;
REVOKE CREATE ON SCHEMA public FROM smartsupport_audit_owner;
REVOKE ALL ON smartsupport_auditentry, smartsupport_audithead FROM PUBLIC, smartsupport_app;
GRANT SELECT, INSERT ON smartsupport_auditentry TO smartsupport_app;
GRANT SELECT ON smartsupport_audithead TO smartsupport_app;
GRANT EXECUTE ON FUNCTION smartsupport_audit_refuse() TO smartsupport_app;
