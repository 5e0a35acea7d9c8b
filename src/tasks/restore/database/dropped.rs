//! What goes with schemas that a forced restore drops although it lies outside of them: the server drops whatever
//! depends on them. It is named beforehand, but for what the backup makes again.

use super::content::Content;
use super::target::Target;
use crate::core::ddl::{Entry, Kind, statement};
use crate::core::ident::QName;
use crate::core::manifest::Warning;
use crate::error::Result;
use std::collections::BTreeSet;
use tokio_postgres::Row;

/// Objects that are named; the count tells the rest.
const NAMED: usize = 50;

/// Everything that a `DROP SCHEMA … CASCADE` of `$1` reaches, as the server follows it: what depends on an object,
/// and what an object is an inseparable part of. Of that what lies elsewhere, without the parts of what is listed
/// itself; what has no schema (a default, a cast) lies where the object is of which it is a part. Default privileges
/// belong to their schema.
const REACHED: &str = "
    WITH RECURSIVE gone(classid, objid, part) AS (
        SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass::oid, n.oid, 0 FROM pg_catalog.pg_namespace n
         WHERE n.nspname::text = ANY ($1::text[])
        UNION
        SELECT found.* FROM gone g CROSS JOIN LATERAL (
            SELECT d.classid, d.objid, d.objsubid FROM pg_catalog.pg_depend d
             WHERE d.refclassid = g.classid AND d.refobjid = g.objid AND g.part IN (0, d.refobjsubid)
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_description x WHERE x.classoid = d.classid AND x.objoid = d.objid
                     AND x.objsubid = 0 AND x.description LIKE $2)
            UNION ALL
            SELECT d.refclassid, d.refobjid, d.refobjsubid FROM pg_catalog.pg_depend d
             WHERE d.classid = g.classid AND d.objid = g.objid AND d.objsubid = g.part AND d.deptype IN ('i', 'e')
        ) found
    ), named AS MATERIALIZED (
        SELECT g.*, o.type, o.schema, o.identity, coalesce(o.schema = 'pg_toast' OR o.schema IN
               (SELECT pg_catalog.quote_ident(s) FROM pg_catalog.unnest($1::text[]) s), false) AS inside
          FROM gone g CROSS JOIN LATERAL pg_catalog.pg_identify_object(g.classid, g.objid, g.part) o
         WHERE o.type <> 'default acl'
    )
    SELECT e.type, e.identity, a.object_names, a.object_args
      FROM named e
      LEFT JOIN LATERAL pg_catalog.pg_identify_object_as_address(e.classid, e.objid, e.part) a
        ON e.type IN ('extension', 'publication relation')
     WHERE NOT e.inside AND e.type <> 'schema' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
             JOIN named p ON p.classid = d.refclassid AND p.objid = d.refobjid AND p.part IN (0, d.refobjsubid)
            WHERE d.classid = e.classid AND d.objid = e.objid AND d.objsubid = e.part
              AND d.deptype IN ('a', 'i', 'e', 'P', 'S')
              AND (NOT p.inside OR e.schema IS NULL AND e.type <> 'publication relation'))
     ORDER BY 1, 2";

/// A warning that names it, where there is any.
pub async fn elsewhere(target: &Target, content: &Content<'_>) -> Result<Option<Warning>> {
    let schemas = target.to_drop(content);
    let schemas: Vec<&str> = schemas.iter().map(|s| s.name.as_str()).collect();
    if schemas.is_empty() {
        return Ok(None);
    }
    let doing = "looking for what depends on the schemas to drop";
    let marked = format!("{}%", crate::core::managed::CATALOG_MARKER);
    let rows = target
        .session
        .query(doing, REACHED, &[&schemas, &marked])
        .await?;
    let again = MadeAgain::new(content);
    let lost = rows.iter().filter(|row| !again.holds(row));
    let lost: Vec<String> = lost
        .map(|row| format!("{} {}", row.get::<_, &str>(0), row.get::<_, &str>(1)))
        .collect();
    Ok((!lost.is_empty()).then(|| warning(&schemas, &lost)))
}

fn warning(schemas: &[&str], lost: &[String]) -> Warning {
    let mut named = lost[..lost.len().min(NAMED)].join("; ");
    if lost.len() > NAMED {
        named += &format!("; and {} more", lost.len() - NAMED);
    }
    let what = match schemas {
        [one] => format!("schema {one}"),
        all => format!("schemas {}", all.join(", ")),
    };
    Warning {
        code: "dropped_elsewhere".into(),
        message: format!(
            "with {what} goes what depends on it elsewhere and is not in this restore: {named}"
        ),
    }
}

/// What lies outside of the dropped schemas and comes with the backup.
struct MadeAgain {
    extensions: BTreeSet<String>,
    /// Tables and the publications that hold them.
    published: BTreeSet<(QName, String)>,
    /// As the dump names them: `CAST (a AS b)`.
    casts: BTreeSet<String>,
    /// Event triggers, and triggers and policies on the platform's tables as the extras name them.
    triggers_and_policies: BTreeSet<String>,
}

impl MadeAgain {
    fn new(content: &Content<'_>) -> Self {
        let extensions = content.pre_data.iter();
        let extensions = extensions.filter(|e| e.kind == Kind::Extension);
        let members = content.post_data.iter();
        let members = members.filter(|e| e.kind == Kind::PublicationTable);
        let first = |e: &Entry| Some((e.table.clone()?, published_by(e.statements.first()?)?));
        let items = content.extras.publications.iter();
        let named = |sql: &str| Some((statement::name_after(sql, "ONLY")?, published_by(sql)?));
        let events = content.post_data.iter();
        let events = events.filter(|e| e.kind == Kind::EventTrigger);
        let mut triggers: BTreeSet<_> = events
            .map(|e| format!("event trigger {}", e.name))
            .collect();
        if !content.is_partial() {
            let extras = content.extras.triggers.iter();
            let extras = extras.chain(&content.extras.policies);
            triggers.extend(extras.map(|i| i.name.clone()));
        }
        Self {
            extensions: extensions.map(|e| e.name.clone()).collect(),
            published: members
                .filter_map(first)
                .chain(items.filter_map(|i| named(&i.sql)))
                .collect(),
            casts: (content.pre_data.iter())
                .filter(|e| e.type_name == "CAST")
                .map(|e| e.name.clone())
                .collect(),
            triggers_and_policies: triggers,
        }
    }

    fn holds(&self, row: &Row) -> bool {
        let (kind, identity): (&str, &str) = (row.get(0), row.get(1));
        let list = |i: usize| row.get::<_, Option<Vec<String>>>(i).unwrap_or_default();
        match (kind, &list(2)[..], &list(3)[..]) {
            ("extension", [name], _) => self.extensions.contains(name),
            ("publication relation", [schema, table], [publication]) => self
                .published
                .contains(&(QName::new(schema, table), publication.clone())),
            ("cast", ..) => self.casts.contains(&format!("CAST {identity}")),
            ("trigger" | "event trigger" | "policy", ..) => {
                let label = format!("{kind} {}", identity.replace('"', ""));
                self.triggers_and_policies.contains(&label)
            }
            _ => false,
        }
    }
}

fn published_by(sql: &str) -> Option<String> {
    statement::word_after(sql, "PUBLICATION")
}
