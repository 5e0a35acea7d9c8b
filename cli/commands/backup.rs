use super::TENANT;
use crate::args::Common;
use crate::exit::Exit;
use crate::output::Answer;
use crate::progress::{self, Style};
use crate::{human, names, output};
use clap::{Args, ValueEnum};
use rovodev::config::{self, Settings};
use rovodev::core::ident::QName;
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
  rovodev backup --type config           the project files alone

Reads the database in one snapshot and changes nothing in it; the app goes on.
Writes to the store, which is made where there is none. The backup exists once
its manifest is written, last; an interrupted one leaves no backup. The
definitions are captured by pg_dump; without a usable one the backup holds
rows alone and says so (exit code 3).

{}", crate::exit::help()))]
pub struct BackupArgs {
    /// The database [DATABASE_URL]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Where to write: a directory or s3://BUCKET/PREFIX; the same as --store
    #[arg(long, value_name = "STORE", conflicts_with = "store")]
    output: Option<String>,
    /// What to back up: everything, the database, or the configuration
    #[arg(long = "type", value_enum, default_value_t = Kind::Full)]
    kind: Kind,
    /// How rows are compressed
    #[arg(long, value_enum, default_value_t = Compression::Zstd, default_missing_value = "zstd")]
    #[arg(num_args = 0..=1, require_equals = true, value_name = "CODEC")]
    compress: Compression,
    /// A name for people; by default the time
    #[arg(long)]
    name: Option<String>,
    /// Only this schema (repeatable)
    #[arg(long = "schema", value_name = "SCHEMA")]
    schemas: Vec<String>,
    /// Only this table, as SCHEMA.TABLE (repeatable)
    #[arg(long = "table", value_name = "TABLE", value_parser = names::table)]
    tables: Vec<QName>,
    /// Only the rows with this value, and what their foreign keys need
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = names::scope)]
    scope: Option<Scope>,
    /// Wait while another operation holds the store, instead of failing
    #[arg(long)]
    wait: bool,
    /// Connections that read at the same time
    #[arg(long, value_name = "N", default_value_t = create::READERS as u64, hide_short_help = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=64))]
    readers: u64,
    /// Where vercel.json and package.json are
    #[arg(long, value_name = "DIR", default_value = ".", hide_short_help = true)]
    project: PathBuf,
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
struct Taken {
    #[serde(flatten)]
    backup: Summary,
    store: String,
    seconds: f64,
}

pub async fn run(args: BackupArgs, common: &Common, settings: Settings) -> Result<Answer> {
    let settings = settings
        .flag(&config::DATABASE_URL, args.database_url.clone())
        .flag(&config::BACKUP_STORE, args.output.clone());
    let request = request(&args, &settings)?;
    let store = places::store(&settings)?;
    let (begun, key) = (Instant::now(), settings.get(&config::STORE_KEY));
    let style = Style::choose(common.json, common.progress);
    let manifest = progress::shown(style, async |ctx| {
        let opened = open_store::open(ctx, &store, key, true).await?;
        create_or_wait(ctx, &opened, &request, args.wait).await
    })
    .await?;
    let taken = Taken {
        backup: Summary::of(&manifest),
        store: store.describe(),
        seconds: begun.elapsed().as_secs_f64(),
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
    let text = text(&manifest, &taken.store, begun.elapsed());
    let exit = Exit::with_warnings(!manifest.warnings.is_empty());
    Ok(Answer::new(&taken, text, exit))
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
    let part = !args.schemas.is_empty() || !args.tables.is_empty() || args.scope.is_some();
    if part && matches!(args.kind, Kind::Config) {
        let message = "--type config takes the project's files alone, and --schema, --table and --scope choose rows";
        return Err(Error::new(Code::Usage, message).hint("Leave out the one or the other."));
    }
    let database = match args.kind {
        Kind::Config => None,
        Kind::Full | Kind::Database => Some(places::source(settings)?),
    };
    Ok(CreateRequest {
        id: None,
        database,
        kind: match args.kind {
            Kind::Full => BackupType::Full,
            Kind::Database => BackupType::Database,
            Kind::Config => BackupType::Config,
        },
        trigger: Trigger::Manual,
        codec: match args.compress {
            Compression::Zstd => Codec::Zstd,
            Compression::Gzip => Codec::Gzip,
            Compression::None => Codec::None,
        },
        name: args.name.clone(),
        tenant: TENANT.into(),
        selection: Selection {
            schemas: args.schemas.clone(),
            tables: args.tables.clone(),
            scope: args.scope.clone(),
        },
        project: args.project.clone(),
        pg_dump: settings.get(&config::PG_DUMP).map(PathBuf::from),
        readers: usize::try_from(args.readers).unwrap_or(create::READERS),
        yield_after: create::YIELD_AFTER,
    })
}

fn text(manifest: &Manifest, store: &str, took: Duration) -> String {
    let totals = &manifest.totals;
    let mut lines = vec![format!("{} is complete.", manifest.name)];
    if manifest.source.is_some() {
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
    lines.push(format!("  {} in {store}", manifest.id));
    lines.join("\n")
}
