//! Requests to addresses that tenants wrote down, who are strangers: https alone, never to a private address whatever
//! its name resolves to, without redirects, and of the answer no more than its beginning.

mod addresses;

use crate::error::{Code, Error, Result};
use crate::ports::web;
use addresses::is_public;
use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Method};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// From the first byte sent to the last byte read.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const LONGEST_ANSWER: usize = 2048;
/// Where receivers listen.
const PORTS: &[u16] = &[443, 8443];

/// Who may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses, by https.
    Public,
    /// Whoever there is: for a local stack.
    Anybody,
}

/// What a receiver said.
#[derive(Debug)]
pub struct Said {
    pub status: u16,
    /// Its beginning, as far as it is text.
    pub text: String,
    /// Seconds that it wants to be left alone.
    pub retry_after: Option<u64>,
}

/// A client for strangers' addresses alone.
pub struct Outward {
    client: Client,
    reach: Reach,
}

impl Outward {
    pub fn new(reach: Reach) -> Result<Self> {
        let client = web::builder()?
            // A proxy would resolve names in its own way.
            .no_proxy()
            .dns_resolver(Arc::new(Resolver { reach }))
            .timeout(TIMEOUT)
            .build()
            .map_err(|e| Error::new(Code::Internal, format!("no HTTP client can be made: {e}")))?;
        Ok(Self { client, reach })
    }

    /// # Errors
    /// [`Code::BadTarget`] for an address that nobody may reach, [`Code::ServiceUnreachable`] where no answer came.
    pub async fn send(
        &self,
        method: Method,
        target: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Said> {
        let url = checked(target, self.reach)?;
        let sent = self.client.request(method, url).headers(headers).body(body);
        let mut answer = sent.send().await.map_err(unreachable)?;
        let retry_after = answer.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|v| v.to_str().ok()?.parse().ok());
        let status = answer.status().as_u16();
        let mut read = Vec::new();
        // The status is the answer: what follows may break off.
        while read.len() < LONGEST_ANSWER
            && let Ok(Some(piece)) = answer.chunk().await
        {
            let room = LONGEST_ANSWER - read.len();
            read.extend_from_slice(&piece[..piece.len().min(room)]);
        }
        Ok(Said {
            status,
            text: String::from_utf8_lossy(&read).into_owned(),
            retry_after,
        })
    }
}

/// The address, if somebody may be reached there. A name is looked at again when it is resolved.
///
/// # Errors
/// [`Code::BadTarget`] saying why not.
pub fn checked(target: &str, reach: Reach) -> Result<Url> {
    let refused = |why: &str| Err(Error::new(Code::BadTarget, format!("The address {why}.")));
    let Ok(url) = Url::parse(target) else {
        return refused("cannot be read");
    };
    if reach == Reach::Anybody {
        return match url.scheme() {
            "http" | "https" => Ok(url),
            _ => refused("must begin with https://"),
        };
    }
    if url.scheme() != "https" {
        return refused("must begin with https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refused("must not hold a user or a password");
    }
    if !url
        .port_or_known_default()
        .is_some_and(|p| PORTS.contains(&p))
    {
        return refused("must be at port 443 or 8443");
    }
    let literal = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(Host::Domain(_)) => None,
        None => return refused("has no host"),
    };
    match literal {
        Some(address) if !is_public(address) => refused("is a private one"),
        _ => Ok(url),
    }
}

/// Looks a name up and leaves out what may not be reached: what is connected to is what was looked at.
struct Resolver {
    reach: Reach,
}

/// Says which of the ways to fail it is, from the depth of a client's error.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to a private address")]
struct Private;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.reach;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0))
                .await?
                .filter(|found| reach == Reach::Anybody || is_public(found.ip()))
                .collect();
            if found.is_empty() {
                return Err(Private.into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

fn unreachable(error: reqwest::Error) -> Error {
    let mut deeper: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = deeper {
        if cause.is::<Private>() {
            return Error::new(Code::BadTarget, "The address is a private one.");
        }
        deeper = cause.source();
    }
    let told = match error.is_timeout() {
        true => format!("No answer within {} seconds.", TIMEOUT.as_secs()),
        false => format!("It cannot be reached: {}.", web::cause(error)),
    };
    Error::new(Code::ServiceUnreachable, told).retry(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn strangers_lead_us_nowhere_but_to_public_https() {
        for target in [
            "http://example.com/",
            "ftp://example.com/",
            "https://example.com:22/",
            "https://user:secret@example.com/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://169.254.169.254/latest/meta-data",
            "nonsense",
        ] {
            let refused = checked(target, Reach::Public).unwrap_err();
            assert_eq!(refused.code, Code::BadTarget, "{target}");
            assert!(!refused.message.contains("secret"), "{refused}");
        }
        for target in ["https://example.com/a?b", "https://1.1.1.1:8443/"] {
            checked(target, Reach::Public).unwrap();
        }
        checked("http://127.0.0.1:9/", Reach::Anybody).unwrap();
    }

    /// Endless, and slow to begin: the status counts, and no more than the beginning is read.
    #[tokio::test]
    async fn an_answer_without_an_end_is_left() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let target = format!("http://{}/", listener.local_addr().unwrap());
        let endless = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4096];
            assert!(stream.read(&mut asked).await.unwrap() > 0);
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n";
            stream.write_all(head).await.unwrap();
            let mut sent = 0;
            while stream.write_all(&[b'x'; 1024]).await.is_ok() {
                sent += 1024;
            }
            sent
        });
        let outward = Outward::new(Reach::Anybody).unwrap();
        let said = outward.send(Method::GET, &target, HeaderMap::new(), Bytes::new());
        let said = said.await.unwrap();
        assert_eq!((said.status, said.text.len()), (200, LONGEST_ANSWER));
        drop(outward);
        assert!(endless.await.unwrap() > 0, "the line is closed");
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_refused_when_it_is_resolved() {
        let outward = Outward::new(Reach::Public).unwrap();
        let target = "https://localhost/";
        let sent = outward.send(Method::GET, target, HeaderMap::new(), Bytes::new());
        let refused = sent.await.unwrap_err();
        assert_eq!(refused.code, Code::BadTarget, "{refused}");
    }
}
