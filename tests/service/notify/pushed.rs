//! Web push: a browser's vendor gets what it cannot read, signed; the browser reads it.

use super::receiver::{Manner, Receiver};
use crate::stack::{Person, Running};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use p256::SecretKey;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use serde_json::{Value, json};

const PATH: &str = "/api/workspace/channels";

/// A browser: its key pair, and the secret that it shares.
struct Browser {
    key: SecretKey,
    auth: [u8; 16],
}

impl Browser {
    fn new() -> Self {
        let key = SecretKey::from_slice(&[7; 32]).unwrap();
        Self { key, auth: [9; 16] }
    }

    fn subscribes(&self, endpoint: &str) -> Value {
        let public = self.key.public_key().to_encoded_point(false);
        json!({
            "kind": "push", "name": "This browser", "events": ["backup.failed"],
            "subscription": {
                "endpoint": endpoint, "p256dh": URL_SAFE_NO_PAD.encode(public.as_bytes()),
                "auth": URL_SAFE_NO_PAD.encode(self.auth),
            },
        })
    }
}

async fn pushing() -> Running {
    Running::start_with(&[
        ("ROVODEV_PRIVATE_TARGETS", "1".into()),
        ("ROVODEV_VAPID_KEY", URL_SAFE_NO_PAD.encode([3; 32])),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_reads_what_its_vendor_cannot() {
    let (running, vendor, browser) = (pushing().await, Receiver::start().await, Browser::new());
    let operator = running.sign_in(Person::Operator).await;
    let endpoint = format!("{}/send/s3cret", vendor.url);
    let (id, made) = running
        .channel(&operator, browser.subscribes(&endpoint))
        .await;
    assert_eq!(
        (&made["channel"]["mine"], &made["secret"]),
        (&json!(true), &Value::Null)
    );
    assert!(!made.to_string().contains("s3cret"), "{made}");
    vendor.answer([Manner::Status(201)]);
    let backup = running.fail_backup(&operator).await;
    let got = vendor.until(1).await.remove(0);
    assert_eq!(
        (got.path.as_str(), got.header("content-encoding")),
        ("/send/s3cret", "aes128gcm")
    );
    let auth = *web_push_native::Auth::from_slice(&browser.auth);
    let read = web_push_native::decrypt(got.body.to_vec(), &browser.key, &auth).unwrap();
    let read: Value = serde_json::from_slice(&read).unwrap();
    assert!(read["url"].as_str().unwrap().ends_with(&backup), "{read}");
    assert_eq!(read["event"], "backup.failed");

    let (_, listed) = running.call(&operator, "GET", PATH, None).await;
    let push = listed["kinds"]
        .as_array()
        .unwrap()
        .iter()
        .find(|k| k["kind"] == "push")
        .unwrap();
    let key = push["publicKey"].as_str().unwrap();
    let shown = got
        .header("authorization")
        .strip_prefix("vapid t=")
        .unwrap();
    let (token, signed_with) = shown.split_once(", k=").unwrap();
    assert_eq!(signed_with, key);
    let point = URL_SAFE_NO_PAD.decode(key).unwrap();
    let (x, y) = (
        URL_SAFE_NO_PAD.encode(&point[1..33]),
        URL_SAFE_NO_PAD.encode(&point[33..]),
    );
    let mut expected = Validation::new(Algorithm::ES256);
    expected.set_audience(&[&vendor.url]);
    let decoding = DecodingKey::from_ec_components(&x, &y).unwrap();
    let claims = jsonwebtoken::decode::<Value>(token, &decoding, &expected)
        .unwrap()
        .claims;
    assert_eq!(claims["sub"], crate::stack::DASHBOARD, "{claims}");

    // The same browser again is not a second one; and what is over for its vendor is over here.
    let (again, _) = running
        .channel(&operator, browser.subscribes(&endpoint))
        .await;
    assert_ne!(again, id);
    vendor.answer([Manner::Status(410)]);
    let (_, tested) = running
        .call(&operator, "POST", PATH, Some(json!({ "test": again })))
        .await;
    assert_eq!(
        (&tested["delivered"], &tested["status"]),
        (&json!(false), &json!(410)),
        "{tested}"
    );
    let (_, listed) = running.call(&operator, "GET", PATH, None).await;
    assert_eq!(listed["channels"], json!([]));
}

/// An operator's browser is theirs; nobody but an admin may end somebody else's, nor an operator make what all hear.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_its_persons_own() {
    let (running, browser) = (pushing().await, Browser::new());
    let (admin, operator) = (
        running.admin().await,
        running.sign_in(Person::Operator).await,
    );
    let (of_admin, _) = running
        .channel(&admin, browser.subscribes("https://push.example.com/a"))
        .await;
    let (own, _) = running
        .channel(&operator, browser.subscribes("https://push.example.com/b"))
        .await;
    let delete = async |id: &str| {
        let path = format!("{PATH}?id={id}");
        running.call(&operator, "DELETE", &path, None).await.0
    };
    assert_eq!(delete(&of_admin).await, 403);
    assert_eq!(delete(&own).await, 204);
    let mail = json!({ "kind": "webhook", "name": "n", "target": "https://example.com/", "events": ["backup.failed"] });
    assert_eq!(
        running.call(&operator, "POST", PATH, Some(mail)).await.0,
        403
    );
    let viewer = running.sign_in(Person::Viewer).await;
    let body = Some(browser.subscribes("https://push.example.com/c"));
    assert_eq!(running.call(&viewer, "POST", PATH, body).await.0, 403);
}
