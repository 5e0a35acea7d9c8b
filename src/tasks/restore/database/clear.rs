//! Drops what is in the way of a restore, or what a restore that failed has made.

use super::platform;
use super::target::{Target, UserSchema, part_of_catalog};
use crate::core::ident::{self, QName};
use crate::core::managed;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::Session;
use crate::tasks::Context;

/// Tables are dropped by the dozen first: one `DROP SCHEMA` of thousands needs more locks than a server has.
const TABLES_AT_ONCE: usize = 50;

/// What a cleaning may need to know of the target before the restore: objects that lie in no schema.
pub struct Before(Vec<(String, String)>);

const OUTSIDE_SCHEMAS: &str = "
    SELECT 'EVENT TRIGGER', evtname::text FROM pg_catalog.pg_event_trigger
    UNION ALL SELECT 'PUBLICATION', pubname::text FROM pg_catalog.pg_publication
    UNION ALL SELECT 'SERVER', srvname::text FROM pg_catalog.pg_foreign_server
    UNION ALL SELECT 'FOREIGN DATA WRAPPER', fdwname::text FROM pg_catalog.pg_foreign_data_wrapper
    UNION ALL SELECT 'EXTENSION', extname::text FROM pg_catalog.pg_extension
    UNION ALL SELECT 'SCHEMA', nspname::text FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_'";

impl Before {
    pub async fn read(session: &Session) -> Result<Self> {
        let rows = session
            .query("looking at the target", OUTSIDE_SCHEMAS, &[])
            .await?;
        Ok(Self(rows.iter().map(|r| (r.get(0), r.get(1))).collect()))
    }

    /// Drops everything that came since, the marker last.
    pub async fn bring_back(&self, ctx: &Context, target: &mut Target, marker: &str) -> Result<()> {
        target.look().await?;
        let schemas: Vec<_> = target.filled().cloned().collect();
        drop_schemas(ctx, &target.session, &schemas).await?;
        let now = Self::read(&target.session).await?;
        let came = now
            .0
            .iter()
            .filter(|found| !self.0.contains(found) && found.1 != marker);
        for (kind, name) in came {
            let sql = format!("DROP {kind} IF EXISTS {} CASCADE", ident::quote(name));
            target.session.batch("removing what was made", &sql).await?;
        }
        platform::take_back(&target.session, marker).await?;
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", ident::quote(marker));
        target.session.batch("removing the marker", &sql).await
    }
}

/// The table of a marker schema that names the tables which a restore of rows alone fills.
const FILLED: &str = "filled";

/// The statements that note beside the marker which tables will be filled.
pub fn note_filled(marker: &str, tables: &[String]) -> String {
    let filled = QName::new(marker, FILLED).sql();
    let names: Vec<String> = tables.iter().map(|t| ident::literal(t)).collect();
    format!(
        "CREATE TABLE {filled} (name text NOT NULL); INSERT INTO {filled} SELECT pg_catalog.unnest(ARRAY[{}]::text[])",
        names.join(", ")
    )
}

/// The tables that the marked restore fills; `None` where it makes its tables itself.
pub async fn filled(session: &Session, marker: &str) -> Result<Option<Vec<String>>> {
    let doing = "reading what a restore has filled";
    let table = QName::new(marker, FILLED).sql();
    let there = "SELECT pg_catalog.to_regclass($1) IS NOT NULL";
    if !session
        .query_one(doing, there, &[&table])
        .await?
        .get::<_, bool>(0)
    {
        return Ok(None);
    }
    let sql = format!("SELECT name FROM {table} WHERE pg_catalog.to_regclass(name) IS NOT NULL");
    let rows = session.query(doing, &sql, &[]).await?;
    Ok(Some(rows.iter().map(|r| r.get(0)).collect()))
}

/// Empties the tables that the marked restore filled, and drops its marker. Other tables may refer to these, which
/// forbids TRUNCATE; none of their rows does, for the tables were empty before.
pub async fn take_back(session: &Session, marker: &str) -> Result<()> {
    let tables = filled(session, marker).await?.unwrap_or_default();
    platform::take_back(session, marker).await?;
    let mut steps = vec!["BEGIN".to_string()];
    if !tables.is_empty() {
        steps.push("SET LOCAL session_replication_role = replica".into());
        steps.extend(tables.iter().map(|t| format!("DELETE FROM ONLY {t}")));
    }
    steps.push(format!(
        "DROP SCHEMA {} CASCADE; COMMIT",
        ident::quote(marker)
    ));
    let doing = "taking back what an unfinished restore left";
    let done = session.batch(doing, &steps.join("; ")).await;
    if done.is_err() {
        // Where the connection broke, there is nothing to end.
        let _ = session.batch(doing, "ROLLBACK").await;
    }
    done
}

/// Drops whole schemas; one that holds the catalog too loses the app's objects alone, and so does `public` where it has
/// default privileges: nobody but their roles may set them again. Else `public` is made again as it was, without what it
/// held.
pub async fn drop_schemas(ctx: &Context, session: &Session, schemas: &[UserSchema]) -> Result<()> {
    if let Some(foreign) = schemas.iter().find(|s| !s.owned) {
        return Err(Error::new(
            Code::PermissionDenied,
            format!(
                "schema {:?} belongs to another role and cannot be dropped",
                foreign.name
            ),
        )
        .hint("Connect as its owner, or restore into a new database."));
    }
    for schema in schemas {
        ctx.check()?;
        if schema.catalog || schema.name == "public" && public_has_defaults(session).await? {
            drop_around_catalog(ctx, session, &schema.name).await?;
            continue;
        }
        drop_tables(ctx, session, &schema.name).await?;
        let name = ident::quote(&schema.name);
        let mut sql = format!("DROP SCHEMA {name} CASCADE;");
        if schema.name == "public" {
            sql.push_str(&public_again(session).await?);
        }
        let doing = format!("dropping schema {:?}", schema.name);
        session
            .cancellable(&ctx.cancel, session.batch(&doing, &sql))
            .await?;
    }
    Ok(())
}

/// Kinds of objects that a schema holds by themselves. Extensions stay: the catalog may use them.
const KINDS: &str = "'table', 'view', 'materialized view', 'foreign table', 'sequence', 'function', 'procedure', 'aggregate', \
    'type', 'operator', 'operator class', 'operator family', 'collation', 'conversion', 'statistics object', \
    'text search configuration', 'text search dictionary', 'text search parser', 'text search template'";

async fn drop_around_catalog(ctx: &Context, session: &Session, schema: &str) -> Result<()> {
    let doing = format!("dropping the app's objects in schema {schema:?}");
    let sql = format!(
        "SELECT pg_catalog.format('DROP %s IF EXISTS %s CASCADE', CASE i.type WHEN 'statistics object' THEN 'statistics' ELSE i.type END, i.identity)
           FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_namespace n ON n.oid = d.refobjid
          CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) i
          WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND n.nspname = $1 AND d.deptype = 'n' AND d.objsubid = 0
            AND i.type IN ({KINDS}) AND NOT {ours} AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                  WHERE e.classid = d.classid AND e.objid = d.objid AND e.objsubid = 0 AND (e.deptype IN ('i', 'e') OR e.deptype = 'a' AND i.type <> 'table'))
          ORDER BY i.type <> 'table', d.objid",
        ours = part_of_catalog("d.classid", "d.objid"),
    );
    let rows = session.query(&doing, &sql, &[&schema]).await?;
    let drops: Vec<String> = rows.iter().map(|r| r.get(0)).collect();
    for chunk in drops.chunks(TABLES_AT_ONCE) {
        let work = drop_apart(session, &doing, chunk);
        session.cancellable(&ctx.cancel, work).await?;
    }
    Ok(())
}

/// In one transaction, which is taken back where CASCADE reaches the catalog.
async fn drop_apart(session: &Session, doing: &str, drops: &[String]) -> Result<()> {
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
    session.batch(doing, begin).await?;
    let before = marked(session, doing).await?;
    session.batch(doing, &drops.join("; ")).await?;
    if marked(session, doing).await? == before {
        return session.batch(doing, "COMMIT").await;
    }
    session.batch(doing, "ROLLBACK").await?;
    Err(Error::new(
        Code::NotEmpty,
        "objects of the app cannot be dropped without the catalog, which refers to them",
    )
    .hint("Restore into another database."))
}

async fn marked(session: &Session, doing: &str) -> Result<i64> {
    let sql = "SELECT count(*) FROM pg_catalog.pg_description WHERE description LIKE $1";
    let like = format!("{}%", managed::CATALOG_MARKER);
    Ok(session.query_one(doing, sql, &[&like]).await?.get(0))
}

async fn drop_tables(ctx: &Context, session: &Session, schema: &str) -> Result<()> {
    let doing = format!("dropping the tables of schema {schema:?}");
    let sql = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
                ORDER BY c.relispartition, c.oid";
    let rows = session.query(&doing, sql, &[&schema]).await?;
    let tables: Vec<String> = rows.iter().map(|r| r.get(0)).collect();
    for chunk in tables.chunks(TABLES_AT_ONCE) {
        let sql = format!("DROP TABLE IF EXISTS {} CASCADE", chunk.join(", "));
        session
            .cancellable(&ctx.cancel, session.batch(&doing, &sql))
            .await?;
    }
    Ok(())
}

async fn public_has_defaults(session: &Session) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_default_acl WHERE defaclnamespace = 'public'::pg_catalog.regnamespace)";
    let doing = "looking at the default privileges of schema public";
    Ok(session.query_one(doing, sql, &[]).await?.get(0))
}

/// The statements that make `public` again with its owner and its grants.
async fn public_again(session: &Session) -> Result<String> {
    let doing = "reading the owner and the grants of schema public";
    let sql = "SELECT pg_catalog.pg_get_userbyid(nspowner)::text, pg_catalog.obj_description(oid, 'pg_namespace')
                 FROM pg_catalog.pg_namespace WHERE nspname = 'public'";
    let row = session.query_one(doing, sql, &[]).await?;
    let owner = ident::quote(row.get(0));
    let mut sql = format!("CREATE SCHEMA public AUTHORIZATION {owner};");
    if let Some(comment) = row.get::<_, Option<&str>>(1) {
        sql.push_str(&format!(
            "COMMENT ON SCHEMA public IS {};",
            ident::literal(comment)
        ));
    }
    let grants = "SELECT DISTINCT pg_catalog.format('GRANT %s ON SCHEMA public TO %s%s;', a.privilege_type,
                    CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
                    CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                  FROM pg_catalog.pg_namespace n CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) a
                 WHERE n.nspname = 'public' AND a.grantee <> n.nspowner";
    for row in session.query(doing, grants, &[]).await? {
        sql.push_str(row.get(0));
    }
    Ok(sql)
}
