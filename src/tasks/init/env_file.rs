//! Changing an `.env` without losing what else is in it.

use crate::config::{self, Variable};
use crate::error::{Error, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A `.env` as it is on disk.
#[derive(Debug)]
pub struct EnvFile {
    path: PathBuf,
    text: String,
    values: BTreeMap<String, String>,
}

/// A variable that gets a value. Shown with secrets hidden.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub name: &'static str,
    /// Whether another value is lost.
    pub replaces: bool,
    #[serde(skip)]
    before: Option<String>,
    #[serde(skip)]
    after: String,
    #[serde(skip)]
    secret: bool,
}

impl EnvFile {
    /// Empty where there is no file yet.
    pub fn read(path: &Path) -> Result<Self> {
        let values = config::read_file(path)?;
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(io(path, "read", e)),
        };
        Ok(Self {
            path: path.to_path_buf(),
            text,
            values,
        })
    }

    /// What would have to change for `wanted` to hold.
    pub fn changes(&self, wanted: &[(&Variable, String)]) -> Vec<Change> {
        let change = |(variable, after): &(&Variable, String)| {
            let before = self.values.get(variable.name).filter(|v| !v.is_empty());
            (before != Some(after)).then(|| Change {
                name: variable.name,
                replaces: before.is_some(),
                before: before.cloned(),
                after: after.clone(),
                secret: variable.secret,
            })
        };
        wanted.iter().filter_map(change).collect()
    }

    /// Writes the file anew, readable by its owner alone; it is whole or as it was.
    pub fn apply(&self, changes: &[Change]) -> Result<()> {
        let folder = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let failed = |e| io(&self.path, "written", e);
        // A temporary file is created with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(self.changed(changes).as_bytes())
            .map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&self.path).map_err(|e| failed(e.error))?;
        Ok(())
    }

    fn changed(&self, changes: &[Change]) -> String {
        let mut left: Vec<_> = changes.iter().collect();
        let mut lines: Vec<String> = self.text.lines().map(str::to_string).collect();
        for line in &mut lines {
            if let Some(i) = left.iter().position(|c| assigns(line, c.name)) {
                let change = left.remove(i);
                *line = format!("{}={}", change.name, quoted(&change.after));
            }
        }
        lines.extend(
            left.iter()
                .map(|c| format!("{}={}", c.name, quoted(&c.after))),
        );
        lines.join("\n") + "\n"
    }
}

fn assigns(line: &str, name: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    line.split_once('=')
        .is_some_and(|(key, _)| key.trim_end() == name)
}

/// The value so that `.env` readers give it back as it is.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,?&=*".contains(c);
    if value.chars().all(plain) {
        value.to_string()
    } else if !value.contains(['\'', '\\']) {
        format!("'{value}'")
    } else {
        let escaped = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('$', "\\$");
        format!("\"{escaped}\"")
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &str| {
            if !self.secret {
                config::shown(value)
            } else if let Ok(url) = crate::ports::postgres::DatabaseUrl::parse(value) {
                url.to_string()
            } else {
                "(secret)".to_string()
            }
        };
        let after = shown(&self.after);
        let mut alike = false;
        if let Some(before) = &self.before {
            let before = shown(before);
            writeln!(f, "- {}={before}", self.name)?;
            alike = before == after;
        }
        write!(f, "+ {}={after}", self.name)?;
        match alike {
            true => f.write_str("  (what is hidden changes)"),
            false => Ok(()),
        }
    }
}

fn io(path: &Path, done: &str, error: std::io::Error) -> Error {
    Error::io(format!("{} cannot be {done}", path.display()), error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(folder: &tempfile::TempDir, text: &str) -> EnvFile {
        let path = folder.path().join(".env");
        std::fs::write(&path, text).unwrap();
        EnvFile::read(&path).unwrap()
    }

    #[test]
    fn a_change_shows_although_it_is_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let env = file(
            &folder,
            "DATABASE_URL=postgres://a:one@h/x\nSTORE_KEY=one\n",
        );
        let told = |url: &str, key: &str| {
            let wanted = [
                (&config::DATABASE_URL, url.to_string()),
                (&config::STORE_KEY, key.to_string()),
            ];
            let changes = env.changes(&wanted);
            changes.iter().map(|c| format!("{c}\n")).collect::<String>()
        };
        let hidden = told("postgres://a:two@h/x", "two");
        assert_eq!(
            hidden.matches("(what is hidden changes)").count(),
            2,
            "{hidden}"
        );
        assert!(!hidden.contains("two"), "{hidden}");
        let seen = told("postgres://a:two@other/x", "one");
        assert!(
            seen.contains("@other") && !seen.contains("hidden"),
            "{seen}"
        );
    }

    #[test]
    fn keeps_what_it_does_not_change() {
        let folder = tempfile::tempdir().unwrap();
        let before = "# mine\nOTHER=1\nexport BACKUP_STORE=./old\n";
        let env = file(&folder, before);
        let wanted = [
            (&config::BACKUP_STORE, "./new".to_string()),
            (&config::PG_DUMP, "/a b/pg_dump".to_string()),
        ];
        let changes = env.changes(&wanted);
        assert_eq!(
            changes.iter().map(|c| c.replaces).collect::<Vec<_>>(),
            [true, false]
        );
        env.apply(&changes).unwrap();
        let after = std::fs::read_to_string(&env.path).unwrap();
        assert_eq!(
            after,
            "# mine\nOTHER=1\nBACKUP_STORE=./new\nPG_DUMP='/a b/pg_dump'\n"
        );
        assert!(
            EnvFile::read(&env.path)
                .unwrap()
                .changes(&wanted)
                .is_empty(),
            "idempotent"
        );
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let env = file(&folder, "");
        env.apply(&env.changes(&[(&config::STORE_KEY, "aa".into())]))
            .unwrap();
        let mode = std::fs::metadata(&env.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn shows_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let env = file(
            &folder,
            "DATABASE_URL=postgres://a:s3cret1@h/d\nSTORE_KEY=s3cret2\n",
        );
        let wanted = [
            (
                &config::DATABASE_URL,
                "postgres://a:s3cret3@h/d".to_string(),
            ),
            (&config::STORE_KEY, "s3cret4".to_string()),
        ];
        for change in env.changes(&wanted) {
            let shown = format!("{change} {}", serde_json::to_string(&change).unwrap());
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn values_come_back_as_they_were(value in "[ -~äß☃]{1,40}") {
            let folder = tempfile::tempdir().unwrap();
            let env = file(&folder, "");
            env.apply(&env.changes(&[(&config::PG_DUMP, value.clone())])).unwrap();
            let read = config::read_file(&env.path).unwrap();
            prop_assert_eq!(read.get("PG_DUMP"), Some(&value));
        }
    }
}
