//! Owners and grantees: made where they are missing and the role may, else left out and told.

use super::steps::{IfRefused, Step, Warnings};
use crate::core::ddl::{Entry, Kind, statement};
use crate::core::extras::Item;
use crate::core::ident;
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
    left_out: BTreeMap<String, u64>,
}

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

    /// Makes the roles that the entries name and the target lacks, without LOGIN.
    pub async fn create_missing(
        &mut self,
        session: &Session,
        entries: &[&Entry],
        definitions: &[Item],
        warnings: &Warnings,
    ) -> Result<()> {
        let defined: BTreeMap<_, _> = definitions.iter().map(|i| (i.name.as_str(), i)).collect();
        let owners: BTreeSet<_> = entries.iter().filter_map(|e| e.owner.clone()).collect();
        let mut needed = owners.clone();
        needed.extend(
            entries
                .iter()
                .filter(|e| is_grant(e))
                .flat_map(|e| e.statements.iter().flat_map(|s| statement::grantees(s))),
        );
        needed.extend(defined.keys().map(ToString::to_string));
        for role in needed.difference(&self.known.clone()) {
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
            if let Some(reason) = self.obstacle(entry, statement) {
                *self.left_out.entry(reason).or_default() += 1;
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
                kind if may_fail || kind.may_be_refused() => IfRefused::Tell,
                kind if kind.may_lead_out() => IfRefused::TellOfMissing,
                _ => IfRefused::Stop,
            },
        }
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
        if let (Kind::DefaultAcl, Some(owner)) = (entry.kind, &entry.owner)
            && !self.usable.contains(owner)
        {
            return Some(format!(
                "default privileges of {owner:?}, which only that role may set"
            ));
        }
        let missing = statement::grantees(statement)
            .into_iter()
            .find(|role| !self.known.contains(role))?;
        Some(format!("grants to role {missing:?}, which does not exist"))
    }

    /// Tells what was left out.
    pub fn report(&mut self, warnings: &Warnings) {
        for (what, count) in std::mem::take(&mut self.left_out) {
            warnings.add("roles_missing", format!("{count} left out: {what}"));
        }
    }
}

fn is_grant(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::Acl | Kind::DefaultAcl)
}
