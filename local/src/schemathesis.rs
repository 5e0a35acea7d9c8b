//! Schemathesis: asks the functions whatever `docs/openapi.json` lets it think of.

use crate::error::Result;
use crate::home::Home;
use crate::install::{self, python};
use std::path::PathBuf;

const VERSION: &str = "4.32.5";
const PACKAGES_AS_OF: &str = "2026-11-22";

/// The program; installs it first if need be.
pub fn program(home: &Home) -> Result<PathBuf> {
    let _lock = home.lock_tools()?;
    let folder = home.tools().join(format!("schemathesis-{VERSION}"));
    install::once(&folder, |fresh| {
        eprintln!("installing Schemathesis into {}", fresh.display());
        let package = format!("schemathesis=={VERSION}");
        python::environment(fresh, &[&package], PACKAGES_AS_OF)
    })?;
    Ok(folder.join("bin/schemathesis"))
}
