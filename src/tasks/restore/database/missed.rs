//! Everything that a database made from the backup will lack, or lose, found before anything is written.

use super::content::Content;
use super::pre_data::Platform;
use super::roles::Roles;
use super::{Ready, dropped, outside, publications};
use crate::core::ident::QName;
use crate::core::managed;
use crate::core::manifest::Warning;
use crate::error::Result;
use crate::tasks::restore::RestoreRequest;

/// What a backup of the whole database lacks and the app would miss, as its manifest tells it.
const LOST: &[&str] = &["queue_messages", "subscriptions", IN_PLATFORM];
const IN_PLATFORM: &str = "own_objects_in_platform_schemas";

/// Takes out of the content what cannot be made, and tells of it.
pub async fn look(ready: &mut Ready<'_>, request: &RestoreRequest) -> Result<()> {
    let Ready {
        content,
        target,
        warnings,
        left_out,
        notes,
    } = ready;
    left_out.extend(outside::leave_out(content, target, request).await?);
    left_out.extend(publications::leave_out(content, target).await?);
    left_out.extend(dropped::elsewhere(target, content).await?);
    let platform = Platform::missing(content, target);
    match content.is_partial() {
        true => notes.extend(not_of_a_part(content)),
        false => {
            left_out.extend(not_in_the_backup(content, &platform));
            notes.extend(platforms(content));
        }
    }
    notes.extend(into_the_platform(content));
    let roles = Roles::read(&target.session).await?;
    let (theirs, of_roles) = roles.foresee(&platform.with(content), content.own_roles());
    warnings.extend(theirs);
    notes.extend(of_roles);
    Ok(())
}

fn not_in_the_backup(content: &Content<'_>, platform: &Platform) -> Vec<Warning> {
    let told = content.backup.warnings.iter();
    // Where the platform's schemas are made too, they come with all that the app has put into them.
    let comes_along = |w: &&Warning| w.code == IN_PLATFORM && !platform.pre_data.is_empty();
    let told = told
        .filter(|w| LOST.contains(&w.code.as_str()) && !comes_along(w))
        .cloned();
    let more = content.extras.left_out.iter().map(|what| Warning {
        code: "left_out".into(),
        message: format!("not part of the backup: {what}"),
    });
    told.chain(more).collect()
}

/// What every project has; secrets are told one by one.
fn platforms(content: &Content<'_>) -> Vec<Warning> {
    let notes = content.backup.left_out.iter();
    notes.filter(|n| n.code != "secrets").cloned().collect()
}

/// Foreign keys into rows that no backup holds, such as those of `auth.users`.
fn into_the_platform(content: &Content<'_>) -> Option<Warning> {
    let keys = content.post_data.iter().filter(|entry| {
        let parent = entry.references();
        let brought = |table: &QName| content.platform_tables().any(|t| t.name == *table);
        parent.is_some_and(|table| managed::is_platform(&table.schema) && !brought(&table))
    });
    let keys: Vec<String> = keys.filter_map(|entry| entry.key_to()).collect();
    (!keys.is_empty()).then(|| Warning {
        code: "keys_into_the_platform".into(),
        message: format!(
            "foreign keys into rows that the platform keeps are checked against those of the target, and stay NOT \
             VALID, for new rows alone, where these are missing there: {}",
            keys.join("; ")
        ),
    })
}

/// What belongs to the whole database, and to no schema or table that somebody chose.
fn not_of_a_part(content: &Content<'_>) -> Option<Warning> {
    let extras = &content.extras;
    let lists = [
        &extras.triggers,
        &extras.policies,
        &extras.database_settings,
        &extras.role_settings_here,
        &extras.extension_rows,
        &extras.cron_jobs,
    ];
    let names: Vec<&str> = lists
        .into_iter()
        .flatten()
        .map(|i| i.name.as_str())
        .collect();
    (!names.is_empty()).then(|| Warning {
        code: "not_of_a_part".into(),
        message: format!(
            "a part brings nothing that belongs to the whole database: {}",
            names.join("; ")
        ),
    })
}
