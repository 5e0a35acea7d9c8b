//! Access tokens, against an issuer that changes its keys, fails and hangs.

use crate::issuer::{Answers, Issuer, Signer};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rovodev::http::Problem;
use rovodev::http::jwks::Pace;
use rovodev::http::token::{Claims, Verifier};
use rovodev::ports::web;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

const SHARED: &str = "a-secret-of-an-older-project-0123456789";
const HOUR: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(200);

/// Nothing happens by itself within a test.
const SLOW: Pace = Pace {
    fresh: HOUR,
    between: HOUR,
    retry: HOUR,
    longest: HOUR,
    patience: SHORT,
};

fn verifier(issuer: &Issuer, shared: Option<&str>, pace: Pace) -> Verifier {
    Verifier::new(web::client().unwrap(), &issuer.url, shared, pace)
}

fn claims(issuer: &Issuer) -> Value {
    let now = chrono::Utc::now().timestamp();
    json!({
        "iss": format!("{}/auth/v1", issuer.url), "aud": "authenticated", "role": "authenticated",
        "sub": Uuid::nil(), "iat": now, "exp": now + 3600, "email": "a@example.com",
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

fn hs256(secret: &[u8], id: Option<&str>, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = id.map(str::to_string);
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// A header, claims, and whatever stands for a signature.
fn by_hand(header: Value, claims: &Value, signature: &str) -> String {
    let part = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
    format!("{}.{}.{signature}", part(&header), part(claims))
}

fn told(result: Result<Claims, Problem>) -> (u16, String) {
    result.map_or_else(|p| (p.status, p.code), |_| (200, String::new()))
}

#[tokio::test]
async fn only_a_good_token_of_this_project_passes() {
    let (signer, stranger) = (Signer::new("one"), Signer::new("one"));
    let issuer = Issuer::start(Answers::Keys(vec![signer.public()])).await;
    let good = claims(&issuer);
    let now = chrono::Utc::now().timestamp();
    let token = signer.sign(&good);
    let (head, signature) = (
        json!({ "alg": "ES256", "kid": "one", "typ": "JWT" }),
        token.rsplit('.').next().unwrap(),
    );
    let changed = with(good.clone(), "sub", json!(Uuid::max()));
    let public = signer.public();
    let point =
        [&public["x"], &public["y"]].map(|c| URL_SAFE_NO_PAD.decode(c.as_str().unwrap()).unwrap());
    let signed = |name: &str, value: Value| signer.sign(&with(good.clone(), name, value));
    let cases = [
        ("good", token.clone(), 200, ""),
        (
            "a list of audiences",
            signed("aud", json!(["x", "authenticated"])),
            200,
            "",
        ),
        (
            "expired within the clocks' difference",
            signed("exp", json!(now - 3)),
            200,
            "",
        ),
        (
            "expired",
            signed("exp", json!(now - 60)),
            401,
            "token_expired",
        ),
        (
            "expired and forged",
            stranger.sign(&with(good.clone(), "exp", json!(now - 60))),
            401,
            "token_invalid",
        ),
        (
            "not valid yet",
            signed("nbf", json!(now + 60)),
            401,
            "token_invalid",
        ),
        (
            "issued within the clocks' difference",
            signed("iat", json!(now + 5)),
            200,
            "",
        ),
        (
            "issued in the future",
            signed("iat", json!(now + 60)),
            401,
            "token_invalid",
        ),
        (
            "without expiry",
            signed("exp", Value::Null),
            401,
            "token_invalid",
        ),
        (
            "of another issuer",
            signed("iss", json!("https://other.supabase.co/auth/v1")),
            401,
            "token_invalid",
        ),
        (
            "without issuer",
            signed("iss", Value::Null),
            401,
            "token_invalid",
        ),
        (
            "for another audience",
            signed("aud", json!("anon")),
            401,
            "token_invalid",
        ),
        (
            "without audience",
            signed("aud", Value::Null),
            401,
            "token_invalid",
        ),
        (
            "without subject",
            signed("sub", Value::Null),
            401,
            "token_invalid",
        ),
        (
            "whose subject is no id",
            signed("sub", json!("admin")),
            401,
            "token_invalid",
        ),
        (
            "of service_role",
            signed("role", json!("service_role")),
            401,
            "token_invalid",
        ),
        (
            "of anon",
            signed("role", json!("anon")),
            401,
            "token_invalid",
        ),
        (
            "without role",
            signed("role", Value::Null),
            401,
            "token_invalid",
        ),
        (
            "signed by another key",
            stranger.sign(&good),
            401,
            "token_invalid",
        ),
        (
            "with an unknown key id",
            signer.sign_as(Some("two"), &good),
            401,
            "token_invalid",
        ),
        (
            "without key id",
            signer.sign_as(None, &good),
            401,
            "token_invalid",
        ),
        (
            "changed after it was signed",
            by_hand(head.clone(), &changed, signature),
            401,
            "token_invalid",
        ),
        ("unsigned", by_hand(head, &good, ""), 401, "token_invalid"),
        (
            "alg none",
            by_hand(json!({ "alg": "none" }), &good, ""),
            401,
            "token_invalid",
        ),
        (
            "alg None",
            by_hand(json!({ "alg": "None", "kid": "one" }), &good, ""),
            401,
            "token_invalid",
        ),
        (
            "another algorithm for the key",
            by_hand(json!({ "alg": "RS256", "kid": "one" }), &good, signature),
            401,
            "token_invalid",
        ),
        (
            "HS256 by the public key",
            hs256(public.to_string().as_bytes(), Some("one"), &good),
            401,
            "token_invalid",
        ),
        (
            "HS256 by the public point",
            hs256(&point.concat(), Some("one"), &good),
            401,
            "token_invalid",
        ),
        (
            "HS256 by nothing",
            hs256(b"", None, &good),
            401,
            "token_invalid",
        ),
        ("no token", "forged".into(), 401, "token_invalid"),
        ("two dots", "..".into(), 401, "token_invalid"),
    ];
    // A project that has a shared secret is no softer.
    for shared in [None, Some(SHARED)] {
        let verifier = verifier(&issuer, shared, SLOW);
        for (name, token, status, code) in &cases {
            let answer = told(verifier.verify(token).await);
            assert_eq!(answer, (*status, code.to_string()), "a token {name}");
        }
    }
}

#[tokio::test]
async fn the_older_shared_secret_serves_where_it_is_set() {
    let issuer = Issuer::start(Answers::Failure).await;
    let good = claims(&issuer);
    let token = hs256(SHARED.as_bytes(), None, &good);
    let with_secret = verifier(&issuer, Some(SHARED), SLOW);
    assert_eq!(told(with_secret.verify(&token).await).0, 200);
    let service = with(good.clone(), "role", json!("service_role"));
    for bad in [
        hs256(b"another-secret-0123456789-0123456789", None, &good),
        hs256(SHARED.as_bytes(), None, &service),
        hs256(
            SHARED.as_bytes(),
            None,
            &with(good.clone(), "iss", json!("x")),
        ),
    ] {
        assert_eq!(told(with_secret.verify(&bad).await).0, 401);
    }
    let without = verifier(&issuer, None, SLOW);
    assert_eq!(told(without.verify(&token).await).0, 401);
    assert_eq!(issuer.asked(), 0, "a shared secret needs no question");
}

/// Verifies until it comes out so.
async fn until(verifier: &Verifier, token: &str, wanted: u16) {
    let began = Instant::now();
    loop {
        let (status, code) = told(verifier.verify(token).await);
        if status == wanted {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "still {status} {code}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn rotated_keys_are_taken_up_and_old_ones_forgotten() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let issuer = Issuer::start(Answers::Keys(vec![old.public()])).await;
    let (by_old, by_new) = (old.sign(&claims(&issuer)), new.sign(&claims(&issuer)));
    let pace = Pace {
        between: SHORT,
        ..SLOW
    };
    let verifier = verifier(&issuer, None, pace);
    assert_eq!(told(verifier.verify(&by_old).await).0, 200);
    assert_eq!(told(verifier.verify(&by_new).await).0, 401);
    // A kind of key that nobody knows must not hide the others.
    let strange = json!({ "kty": "later", "kid": "x", "alg": "LATER" });
    issuer.now(Answers::Keys(vec![strange, new.public()]));
    until(&verifier, &by_new, 200).await;
    assert_eq!(
        told(verifier.verify(&by_old).await),
        (401, "token_invalid".into())
    );
}

#[tokio::test]
async fn a_revoked_key_is_forgotten_though_nobody_brings_another_one() {
    let signer = Signer::new("one");
    let issuer = Issuer::start(Answers::Keys(vec![signer.public()])).await;
    let token = signer.sign(&claims(&issuer));
    let pace = Pace {
        fresh: SHORT,
        between: SHORT,
        ..SLOW
    };
    let verifier = verifier(&issuer, None, pace);
    assert_eq!(told(verifier.verify(&token).await).0, 200);
    issuer.now(Answers::Keys(vec![]));
    until(&verifier, &token, 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_forged_ids_asks_the_issuer_once() {
    let signer = Signer::new("one");
    let issuer = Issuer::start(Answers::Keys(vec![signer.public()])).await;
    let good = signer.sign(&claims(&issuer));
    let forged: Vec<String> = (0..1000)
        .map(|n| signer.sign_as(Some(&format!("forged-{n}")), &claims(&issuer)))
        .collect();
    let verifier = verifier(&issuer, None, SLOW);
    let all = futures_util::future::join_all(forged.iter().map(|t| verifier.verify(t))).await;
    assert!(all.into_iter().all(|r| told(r).0 == 401));
    assert_eq!(told(verifier.verify(&good).await).0, 200);
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_down_or_hangs_is_said_and_asked_again() {
    let signer = Signer::new("one");
    for trouble in [Answers::Failure, Answers::Silence] {
        let issuer = Issuer::start(trouble).await;
        let token = signer.sign(&claims(&issuer));
        let pace = Pace {
            retry: SHORT,
            ..SLOW
        };
        let verifier = verifier(&issuer, None, pace);
        let began = Instant::now();
        let all = futures_util::future::join_all((0..100).map(|_| verifier.verify(&token))).await;
        for answer in all {
            let problem = answer.unwrap_err();
            assert_eq!(
                (problem.status, problem.code.as_str()),
                (503, "auth_unreachable")
            );
            assert!(problem.retry_after.is_some());
        }
        // Whoever waits waits for one question, not each for one of its own.
        assert!(issuer.asked() <= 3, "asked {} times", issuer.asked());
        assert!(began.elapsed() < 10 * SHORT, "{:?}", began.elapsed());
        issuer.now(Answers::Keys(vec![signer.public()]));
        until(&verifier, &token, 200).await;
    }
}

#[tokio::test]
async fn a_known_key_outlasts_the_issuers_silence_but_not_for_ever() {
    let signer = Signer::new("one");
    let issuer = Issuer::start(Answers::Keys(vec![signer.public()])).await;
    let token = signer.sign(&claims(&issuer));
    let pace = Pace {
        fresh: Duration::ZERO,
        between: Duration::ZERO,
        retry: Duration::ZERO,
        longest: 10 * SHORT,
        patience: SHORT,
    };
    let verifier = verifier(&issuer, None, pace);
    assert_eq!(told(verifier.verify(&token).await).0, 200);
    issuer.now(Answers::Failure);
    assert_eq!(told(verifier.verify(&token).await).0, 200);
    until(&verifier, &token, 503).await;
    issuer.now(Answers::Keys(vec![signer.public()]));
    until(&verifier, &token, 200).await;
}
