//! Fresh, empty stores of every kind.

use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_s3::types::{
    BucketVersioningStatus, DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled,
    ObjectLockRetentionMode, ObjectLockRule, VersioningConfiguration,
};
use local::s3;
use rovodev::ports::store::{S3Settings, Store};
use std::sync::{LazyLock, Mutex, PoisonError};
use tempfile::TempDir;
use uuid::Uuid;

/// A store in a folder that goes with it.
pub struct DirStore {
    pub store: Store,
    pub folder: TempDir,
}

pub fn directory() -> DirStore {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let store = Store::open(path, &S3Settings::default()).unwrap();
    DirStore { store, folder }
}

/// A new bucket of the S3 that `bin/test` runs, or else of one in this process.
pub async fn s3() -> Store {
    match std::env::var("ROVODEV_TEST_S3_ENDPOINT") {
        Ok(endpoint) => {
            let key = std::env::var("ROVODEV_TEST_S3_KEY").unwrap();
            let secret = std::env::var("ROVODEV_TEST_S3_SECRET").unwrap();
            bucket(settings(endpoint, key, secret)).await
        }
        Err(_) => bucket(in_process()).await,
    }
}

/// A new bucket of the LocalStack that `bin/test` runs, if any.
pub async fn localstack() -> Option<Store> {
    let endpoint = std::env::var("ROVODEV_TEST_LOCALSTACK_ENDPOINT").ok()?;
    Some(bucket(settings(endpoint, "test".into(), "test".into())).await)
}

/// The same with versioning switched on.
pub async fn localstack_with_versions() -> Option<Store> {
    let endpoint = std::env::var("ROVODEV_TEST_LOCALSTACK_ENDPOINT").ok()?;
    let settings = settings(endpoint, "test".into(), "test".into());
    let name = new_bucket(&settings).await;
    let on = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .build();
    client(&settings)
        .put_bucket_versioning()
        .bucket(&name)
        .versioning_configuration(on)
        .send()
        .await
        .unwrap();
    Some(Store::open(&format!("s3://{name}/some/prefix"), &settings).unwrap())
}

/// The same with Object Lock, under which nobody can end a version before its day is over.
pub async fn localstack_with_locks() -> Option<Store> {
    let endpoint = std::env::var("ROVODEV_TEST_LOCALSTACK_ENDPOINT").ok()?;
    let settings = settings(endpoint, "test".into(), "test".into());
    let name = format!("b-{}", Uuid::new_v4().simple());
    let made = client(&settings).create_bucket().bucket(&name);
    made.object_lock_enabled_for_bucket(true)
        .send()
        .await
        .unwrap();
    let retention = DefaultRetention::builder()
        .mode(ObjectLockRetentionMode::Compliance)
        .days(1);
    let rule = ObjectLockRule::builder().default_retention(retention.build());
    let lock = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .rule(rule.build());
    client(&settings)
        .put_object_lock_configuration()
        .bucket(&name)
        .object_lock_configuration(lock.build())
        .send()
        .await
        .unwrap();
    Some(Store::open(&format!("s3://{name}/some/prefix"), &settings).unwrap())
}

pub fn settings(endpoint: String, key: String, secret: String) -> S3Settings {
    S3Settings {
        endpoint: Some(endpoint),
        access_key: Some(key),
        secret_key: Some(secret),
        ..S3Settings::default()
    }
}

/// Settings of an S3 in this process, started at the first call.
pub fn in_process() -> S3Settings {
    static RUNNING: LazyLock<Mutex<(TempDir, s3::S3)>> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let running = s3::S3::start(folder.path(), None, s3::Credentials::random()).unwrap();
        Mutex::new((folder, running))
    });
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let keys = running.1.credentials();
    settings(running.1.endpoint(), keys.key.clone(), keys.secret.clone())
}

/// Makes a bucket and returns its name.
pub async fn new_bucket(settings: &S3Settings) -> String {
    let name = format!("b-{}", Uuid::new_v4().simple());
    let made = client(settings).create_bucket().bucket(&name).send();
    made.await.unwrap();
    name
}

async fn bucket(settings: S3Settings) -> Store {
    let name = new_bucket(&settings).await;
    Store::open(&format!("s3://{name}/some/prefix"), &settings).unwrap()
}

fn client(settings: &S3Settings) -> aws_sdk_s3::Client {
    let keys = Credentials::new(
        settings.access_key.clone().unwrap(),
        settings.secret_key.clone().unwrap(),
        None,
        None,
        "test",
    );
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(keys)
        .endpoint_url(settings.endpoint.clone().unwrap())
        .force_path_style(true);
    aws_sdk_s3::Client::from_conf(config.build())
}
