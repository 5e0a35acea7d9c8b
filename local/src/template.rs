//! Throw-away servers, copied from one that this process made: `initdb`, roles, the demo app and the catalog take
//! seconds, a copy a moment. Copies share passwords and the system identifier.

use crate::binaries::Binaries;
use crate::demo_project;
use crate::error::{Context, Result, at};
use crate::home::{Home, ThrowAway};
use crate::postgres::{Options, Passwords, Postgres};
use crate::process::run_to_end;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use tokio::sync::Mutex;

/// What a server holds when it starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contents {
    /// What a new Supabase project has.
    #[default]
    Project,
    /// And the demo app, the catalog, its tenants and their people.
    Demo,
}

struct Template {
    // Of a process that ends without a word it is swept with the next stack.
    folder: ThrowAway,
    passwords: Passwords,
}

/// By the folder of the server's programs.
static TEMPLATES: LazyLock<Mutex<BTreeMap<(PathBuf, Contents), Template>>> =
    LazyLock::new(Mutex::default);

/// Removes what this process copies from.
pub async fn forget() {
    TEMPLATES.lock().await.clear();
}

/// Starts a server in `folder`, which must not exist.
pub(crate) async fn start(
    home: &Home,
    folder: &Path,
    binaries: Binaries,
    contents: Contents,
) -> Result<Postgres> {
    let passwords = copy(home, folder, &binaries, contents).await?;
    Postgres::start(options(folder, binaries, passwords)).await
}

async fn copy(
    home: &Home,
    folder: &Path,
    binaries: &Binaries,
    contents: Contents,
) -> Result<Passwords> {
    let mut templates = TEMPLATES.lock().await;
    let key = (binaries.folder.clone(), contents);
    if !templates.contains_key(&key) {
        let made = Template::make(home, binaries, contents).await?;
        templates.insert(key.clone(), made);
    }
    let template = &templates[&key];
    // With owners and rights; the same on every system.
    let mut command = Command::new("cp");
    command.arg("-Rp").arg(template.server()).arg(folder);
    run_to_end(&mut command)?;
    Ok(template.passwords.clone())
}

impl Template {
    async fn make(home: &Home, binaries: &Binaries, contents: Contents) -> Result<Template> {
        let template = Template {
            folder: home.throw_away()?,
            passwords: Passwords::random(),
        };
        let passwords = template.passwords.clone();
        let options = options(&template.server(), binaries.clone(), passwords);
        let mut server = Postgres::start(options).await?;
        if contents == Contents::Demo {
            demo_project::furnish(&server).await?;
        }
        server.stop();
        let log = template.server().join("log");
        std::fs::remove_file(&log).context(at("remove", &log))?;
        Ok(template)
    }

    fn server(&self) -> PathBuf {
        self.folder.path().join("postgres")
    }
}

fn options(folder: &Path, binaries: Binaries, passwords: Passwords) -> Options {
    Options {
        folder: folder.to_path_buf(),
        binaries,
        port: None,
        passwords,
        throw_away: true,
    }
}
