//! For programs: JSON, signed as Standard Webhooks has it (standardwebhooks.com).

use super::Notice;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

const SECRET: &str = "whsec_";

/// `{type, timestamp, data}`.
pub fn body(notice: &Notice<'_>) -> Value {
    let mut data = serde_json::to_value(notice.message).unwrap_or_default();
    if let Some(fields) = data.as_object_mut() {
        fields.remove("at");
        fields.insert("test".into(), notice.test.into());
        if let Some(link) = notice.link() {
            fields.insert("url".into(), link.into());
        }
    }
    json!({ "type": notice.event, "timestamp": notice.message.at, "data": data })
}

/// The header `webhook-signature` of a body; none where the secret is none.
pub fn sign(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix(SECRET)?).ok()?;
    let mut signed = format!("{id}.{timestamp}.").into_bytes();
    signed.extend_from_slice(body);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed);
    Some(format!("v1,{}", STANDARD.encode(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn it_signs_as_the_specification_does() {
        let signed = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signed.as_deref(), Some(expected));
        assert_eq!(sign("no secret", "id", 0, b""), None);
    }
}
