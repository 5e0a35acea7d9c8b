//! Whose a row is, where nobody else's must come along with a tenant's own.

use crate::core::ident::{QName, literal, quote};
use crate::core::manifest::Scope;
use crate::error::Result;
use crate::ports::postgres::Session;
use crate::ports::postgres::source::ForeignKey;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Tables (`$1`), and whether they have a column (`$2`).
const TABLES: &str = "SELECT c.oid, n.nspname::text, c.relname::text, EXISTS (SELECT FROM pg_attribute a \
     WHERE a.attrelid = c.oid AND a.attname::text = $2 AND a.attnum > 0 AND NOT a.attisdropped) \
   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY($1)";
/// Parents of parents that are asked whose they are; a row with more above it counts as somebody's.
const DEEPEST: usize = 3;

/// All tables and their keys, whether or not a backup takes them: what it does not take tells whose rows are, too.
pub struct Owners<'k> {
    keys: &'k [ForeignKey],
    names: HashMap<u32, QName>,
    /// The columns by which rows say whose they are: tenant columns, and what these refer to, such as the id of the
    /// tenants themselves.
    telling: HashMap<u32, Vec<Telling>>,
    /// Those, and the ones below them: each of their rows may be a tenant's.
    owned: HashSet<u32>,
    value: String,
}

struct Telling {
    column: String,
    /// Whether the tenant's value was read as one of the column's type before.
    comparable: bool,
}

impl<'k> Owners<'k> {
    /// `chosen` are the tables of the backup.
    pub async fn read(
        session: &Session,
        keys: &'k [ForeignKey],
        chosen: &HashSet<u32>,
        scope: &Scope,
    ) -> Result<Self> {
        let mut oids = chosen.clone();
        oids.extend(keys.iter().flat_map(|k| [k.child, k.parent]));
        let oids: Vec<u32> = oids.into_iter().collect();
        let doing = "looking for the tenant column";
        let rows = session
            .query(doing, TABLES, &[&oids, &scope.column])
            .await?;
        let name =
            |r: &tokio_postgres::Row| QName::new(r.get::<_, String>(1), r.get::<_, String>(2));
        let holding: HashSet<u32> = rows.iter().filter(|r| r.get(3)).map(|r| r.get(0)).collect();
        let telling = telling(&holding, keys, chosen, &scope.column);
        let edges: Vec<(u32, u32)> = keys.iter().map(|k| (k.child, k.parent)).collect();
        Ok(Self {
            keys,
            names: rows.iter().map(|r| (r.get(0), name(r))).collect(),
            owned: below(telling.keys().copied().collect(), &edges),
            telling,
            value: literal(&scope.value),
        })
    }

    /// What is true of a row (`alias`) of the table that is nobody else's; `None` where each row is.
    pub fn is_no_others(&self, table: u32, alias: &str) -> Option<String> {
        let others = self.is_others(table, alias, 0)?;
        Some(format!("NOT coalesce({others}, false)"))
    }

    fn is_others(&self, table: u32, alias: &str, depth: usize) -> Option<String> {
        let telling: &[Telling] = self.telling.get(&table).map_or(&[], Vec::as_slice);
        let compared = |how: &str| {
            let columns = telling.iter().filter(|t| t.comparable);
            columns
                .map(|t| format!("{alias}.{} {how} {}", quote(&t.column), self.value))
                .collect::<Vec<_>>()
        };
        let untold = telling.iter().filter(|t| !t.comparable);
        let untold = untold.map(|t| format!("{alias}.{} IS NOT NULL", quote(&t.column)));
        let mut signs: Vec<String> = compared("<>").into_iter().chain(untold).collect();
        let above = self
            .keys
            .iter()
            .filter(|k| k.child == table && self.owned.contains(&k.parent));
        for key in above {
            signs.extend(partly_null(key, alias));
            signs.push(self.hangs_on_others(key, alias, depth));
        }
        let own = match compared("=") {
            own if own.is_empty() => String::new(),
            own => format!("({}) IS NOT TRUE AND ", own.join(" OR ")),
        };
        (!signs.is_empty()).then(|| format!("({own}({}))", signs.join(" OR ")))
    }

    fn hangs_on_others(&self, key: &ForeignKey, alias: &str, depth: usize) -> String {
        let Some(parent) = self.names.get(&key.parent) else {
            return "true".into();
        };
        let owner = format!("o{depth}");
        let whose = match depth < DEEPEST {
            true => self.is_others(key.parent, &owner, depth + 1),
            false => None,
        };
        format!(
            "EXISTS (SELECT FROM ONLY {} {owner} WHERE {}{})",
            parent.sql(),
            key.matches(&owner, alias),
            whose.map_or_else(String::new, |w| format!(" AND {w}")),
        )
    }
}

/// A key of several columns, some of them NULL, refers to nothing, and yet may name somebody's row.
fn partly_null(key: &ForeignKey, alias: &str) -> Option<String> {
    let columns = || key.columns.iter().map(|(child, ..)| quote(child));
    let all = |how: &str, by: &str| {
        let each = columns().map(|c| format!("{alias}.{c} {how}"));
        each.collect::<Vec<_>>().join(by)
    };
    (key.columns.len() > 1).then(|| {
        format!(
            "({}) AND ({})",
            all("IS NULL", " OR "),
            all("IS NOT NULL", " OR ")
        )
    })
}

fn telling(
    holding: &HashSet<u32>,
    keys: &[ForeignKey],
    chosen: &HashSet<u32>,
    column: &str,
) -> HashMap<u32, Vec<Telling>> {
    let mut telling: HashMap<u32, Vec<Telling>> = HashMap::new();
    for table in holding {
        telling.entry(*table).or_default().push(Telling {
            column: column.into(),
            comparable: chosen.contains(table),
        });
    }
    for key in keys.iter().filter(|k| holding.contains(&k.child)) {
        let referred = key.columns.iter().filter(|(child, ..)| child == column);
        for (_, parent, _) in referred {
            let known = telling.entry(key.parent).or_default();
            if known.iter().all(|t| t.column != *parent) {
                known.push(Telling {
                    column: parent.clone(),
                    comparable: chosen.contains(&key.child),
                });
            }
        }
    }
    telling
}

/// Those tables, and the ones below them along keys (child, parent).
pub fn below<T: Copy + Eq + Hash>(tables: HashSet<T>, keys: &[(T, T)]) -> HashSet<T> {
    let mut owned = tables;
    while keys
        .iter()
        .any(|(child, parent)| owned.contains(parent) && owned.insert(*child))
    {}
    owned
}
