//! One PostgreSQL server on 127.0.0.1, set up like a Supabase project.

use crate::binaries::Binaries;
use crate::error::{Context, Result, at, message};
use crate::process::{Child, end_of_log};
use crate::system_user::{self, SystemUser};
use crate::{cluster, port, supabase};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Name of the superuser, as in Supabase; nobody but the platform has its password there.
pub const SUPERUSER: &str = "supabase_admin";
/// Name of the role that owns the app's objects, no superuser.
pub const OWNER: &str = "postgres";

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// Longest path of a Unix socket that every system takes, less the name of the socket file.
const SOCKET_FOLDER_LIMIT: usize = 80;

/// Passwords of the roles that may sign in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Passwords {
    pub superuser: String,
    pub owner: String,
    pub authenticator: String,
}

impl Passwords {
    pub fn random() -> Passwords {
        let password = || Uuid::new_v4().simple().to_string();
        Passwords {
            superuser: password(),
            owner: password(),
            authenticator: password(),
        }
    }
}

/// How to set a server up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Holds `data/` and `log`; made if missing, taken up where it left off if not.
    pub folder: PathBuf,
    pub binaries: Binaries,
    /// A free one if none is named.
    pub port: Option<u16>,
    pub passwords: Passwords,
    /// Trades safety for speed (`fsync=off`); the data are lost if the machine stops.
    pub throw_away: bool,
}

/// A server, stopped when dropped and when this process ends.
#[derive(Debug)]
pub struct Postgres {
    options: Options,
    port: u16,
    user: Option<SystemUser>,
    server: Option<Child>,
}

impl Postgres {
    /// Makes the cluster if there is none in the folder, and starts it.
    pub async fn start(options: Options) -> Result<Postgres> {
        let user = system_user::for_postgres()?;
        cluster::stop_leftover(&options.folder)?;
        let is_new = !options.folder.join("set-up").exists();
        if is_new {
            cluster::initialise(&options, user)?;
        }
        let mut postgres = Postgres {
            port: options.port.unwrap_or_default(),
            options,
            user,
            server: None,
        };
        postgres.start_on_some_port().await?;
        if is_new {
            supabase::set_up_cluster(&postgres).await?;
            let marker = postgres.options.folder.join("set-up");
            fs::write(&marker, "").context(at("write", &marker))?;
        }
        Ok(postgres)
    }

    /// A free port may be taken by another program before the server opens it; then another is tried.
    async fn start_on_some_port(&mut self) -> Result<()> {
        let named = self.options.port.is_some();
        for attempts_left in (0..5).rev() {
            if !named {
                self.port = port::free()?;
            }
            match self.restart().await {
                Err(error) if named || attempts_left == 0 => return Err(error),
                Err(error) if !error.to_string().contains("Address already in use") => {
                    return Err(error);
                }
                Err(_) => {}
                Ok(()) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Starts the server again after [`stop`](Self::stop) or [`stop_immediate`](Self::stop_immediate),
    /// on the same port; returns when it accepts connections.
    pub async fn restart(&mut self) -> Result<()> {
        let log = self.options.folder.join("log");
        let file = File::create(&log).context(at("write", &log))?;
        let mut command = Command::new(self.options.binaries.program("postgres"));
        command
            .arg("-D")
            .arg(self.data())
            .args(self.settings())
            .stdout(file.try_clone().context(at("write", &log))?)
            .stderr(file);
        cluster::prepare(&mut command, self.user);
        let server = Child::start("Postgres", command, Signal::INT)?;
        let deadline = Instant::now() + START_LIMIT;
        while !self.is_ready(&server) {
            if server.has_ended() || Instant::now() > deadline {
                return Err(message(format!(
                    "Postgres on port {} did not start; the end of {}:\n{}",
                    self.port,
                    log.display(),
                    end_of_log(&log)
                )));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.server = Some(server);
        Ok(())
    }

    /// The server itself writes into `postmaster.pid` when it accepts connections, as `pg_ctl` knows.
    fn is_ready(&self, server: &Child) -> bool {
        let Ok(text) = fs::read_to_string(self.data().join("postmaster.pid")) else {
            return false;
        };
        let mut lines = text.lines().map(str::trim);
        lines.next() == Some(server.id().to_string().as_str()) && lines.nth(6) == Some("ready")
    }

    fn settings(&self) -> Vec<String> {
        let data = self.data();
        let socket_folder = match data.as_os_str().len() < SOCKET_FOLDER_LIMIT {
            true => data.display().to_string(),
            false => String::new(),
        };
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_string(),
            format!("port={}", self.port),
            format!("unix_socket_directories={socket_folder}"),
            "wal_level=logical".to_string(),
            "max_connections=60".to_string(),
            "password_encryption=scram-sha-256".to_string(),
            "extra_float_digits=0".to_string(),
            "timezone=UTC".to_string(),
            "log_timezone=UTC".to_string(),
        ];
        if self.options.throw_away {
            // Commits still reach the kernel, so they outlive a crash of the server as elsewhere.
            settings.push("fsync=off".to_string());
            settings.push("full_page_writes=off".to_string());
        }
        let flags = settings.into_iter().flat_map(|it| ["-c".to_string(), it]);
        flags.collect()
    }

    /// Stops in order: open transactions are rolled back, everything is written down.
    pub fn stop(&mut self) {
        self.end(Signal::INT);
    }

    /// Stops as a crash does: the next start has to recover.
    pub fn stop_immediate(&mut self) {
        self.end(Signal::QUIT);
    }

    fn end(&mut self, signal: Signal) {
        if let Some(mut server) = self.server.take() {
            server.stop(signal, STOP_LIMIT);
        }
    }

    /// URL of `database` for the superuser.
    pub fn url(&self, database: &str) -> String {
        self.url_of(SUPERUSER, &self.options.passwords.superuser, database)
    }

    /// URL of `database` for the owner, which is no superuser.
    pub fn owner_url(&self, database: &str) -> String {
        self.url_of(OWNER, &self.options.passwords.owner, database)
    }

    /// URL of `database` for the role that PostgREST signs in as.
    pub fn authenticator_url(&self, database: &str) -> String {
        self.url_of(
            "authenticator",
            &self.options.passwords.authenticator,
            database,
        )
    }

    fn url_of(&self, role: &str, password: &str, database: &str) -> String {
        format!(
            "postgresql://{role}:{password}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// Makes a database like a new Supabase project's and returns its name.
    pub async fn create_database(&self) -> Result<String> {
        let name = format!("test_{}", Uuid::new_v4().simple());
        supabase::create_database(&self.url("postgres"), &self.url(&name), &name).await?;
        Ok(name)
    }

    /// Where this server's own `pg_dump`, `psql` and others are.
    pub fn bin_dir(&self) -> &Path {
        &self.options.binaries.folder
    }

    pub fn binaries(&self) -> &Binaries {
        &self.options.binaries
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.options.passwords
    }

    fn data(&self) -> PathBuf {
        self.options.folder.join("data")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        match self.options.throw_away {
            true => self.stop_immediate(),
            false => self.stop(),
        }
    }
}
