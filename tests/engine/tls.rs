//! `sslmode` and `sslrootcert` against a server whose certificate was issued for `localhost` by an authority of ours.

use crate::support::{assert_told, changed, wait_for};
use local::home::Home;
use local::postgres::Postgres;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rovodev::error::{Code, Result};
use rovodev::ports::postgres::{DatabaseUrl, Purpose, Session};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Certificate and key for a host.
    fn issue(&self, host: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_string()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// Whether the session at `host` is encrypted.
async fn encrypted(server: &Postgres, host: &str, query: &str) -> Result<bool> {
    let url = changed(&server.url("postgres"), |url| {
        url.set_host(Some(host)).unwrap();
        url.set_query(Some(query));
    });
    let session = Session::connect(&DatabaseUrl::parse(&url).unwrap(), Purpose::Read).await?;
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    Ok(session.query_one("asking", sql, &[]).await?.get(0))
}

/// The server takes its files when it reads its configuration again.
async fn switch_on(server: &Postgres, data: &Path, certificate: &str, key: &str) {
    let owner = fs::metadata(data).unwrap();
    for (name, text) in [("server.crt", certificate), ("server.key", key)] {
        let file = data.join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let admin = local::supabase::connect(&server.url("postgres"))
        .await
        .unwrap();
    admin
        .batch_execute("ALTER SYSTEM SET ssl = on")
        .await
        .unwrap();
    admin
        .batch_execute("SELECT pg_reload_conf()")
        .await
        .unwrap();
    let on = "SELECT count(*) FROM pg_settings WHERE name = 'ssl' AND setting = 'on'";
    wait_for(&admin, on, 1).await;
}

#[tokio::test]
async fn sslmode_means_what_libpq_means() {
    let home = Home::open().unwrap();
    let folder = home.throw_away().unwrap();
    let server = local::stack::throw_away_postgres(&home, &folder, None)
        .await
        .unwrap();
    assert!(
        !encrypted(&server, "localhost", "sslmode=prefer")
            .await
            .unwrap()
    );
    let refused = encrypted(&server, "localhost", "sslmode=require").await;
    let told = ["does not support TLS", "sslmode=disable"];
    assert_told(&refused.unwrap_err(), Code::DatabaseUnreachable, &told);

    let (ours, other) = (Authority::new(), Authority::new());
    let (certificate, key) = ours.issue("localhost");
    switch_on(
        &server,
        &folder.path().join("postgres/data"),
        &certificate,
        &key,
    )
    .await;
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_string()
    };
    let (ours, other) = (file("ours.pem", &ours.pem), file("other.pem", &other.pem));
    let empty = file("empty.pem", "");

    for (host, query, expected) in [
        ("127.0.0.1", "sslmode=disable", false),
        ("127.0.0.1", "sslmode=prefer", true),
        ("127.0.0.1", "sslmode=require", true),
        (
            "127.0.0.1",
            &format!("sslmode=require&sslrootcert={ours}"),
            true,
        ),
        (
            "127.0.0.1",
            &format!("sslmode=verify-ca&sslrootcert={ours}"),
            true,
        ),
        (
            "localhost",
            &format!("sslmode=verify-full&sslrootcert={ours}"),
            true,
        ),
    ] {
        let found = encrypted(&server, host, query).await;
        assert_eq!(found.unwrap(), expected, "{host} {query}");
    }
    let unknown = ["certificate", "sslrootcert=FILE"];
    for (host, query, code, told) in [
        (
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={ours}"),
            Code::DatabaseUnreachable,
            ["not valid for name", "host for which it was issued"],
        ),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={other}"),
            Code::DatabaseUnreachable,
            unknown,
        ),
        (
            "localhost",
            format!("sslmode=verify-ca&sslrootcert={other}"),
            Code::DatabaseUnreachable,
            unknown,
        ),
        (
            "localhost",
            format!("sslmode=require&sslrootcert={other}"),
            Code::DatabaseUnreachable,
            unknown,
        ),
        (
            "localhost",
            "sslmode=verify-full".into(),
            Code::DatabaseUnreachable,
            unknown,
        ),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=/nowhere/ca.pem".into(),
            Code::Config,
            ["/nowhere/ca.pem", "name its path"],
        ),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={empty}"),
            Code::Config,
            ["empty.pem", "no certificate"],
        ),
    ] {
        let refused = encrypted(&server, host, &query).await.unwrap_err();
        println!("{host} {query}: {refused}");
        assert_eq!(refused.code, code, "{host} {query}: {refused}");
        let all = format!("{refused} {}", refused.hint.clone().unwrap_or_default());
        assert!(
            told.iter().all(|part| all.contains(part)),
            "{host} {query}: {all}"
        );
    }
}
