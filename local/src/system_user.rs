//! The account that Postgres runs under: it refuses to run as root.

use crate::error::{Context, Result, message};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Numeric user and group of an account of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SystemUser {
    pub uid: u32,
    pub gid: u32,
}

/// The account to start Postgres under: none but our own unless we are root.
pub(crate) fn for_postgres() -> Result<Option<SystemUser>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let found = ["postgres", "nobody"]
        .iter()
        .find_map(|name| find_account(&accounts, name));
    match found {
        Some(user) => Ok(Some(user)),
        None => Err(message(
            "Postgres refuses to run as root, and there is no user `postgres` or `nobody` to start it under; \
             run this as an ordinary user",
        )),
    }
}

fn find_account(accounts: &str, name: &str) -> Option<SystemUser> {
    accounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields.as_slice() {
            [account, _, uid, gid, ..] if *account == name => Some(SystemUser {
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
            }),
            _ => None,
        }
    })
}

impl SystemUser {
    /// Whether this account may walk into `folder`: every folder above must let it through.
    pub fn can_enter(self, folder: &Path) -> bool {
        folder.ancestors().all(|part| {
            fs::metadata(part).is_ok_and(|found| {
                let bit = match (found.uid() == self.uid, found.gid() == self.gid) {
                    (true, _) => 0o100,
                    (false, true) => 0o010,
                    (false, false) => 0o001,
                };
                found.mode() & bit != 0
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_an_account_by_its_whole_name() {
        let accounts =
            "post:x:1:1::/:/bin/sh\npostgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(
            find_account(accounts, "postgres"),
            Some(SystemUser { uid: 101, gid: 104 })
        );
        assert_eq!(find_account(accounts, "nobody"), None);
    }
}
