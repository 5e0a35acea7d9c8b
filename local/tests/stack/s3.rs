use aws_credential_types::Credentials as AwsCredentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use local::home::Home;
use local::s3::{Credentials, S3};

fn client(s3: &S3, secret: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(local::s3::REGION))
        .endpoint_url(s3.endpoint())
        .credentials_provider(AwsCredentials::from_keys(
            &s3.credentials().key,
            secret,
            None,
        ))
        .force_path_style(true)
        .http_client(
            aws_smithy_http_client::Builder::new()
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .build_https(),
        )
        .build();
    Client::from_conf(config)
}

async fn create(client: &Client, key: &str, body: Vec<u8>) -> Result<(), u16> {
    let sent = client
        .put_object()
        .bucket("backups")
        .key(key)
        .if_none_match("*")
        .body(ByteStream::from(body))
        .send()
        .await;
    sent.map(drop)
        .map_err(|error| error.raw_response().unwrap().status().as_u16())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_create_the_same_object_one_succeeds() {
    let folder = Home::open().unwrap().throw_away().unwrap();
    let s3 = S3::start(&folder.path().join("s3"), None, Credentials::random()).unwrap();
    s3.create_bucket("backups").unwrap();
    let client = client(&s3, &s3.credentials().secret);
    for round in 0..10 {
        let key = format!("lease/{round}");
        let writers: Vec<_> = (0..16u8)
            .map(|writer| {
                let (client, key) = (client.clone(), key.clone());
                tokio::spawn(async move { create(&client, &key, vec![writer; 256 * 1024]).await })
            })
            .collect();
        let mut winners = Vec::new();
        for (writer, handle) in writers.into_iter().enumerate() {
            match handle.await.unwrap() {
                Ok(()) => winners.push(writer as u8),
                Err(status) => assert_eq!(status, 412),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        let object = client
            .get_object()
            .bucket("backups")
            .key(&key)
            .send()
            .await
            .unwrap();
        let stored = object.body.collect().await.unwrap().into_bytes();
        assert!(
            stored.iter().all(|byte| *byte == winners[0]),
            "the winner's bytes are kept"
        );
    }
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let folder = Home::open().unwrap().throw_away().unwrap();
    let s3 = S3::start(&folder.path().join("s3"), None, Credentials::random()).unwrap();
    s3.create_bucket("backups").unwrap();
    assert_eq!(
        create(&client(&s3, "wrong"), "key", vec![1]).await,
        Err(403)
    );
}
