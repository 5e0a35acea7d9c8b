//! The real `pg_dump`: found, proven to start and to be new enough, and run for a database's definitions.

mod arguments;
mod program;
mod run;

pub use arguments::{DumpArgs, Section};

use super::DatabaseUrl;
use crate::error::{Code, Error, Result};
use program::Program;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The folder that `bin/bundle-pg-dump` makes, looked for beside our own executable.
const BUNDLE_FOLDER: &str = "pg_dump";
/// Where Debian and Ubuntu keep every major version.
const DEBIAN_ROOT: &str = "/usr/lib/postgresql";
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);
const VERSION_BYTES: usize = 4 << 10;
/// Thousands of tables over a slow line stay well below.
const DUMP_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// A thousand times a large application's definitions; beyond it something is wrong.
const DUMP_BYTES: usize = 256 << 20;

/// A `pg_dump` that starts and suits the server it was found for.
#[derive(Debug, Clone)]
pub struct PgDump {
    program: Program,
    path: PathBuf,
    version: Version,
}

/// Why there is no usable `pg_dump`; `reason` is a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoPgDump {
    pub reason: String,
}

impl PgDump {
    /// Finds a `pg_dump` whose major version is at least the server's (`server_version_num`).
    ///
    /// With `explicit` (a program, or a folder made by `bin/bundle-pg-dump`) no other is tried; else the bundle
    /// beside our executable, then the `PATH`, then `/usr/lib/postgresql/*/bin`, newest first.
    pub async fn find(
        explicit: Option<&Path>,
        server_version_num: u32,
    ) -> Result<PgDump, NoPgDump> {
        let server = server_version_num / 10_000;
        let candidates = match explicit {
            Some(path) => vec![path.to_path_buf()],
            None => candidates(),
        };
        let mut rejected = Vec::new();
        for path in candidates {
            match Self::at(&path).await {
                Ok(found) if found.version.major >= server => return Ok(found),
                Ok(found) => rejected.push(format!(
                    "{} is version {}, older than the server's {server}",
                    path.display(),
                    found.version
                )),
                Err(error) => rejected.push(format!("{}: {error}", path.display())),
            }
        }
        let reason = match rejected.is_empty() {
            true => {
                "no pg_dump was found beside the program, on the PATH or under /usr/lib/postgresql"
                    .into()
            }
            false => format!("no usable pg_dump: {}", rejected.join("; ")),
        };
        Err(NoPgDump { reason })
    }

    async fn at(path: &Path) -> Result<PgDump> {
        let program = Program::at(path)?;
        let mut command = program.command();
        command.arg("--version");
        let output = run::run(
            command,
            &run::Limits {
                time: VERSION_TIMEOUT,
                bytes: VERSION_BYTES,
            },
            &CancellationToken::new(),
            None,
        )
        .await?;
        let text = String::from_utf8_lossy(&output);
        let version = Version::parse(&text).ok_or_else(|| {
            Error::new(
                Code::PgDumpFailed,
                format!("it does not say which version it is: {:?}", text.trim()),
            )
        })?;
        let path = path.to_path_buf();
        Ok(PgDump {
            program,
            path,
            version,
        })
    }

    /// As it names itself, for example `15.18`.
    pub fn version(&self) -> &str {
        &self.version.text
    }

    /// The program, or the folder of a bundle.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn major(&self) -> u32 {
        self.version.major
    }

    /// The definitions in `args` as SQL, read in `snapshot` where one is given (an exported snapshot's name).
    /// Rows are never read. Stopped and reaped when `cancel` fires.
    pub async fn dump(
        &self,
        url: &DatabaseUrl,
        snapshot: Option<&str>,
        args: &DumpArgs,
        cancel: &CancellationToken,
    ) -> Result<Vec<u8>> {
        let environment = url.libpq_environment();
        let password = environment
            .iter()
            .find(|(name, _)| *name == "PGPASSWORD")
            .map(|(_, value)| value.clone());
        let mut command = self.program.command();
        command
            .args(args.command_line(snapshot))
            .envs(run::certificates(&environment))
            .envs(environment);
        let limits = run::Limits {
            time: DUMP_TIMEOUT,
            bytes: DUMP_BYTES,
        };
        run::run(command, &limits, cancel, password.as_deref())
            .await
            .map_err(|e| e.during(format!("reading the definitions of {url}")))
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Ok(executable) = std::env::current_exe()
        && let Some(folder) = executable.parent()
    {
        found.push(folder.join(BUNDLE_FOLDER));
    }
    found.retain(|folder| program::is_bundle(folder));
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(
        std::env::split_paths(&path)
            .map(|folder| folder.join("pg_dump"))
            .filter(|file| file.is_file() && !is_debian_wrapper(file)),
    );
    found.extend(installed_on_debian(Path::new(DEBIAN_ROOT)));
    found
}

/// `/usr/bin/pg_dump` on Debian is a script that picks a version by the local clusters, not by our server.
fn is_debian_wrapper(file: &Path) -> bool {
    file.canonicalize()
        .is_ok_and(|real| real.file_name().is_some_and(|name| name == "pg_wrapper"))
}

fn installed_on_debian(root: &Path) -> Vec<PathBuf> {
    let mut majors: Vec<u32> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    majors.sort_unstable_by(|a, b| b.cmp(a));
    majors
        .into_iter()
        .map(|major| root.join(major.to_string()).join("bin/pg_dump"))
        .filter(|file| file.is_file())
        .collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    text: String,
    major: u32,
}

impl Version {
    /// Reads `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; also `17beta1` and `18devel`.
    fn parse(output: &str) -> Option<Version> {
        let text = output
            .trim()
            .strip_prefix("pg_dump (PostgreSQL) ")?
            .split_whitespace()
            .next()?;
        let digits = text
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .filter(|digits| !digits.is_empty())?;
        Some(Version {
            major: digits.parse().ok()?,
            text: text.to_string(),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for NoPgDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for NoPgDump {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions_as_pg_dump_writes_them() {
        for (output, text, major) in [
            (
                "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n",
                "15.18",
                15,
            ),
            ("pg_dump (PostgreSQL) 17.2\n", "17.2", 17),
            ("pg_dump (PostgreSQL) 18beta1\n", "18beta1", 18),
            ("pg_dump (PostgreSQL) 19devel", "19devel", 19),
            ("pg_dump (PostgreSQL) 9.6.24\n", "9.6.24", 9),
        ] {
            let version = Version::parse(output).unwrap();
            assert_eq!((version.text.as_str(), version.major), (text, major));
        }
        for output in [
            "",
            "pg_dump (PostgreSQL)",
            "pg_dump (PostgreSQL) devel",
            "psql (PostgreSQL) 15.1",
        ] {
            assert_eq!(Version::parse(output), None, "{output:?}");
        }
    }

    #[test]
    fn lists_debian_versions_newest_first() {
        let root = tempfile::tempdir().unwrap();
        for (name, with_program) in [
            ("9", true),
            ("15", true),
            ("17", true),
            ("18", false),
            ("x", true),
        ] {
            let bin = root.path().join(name).join("bin");
            std::fs::create_dir_all(&bin).unwrap();
            if with_program {
                std::fs::write(bin.join("pg_dump"), "").unwrap();
            }
        }
        let found = installed_on_debian(root.path());
        let expected: Vec<_> = ["17", "15", "9"]
            .map(|major| root.path().join(major).join("bin/pg_dump"))
            .into();
        assert_eq!(found, expected);
    }
}
