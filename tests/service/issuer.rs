//! An issuer of tokens whose keys change, that fails, and that hangs.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A signing key, P-256.
pub struct Signer {
    id: String,
    key: EncodingKey,
}

impl Signer {
    pub fn new(id: &str) -> Self {
        let der = rcgen::KeyPair::generate().unwrap().serialize_der();
        Self {
            id: id.into(),
            key: EncodingKey::from_ec_der(&der),
        }
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(Some(&self.id), claims)
    }

    /// With another key id in the header than its own.
    pub fn sign_as(&self, id: Option<&str>, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = id.map(str::to_string);
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }

    pub fn public(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(self.id.clone());
        json!(jwk)
    }
}

#[derive(Clone)]
pub enum Answers {
    Keys(Vec<Value>),
    Failure,
    Silence,
}

/// Stops when dropped.
pub struct Issuer {
    pub url: String,
    answers: Arc<Mutex<Answers>>,
    asked: Arc<AtomicUsize>,
    server: tokio::task::JoinHandle<()>,
}

impl Issuer {
    pub async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answers, asked) = (Arc::new(Mutex::new(answers)), Arc::<AtomicUsize>::default());
        let (shared, count) = (answers.clone(), asked.clone());
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let answers = shared.lock().unwrap().clone();
                tokio::spawn(answer(stream, answers));
            }
        });
        Self {
            url,
            answers,
            asked,
            server,
        }
    }

    pub fn now(&self, answers: Answers) {
        *self.answers.lock().unwrap() = answers;
    }

    /// How often it was asked: each question comes on a connection of its own.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(mut stream: TcpStream, answers: Answers) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let (status, body) = match answers {
        Answers::Keys(keys) => ("200 OK", json!({ "keys": keys }).to_string()),
        Answers::Failure => ("500 Internal Server Error", String::new()),
        // Until the other side gives up.
        Answers::Silence => return drop(stream.read_u8().await),
    };
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(text.as_bytes()).await;
}
