//! Owners and grantees: made where they are missing and the role may, else left out and told.

use super::steps::{IfRefused, Step, Warnings};
use crate::core::ddl::{Entry, Kind, statement};
use crate::core::extras::Item;
use crate::core::manifest::Warning;
use crate::core::{grants, ident};
use crate::error::{Code, Result};
use crate::ports::postgres::Session;
use std::collections::{BTreeMap, BTreeSet};

/// Which roles exist in the target, and which of them the session may act as.
pub struct Roles {
    me: String,
    may_create: bool,
    known: BTreeSet<String>,
    usable: BTreeSet<String>,
    /// Made by this restore.
    pub created: Vec<String>,
    /// Why, and of which objects.
    left_out: BTreeMap<String, BTreeSet<String>>,
    /// Roles whose default privileges only they may set.
    of_others: BTreeSet<String>,
}

/// Objects named of each kind of statement that is left out.
const NAMED: usize = 5;

impl Roles {
    pub async fn read(session: &Session) -> Result<Self> {
        let sql = "SELECT r.rolname::text, pg_catalog.pg_has_role(r.oid, 'MEMBER'), r.rolname = current_user,
                          (r.rolsuper OR r.rolcreaterole) FROM pg_catalog.pg_roles r";
        let mut roles = Self {
            me: String::new(),
            may_create: false,
            known: BTreeSet::new(),
            usable: BTreeSet::new(),
            created: Vec::new(),
            left_out: BTreeMap::new(),
            of_others: BTreeSet::new(),
        };
        for row in session
            .query("reading the target's roles", sql, &[])
            .await?
        {
            let name: String = row.get(0);
            if row.get(1) {
                roles.usable.insert(name.clone());
            }
            if row.get(2) {
                (roles.me, roles.may_create) = (name.clone(), row.get(3));
            }
            roles.known.insert(name);
        }
        Ok(roles)
    }

    /// What would be left out, where every role that is missing can be made if any can: warnings and notes.
    pub fn foresee(
        mut self,
        entries: &[&Entry],
        definitions: &[Item],
    ) -> (Vec<Warning>, Vec<Warning>) {
        if self.may_create {
            let made = needed(entries, definitions);
            let made: BTreeSet<_> = made.difference(&self.known).cloned().collect();
            let joined = owners(entries);
            self.usable.extend(joined.intersection(&made).cloned());
            self.known.extend(made);
        }
        for entry in entries {
            self.step(entry, false);
        }
        (self.left_out(), self.notes())
    }

    /// Makes the roles that the entries name and the target lacks, without LOGIN.
    pub async fn create_missing(
        &mut self,
        session: &Session,
        entries: &[&Entry],
        definitions: &[Item],
        warnings: &Warnings,
    ) -> Result<()> {
        let defined: BTreeMap<_, _> = definitions.iter().map(|i| (i.name.as_str(), i)).collect();
        let owners = owners(entries);
        for role in needed(entries, definitions).difference(&self.known.clone()) {
            if !self.may_create {
                continue;
            }
            let plain = format!("CREATE ROLE {} NOLOGIN", ident::quote(role));
            let full = defined
                .get(role.as_str())
                .map_or(plain.as_str(), |i| i.sql.as_str());
            let mut made = session.batch("creating a role", full).await;
            if made
                .as_ref()
                .is_err_and(|e| e.code == Code::PermissionDenied)
            {
                made = session.batch("creating a role", &plain).await;
            }
            match made {
                Ok(()) => self.created(session, role, owners.contains(role)).await,
                Err(e) => warnings.add("role_missing", format!("role {role:?}: {e}")),
            }
        }
        if !self.created.is_empty() {
            let names = self.created.join(", ");
            warnings.add(
                "roles_created",
                format!("roles made without a password and without LOGIN: {names}"),
            );
        }
        Ok(())
    }

    async fn created(&mut self, session: &Session, role: &str, owns: bool) {
        self.known.insert(role.to_string());
        self.created.push(role.to_string());
        // To give an object away, a role that is no superuser must be a member of the new owner.
        let join = format!("GRANT {} TO CURRENT_USER", ident::quote(role));
        let needed = owns && !self.usable.contains(role);
        if !needed || session.batch("joining a role", &join).await.is_ok() {
            self.usable.insert(role.to_string());
        }
    }

    /// What of an entry can run here, with changes of owner and grants that cannot left out and counted.
    pub fn step(&mut self, entry: &Entry, may_fail: bool) -> Step {
        let mut sql = String::new();
        if let (Kind::Table, Some(method)) = (entry.kind, &entry.access_method) {
            sql = format!("SET default_table_access_method = {method};\n");
        }
        for statement in &entry.statements {
            if let Some(role) = self.only_theirs(entry) {
                self.of_others.insert(role);
            } else if let Some(reason) = self.obstacle(entry, statement) {
                let objects = self.left_out.entry(reason).or_default();
                objects.insert(entry.label());
            } else if entry.kind == Kind::Acl {
                let block = format!("BEGIN\n{}END", grants::run(entry, statement));
                sql.push_str(&format!("DO {};\n", ident::dollars(&block)));
            } else if let Some(schema) = statement.strip_prefix("CREATE SCHEMA ") {
                sql.push_str(&format!("CREATE SCHEMA IF NOT EXISTS {schema}\n"));
            } else {
                sql.push_str(statement);
                sql.push('\n');
            }
        }
        Step {
            label: entry.label(),
            sql,
            if_refused: match entry.kind {
                Kind::Comment if entry.name.starts_with("EXTENSION ") => {
                    IfRefused::TellUnlessTheirs
                }
                kind if may_fail || kind.may_be_refused() => IfRefused::Tell,
                kind if kind.may_lead_out() => IfRefused::TellOfMissing,
                _ => IfRefused::Stop,
            },
        }
    }

    /// The role whose default privileges these are and that the session may not act as.
    fn only_theirs(&self, entry: &Entry) -> Option<String> {
        let owner = entry.owner.as_ref()?;
        let not_ours = entry.kind == Kind::DefaultAcl && !self.usable.contains(owner);
        not_ours.then(|| owner.clone())
    }

    fn obstacle(&self, entry: &Entry, statement: &str) -> Option<String> {
        if let Some(owner) = statement::new_owner(statement) {
            let why = match self.known.contains(&owner) {
                true => "of which the role is no member",
                false => "which does not exist",
            };
            return (!self.usable.contains(&owner)).then(|| {
                format!(
                    "changes of owner to {owner:?}, {why}; the objects belong to {:?}",
                    self.me
                )
            });
        }
        if !is_grant(entry) {
            return None;
        }
        let missing = statement::grantees(statement)
            .into_iter()
            .find(|role| !self.known.contains(role))?;
        Some(format!("grants to role {missing:?}, which does not exist"))
    }

    /// Owners and grants that were left out so far.
    pub fn left_out(&self) -> Vec<Warning> {
        let warning = |(why, objects): (&String, &BTreeSet<String>)| {
            let named: Vec<_> = objects.iter().take(NAMED).map(String::as_str).collect();
            let more = match objects.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Warning {
                code: "roles_missing".into(),
                message: format!("left out: {why}: {}{more}", named.join(", ")),
            }
        };
        self.left_out.iter().map(warning).collect()
    }

    /// Nobody misses them: they are the platform's, or say what its own role's future objects get.
    fn notes(&self) -> Vec<Warning> {
        let note = |role: &String| Warning {
            code: "default_privileges".into(),
            message: format!(
                "default privileges of role {role:?} are left out: only that role may set them"
            ),
        };
        self.of_others.iter().map(note).collect()
    }
}

fn owners(entries: &[&Entry]) -> BTreeSet<String> {
    entries.iter().filter_map(|e| e.owner.clone()).collect()
}

/// Every role that the entries name, and the app's own.
fn needed(entries: &[&Entry], definitions: &[Item]) -> BTreeSet<String> {
    let grants = entries.iter().filter(|e| is_grant(e));
    let grantees = grants.flat_map(|e| e.statements.iter().flat_map(|s| statement::grantees(s)));
    let defined = definitions.iter().map(|i| i.name.clone());
    owners(entries)
        .into_iter()
        .chain(grantees)
        .chain(defined)
        .collect()
}

fn is_grant(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::Acl | Kind::DefaultAcl)
}
