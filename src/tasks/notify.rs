//! Telling people what happened: messages that the catalog wrote down with what they are about are claimed, sent, and what
//! became of it is written. Whoever dies in between loses nothing: what was claimed is claimed again, under the same id.

mod deliver;
mod overdue;
mod send;

pub use deliver::{Tested, deliver, test};
pub use overdue::{overdue_minutes, tell_overdue};

use crate::config::{self, Settings};
use crate::core::notify::Kind;
use crate::error::Result;
use crate::ports::mail::{self, Mailer};
use crate::ports::outward::{self, Reach};
use crate::ports::push::{Subscription, Vapid};
use std::sync::Arc;

/// What this process can send, and how. Cheap to clone.
#[derive(Clone)]
pub struct Notifier(Arc<Inner>);

struct Inner {
    dashboard: Option<String>,
    reach: Reach,
    mailer: Option<Mailer>,
    vapid: Option<Vapid>,
}

impl Notifier {
    /// What a setting spoils is told in the log and cannot be sent; backups do not wait for it.
    pub fn new(settings: &Settings) -> Self {
        let dashboard = settings.get(&config::ROVODEV_DASHBOARD_URL);
        let deployed = || std::env::var("VERCEL_PROJECT_PRODUCTION_URL").ok();
        let deployed = || deployed().filter(|host| !host.is_empty());
        let dashboard = dashboard
            .map(str::to_string)
            .or_else(|| deployed().map(|host| format!("https://{host}")));
        let reach = match settings.get(&config::ROVODEV_PRIVATE_TARGETS) {
            Some(_) => Reach::Anybody,
            None => Reach::Public,
        };
        Self(Arc::new(Inner {
            dashboard,
            reach,
            mailer: usable(Mailer::new(settings)),
            vapid: usable(Vapid::new(settings)),
        }))
    }

    /// Whether this deployment is set up for it.
    pub fn can(&self, kind: Kind) -> bool {
        match kind {
            Kind::Webhook | Kind::Slack | Kind::Ping => true,
            Kind::Email => self.0.mailer.is_some(),
            Kind::Push => self.0.vapid.is_some(),
        }
    }

    /// What browsers subscribe with.
    pub fn public_key(&self) -> Option<&str> {
        self.0.vapid.as_ref().map(Vapid::public_key)
    }

    /// Whether a channel of this kind may lead there; names are looked up when something is sent.
    ///
    /// # Errors
    /// [`crate::error::Code::BadTarget`] saying why not.
    pub fn check(&self, kind: Kind, target: &str) -> Result<()> {
        match kind {
            Kind::Email => mail::addresses(target).map(drop),
            Kind::Push => {
                let subscription = Subscription::parse(target)?;
                outward::checked(subscription.endpoint.as_str(), self.0.reach).map(drop)
            }
            Kind::Webhook | Kind::Slack | Kind::Ping => {
                outward::checked(target, self.0.reach).map(drop)
            }
        }
    }
}

fn usable<T>(part: Result<Option<T>>) -> Option<T> {
    part.unwrap_or_else(|error| {
        tracing::error!(%error, hint = error.hint, "some notifications cannot be sent");
        None
    })
}
