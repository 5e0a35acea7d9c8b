//! What the target is and holds before anything is written.

use super::content::Content;
use crate::core::ident::{self, QName};
use crate::core::managed;
use crate::core::manifest::{Manifest, Source};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::{DatabaseUrl, Purpose, Session, unfinished};
use crate::tasks::restore::lock::{refusal, try_lock};
use std::collections::BTreeSet;

/// The coordinating session and what it found. Names in its statements are qualified: `search_path` is empty.
pub struct Target {
    pub session: Session,
    pub schemas: Vec<UserSchema>,
    /// Every schema, the server's and the platform's included.
    pub all_schemas: BTreeSet<String>,
    /// `rovodev_restore_<operation>` of restores that never ended, with their comment.
    pub markers: Vec<(String, String)>,
}

/// A schema of the app.
#[derive(Debug, Clone)]
pub struct UserSchema {
    pub name: String,
    /// Tables, views, sequences, functions and types that no extension made.
    pub objects: u64,
    /// Estimated from the tables' statistics, exact for tables that were never analysed.
    pub rows: u64,
    /// Whether objects of the catalog lie in it, which are not counted and stay.
    pub catalog: bool,
    /// Whether the role may drop it.
    pub owned: bool,
}

impl Target {
    pub async fn inspect(url: &DatabaseUrl) -> Result<Self> {
        let session = Session::connect(url, Purpose::Read).await?;
        session
            .batch("preparing the session", "SET client_min_messages = warning")
            .await?;
        let mut target = Self {
            schemas: Vec::new(),
            all_schemas: BTreeSet::new(),
            markers: Vec::new(),
            session,
        };
        target.look().await?;
        Ok(target)
    }

    /// Looks again at what is there.
    pub async fn look(&mut self) -> Result<()> {
        self.schemas = schemas(&self.session).await?;
        let doing = "listing the target's schemas";
        let sql = "SELECT nspname::text FROM pg_catalog.pg_namespace";
        let rows = self.session.query(doing, sql, &[]).await?;
        self.markers = unfinished::restores(&self.session).await?;
        self.all_schemas = rows.iter().map(|r| r.get(0)).collect();
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.markers.is_empty() && self.schemas.iter().all(|s| s.objects == 0)
    }

    /// The schemas that hold something.
    pub fn filled(&self) -> impl Iterator<Item = &UserSchema> {
        self.schemas.iter().filter(|s| s.objects > 0)
    }

    /// Of these, the ones that `force` drops: those that the backup makes anew, and no other.
    pub fn to_drop(&self, content: &Content<'_>) -> Vec<UserSchema> {
        let made = content.schemas();
        self.filled()
            .filter(|s| made.contains(s.name.as_str()))
            .cloned()
            .collect()
    }

    /// Tables of these schemas that no extension made.
    pub async fn tables_in(&self, schemas: &[UserSchema]) -> Result<Vec<QName>> {
        let names: Vec<&str> = schemas.iter().map(|s| s.name.as_str()).collect();
        let sql = format!("SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c
                     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                          WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e') AND NOT {}
                    ORDER BY 1, 2", of_catalog("'pg_catalog.pg_class'::pg_catalog.regclass", "c.oid"));
        let rows = self
            .session
            .query("listing the target's tables", &sql, &[&names])
            .await?;
        Ok(rows
            .iter()
            .map(|r| QName::new(r.get::<_, String>(0), r.get::<_, String>(1)))
            .collect())
    }

    /// Whether a URL leads to this very database, whatever its text says. Where nothing answers there, the source
    /// that the backup names has to do.
    pub async fn is_same_as(&self, url: &DatabaseUrl, backup: &Manifest) -> Result<bool> {
        let here = &self.session.identity;
        let Ok(other) = Session::connect(url, Purpose::Read).await else {
            let named = |s: &Source| {
                s.system_identifier == here.system_identifier && s.database == here.database
            };
            return Ok(backup.source.as_ref().is_some_and(named));
        };
        if other.identity != *here {
            return Ok(false);
        }
        // A copy of a whole server bears its system identifier too; it did not start in the same moment.
        let started = async |session: &Session| -> Result<String> {
            let sql = "SELECT pg_catalog.pg_postmaster_start_time()::text";
            let row = session
                .query_one("asking when the server started", sql, &[])
                .await?;
            Ok(row.get(0))
        };
        Ok(started(&self.session).await? == started(&other).await?)
    }

    /// Which of these names a relation, a type or a function of the target bears.
    pub async fn has(&self, names: &BTreeSet<QName>) -> Result<BTreeSet<QName>> {
        let schemas: Vec<_> = names.iter().map(|q| q.schema.as_str()).collect();
        let bare: Vec<_> = names.iter().map(|q| q.name.as_str()).collect();
        let sql = "SELECT DISTINCT x.schema, x.name FROM unnest($1::text[], $2::text[]) AS x(schema, name)
                     JOIN pg_catalog.pg_namespace n ON n.nspname = x.schema
                    WHERE EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = n.oid AND relname = x.name)
                       OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE typnamespace = n.oid AND typname = x.name)
                       OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = n.oid AND proname = x.name)
                       OR EXISTS (SELECT FROM pg_catalog.pg_collation WHERE collnamespace = n.oid AND collname = x.name)";
        let doing = "looking for what the backup refers to";
        let rows = self.session.query(doing, sql, &[&schemas, &bare]).await?;
        let name =
            |r: &tokio_postgres::Row| QName::new(r.get::<_, String>(0), r.get::<_, String>(1));
        Ok(rows.iter().map(name).collect())
    }

    /// Fails where another restore works in this database; the lock ends with the session.
    pub async fn lock(&self) -> Result<()> {
        if try_lock(&self.session).await? {
            return Ok(());
        }
        Err(refusal(&self.session).await?)
    }

    /// Fails where the database takes no writes. A restore that never ended may have brought along that it is read-only.
    pub async fn require_writes(&self, url: &DatabaseUrl) -> Result<()> {
        let Err(refused) = self.session.require_writes(url) else {
            return Ok(());
        };
        let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s
                     JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND d.datname = pg_catalog.current_database()
                    WHERE 'default_transaction_read_only=on' = ANY (s.setconfig))";
        let doing = "reading the database's settings";
        let brought =
            !self.markers.is_empty() && self.session.query_one(doing, sql, &[]).await?.get(0);
        match brought && refused.code == Code::NoSpace {
            true => Ok(()),
            false => Err(refused),
        }
    }

    /// Fails unless the role may make schemas.
    pub async fn require_create(&self) -> Result<()> {
        let sql = "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'), current_user::text";
        let row = self
            .session
            .query_one("reading the role's rights", sql, &[])
            .await?;
        if row.get::<_, bool>(0) {
            return Ok(());
        }
        let (database, role) = (&self.session.identity.database, row.get::<_, String>(1));
        Err(Error::new(
            Code::PermissionDenied,
            format!("role {role:?} may not create schemas in database {database:?}"),
        )
        .hint(format!(
            "As the database's owner: GRANT CREATE ON DATABASE {} TO {};",
            ident::quote(database),
            ident::quote(&role)
        )))
    }

    /// For each table, whether it exists and whether it holds a row.
    pub async fn tables_with_rows(&self, tables: &[&QName]) -> Result<Vec<(bool, bool)>> {
        let names: Vec<_> = tables.iter().map(|t| t.sql()).collect();
        let doing = "looking at the target's tables";
        let sql = "SELECT pg_catalog.to_regclass(t) IS NOT NULL FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS x(t, i) ORDER BY i";
        let rows = self.session.query(doing, sql, &[&names]).await?;
        let exists: Vec<bool> = rows.iter().map(|r| r.get(0)).collect();
        let probes: Vec<_> = names
            .iter()
            .zip(&exists)
            .map(|(name, exists)| match exists {
                true => format!("SELECT EXISTS (SELECT FROM ONLY {name})"),
                false => "SELECT false".to_string(),
            })
            .collect();
        let mut found = Vec::with_capacity(tables.len());
        for chunk in probes.chunks(200) {
            let rows = self
                .session
                .query(doing, &chunk.join(" UNION ALL "), &[])
                .await?;
            found.extend(rows.iter().map(|r| r.get::<_, bool>(0)));
        }
        Ok(exists.into_iter().zip(found).collect())
    }
}

/// Whether an object is marked as the catalog's, which no restore touches.
pub fn of_catalog(class: &str, oid: &str) -> String {
    format!(
        "EXISTS (SELECT FROM pg_catalog.pg_description x WHERE x.classoid = {class} AND x.objoid = {oid} \
           AND x.objsubid = 0 AND x.description LIKE '{}%')",
        managed::CATALOG_MARKER
    )
}

/// Whether an object is the catalog's, or belongs to a table that is.
pub fn part_of_catalog(class: &str, oid: &str) -> String {
    format!(
        "({} OR EXISTS (SELECT FROM pg_catalog.pg_depend part WHERE part.classid = {class} AND part.objid = {oid} \
           AND part.deptype IN ('a', 'i') AND {}))",
        of_catalog(class, oid),
        of_catalog("part.refclassid", "part.refobjid")
    )
}

async fn schemas(session: &Session) -> Result<Vec<UserSchema>> {
    let (ours, table, schema) = (
        part_of_catalog("o.classid", "o.oid"),
        of_catalog("'pg_catalog.pg_class'::pg_catalog.regclass", "c.oid"),
        of_catalog("'pg_catalog.pg_namespace'::pg_catalog.regclass", "n.oid"),
    );
    let sql = format!("
        WITH objects AS (
            SELECT 'pg_catalog.pg_class'::pg_catalog.regclass AS classid, oid, relnamespace AS schema FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
            UNION ALL SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, oid, pronamespace FROM pg_catalog.pg_proc
            UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, oid, typnamespace FROM pg_catalog.pg_type WHERE typrelid = 0 AND typelem = 0
        )
        SELECT n.nspname::text,
               (SELECT count(*) FROM objects o WHERE o.schema = n.oid AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                     WHERE d.classid = o.classid AND d.objid = o.oid AND d.deptype = 'e') AND NOT {ours}),
               (SELECT coalesce(sum(greatest(c.reltuples, s.n_live_tup, 0)), 0)::int8 FROM pg_catalog.pg_class c
                  LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
                 WHERE c.relnamespace = n.oid AND c.relkind = 'r' AND NOT {table}),
               pg_catalog.pg_has_role(n.nspowner, 'USAGE'), EXISTS (SELECT FROM objects o WHERE o.schema = n.oid AND {ours})
          FROM pg_catalog.pg_namespace n
         WHERE n.nspname !~ $1 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                     WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.objid = n.oid AND d.deptype = 'e')
           AND NOT {schema}
         ORDER BY 1");
    let rows = session
        .query(
            "looking at the target's schemas",
            &sql,
            &[&managed::not_app_regex()],
        )
        .await?;
    let count = |n: i64| n.unsigned_abs();
    let schema = |r: &tokio_postgres::Row| UserSchema {
        name: r.get(0),
        objects: count(r.get(1)),
        rows: count(r.get(2)),
        owned: r.get(3),
        catalog: r.get(4),
    };
    Ok(rows.iter().map(schema).collect())
}
