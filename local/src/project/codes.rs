//! Codes that open a session once, and only for the browser that began the sign-in (PKCE).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

#[derive(Default)]
pub struct Codes {
    /// Whose session a code opens, and the challenge of the browser that asked.
    open: Mutex<HashMap<String, (Uuid, String)>>,
}

impl Codes {
    pub fn issue(&self, user: Uuid, challenge: String) -> String {
        let code = Uuid::new_v4().to_string();
        self.lock().insert(code.clone(), (user, challenge));
        code
    }

    /// Whose code it is, where the verifier fits the challenge.
    pub fn redeem(&self, code: &str, verifier: &str) -> Option<Uuid> {
        let (user, challenge) = self.lock().remove(code)?;
        let given = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        (given == challenge).then_some(user)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Uuid, String)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
