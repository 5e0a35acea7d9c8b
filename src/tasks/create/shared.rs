//! Which rows are nobody's, so that every tenant may have them with its own: where nobody else's must come along.

use crate::core::ident::{QName, quote};
use crate::error::Result;
use crate::ports::postgres::Session;
use crate::ports::postgres::source::ForeignKey;
use std::collections::{HashMap, HashSet};

/// Tables (`$1`), and whether they have a column (`$2`).
const TABLES: &str = "SELECT c.oid, n.nspname::text, c.relname::text, EXISTS (SELECT FROM pg_attribute a \
     WHERE a.attrelid = c.oid AND a.attname::text = $2 AND a.attnum > 0 AND NOT a.attisdropped) \
   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY($1)";

/// All tables and their keys, whether or not a backup takes them: what it does not take tells whose rows are, too.
pub struct Owners<'k> {
    keys: &'k [ForeignKey],
    names: HashMap<u32, QName>,
    column: &'k str,
    /// Tables that have the tenant column.
    holding: HashSet<u32>,
    /// Those, and the ones below them: each of their rows may be a tenant's.
    owned: HashSet<u32>,
}

impl<'k> Owners<'k> {
    pub async fn read(
        session: &Session,
        keys: &'k [ForeignKey],
        chosen: impl Iterator<Item = u32>,
        column: &'k str,
    ) -> Result<Self> {
        let oids: HashSet<u32> = keys
            .iter()
            .flat_map(|k| [k.child, k.parent])
            .chain(chosen)
            .collect();
        let oids: Vec<u32> = oids.into_iter().collect();
        let doing = "looking for the tenant column";
        let rows = session.query(doing, TABLES, &[&oids, &column]).await?;
        let name =
            |r: &tokio_postgres::Row| QName::new(r.get::<_, String>(1), r.get::<_, String>(2));
        let holding: HashSet<u32> = rows.iter().filter(|r| r.get(3)).map(|r| r.get(0)).collect();
        Ok(Self {
            keys,
            names: rows.iter().map(|r| (r.get(0), name(r))).collect(),
            column,
            owned: below(&holding, keys),
            holding,
        })
    }

    /// What is true of a row of the table (`alias`) that is nobody's; `None` where each row is. A row below a row that
    /// is nobody's is so only if that one has the column: anything further counts as somebody's.
    pub fn is_nobodys(&self, table: u32, alias: &str) -> Option<String> {
        let column = quote(self.column);
        if self.holding.contains(&table) {
            return Some(format!("{alias}.{column} IS NULL"));
        }
        let above = self
            .keys
            .iter()
            .filter(|k| k.child == table && self.owned.contains(&k.parent));
        let conditions: Vec<String> = above
            .map(|key| {
                let Some(parent) = self.names.get(&key.parent) else {
                    return "false".into();
                };
                let matches = key.matches("owner", alias);
                let somebodys = match self.holding.contains(&key.parent) {
                    true => format!("{matches} AND owner.{column} IS NOT NULL"),
                    false => matches,
                };
                format!(
                    "NOT EXISTS (SELECT FROM ONLY {} owner WHERE {somebodys})",
                    parent.sql()
                )
            })
            .collect();
        (!conditions.is_empty()).then(|| conditions.join(" AND "))
    }
}

fn below(holding: &HashSet<u32>, keys: &[ForeignKey]) -> HashSet<u32> {
    let mut owned = holding.clone();
    while keys
        .iter()
        .any(|k| owned.contains(&k.parent) && owned.insert(k.child))
    {}
    owned
}
