//! What was refused before the catalog was asked.

use super::Asker;
use crate::error::Result;
use crate::ports::catalog::{As, Catalog, Repeat};
use serde_json::json;

/// Tells the audit log that the asker was refused `function`; the catalog folds many of a minute into one row.
pub async fn note_refusal(
    catalog: &Catalog,
    asker: &Asker,
    function: &str,
    method: &str,
    code: &str,
) -> Result<()> {
    let arguments = json!({
        "tenant": asker.tenant, "function": function, "method": method, "code": code,
        "door": asker.door, "address": asker.address,
    });
    let person = As::Person(&asker.token);
    catalog
        .call(person, "rovodev_note_refusal", &arguments, Repeat::Safely)
        .await
}
