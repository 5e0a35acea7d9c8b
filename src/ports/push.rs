//! Web push: messages that a browser's vendor carries and cannot read (RFC 8291), signed so that it knows from whom they
//! are (VAPID, RFC 8292).

use crate::config::{self, Settings};
use crate::error::{Code, Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p256::SecretKey;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::pkcs8::EncodePrivateKey;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use url::Url;
use web_push_native::Auth;

/// How long a vendor keeps a message for a browser that sleeps, in seconds.
const TTL: u32 = 24 * 3600;
/// How long a signature serves; vendors refuse more than a day.
const SIGNED_FOR: i64 = 12 * 3600;

/// What signs for this deployment. Cheap to clone.
#[derive(Clone)]
pub struct Vapid {
    signing: EncodingKey,
    public_key: String,
    contact: String,
}

/// Where a browser is reached: its vendor's address, its key, its secret.
pub struct Subscription {
    pub endpoint: Url,
    key: p256::PublicKey,
    auth: Auth,
}

impl Vapid {
    /// None where the settings hold no key.
    ///
    /// # Errors
    /// [`Code::Config`] for a key that is none.
    pub fn new(settings: &Settings) -> Result<Option<Self>> {
        let Some(key) = settings.get(&config::ROVODEV_VAPID_KEY) else {
            return Ok(None);
        };
        let wrong = || {
            Error::new(Code::Config, "ROVODEV_VAPID_KEY cannot be read")
                .hint("It is the private key that `npx web-push generate-vapid-keys` prints.")
        };
        let bytes = URL_SAFE_NO_PAD.decode(key).map_err(|_| wrong())?;
        let secret = SecretKey::from_slice(&bytes).map_err(|_| wrong())?;
        let der = secret.to_pkcs8_der().map_err(|_| wrong())?;
        let public = secret.public_key().to_encoded_point(false);
        Ok(Some(Self {
            signing: EncodingKey::from_ec_der(der.as_bytes()),
            public_key: URL_SAFE_NO_PAD.encode(public.as_bytes()),
            contact: contact(settings)?,
        }))
    }

    /// What browsers subscribe with (`applicationServerKey`).
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// Headers and body of the request that carries a message.
    pub fn request(&self, to: &Subscription, message: &[u8]) -> Result<(HeaderMap, Vec<u8>)> {
        let broken = |e: &dyn std::fmt::Display| {
            Error::new(
                Code::Internal,
                format!("a push message cannot be made: {e}"),
            )
        };
        let body = web_push_native::encrypt(message.to_vec(), &to.key, &to.auth)
            .map_err(|e| broken(&e))?;
        let claims = json!({
            "aud": to.endpoint.origin().ascii_serialization(),
            "exp": Utc::now().timestamp() + SIGNED_FOR,
            "sub": self.contact,
        });
        let signed = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &self.signing);
        let signed = signed.map_err(|e| broken(&e))?;
        let shown = format!("vapid t={signed}, k={}", self.public_key);
        let mut headers = HeaderMap::new();
        let shown = HeaderValue::from_str(&shown).map_err(|e| broken(&e))?;
        headers.insert(AUTHORIZATION, shown);
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("aes128gcm"));
        headers.insert(HeaderName::from_static("ttl"), HeaderValue::from(TTL));
        let urgency = HeaderName::from_static("urgency");
        headers.insert(urgency, HeaderValue::from_static("high"));
        Ok((headers, body))
    }
}

/// Whom a vendor asks where something is wrong with our messages.
fn contact(settings: &Settings) -> Result<String> {
    if let Some(dashboard) = settings.get(&config::ROVODEV_DASHBOARD_URL) {
        return Ok(dashboard.to_string());
    }
    let from = settings.require(&config::ROVODEV_MAIL_FROM)?;
    let address = from.rsplit('<').next().unwrap_or(from);
    Ok(format!("mailto:{}", address.trim_end_matches('>').trim()))
}

impl Subscription {
    /// As a channel keeps it: address, key and secret, separated by blanks.
    ///
    /// # Errors
    /// [`Code::BadTarget`] for what is none.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || Error::new(Code::BadTarget, "This is no subscription of a browser.");
        let mut parts = text.split(' ');
        let mut next = || parts.next().ok_or_else(bad);
        let (endpoint, key, auth) = (next()?, next()?, next()?);
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| bad());
        let auth = decoded(auth)?;
        if auth.len() != 16 {
            return Err(bad());
        }
        Ok(Self {
            endpoint: Url::parse(endpoint).map_err(|_| bad())?,
            key: p256::PublicKey::from_sec1_bytes(&decoded(key)?).map_err(|_| bad())?,
            auth: *Auth::from_slice(&auth),
        })
    }
}
