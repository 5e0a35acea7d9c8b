//! Mail over SMTP: the operator's relay, the tenants' addresses.

use crate::config::{self, Settings};
use crate::core::notify::Mail;
use crate::error::{Code, Error, Result};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::error::Error as _;
use std::time::Duration;

/// Of one exchange with the server.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Of all of them.
const PATIENCE: Duration = Duration::from_secs(20);
/// Addresses of one channel.
const MOST: usize = 10;

/// Sends from one address through one server. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// What a server took, or refused.
#[derive(Debug)]
pub struct MailSaid {
    pub status: u16,
    pub text: String,
}

impl Mailer {
    /// None where the settings name no server.
    ///
    /// # Errors
    /// [`Code::Config`] for an address that cannot be read. It is not shown: it may hold a password.
    pub fn new(settings: &Settings) -> Result<Option<Self>> {
        let Some(url) = settings.get(&config::ROVODEV_SMTP_URL) else {
            return Ok(None);
        };
        let wrong = |what: &str| {
            Error::new(Code::Config, format!("{what} cannot be read"))
                .hint("ROVODEV_SMTP_URL is smtps://USER:PASSWORD@HOST or smtp://…?tls=required; ROVODEV_MAIL_FROM an address.")
        };
        let from = settings.require(&config::ROVODEV_MAIL_FROM)?;
        let from = from.parse().map_err(|_| wrong("ROVODEV_MAIL_FROM"))?;
        // The cause would show the address.
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
        let transport = transport.map_err(|_| wrong("ROVODEV_SMTP_URL"))?;
        Ok(Some(Self {
            transport: transport.timeout(Some(TIMEOUT)).build(),
            from,
        }))
    }

    /// One mail to all of them; they do not see each other's addresses. `id` is the same at every attempt.
    pub async fn send(&self, to: &str, mail: &Mail, id: &str) -> Result<MailSaid> {
        let to = addresses(to)?;
        let shown = match to.as_slice() {
            [only] => Mailbox::new(None, only.clone()),
            _ => self.from.clone(),
        };
        let envelope = lettre::address::Envelope::new(Some(self.from.email.clone()), to)
            .map_err(|e| unsent(&e))?;
        let domain = self.from.email.domain();
        let message = Message::builder()
            .from(self.from.clone())
            .to(shown)
            .message_id(Some(format!("<{id}@{domain}>")))
            .subject(&mail.subject)
            // Nobody's holiday answers it.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".into(),
            ))
            .envelope(envelope)
            .multipart(MultiPart::alternative_plain_html(
                mail.text.clone(),
                mail.html.clone(),
            ))
            .map_err(|e| unsent(&e))?;
        let sending = self.transport.send(message);
        let said = tokio::time::timeout(PATIENCE, sending)
            .await
            .map_err(|_| silent())?
            .map_err(|e| refused(&e))?;
        Ok(MailSaid {
            status: said.code().into(),
            text: said.message().collect::<Vec<_>>().join(" "),
        })
    }
}

/// Addresses separated by commas.
///
/// # Errors
/// [`Code::BadTarget`] naming what is none.
pub fn addresses(text: &str) -> Result<Vec<Address>> {
    let bad = |why: String| Error::new(Code::BadTarget, why);
    let all = text.split(',').map(str::trim);
    let read = |address: &str| {
        let address = address.parse::<Address>();
        address.map_err(|_| bad("One of the addresses is no mail address.".into()))
    };
    let all: Vec<Address> = all.map(read).collect::<Result<_>>()?;
    if all.len() > MOST {
        return Err(bad(format!("A channel has {MOST} addresses at most.")));
    }
    Ok(all)
}

fn unsent(error: &dyn std::fmt::Display) -> Error {
    Error::new(
        Code::ServiceError,
        format!("The mail cannot be written: {error}."),
    )
}

fn silent() -> Error {
    let told = "The mail server did not answer in time.";
    Error::new(Code::ServiceUnreachable, told).retry(true)
}

/// A server's own words name addresses of the tenant at most; what broke on the way names the operator's server.
fn refused(error: &lettre::transport::smtp::Error) -> Error {
    if error.is_timeout() {
        return silent();
    }
    match error.status() {
        Some(status) => {
            let said = error.source().map(ToString::to_string).unwrap_or_default();
            let told = format!("The mail server refused it: {status} {said}");
            Error::new(Code::ServiceError, told.trim_end().to_string()).retry(!error.is_permanent())
        }
        None => {
            tracing::warn!(%error, "the mail server cannot be reached");
            let told = "The mail server cannot be reached.";
            Error::new(Code::ServiceUnreachable, told).retry(true)
        }
    }
}
