//! A project's keys: what apps show, and what tokens are signed with.

use super::failed;
use crate::error::Result;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p256::elliptic_curve::rand_core::OsRng;
use p256::pkcs8::EncodePrivateKey;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// Kept between starts of one project.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProjectKeys {
    pub publishable: String,
    pub secret: String,
    /// The signing key, P-256, in hexadecimal PKCS#8.
    signing: String,
    key_id: String,
}

/// Tokens that serve as keys.
#[derive(Debug, Clone)]
pub struct OlderKeys {
    pub anon: String,
    pub service_role: String,
}

impl ProjectKeys {
    pub fn random() -> Result<ProjectKeys> {
        let id = || Uuid::new_v4().simple().to_string();
        Ok(ProjectKeys {
            publishable: format!("sb_publishable_{}", id()),
            secret: format!("sb_secret_{}", id()),
            signing: signing_key()?,
            key_id: id(),
        })
    }

    /// The keys that a project had before: tokens of its roles. `url` is the project's.
    pub fn older(&self, url: &str) -> Result<OlderKeys> {
        let of = |role: &str| {
            let forever = 4_102_444_800_u64;
            self.sign(&json!({ "role": role, "iss": url, "exp": forever, "ref": "local" }))
        };
        Ok(OlderKeys {
            anon: of("anon")?,
            service_role: of("service_role")?,
        })
    }

    /// Another signing key, as after a rotation.
    pub fn rotated(&self) -> Result<ProjectKeys> {
        Ok(ProjectKeys {
            signing: signing_key()?,
            key_id: Uuid::new_v4().simple().to_string(),
            ..self.clone()
        })
    }

    /// A token with these claims, signed with ES256.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String> {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.key_id.clone());
        jsonwebtoken::encode(&header, claims, &self.encoding()?)
            .map_err(|e| failed("cannot sign a token", e))
    }

    /// The public half, as the issuer publishes it.
    pub fn public(&self) -> Result<JwkSet> {
        let mut key = Jwk::from_encoding_key(&self.encoding()?, Algorithm::ES256)
            .map_err(|e| failed("cannot publish the signing key", e))?;
        key.common.key_id = Some(self.key_id.clone());
        Ok(JwkSet { keys: vec![key] })
    }

    fn encoding(&self) -> Result<EncodingKey> {
        let bytes = hex(&self.signing).ok_or_else(|| failed("signing key", "not hexadecimal"))?;
        Ok(EncodingKey::from_ec_der(&bytes))
    }
}

fn signing_key() -> Result<String> {
    let key = p256::SecretKey::random(&mut OsRng);
    let der = key
        .to_pkcs8_der()
        .map_err(|e| failed("cannot make a signing key", e))?;
    Ok(der.as_bytes().iter().map(|b| format!("{b:02x}")).collect())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}
