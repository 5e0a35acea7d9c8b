use crate::args::Common;
use crate::exit::Exit;
use crate::output::Answer;
use crate::progress::{self, Style};
use crate::{human, names, output};
use clap::{Args, ValueEnum};
use rovodev::config::{self, Settings};
use rovodev::core::ident::QName;
use rovodev::core::keys::DEFAULT_TENANT;
use rovodev::core::manifest::{BackupType, Codec, Manifest, Scope, Selection, Trigger};
use rovodev::error::{Code, Error, Result};
use rovodev::tasks::backups::Summary;
use rovodev::tasks::create::{self, CreateRequest};
use rovodev::tasks::open_store::{self, OpenedStore};
use rovodev::tasks::{Context, places};
use serde::Serialize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const BUSY_HINT: &str =
    "Say --wait to wait until it is done. If it died, its claim ends by itself.";
pub const READERS: u64 = create::READERS as u64;
/// How often a store that is held by another operation is tried again.
const BUSY_RETRY: Duration = Duration::from_secs(2);

/// Back up the database and the project's configuration
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev backup                         into ./backups, or BACKUP_STORE
  rovodev backup --compress              the same, said aloud: zstd
  rovodev backup --output s3://backups/app --name before-migration
  rovodev backup --table calls --table crm.notes
  rovodev backup --scope tenant_id=42    one tenant's rows and what they need
  rovodev backup --platform-rows         with the users of auth.users
  rovodev backup --type config           the project files alone

Reads the database in one snapshot and changes nothing in it; the app goes on.
Writes to the store, which is made where there is none. The backup exists once
its manifest is written, last; an interrupted one leaves no backup. The
definitions are captured by pg_dump; without a usable one the backup holds
rows alone and says so (exit code 3).

--platform-rows also takes the tables of the platform's schemas to which the
app's foreign keys lead (auth.users, and auth.identities with it). They hold
password hashes and e-mail addresses: nothing of them is taken unless asked
for, and never with --scope. A restore adds the rows that are missing there,
and changes and removes none.

{}", crate::exit::help()))]
pub struct BackupArgs {
    /// The database [DATABASE_URL]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Where to write: a directory or s3://BUCKET/PREFIX; the same as --store
    #[arg(long, value_name = "STORE", conflicts_with = "store")]
    pub output: Option<String>,
    /// What to back up: everything, the database, or the configuration
    #[arg(long = "type", value_enum, default_value_t = Kind::Full)]
    kind: Kind,
    /// How rows are compressed
    #[arg(long, value_enum, default_value_t = Compression::Zstd, default_missing_value = "zstd")]
    #[arg(num_args = 0..=1, require_equals = true, value_name = "CODEC")]
    compress: Compression,
    /// A name for people; by default the time
    #[arg(long)]
    pub name: Option<String>,
    /// Only this schema (repeatable)
    #[arg(long = "schema", value_name = "SCHEMA")]
    pub schemas: Vec<String>,
    /// Only this table, as SCHEMA.TABLE (repeatable)
    #[arg(long = "table", value_name = "TABLE", value_parser = names::table)]
    pub tables: Vec<QName>,
    /// Only the rows with this value, and what their foreign keys need
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = names::scope)]
    pub scope: Option<Scope>,
    /// Also rows of the platform that foreign keys lead to: users, with their password hashes
    #[arg(long, conflicts_with = "scope")]
    pub platform_rows: bool,
    /// Wait while another operation holds the store, instead of failing; with --api, wait for the end
    #[arg(long)]
    pub wait: bool,
    /// Connections that read at the same time
    #[arg(long, value_name = "N", default_value_t = READERS, hide_short_help = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=64))]
    pub readers: u64,
    /// Where vercel.json and package.json are
    #[arg(long, value_name = "DIR", default_value = ".", hide_short_help = true)]
    pub project: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Full,
    Database,
    Config,
}

#[derive(Clone, Copy, ValueEnum)]
enum Compression {
    Zstd,
    Gzip,
    None,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Taken {
    #[serde(flatten)]
    pub backup: Summary,
    pub store: String,
    pub seconds: f64,
}

impl BackupArgs {
    pub fn refuse_contradictions(&self) -> Result<()> {
        let part = !self.schemas.is_empty()
            || !self.tables.is_empty()
            || self.scope.is_some()
            || self.platform_rows;
        if part && matches!(self.kind, Kind::Config) {
            let message = "--type config takes the project's files alone, and --schema, --table, --scope and \
                           --platform-rows choose rows";
            return Err(Error::new(Code::Usage, message).hint("Leave out the one or the other."));
        }
        Ok(())
    }

    pub fn kind(&self) -> BackupType {
        match self.kind {
            Kind::Full => BackupType::Full,
            Kind::Database => BackupType::Database,
            Kind::Config => BackupType::Config,
        }
    }

    pub fn codec(&self) -> Codec {
        match self.compress {
            Compression::Zstd => Codec::Zstd,
            Compression::Gzip => Codec::Gzip,
            Compression::None => Codec::None,
        }
    }
}

pub async fn run(args: BackupArgs, common: &Common, settings: Settings) -> Result<Answer> {
    let settings = settings
        .flag(&config::DATABASE_URL, args.database_url.clone())
        .flag(&config::BACKUP_STORE, args.output.clone());
    refuse_tenants(&settings)?;
    let request = request(&args, &settings)?;
    let store = places::store(&settings)?;
    let (begun, key) = (Instant::now(), settings.get(&config::STORE_KEY));
    let style = Style::choose(common.json, common.progress);
    let manifest = progress::shown(style, async |ctx| {
        if !store.is_there().await? {
            create::beforehand(ctx, &request).await?;
        }
        let opened = open_store::open(ctx, &store, key, true).await?;
        create_or_wait(ctx, &opened, &request, args.wait).await
    })
    .await?;
    Ok(told(&manifest, &store.describe(), begun.elapsed(), common))
}

/// A tenant has the rows of its scope, which only the catalog knows.
fn refuse_tenants(settings: &Settings) -> Result<()> {
    let tenant = super::tenant(settings)?;
    if tenant == DEFAULT_TENANT {
        return Ok(());
    }
    let message =
        format!("a backup of tenant {tenant} is taken through the catalog, which knows its rows");
    Err(Error::new(Code::Usage, message).hint(
        "Set SUPABASE_URL and SUPABASE_SECRET_KEY and name no place of its own; or say --tenant default, and choose one \
         tenant's rows by --scope COLUMN=VALUE.",
    ))
}

/// What there is to say of a backup that was taken.
pub fn told(manifest: &Manifest, store: &str, took: Duration, common: &Common) -> Answer {
    let taken = Taken {
        backup: Summary::of(manifest),
        store: store.to_string(),
        seconds: took.as_secs_f64(),
    };
    if !common.json {
        manifest
            .warnings
            .iter()
            .for_each(|w| output::warn(&w.message));
        manifest
            .left_out
            .iter()
            .for_each(|note| output::note(&note.message));
    }
    let text = text(&taken.backup, manifest.source.is_some(), store, took);
    let exit = Exit::with_warnings(!manifest.warnings.is_empty());
    Answer::new(&taken, text, exit)
}

async fn create_or_wait(
    ctx: &Context,
    opened: &OpenedStore,
    request: &CreateRequest,
    wait: bool,
) -> Result<Manifest> {
    let mut told = false;
    loop {
        // Boxed: the states of a whole backup inside one another are more than the compiler lays out.
        match Box::pin(create::create(ctx, opened, request)).await {
            Err(e) if wait && e.code == Code::StoreBusy => {
                if !told {
                    ctx.progress
                        .notice(format!("{e}; waiting until it is done"));
                    told = true;
                }
                let pause = async {
                    tokio::time::sleep(BUSY_RETRY).await;
                    Ok(())
                };
                ctx.or_cancelled(pause).await?;
            }
            Err(e) if e.code == Code::StoreBusy => return Err(e.hint(BUSY_HINT)),
            done => return done,
        }
    }
}

fn request(args: &BackupArgs, settings: &Settings) -> Result<CreateRequest> {
    args.refuse_contradictions()?;
    let database = match args.kind {
        Kind::Config => None,
        Kind::Full | Kind::Database => Some(places::source(settings)?),
    };
    Ok(CreateRequest {
        id: None,
        database,
        kind: args.kind(),
        trigger: Trigger::Manual,
        codec: args.codec(),
        name: args.name.clone(),
        tenant: DEFAULT_TENANT.into(),
        selection: Selection {
            schemas: args.schemas.clone(),
            tables: args.tables.clone(),
            scope: args.scope.clone(),
            platform_rows: args.platform_rows,
        },
        project: args.project.clone(),
        pg_dump: settings.get(&config::PG_DUMP).map(PathBuf::from),
        readers: usize::try_from(args.readers).unwrap_or(create::READERS),
        yield_after: create::YIELD_AFTER,
    })
}

pub fn text(backup: &Summary, has_rows: bool, store: &str, took: Duration) -> String {
    let totals = &backup.totals;
    let mut lines = vec![format!("{} is complete.", backup.name)];
    if has_rows {
        lines.push(format!(
            "  {}, {}, {}",
            human::counted(totals.tables, "table"),
            human::counted(totals.rows, "row"),
            human::bytes(totals.raw_bytes)
        ));
    }
    lines.push(format!(
        "  {} stored, {} of it new, in {}",
        human::bytes(totals.stored_bytes),
        human::bytes(totals.new_bytes),
        human::seconds(took)
    ));
    lines.push(format!("  {} in {store}", backup.id));
    lines.join("\n")
}
