//! Queries whose rows are a name for people and the statement that makes the thing again.

/// Roles that the database depends on, what they are members of, and their direct members.
const USED_ROLES: &str = "WITH RECURSIVE needed(oid) AS (
    SELECT s.refobjid FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
     WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
       AND (s.dbid = d.oid OR (s.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND s.objid = d.oid))
    UNION
    SELECT m.roleid FROM needed n JOIN pg_catalog.pg_auth_members m ON m.member = n.oid
), used AS (
    SELECT r.* FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_' AND (r.oid IN (SELECT oid FROM needed)
        OR r.oid IN (SELECT m.member FROM pg_catalog.pg_auth_members m JOIN needed n ON n.oid = m.roleid))
) ";

/// Without LOGIN, since passwords are not kept, and without what only a superuser may give.
pub fn roles() -> String {
    format!(
        "{USED_ROLES} SELECT rolname::text, pg_catalog.format('CREATE ROLE %I NOLOGIN', rolname)
            || CASE WHEN rolinherit THEN '' ELSE ' NOINHERIT' END
            || CASE WHEN rolcreatedb THEN ' CREATEDB' ELSE '' END
            || CASE WHEN rolcreaterole THEN ' CREATEROLE' ELSE '' END
            || CASE WHEN rolbypassrls THEN ' BYPASSRLS' ELSE '' END
         FROM used ORDER BY 1"
    )
}

/// From 16 on a membership says what it is good for; what a server gives by itself is left out. Who may give a role on
/// has that from somebody else, and may not say it once more.
pub fn memberships(version: u32) -> String {
    let since_16 = if version >= 160_000 {
        ", CASE WHEN m.inherit_option <> b.rolinherit THEN 'INHERIT ' || pg_catalog.upper(m.inherit_option::text) END,
           CASE WHEN NOT m.set_option THEN 'SET FALSE' END"
    } else {
        ""
    };
    format!(
        "{USED_ROLES}, said AS (SELECT a.rolname AS role, b.rolname AS member, m.admin_option, pg_catalog.format('GRANT %I TO %I', a.rolname, b.rolname)
            || coalesce(' WITH ' || nullif(pg_catalog.concat_ws(', ', CASE WHEN m.admin_option THEN 'ADMIN OPTION' END{since_16}), ''), '') AS sql
         FROM pg_catalog.pg_auth_members m JOIN used a ON a.oid = m.roleid JOIN used b ON b.oid = m.member)
         SELECT pg_catalog.format('membership of %s in %s', member, role), CASE WHEN admin_option THEN pg_catalog.format('DO %L', pg_catalog.format(
            'BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_auth_members WHERE roleid = %L::pg_catalog.regrole AND member = %L::pg_catalog.regrole AND admin_option) THEN %s; END IF; END',
            pg_catalog.quote_ident(role), pg_catalog.quote_ident(member), sql)) ELSE sql END
         FROM said ORDER BY 1"
    )
}

/// Triggers on tables outside the app's schemas that call the app's functions, or those that the platform lends to every
/// table (webhooks, `moddatetime`).
pub const TRIGGERS: &str = "
    SELECT pg_catalog.format('trigger %s on %s.%s', t.tgname, n.nspname, c.relname),
           pg_catalog.pg_get_triggerdef(t.oid) || CASE t.tgenabled WHEN 'O' THEN '' ELSE
             pg_catalog.format('; ALTER TABLE %I.%I %s TRIGGER %I', n.nspname, c.relname,
               CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, t.tgname) END
      FROM pg_catalog.pg_trigger t
      JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace
     WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND n.nspname ~ $1
       AND (f.nspname !~ $1 OR f.nspname <> n.nspname AND f.nspname IN ('supabase_functions', 'extensions', 'pg_catalog'))
     ORDER BY n.nspname, c.relname, t.tgname";

/// Policies on managed tables that are no extension's own.
pub const POLICIES: &str = "
    SELECT pg_catalog.format('policy %s on %s.%s', p.policyname, p.schemaname, p.tablename),
           pg_catalog.format('CREATE POLICY %I ON %I.%I AS %s FOR %s TO %s', p.policyname, p.schemaname, p.tablename,
             p.permissive, p.cmd, (SELECT pg_catalog.string_agg(CASE r WHEN 'public' THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r) END, ', ')
                                    FROM pg_catalog.unnest(p.roles) r))
             || coalesce(' USING (' || p.qual || ')', '') || coalesce(' WITH CHECK (' || p.with_check || ')', '')
      FROM pg_catalog.pg_policies p
      JOIN pg_catalog.pg_namespace n ON n.nspname = p.schemaname
      JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
     WHERE p.schemaname ~ $1 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
     ORDER BY p.schemaname, p.tablename, p.policyname";

pub const PUBLICATIONS: &str = "
    SELECT pg_catalog.format('%s.%s in publication %s', n.nspname, c.relname, p.pubname),
           pg_catalog.format('ALTER PUBLICATION %I ADD TABLE ONLY %I.%I', p.pubname, n.nspname, c.relname)
             || coalesce((SELECT ' (' || pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')'
                            FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (m.prattrs)), '')
             || coalesce(' WHERE (' || pg_catalog.pg_get_expr(m.prqual, m.prrelid) || ')', '')
      FROM pg_catalog.pg_publication_rel m JOIN pg_catalog.pg_publication p ON p.oid = m.prpubid
      JOIN pg_catalog.pg_class c ON c.oid = m.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname !~ $1 ORDER BY p.pubname, n.nspname, c.relname";

pub const PUBLICATIONS_BEFORE_15: &str = "
    SELECT pg_catalog.format('%s.%s in publication %s', n.nspname, c.relname, p.pubname),
           pg_catalog.format('ALTER PUBLICATION %I ADD TABLE ONLY %I.%I', p.pubname, n.nspname, c.relname)
      FROM pg_catalog.pg_publication_rel m JOIN pg_catalog.pg_publication p ON p.oid = m.prpubid
      JOIN pg_catalog.pg_class c ON c.oid = m.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname !~ $1 ORDER BY p.pubname, n.nspname, c.relname";

/// Settings whose name says that their value is secret.
const SECRET: &str = "(secret|passw|token|credential|jwt|(^|[._])key|_key)";

/// All settings of a database, of a role, or of a role in a database, as (name, value, role).
const SETTINGS: &str = "
    SELECT r.rolname, d.datname, pg_catalog.split_part(c, '=', 1) AS setting, pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) AS value
      FROM pg_catalog.pg_db_role_setting s
      JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
      LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
      CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c";

/// `FROM CURRENT` writes lists such as `search_path` with the quoting that they had; a DO block names the target's
/// database, whatever it is called.
pub fn settings(database: &str, role: &str, alter: &str) -> String {
    format!(
        "SELECT coalesce(rolname, 'the database') || CASE WHEN rolname IS NULL THEN ': ' || setting ELSE '' END,
            pg_catalog.format('DO %L', pg_catalog.format(
              'BEGIN PERFORM pg_catalog.set_config(%L, %L, true); EXECUTE pg_catalog.format(%L, pg_catalog.current_database(), %L::text); END',
              setting, value, '{alter} SET ' || pg_catalog.quote_ident(setting) || ' FROM CURRENT', rolname))
         FROM ({SETTINGS} WHERE s.setdatabase = {database} AND s.setrole = {role}) found
         WHERE setting !~* '{SECRET}' ORDER BY 1, setting"
    )
}

pub fn secret_settings() -> String {
    format!(
        "SELECT setting || coalesce(' of role ' || rolname, '') FROM ({SETTINGS} WHERE s.setdatabase IN (0, d.oid)) found
         WHERE setting ~* '{SECRET}' ORDER BY 1"
    )
}

/// A command may hold a key, so a job without a name is called by its number.
pub const CRON_JOBS: &str = "
    SELECT 'cron job ' || coalesce(jobname, jobid::text),
           pg_catalog.format('SELECT cron.alter_job(cron.schedule(%s%L, %L), active := %L::boolean)',
             CASE WHEN jobname IS NULL THEN '' ELSE pg_catalog.quote_literal(jobname) || ', ' END, schedule, command, active)
      FROM cron.job WHERE database = pg_catalog.current_database() ORDER BY jobid";

/// (schema, table, condition, columns, readable) of tables whose rows an extension marks as the app's.
pub const CONFIGURATION_TABLES: &str = "
    SELECT n.nspname::text, c.relname::text, coalesce(e.extcondition[k.i], ''),
           ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum),
           pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
             AND NOT pg_catalog.row_security_active(c.oid)
      FROM pg_catalog.pg_extension e
      CROSS JOIN LATERAL pg_catalog.generate_subscripts(e.extconfig, 1) AS k(i)
      JOIN pg_catalog.pg_class c ON c.oid = e.extconfig[k.i] AND c.relkind = 'r'
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname NOT IN ('cron', 'vault', 'pgsodium') ORDER BY e.extname, k.i";

/// Schemas (outside the app's) reached from the app's objects; members of extensions come with their extension, and
/// what is marked (`$2`) is the catalog's.
pub const REFERENCED: &str = r"
    WITH RECURSIVE object(classid, objid, schema) AS (
        SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::oid, oid, relnamespace FROM pg_catalog.pg_class
        UNION ALL SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, oid, pronamespace FROM pg_catalog.pg_proc
        UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, oid, typnamespace FROM pg_catalog.pg_type
        UNION ALL SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, oid, oprnamespace FROM pg_catalog.pg_operator
        UNION ALL SELECT 'pg_catalog.pg_collation'::pg_catalog.regclass, oid, collnamespace FROM pg_catalog.pg_collation
        UNION ALL SELECT 'pg_catalog.pg_ts_config'::pg_catalog.regclass, oid, cfgnamespace FROM pg_catalog.pg_ts_config
        UNION ALL SELECT 'pg_catalog.pg_opclass'::pg_catalog.regclass, oid, opcnamespace FROM pg_catalog.pg_opclass
        UNION ALL SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, oid, connamespace FROM pg_catalog.pg_constraint
        UNION ALL SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, a.oid, c.relnamespace FROM pg_catalog.pg_attrdef a JOIN pg_catalog.pg_class c ON c.oid = a.adrelid
        UNION ALL SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, a.oid, c.relnamespace FROM pg_catalog.pg_rewrite a JOIN pg_catalog.pg_class c ON c.oid = a.ev_class
        UNION ALL SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, a.oid, c.relnamespace FROM pg_catalog.pg_policy a JOIN pg_catalog.pg_class c ON c.oid = a.polrelid
        UNION ALL SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, a.oid, c.relnamespace FROM pg_catalog.pg_trigger a JOIN pg_catalog.pg_class c ON c.oid = a.tgrelid
    ), own AS (
        SELECT o.* FROM object o WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
             WHERE e.classid = o.classid AND e.objid = o.objid AND e.deptype = 'e')
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_description m WHERE m.objsubid = 0 AND m.description LIKE $2
             AND (m.classoid = o.classid AND m.objoid = o.objid
               OR m.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND m.objoid = o.schema))
    ), outside AS (
        SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n
         WHERE n.nspname ~ $1 AND n.nspname !~ '^(pg_|information_schema$)'
           AND EXISTS (SELECT FROM own WHERE own.schema = n.oid)
    ), edge(source, target) AS (
        SELECT a.schema, b.schema FROM pg_catalog.pg_depend d
          JOIN own a ON a.classid = d.classid AND a.objid = d.objid
          JOIN own b ON b.classid = d.refclassid AND b.objid = d.refobjid
         WHERE a.schema <> b.schema
        UNION
        SELECT b.schema, a.schema FROM pg_catalog.pg_trigger t JOIN own a ON a.objid = t.tgrelid AND a.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
          JOIN own b ON b.objid = t.tgfoid AND b.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
         WHERE NOT t.tgisinternal AND a.schema <> b.schema AND b.schema NOT IN (SELECT oid FROM outside)
        UNION
        SELECT p.pronamespace, o.oid FROM pg_catalog.pg_proc p
          JOIN own f ON f.objid = p.oid AND f.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
          JOIN outside o ON p.pronamespace <> o.oid AND pg_catalog.strpos(p.prosrc, o.nspname || '.') > 0
    ), reached(schema) AS (
        SELECT e.target FROM edge e JOIN pg_catalog.pg_namespace n ON n.oid = e.source WHERE n.nspname !~ $1
        UNION
        SELECT e.target FROM reached r JOIN edge e ON e.source = r.schema
    )
    SELECT o.nspname::text FROM reached r JOIN outside o ON o.oid = r.schema ORDER BY 1";
