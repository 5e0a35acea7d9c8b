//! Configuration: files of the project, and the names of its environment variables.

use super::schema::put;
use crate::core::manifest::ConfigFile;
use crate::error::{Code, Error, Result};
use crate::ports::store::Store;
use std::collections::BTreeSet;
use std::path::Path;

const FILES: [&str; 2] = ["vercel.json", "package.json"];
/// Files whose variables the project reads; their values never leave them.
const ENV_FILES: [&str; 5] = [
    ".env",
    ".env.local",
    ".env.production",
    ".env.production.local",
    ".env.example",
];
/// A project file is small; more is a mistake.
const LARGEST: u64 = 4 << 20;

/// Stores what there is of the project's configuration.
pub async fn store(store: &Store, folder: &str, project: &Path) -> Result<Vec<ConfigFile>> {
    let mut files = Vec::new();
    for name in FILES {
        if let Some(content) = read(&project.join(name)).await? {
            let object = put(store, format!("{folder}config/{name}.zst"), &content).await?;
            files.push(ConfigFile {
                path: name.into(),
                object,
            });
        }
    }
    let names = variable_names(project).await?;
    if !names.is_empty() {
        let json =
            serde_json::to_vec_pretty(&serde_json::json!({ "names": names })).map_err(|e| {
                Error::new(Code::Internal, "names of variables could not be written").source(e)
            })?;
        let object = put(store, format!("{folder}config/env.json.zst"), &json).await?;
        files.push(ConfigFile {
            path: "env.json".into(),
            object,
        });
    }
    Ok(files)
}

async fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let unreadable = |e: std::io::Error| Error::io(format!("{} cannot be read", path.display()), e);
    match tokio::fs::metadata(path).await {
        Ok(found) if found.len() > LARGEST => Err(Error::new(
            Code::Io,
            format!(
                "{} is {} bytes; a configuration file has at most {LARGEST}",
                path.display(),
                found.len()
            ),
        )
        .hint(
            "Something else lies in its place; move it away, or name another folder by --project.",
        )),
        Ok(_) => tokio::fs::read(path).await.map(Some).map_err(unreadable),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(unreadable(e)),
    }
}

async fn variable_names(project: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for file in ENV_FILES {
        let Some(content) = read(&project.join(file)).await? else {
            continue;
        };
        // A line that is no assignment is skipped: it may be half of a secret.
        names.extend(
            dotenvy::from_read_iter(content.as_slice())
                .flatten()
                .map(|(name, _)| name),
        );
    }
    Ok(names)
}
