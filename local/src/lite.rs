//! A second PostgREST: npm's `@supabase/lite`, with Postgres behind it. It takes new keys and tokens signed with a
//! shared secret, exposes schema `public` alone, and knows neither the older keys nor ES256.

use crate::error::{Context, Result, at, message};
use crate::home::Home;
use crate::install::{self, npm};
use crate::port;
use crate::process::{Child, end_of_log};
use crate::project::ProjectKeys;
use crate::stack::Stack;
use crate::supabase;
use rovodev::ports::web;
use rustix::process::Signal;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use uuid::Uuid;

const PACKAGES: &[&str] = &["@supabase/lite@0.10.0", "postgres@3.4.9"];
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running server, stopped when dropped.
#[derive(Debug)]
pub struct Lite {
    port: u16,
    process: Child,
}

impl Lite {
    /// Serves database `postgres` of the stack; installs it first if need be. `jwt_secret` signs the tokens of people.
    pub async fn start(stack: &Stack, keys: &ProjectKeys, jwt_secret: &str) -> Result<Lite> {
        let program = install(&Home::open()?)?;
        let folder = stack.folder().join("lite");
        let settings = folder.join("supabase");
        fs::create_dir_all(&settings).context(at("make", &settings))?;
        let port = port::free()?;
        let database = sign_in_as_guest(stack).await?;
        let file = settings.join("config.toml");
        let text = configuration(port, &database, keys, jwt_secret);
        fs::write(&file, text).context(at("write", &file))?;
        let log = folder.join("log");
        let output = File::create(&log).context(at("write", &log))?;
        let mut command = Command::new("node");
        command
            .arg(program)
            .args(["--no-telemetry", "start", "--no-admin"])
            .env("HOME", &folder)
            .current_dir(&folder)
            .stdout(output.try_clone().context(at("write", &log))?)
            .stderr(output);
        let process = Child::start("Supabase Lite", command, Signal::TERM)?;
        let started = Lite { port, process };
        started.wait_until_ready(&log).await?;
        started.wake(keys).await?;
        Ok(started)
    }

    /// Grants every table of `public` to everybody before its first answer, which the guest may not do: one request
    /// fails of that, and those after it are answered.
    async fn wake(&self, keys: &ProjectKeys) -> Result<()> {
        let doing = "cannot reach Supabase Lite";
        let http = web::client().map_err(|e| message(format!("{doing}: {e}")))?;
        let url = format!("{}/rest/v1/backups?select=id", self.url());
        let asked = http.get(url).header("apikey", &keys.publishable).send();
        asked
            .await
            .map(drop)
            .map_err(|e| message(format!("{doing}: {e}")))
    }

    async fn wait_until_ready(&self, log: &Path) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let text = fs::read_to_string(log).context(at("read", log))?;
            if text.contains("Ready in") {
                return Ok(());
            }
            if self.process.has_ended() || Instant::now() > deadline {
                return Err(message(format!(
                    "Supabase Lite did not start; the end of {}:\n{}",
                    log.display(),
                    end_of_log(log)
                )));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// As in `SUPABASE_URL`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Lite {
    fn drop(&mut self) {
        self.process.stop(Signal::TERM, Duration::from_secs(5));
    }
}

/// Returns the program.
fn install(home: &Home) -> Result<PathBuf> {
    let _lock = home.lock_tools()?;
    let folder = home.tools().join("supabase-lite-0.10.0");
    install::once(&folder, |fresh| {
        eprintln!("installing Supabase Lite into {}", fresh.display());
        npm::install(fresh, PACKAGES)
    })?;
    Ok(folder.join("node_modules/@supabase/lite/dist/cli/index.js"))
}

/// It would grant every table of `public` to everybody. So it connects as a role that owns none and has what the
/// project's roles have, and the tables of its own sign-in beside ours.
async fn sign_in_as_guest(stack: &Stack) -> Result<String> {
    let password = Uuid::new_v4().simple().to_string();
    let admin = supabase::connect(&stack.postgres.url("postgres")).await?;
    admin
        .batch_execute(&format!(
            "CREATE ROLE lite LOGIN INHERIT PASSWORD '{password}' IN ROLE anon, authenticated, service_role; \
             GRANT CREATE ON DATABASE postgres TO lite; GRANT ALL ON SCHEMA auth TO lite; \
             GRANT ALL ON ALL TABLES IN SCHEMA auth TO lite"
        ))
        .await
        .context("cannot make the role of Supabase Lite")?;
    let port = stack.postgres.port();
    Ok(format!(
        "postgres://lite:{password}@127.0.0.1:{port}/postgres"
    ))
}

fn configuration(port: u16, database: &str, keys: &ProjectKeys, jwt_secret: &str) -> String {
    format!(
        "[api]\nport = {port}\nschemas = [\"public\"]\n\
         [db]\ndriver = \"postgres\"\nurl = \"{database}\"\n\
         [db.migrations]\nenabled = false\n[db.seed]\nenabled = false\n\
         [auth]\nenabled = true\njwt_secret = \"{jwt_secret}\"\n\
         publishable_key = \"{}\"\nsecret_key = \"{}\"\n",
        keys.publishable, keys.secret
    )
}
