//! S3 services that answer otherwise than Amazon: keys that may only read, no conditional writes, quotas, pages, hosts.

use super::conformance::conforms;
use super::places;
use bytes::Bytes;
use rovodev::error::Code;
use rovodev::ports::store::{Access, Put, S3Settings, Store};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy};
use tokio::net::{TcpListener, TcpStream};

/// Answers by itself what `answer` knows by the request's head (its first line is `METHOD /path?query HTTP/1.1`), as
/// status and body; passes the rest on to the S3 at `to`. One request per connection.
async fn service(
    to: String,
    answer: impl Fn(&str) -> Option<(u16, String)> + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (answer, asked) = (Arc::new(answer), Arc::<Mutex<Vec<String>>>::default());
    let heard = asked.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (answer, asked, to) = (answer.clone(), asked.clone(), to.clone());
            // A client that goes away is its own matter.
            tokio::spawn(async move { serve(client, &to, &*answer, &asked).await });
        }
    });
    (endpoint, heard)
}

async fn serve(
    client: TcpStream,
    to: &str,
    answer: &(dyn Fn(&str) -> Option<(u16, String)> + Send + Sync),
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (read, mut write) = client.into_split();
    let mut read = BufReader::new(read);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        read.read_line(&mut line).await?;
        let lower = line.to_ascii_lowercase();
        if let Some(bytes) = lower.strip_prefix("content-length:") {
            length = bytes.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    read.read_exact(&mut body).await?;
    asked
        .lock()
        .unwrap()
        .push(head.lines().next().unwrap_or_default().to_string());
    if let Some((status, text)) = answer(&head) {
        let bytes = text.len();
        let told = format!(
            "HTTP/1.1 {status} -\r\ncontent-type: application/xml\r\ncontent-length: {bytes}\r\nconnection: close\r\n\r\n{text}"
        );
        return write.write_all(told.as_bytes()).await;
    }
    let mut server = TcpStream::connect(to.trim_start_matches("http://")).await?;
    server.set_nodelay(true)?;
    server
        .write_all(format!("{head}connection: close\r\n\r\n").as_bytes())
        .await?;
    server.write_all(&body).await?;
    copy(&mut server, &mut write).await.map(drop)
}

fn error(status: u16, code: &str) -> Option<(u16, String)> {
    // Not every service says more than its status.
    let text = match code {
        "" => String::new(),
        _ => format!("<Error><Code>{code}</Code><Message>told by the test</Message></Error>"),
    };
    Some((status, text))
}

/// A new bucket of the S3 in this process, by way of a service that answers some requests itself.
async fn through(
    answer: impl Fn(&str) -> Option<(u16, String)> + Send + Sync + 'static,
) -> (Store, Arc<Mutex<Vec<String>>>) {
    let real = places::in_process();
    let bucket = places::new_bucket(&real).await;
    let (endpoint, asked) = service(real.endpoint.clone().unwrap(), answer).await;
    let settings = S3Settings {
        endpoint: Some(endpoint),
        ..real
    };
    let store = Store::open(&format!("s3://{bucket}/some/prefix"), &settings).unwrap();
    (store, asked)
}

#[tokio::test]
async fn a_key_that_may_only_read_is_told_and_reads() {
    let real = places::in_process();
    let place = format!("s3://{}/some/prefix", places::new_bucket(&real).await);
    let owner = Store::open(&place, &real).unwrap();
    let body = Bytes::from_static(b"body");
    owner.put_new("a", body.clone()).await.unwrap();
    let reader = S3Settings {
        access_key: Some(local::s3::READER.into()),
        ..real
    };
    let store = Store::open(&place, &reader).unwrap();
    assert_eq!(store.get("a").await.unwrap(), body);
    assert_eq!(store.list("").await.unwrap().len(), 1);
    let tried = [
        store.put_new("b", body.clone()).await.map(drop),
        store.put_replace("a", body.clone()).await,
        store.delete(&["a".to_string()]).await,
        store.probe(Access::Write).await,
    ];
    for refused in tried {
        let refused = refused.unwrap_err();
        assert_eq!(refused.code, Code::StoreReadOnly, "{refused:?}");
        assert!(!refused.retry, "{refused:?}");
        let hint = refused.hint.unwrap();
        assert!(hint.contains("s3:PutObject and s3:DeleteObject"), "{hint}");
    }
    assert_eq!(owner.list("").await.unwrap().len(), 1);
}

/// A look before the write stands in for it, and nothing else is missed.
#[tokio::test]
async fn a_service_without_conditional_writes_conforms() {
    let no_condition = |head: &str| {
        let conditional = head.to_ascii_lowercase().contains("if-none-match:");
        if conditional {
            error(501, "NotImplemented")
        } else {
            None
        }
    };
    let (store, asked) = through(no_condition).await;
    let (one, two) = (Bytes::from_static(b"one"), Bytes::from_static(b"two"));
    assert_eq!(store.put_new("a", one.clone()).await.unwrap(), Put::Written);
    assert_eq!(store.put_new("a", two.clone()).await.unwrap(), Put::Existed);
    assert_eq!(store.get("a").await.unwrap(), one);
    assert_eq!(store.put_new("b", two).await.unwrap(), Put::Written);
    let puts = asked
        .lock()
        .unwrap()
        .iter()
        .filter(|l| l.starts_with("PUT"))
        .count();
    assert_eq!(puts, 3, "the condition is tried once");
}

#[tokio::test]
async fn a_quota_is_a_store_that_is_full() {
    for (status, code) in [
        (507, "XMinioStorageFull"),
        (507, ""),
        (403, "QuotaExceeded"),
    ] {
        let full = move |head: &str| match head.starts_with("PUT") {
            true => error(status, code),
            false => None,
        };
        let (store, asked) = through(full).await;
        let refused = store
            .put_new("a", Bytes::from_static(b"a"))
            .await
            .unwrap_err();
        assert_eq!(refused.code, Code::StoreFull, "{refused:?}");
        assert!(!refused.retry && refused.hint.unwrap().contains("quota"));
        assert_eq!(asked.lock().unwrap().len(), 1, "{code} is not tried again");
    }
}

/// A list of more than a thousand comes in pages.
#[tokio::test]
async fn every_page_of_unfinished_uploads_is_dropped() {
    let pages = |head: &str| {
        let line = head.lines().next().unwrap_or_default();
        if line.starts_with("DELETE") {
            return Some((204, String::new()));
        }
        let (page, more) = match (
            line.contains("key-marker=k1"),
            line.contains("key-marker=k2"),
        ) {
            (true, _) => (2, true),
            (_, true) => (3, false),
            _ => (1, true),
        };
        Some((
            200,
            format!(
                "<ListMultipartUploadsResult><IsTruncated>{more}</IsTruncated><NextKeyMarker>k{page}</NextKeyMarker>\
                 <NextUploadIdMarker>u{page}</NextUploadIdMarker><Upload><Key>some/prefix/exports/{page}</Key>\
                 <UploadId>u{page}</UploadId></Upload></ListMultipartUploadsResult>"
            ),
        ))
    };
    let (store, asked) = through(pages).await;
    store.abandon("exports/").await.unwrap();
    let asked = asked.lock().unwrap();
    let dropped: Vec<_> = asked.iter().filter(|l| l.starts_with("DELETE")).collect();
    assert_eq!(dropped.len(), 3, "{asked:#?}");
    for page in 1..=3 {
        let upload = format!("uploadId=u{page}");
        assert!(dropped.iter().any(|l| l.contains(&upload)), "{asked:#?}");
    }
}

#[tokio::test]
async fn the_bucket_stands_in_the_path_or_in_the_host() {
    let settings = |endpoint: Option<&str>, path_style: Option<&str>| S3Settings {
        endpoint: endpoint.map(String::from),
        path_style: path_style.map(String::from),
        access_key: Some("key".into()),
        secret_key: Some("secret".into()),
        ..S3Settings::default()
    };
    let own = Some("https://s3.example.com");
    for (endpoint, path_style, start) in [
        (own, None, "https://s3.example.com/bucket/a?"),
        (own, Some("true"), "https://s3.example.com/bucket/a?"),
        (own, Some("false"), "https://bucket.s3.example.com/a?"),
        (None, None, "https://bucket.s3.us-east-1.amazonaws.com/a?"),
        (
            None,
            Some("true"),
            "https://s3.us-east-1.amazonaws.com/bucket/a?",
        ),
    ] {
        let store = Store::open("s3://bucket", &settings(endpoint, path_style)).unwrap();
        let lasts = Duration::from_secs(60);
        let link = store
            .link("a", "a", "text/plain", lasts)
            .await
            .unwrap()
            .unwrap();
        assert!(link.starts_with(start), "{link}");
    }
    let odd = Store::open("s3://bucket", &settings(own, Some("maybe"))).unwrap_err();
    assert_eq!(odd.code, Code::Config);
    assert!(odd.message.contains("S3_FORCE_PATH_STYLE"), "{odd}");
}

/// Deleted objects stay as versions, which no list of ours may show.
#[tokio::test]
async fn a_bucket_with_versions_conforms() {
    if let Some(store) = places::localstack_with_versions().await {
        conforms(&store).await;
    }
}

/// Every version is locked for a day: what is replaced or deleted stays, and we see what is new.
#[tokio::test]
async fn a_bucket_with_object_lock_conforms() {
    if let Some(store) = places::localstack_with_locks().await {
        conforms(&store).await;
    }
}
