use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use rovodev::core::manifest::BackupType;
use rovodev::core::retention::Policy;
use rovodev::error::{Code, Error, Result};
use rovodev::tasks::schedules::{Gate, OnFailure, Trigger, Wanted};

/// Backups that are taken by themselves, and how long they are kept
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev schedule list
  rovodev schedule add Daily --cron \"0 2 * * *\" --timezone Europe/Berlin
  rovodev schedule change Daily --keep-daily 7 --keep-weekly 4
  rovodev schedule preview Daily       what its retention keeps, and why
  rovodev schedule run Daily           a backup now
  rovodev schedule add Deploy --trigger deploy --gate backup
  rovodev schedule hook Deploy         a secret to run it by, from anywhere
  rovodev schedule remove Daily        its backups stay

The five fields of an expression are minute, hour, day of the month, month and
day of the week, on clocks of the time zone. A time that a clock leaves out runs
once, after the gap; one that it shows twice runs once. The tick of the
deployment takes the backups, so this needs a catalog (SUPABASE_URL) or --api.

{}", crate::exit::help()))]
pub struct ScheduleArgs {
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Subcommand)]
pub enum Action {
    /// Show all schedules and when they run
    List,
    /// Make a schedule
    Add(AddArgs),
    /// Change a schedule; what is not named stays
    Change(ChangeArgs),
    /// Delete a schedule and keep its backups
    Remove(NamedArgs),
    /// Take a backup of a schedule now
    Run(NamedArgs),
    /// Make a secret by which anybody runs a schedule at /api/hooks/deploy
    Hook(HookArgs),
    /// Show what retention keeps and what it lets expire, with the reasons
    Preview(NamedArgs),
}

#[derive(Args)]
pub struct NamedArgs {
    /// Name or id of the schedule
    #[arg(value_name = "SCHEDULE")]
    pub schedule: String,
}

#[derive(Args)]
pub struct HookArgs {
    #[command(flatten)]
    pub of: NamedArgs,
    /// Take the secret away instead
    #[arg(long)]
    pub remove: bool,
}

#[derive(Args)]
pub struct AddArgs {
    /// What to call it; its backups begin with this
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Args)]
#[command(group = ArgGroup::new("on or off").args(["enable", "disable"]))]
pub struct ChangeArgs {
    /// Name or id of the schedule
    #[arg(value_name = "SCHEDULE")]
    pub schedule: String,
    /// A new name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Let it run again
    #[arg(long)]
    enable: bool,
    /// Let it rest
    #[arg(long)]
    disable: bool,
    /// Take the retention policy away: nothing expires
    #[arg(long, conflicts_with_all = ["keep_last", "keep_hourly", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly", "keep_days"])]
    keep_all: bool,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Args)]
struct Fields {
    /// When: five fields, such as "0 2 * * *"
    #[arg(long, value_name = "EXPRESSION")]
    cron: Option<String>,
    /// Whose clocks: an IANA name such as Europe/Berlin [UTC]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// What makes it run [cron]
    #[arg(long, value_name = "WHAT")]
    trigger: Option<When>,
    /// What is taken [full]
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<What>,
    /// Whether rows are compressed [true]
    #[arg(long, value_name = "BOOL")]
    compress: Option<bool>,
    #[command(flatten)]
    hold: Hold,
    #[command(flatten)]
    keep: Keep,
}

/// What deployments wait for.
#[derive(Args)]
#[command(next_help_heading = "Deployments")]
struct Hold {
    /// What a deployment waits for that runs it [none]
    #[arg(long, value_name = "WHAT")]
    gate: Option<GateArg>,
    /// What becomes of a deployment whose backup is not there [block]
    #[arg(long, value_name = "WHAT")]
    on_failure: Option<OnFailureArg>,
    /// Minutes after which what is not there counts as failed [30]
    #[arg(long, value_name = "MINUTES")]
    wait_at_most: Option<u32>,
}

#[derive(Clone, Copy, ValueEnum)]
enum GateArg {
    /// It waits for nothing
    None,
    /// The backup is there
    Backup,
    /// The backup was read back from the store, and is what was written
    Checked,
}

#[derive(Clone, Copy, ValueEnum)]
enum OnFailureArg {
    /// It does not go live
    Block,
    /// It goes live all the same
    Allow,
}

/// A policy: what no rule keeps expires.
#[derive(Args)]
#[command(next_help_heading = "Retention")]
struct Keep {
    /// Keep the last backups
    #[arg(long, value_name = "N")]
    keep_last: Option<u32>,
    /// Keep the newest of each of the last hours that have any
    #[arg(long, value_name = "N")]
    keep_hourly: Option<u32>,
    /// The same of days
    #[arg(long, value_name = "N")]
    keep_daily: Option<u32>,
    /// The same of weeks
    #[arg(long, value_name = "N")]
    keep_weekly: Option<u32>,
    /// The same of months
    #[arg(long, value_name = "N")]
    keep_monthly: Option<u32>,
    /// The same of years
    #[arg(long, value_name = "N")]
    keep_yearly: Option<u32>,
    /// Keep all of the last days
    #[arg(long, value_name = "DAYS")]
    keep_days: Option<u32>,
}

#[derive(Clone, Copy, ValueEnum)]
enum When {
    Cron,
    Deploy,
    Manual,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    Full,
    Database,
    Config,
}

impl AddArgs {
    pub fn wanted(&self) -> Wanted {
        Wanted {
            name: Some(self.name.clone()),
            ..self.fields.wanted()
        }
    }
}

impl ChangeArgs {
    /// # Errors
    /// [`Code::Usage`] where nothing would change.
    pub fn wanted(&self) -> Result<Wanted> {
        let fields = self.fields.wanted();
        let wanted = Wanted {
            name: self.name.clone(),
            enabled: (self.enable || self.disable).then_some(self.enable),
            retention: match self.keep_all {
                true => Some(Policy::default()),
                false => fields.retention,
            },
            ..fields
        };
        match wanted.is_empty() {
            true => Err(
                Error::new(Code::Usage, "nothing is named that shall change")
                    .hint("`rovodev schedule change --help` shows what can be."),
            ),
            false => Ok(wanted),
        }
    }
}

impl Fields {
    fn wanted(&self) -> Wanted {
        let trigger = |when| match when {
            When::Cron => Trigger::Cron,
            When::Deploy => Trigger::Deploy,
            When::Manual => Trigger::Manual,
        };
        let kind = |what| match what {
            What::Full => BackupType::Full,
            What::Database => BackupType::Database,
            What::Config => BackupType::Config,
        };
        let gate = |gate| match gate {
            GateArg::None => Gate::None,
            GateArg::Backup => Gate::Backup,
            GateArg::Checked => Gate::Checked,
        };
        let on_failure = |what| match what {
            OnFailureArg::Block => OnFailure::Block,
            OnFailureArg::Allow => OnFailure::Allow,
        };
        let policy = Policy {
            keep_last: self.keep.keep_last,
            keep_hourly: self.keep.keep_hourly,
            keep_daily: self.keep.keep_daily,
            keep_weekly: self.keep.keep_weekly,
            keep_monthly: self.keep.keep_monthly,
            keep_yearly: self.keep.keep_yearly,
            keep_days: self.keep.keep_days,
        };
        Wanted {
            cron: self.cron.clone(),
            timezone: self.timezone.clone(),
            trigger: self.trigger.map(trigger),
            kind: self.kind.map(kind),
            compress: self.compress,
            gate: self.hold.gate.map(gate),
            on_failure: self.hold.on_failure.map(on_failure),
            wait_at_most: self.hold.wait_at_most,
            retention: (!policy.is_empty()).then_some(policy),
            ..Wanted::default()
        }
    }
}

pub fn no_catalog() -> Error {
    Error::new(
        Code::Config,
        "schedules are kept in a catalog, and there is none",
    )
    .hint("Set SUPABASE_URL and SUPABASE_SECRET_KEY, or ask a deployment with --api.")
}
